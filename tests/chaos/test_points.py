"""Jobs that die at named points: between two steps that must not come apart.

The engine has a DiePoint (platform/die_point.h) at each; MAINSTEM_DIE_AT="point:n" has the process kill itself with
SIGKILL when it passes the point for the n-th time."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import expected
import pytest
from killing import KILLED, Run, kills_wanted, side_by_side
from test_random_kills import check_calls, check_letters, end_of_unbounded

#: Where a process dies, in its first life, in words.
POINTS = {
    "snapshot.folder": "the checkpoint's folder is there, the snapshot is not",
    "snapshot.written": "a snapshot is written, others and the manifest are not",
    "letters.written": "rows that were set aside are in their file, the manifest is not there",
    "manifest.partial": "the manifest is written and synced under another name",
    "manifest.renamed": "the manifest has its name; the folder is not synced",
    "checkpoint.published": "the checkpoint is complete, nobody has committed",
    "checkpoint.committed": "committed; the coordinator does not know",
    "checkpoint.retired": "an old checkpoint has lost its manifest, not its snapshots",
    "sink.prepare": "a staged file is closed and not named yet",
    "sink.before_sync": "a staged file is named and not synced",
    "sink.decided": "what the commit will do is written down, nothing is moved",
    "sink.before_move": "some files of a commit are in place",
    "sink.moved": "a file is in place and the folder not synced",
    "journal.before_write": "replies are there and not kept",
    "journal.written": "replies are kept and not used",
    "region.restart": "a part of the job is about to be started again",
}
#: Where it dies when it goes on.
RECOVERY = {
    "recovery.latest": "the newest checkpoint is found",
    "recovery.restored": "the sink has swept what is of no checkpoint",
    "recovery.recommitted": "what was pending is committed again",
    "sink.before_move": "in the middle of the commit that is repeated",
}

#: At which passing of a point; more than two where many kills are wanted.
PASSINGS = range(1, min(30, kills_wanted(1) // 50)) if kills_wanted(1) > 150 else (1, 10)


def kind_of(point: str) -> tuple[str, dict[str, Any]]:
    if point.startswith("journal."):
        return "journal", {"rows": 1500, "pause": 0.001}
    if point.startswith("letters."):
        return "letters", {"rows": 1500, "pause": 0.001}
    if point.startswith("region."):
        return "region", {"rows": 1500, "pause": 0.001}
    return "numbers", {"rows": 1500, "pause": 0.001}


def die(run: Run, at: str, *, must: bool = True) -> bool:
    """A life that ends at a point. Where it may, it may also end well before it gets there."""
    job = run.start(die_at=at)
    status = run.wait_end(job)
    if status == KILLED:
        run.wait_gone(f"the job died at {at}")
        run.kills.append({"how": "point", "at": at, "ns": time.monotonic_ns()})
        return True
    if must or status != 0:
        raise run.defect(f"the job should have died at {at}, and ended with status {status}")
    return False


def test_a_bounded_job_dies_at_each_point(tmp_path: Path) -> None:
    pytest.importorskip("deltalake")

    def work(point: str, passing: int) -> None:
        kind, given = kind_of(point)
        run = Run(kind, tmp_path / f"{point}-{passing}", passing, point=point, **given)
        if die(run, f"{point}:{passing}", must=passing == 1):
            run.finish()
        if kind == "journal":
            check_calls(run)
        if kind == "letters":
            check_letters(run)
        run.end()

    side_by_side(work, *zip(*[(point, passing) for point in POINTS for passing in PASSINGS], strict=True))


def test_a_job_dies_while_it_recovers(tmp_path: Path) -> None:
    """An unbounded job, whose every checkpoint commits: killed, killed again at each step of its recovery, stopped."""

    def work(first: str, point: str) -> None:
        run = Run("endless", tmp_path / f"{first}-{point}", 1, rows=20_000, points=[first, point])
        die(run, first)
        die(run, f"{point}:1")
        go_on_and_stop(run)

    firsts = ("checkpoint.published:2", "sink.before_move:2")
    side_by_side(work, *zip(*[(first, point) for first in firsts for point in RECOVERY], strict=True))


def test_an_unbounded_job_dies_five_times_in_a_row(tmp_path: Path) -> None:
    def work(point: str) -> None:
        run = Run("endless", tmp_path / point, 1, rows=20_000, point=point)
        for passing in (1, 2, 3, 2, 1):
            die(run, f"{point}:{passing}")
        go_on_and_stop(run)

    side_by_side(work, ("checkpoint.published", "checkpoint.committed", "sink.moved", "manifest.renamed"))


def go_on_and_stop(run: Run, **figures: Any) -> None:
    """The last life of an unbounded job."""
    before, begun = len(run.rows()), len(run.noted("begun"))
    job = run.start()
    run.wait_begun(job, begun + 1)
    run.wait_until(lambda: len(run.rows()) > before + 4000 or job.poll() is not None, "new rows")
    check_prefix(run, end_of_unbounded(run, job))
    run.record(**figures)
    shutil.rmtree(run.folder)


def check_prefix(run: Run, savepoint: dict[str, Any]) -> None:
    rows = Counter(run.rows())
    if twice := [row for row, times in rows.items() if times > 1]:
        raise run.defect(f"rows are there twice: {twice[:5]}")
    whole = max(x for x, _ in rows) + 1 - 2 * run.given["rows"] // 10
    if lost := Counter((x, expected.digest(x * x)) for x in range(whole)) - rows:
        raise run.defect(f"{lost.total()} rows are lost: {sorted(map(str, lost))[:5]}")
    if rows.total() != savepoint["counters"]["rows_written"]:
        raise run.defect(f"{rows.total()} rows are visible, the savepoint says {savepoint['counters']}")


@pytest.mark.parametrize("point", ["journal.before_write", "journal.written"])
def test_calls_are_paid_once_over_many_deaths(point: str, tmp_path: Path) -> None:
    run = Run("journal", tmp_path / "run", 1, rows=800, pause=0.001)
    for passing in (3, 1, 4, 2, 3):
        die(run, f"{point}:{passing}")
    run.finish()
    check_calls(run)
    run.end()
