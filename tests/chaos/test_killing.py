"""The tests of this folder can fail: what they look for is put there, and found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import expected
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from killing import Defect, Run


def put(run: Run, name: str, ids: range) -> None:
    """A file of right rows, as the engine would write it."""
    folder = run.folder / "out"
    folder.mkdir(exist_ok=True)
    rows = {"id": list(ids), "y": [expected.answer(x) for x in ids]}
    pq.write_table(pa.table(rows), folder / f".{name}")
    (folder / f".{name}").rename(folder / name)


def seen_by_a_reader(run: Run) -> None:
    assert run.seen is not None
    polls = run.seen.polls
    run.wait_until(lambda: run.seen.polls > polls + 2 or run.seen._error, "looks")
    run.seen.stop()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("killing.RECORD", tmp_path / "reports" / "chaos.jsonl")
    return Run("numbers", tmp_path / "run", 1, rows=10)


def test_what_is_right_passes(run: Run) -> None:
    put(run, "a.parquet", range(10))
    seen_by_a_reader(run)
    run.check_rows(expected.rows_of("numbers", run.given))
    run.check_nothing_left()


def test_a_reader_sees_a_part(run: Run) -> None:
    put(run, "a.parquet", range(9))
    with pytest.raises(Defect, match="9 of 10 rows, and no commit is under way"):
        seen_by_a_reader(run)


def test_a_reader_sees_rows_twice(run: Run) -> None:
    put(run, "a.parquet", range(10))
    put(run, "b.parquet", range(3, 4))
    with pytest.raises(Defect, match="twice"):
        seen_by_a_reader(run)


def test_a_reader_sees_half_a_file(run: Run) -> None:
    put(run, "a.parquet", range(10))
    assert run.seen is not None
    run.wait_until(lambda: run.seen._rows.total() == 10, "the rows")
    os.truncate(run.folder / "out" / "a.parquet", 50)
    with pytest.raises(Defect, match="has changed"):
        seen_by_a_reader(run)


@pytest.mark.parametrize("ids, text", [(range(9), "1 rows are lost"), (range(11), "1 are there that should not be")])
def test_rows_are_compared(ids: range, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("killing.RECORD", tmp_path / "reports" / "chaos.jsonl")
    run = Run("numbers", tmp_path / "run", 1, watch=False, rows=10)
    put(run, "a.parquet", ids)
    with pytest.raises(Defect, match=text):
        run.check_rows(expected.rows_of("numbers", run.given))


def test_what_is_left_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.seen is not None
    run.seen._ended.set()
    (run.folder / "tmp" / "left").touch()
    with pytest.raises(Defect, match="left behind"):
        run.check_nothing_left()
    monkeypatch.setattr("killing.VANISH_S", 0.1)
    name, _, value = run.tag.partition("=")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={name: value})
    run.wait_until(run.processes, "the process")
    with pytest.raises(Defect, match="processes are left"):
        run.wait_gone("test")
    child.wait()


def test_calls_that_were_answered_long_ago_are_not_repeated(run: Run) -> None:
    from test_random_kills import IN_FLIGHT_MAX, check_calls

    assert run.seen is not None
    run.seen._ended.set()
    rows = IN_FLIGHT_MAX + 20
    run.given["rows"] = rows
    now = time.monotonic_ns()
    report = {"journal_hits": 0, "journal_writes": rows, "services": [{"rows": rows}]}
    (run.folder / "report.json").write_text(json.dumps(report))

    def noted(*lives: range) -> None:
        lines = [f"{key} 1 {now + 1000 * life + key}" for life, keys in enumerate(lives) for key in keys]
        (run.folder / "calls").write_text("\n".join(lines) + "\n")
        run.kills = [{"how": "tree", "ns": now + 1000 * life - 1} for life in range(1, len(lives))]

    noted(range(rows), range(rows - 5, rows))
    check_calls(run)
    noted(range(rows), range(3, 5))
    with pytest.raises(Defect, match="calls before its end, and again"):
        check_calls(run)
    assert Counter(key for key, _, _ in run.noted("calls"))["3"] == 2
