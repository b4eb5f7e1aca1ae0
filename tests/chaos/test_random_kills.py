"""Jobs killed at random times and started again until they end: each row is there once, and nothing is left behind.

MAINSTEM_KILLS (120) is how many kills all tests of this file make together, in jobs side by side."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import expected
import pytest
from killing import PACKAGE, PATIENCE_S, Run, kills_wanted, side_by_side

#: Kind: share of the kills, kills a job, seconds in which a kill comes, and what the job is told.
BOUNDED: dict[str, tuple[float, int, float, dict[str, Any]]] = {
    "numbers": (0.12, 6, 1.0, {"rows": 1500, "pause": 0.001}),
    "pictures": (0.1, 6, 1.0, {"rows": 400, "pause": 0.004}),
    "sort": (0.08, 6, 1.0, {"rows": 1800, "pause": 0.001}),
    "group": (0.06, 6, 0.9, {"rows": 2500, "pause": 0.001}),
    "keyed": (0.08, 6, 1.0, {"rows": 1500, "pause": 0.001}),
    "files": (0.06, 6, 1.0, {"rows": 450, "pause": 0.003}),
    "parquet": (0.04, 6, 1.0, {"rows": 1500, "pause": 0.001}),
    "csv": (0.04, 6, 1.0, {"rows": 1500, "pause": 0.001}),
    "json": (0.04, 6, 1.0, {"rows": 1500, "pause": 0.001}),
    "letters": (0.06, 6, 1.0, {"rows": 1500, "pause": 0.001}),
    "delta": (0.08, 6, 1.0, {"rows": 1500, "pause": 0.001}),
    "region": (0.06, 4, 1.0, {"rows": 1000, "pause": 0.001}),
}
SEEDS = int(os.environ.get("MAINSTEM_SEED", "1"))


def jobs(kills: int, a_job: int) -> list[int]:
    """So many kills in jobs of at most so many."""
    return [min(a_job, kills - made) for made in range(0, kills, a_job)]


def each_life(work: Callable[[int, int], Any], kills: list[int]) -> None:
    side_by_side(work, range(SEEDS, SEEDS + len(kills)), kills)


@pytest.mark.parametrize("kind", BOUNDED)
def test_a_bounded_job_has_each_row_once(kind: str, tmp_path: Path) -> None:
    if kind in ("delta", "region"):
        pytest.importorskip("deltalake")
    share, a_job, after_s, given = BOUNDED[kind]
    made: list[int] = []

    def work(seed: int, kills: int) -> None:
        # In every third job the processors are busy with other things.
        # Every second job's barriers overtake its rows; every job goes on with another number of subtasks now and then.
        options = {"checkpoint": {"unaligned_after": 0}} if seed % 2 else {}
        run = Run(kind, tmp_path / str(seed), seed, rescaled=True, **options, **given)
        run.random_kills(kills, after_s, busy=seed % 3 == 0)
        if kind in ("numbers", "sort"):
            check_order(run)
        if kind == "letters":
            check_letters(run)
        made.append(len(run.end().kills))

    each_life(work, jobs(kills_wanted(share), a_job))
    assert sum(made) >= kills_wanted(share) / 3, f"only {sum(made)} kills came before the end"


def check_letters(run: Run) -> None:
    """Each row that was set aside is in the file once, and the report counts it once."""
    lines = [json.loads(line) for line in (run.folder / "bad.jsonl").read_text().splitlines()]
    found = Counter(int(line["reason"].rpartition("bad ")[2].partition(";")[0]) for line in lines)
    if found != Counter(range(0, run.given["rows"], 7)):
        raise run.defect(f"{found.total()} letters of {len(found)} rows: {found.most_common(3)}")
    if run.report()["dead_letters"] != found.total():
        raise run.defect(f"the report counts {run.report()['dead_letters']} letters, the file has {found.total()}")


def check_order(run: Run) -> None:
    """In a file rows stand as one lane has made them."""
    for path in expected.visible(run.kind, run.folder / "out"):
        ids = [row[0] for row in expected.read(run.kind, path)]
        if ids != sorted(ids, reverse=run.kind == "sort"):
            raise run.defect(f"the rows of {path.name} are out of order: {ids[:20]}")


def test_a_limit_gives_so_many_rows_none_twice(tmp_path: Path) -> None:
    def work(seed: int, kills: int) -> None:
        run = Run("limit", tmp_path / str(seed), seed, rows=600, pause=0.001).random_kills(kills, 1.0)
        found = Counter(run.rows())
        wanted = Counter({(x, expected.digest(expected.answer(x))): 1 for x, _ in found})
        if found != wanted or found.total() != 600:
            raise run.defect(f"{found.total()} rows, {len(found)} of them different")
        run.end(wanted)

    each_life(work, jobs(kills_wanted(0.04), 6))


#: Calls that the engine can have open: two workers, and what waits for each, in calls of ten rows.
IN_FLIGHT_MAX = 2 * 4 * 10


def test_with_a_journal_what_was_answered_is_not_called_again(tmp_path: Path) -> None:
    def work(seed: int, kills: int) -> None:
        run = Run("journal", tmp_path / str(seed), seed, rows=1500, pause=0.001)
        run.random_kills(kills, 1.0, busy=seed % 3 == 0)
        check_calls(run)
        run.end()

    each_life(work, jobs(kills_wanted(0.16), 6))


def check_calls(run: Run) -> None:
    """A key is called once, and once more for each kill that caught it in flight: only the last calls of a life are."""
    calls = [(int(key), ns) for key, _, ns in run.noted("calls")]
    kills = [kill["ns"] for kill in run.kills]
    if {key for key, _ in calls} != set(range(run.given["rows"])):
        raise run.defect("not every key was called")
    lives: list[list[int]] = [[] for _ in range(len(kills) + 1)]
    for key, ns in sorted(calls, key=lambda call: call[1]):
        # A worker may outlive its job by a moment: what it still does belongs to that life.
        lives[sum(ns > kill for kill in kills)].append(key)
    last: dict[int, tuple[int, int]] = {}
    for life, keys in enumerate(lives):
        for place, key in enumerate(keys):
            if key in last:
                before, from_end = last[key]
                if from_end > IN_FLIGHT_MAX or before == life:
                    raise run.defect(f"{key} was called in life {before}, {from_end} calls before its end, and again")
            last[key] = life, len(keys) - place
    report = run.report()
    if report["journal_hits"] + report["journal_writes"] != report["services"][0]["rows"] + report["journal_hits"]:
        raise run.defect("hits and writes do not add up")


def stop(run: Run, job: subprocess.Popen[str]) -> dict[str, Any]:
    """Has the job stopped from outside; returns what its savepoint says."""
    command = [sys.executable, "-m", "mainstem"]
    state = run.folder / "state"
    options: dict[str, Any] = {
        "env": {**os.environ, "PYTHONPATH": PACKAGE},
        "capture_output": True,
        "text": True,
        "timeout": PATIENCE_S,
    }
    asked = subprocess.run([*command, "stop", str(state), "victim"], **options)
    if asked.returncode != 0:
        raise run.defect(f"mainstem stop failed: {asked.stderr}")
    run.must_be(job, run.wait_end(job))
    shown = subprocess.run([*command, "checkpoints", "show", "--json", asked.stdout.strip()], **options)
    if shown.returncode != 0:
        raise run.defect(f"the savepoint cannot be shown: {shown.stderr}")
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def end_of_unbounded(run: Run, job: subprocess.Popen[str]) -> dict[str, Any]:
    savepoint = stop(run, job)
    assert run.seen is not None
    run.seen.stop()
    # What came behind the savepoint stays staged until the next start; nothing of earlier attempts does.
    staged = [path for path in (run.folder / "out").glob(".mainstem-staging/*/*/*") if path.is_file()]
    if len({path.parent for path in staged}) > 1:
        raise run.defect(f"staged files of earlier attempts are left: {staged}")
    run.check_nothing_left(staging=True)
    return savepoint


def test_rows_without_end_are_whole_up_to_the_savepoint(tmp_path: Path) -> None:
    rate = 20_000

    def work(seed: int, kills: int) -> None:
        run = Run("endless", tmp_path / str(seed), seed, rows=rate)
        starts = 0
        while len(run.kills) < kills:
            job = run.start()
            starts += 1
            run.wait_begun(job, starts)
            time.sleep(run.random.uniform(0, 0.8))
            run.kill(job, run.random.choice(("tree", "alone")))
        before = len(run.rows())
        job = run.start()
        run.wait_until(lambda: len(run.rows()) > before or job.poll() is not None, "new rows")
        savepoint = end_of_unbounded(run, job)
        rows = Counter(run.rows())
        # Rows are handed out in parts of a tenth of a second, in order: what is missing can only be in the last parts.
        whole = max(x for x, _ in rows) + 1 - 2 * rate // 10
        wanted = Counter((x, expected.digest(x * x)) for x in range(whole))
        if wanted - rows:
            raise run.defect(f"rows are lost: {sorted(map(str, wanted - rows))[:5]}")
        if any(times > 1 or content != expected.digest(x * x) for (x, content), times in rows.items()):
            raise run.defect("rows are there twice or wrong")
        written = savepoint["counters"]["rows_written"]
        if rows.total() != written:
            raise run.defect(f"{rows.total()} rows are visible, the savepoint says {written}")
        run.record()
        shutil.rmtree(run.folder)

    each_life(work, jobs(kills_wanted(0.1), 7))


def test_each_new_file_is_picked_up_once(tmp_path: Path) -> None:
    def work(seed: int, kills: int) -> None:
        run = Run("watched", tmp_path / str(seed), seed, pause=0.002)
        (run.folder / "in").mkdir()
        made: Counter[expected.Row] = Counter()

        def put(count: int) -> None:
            for _ in range(count):
                name = f"{len(made):05}.txt"
                hidden = run.folder / "in" / f".{name}"
                hidden.write_text("x" * len(made))
                hidden.rename(run.folder / "in" / name)
                made[name, expected.digest(name[::-1])] = 1

        starts = 0
        while len(run.kills) < kills:
            put(10)
            job = run.start()
            starts += 1
            run.wait_begun(job, starts)
            for _ in range(4):
                time.sleep(run.random.uniform(0, 0.2))
                put(5)
            run.kill(job, run.random.choice(("tree", "alone")))
        job = run.start()
        put(10)
        run.wait_until(lambda: len(run.rows()) >= len(made) or job.poll() is not None, "all files")
        end_of_unbounded(run, job)
        run.check_rows(made)
        run.record()
        shutil.rmtree(run.folder)

    each_life(work, jobs(kills_wanted(0.1), 7))
