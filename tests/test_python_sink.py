"""Sinks of the user's own: what the engine calls, when, and what becomes of what they raise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import mainstem as ms
from mainstem import col
from mainstem.sink import read_committable, write_committable


class FolderWriter(ms.SinkWriter):
    """Stages rows as lines of JSON."""

    def __init__(self, sink: FolderSink, stem: str) -> None:
        self.sink, self.stem, self.number, self.rows = sink, stem, 0, []

    def write(self, batch: pa.RecordBatch) -> None:
        self.sink.saw("write")
        self.rows.extend(batch.to_pylist())

    def prepare(self) -> list[str]:
        self.sink.saw("prepare")
        if not self.rows:
            return []
        name = f"{self.stem}-{self.number}.jsonl"
        (self.sink.folder / f".{name}").write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        self.number, self.rows = self.number + 1, []
        return [name]


class FolderSink(ms.Sink):
    """Files in a folder, hidden until a commit renames them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls, self.threads, self.jobs = folder, [], set(), set()

    def saw(self, call: str) -> None:
        self.calls.append(call)
        self.threads.add(threading.get_ident())

    def begin(self, job: ms.SinkJob) -> None:
        self.saw("begin")
        self.jobs.add(job.id)
        self.folder.mkdir(exist_ok=True)

    def open(self, lane: int, attempt: str) -> ms.SinkWriter:
        self.saw("open")
        self.jobs.add(attempt.split(".")[0])
        return FolderWriter(self, f"{attempt}-{lane}")

    def make_durable(self, committables: Sequence[Any]) -> None:
        self.saw("make_durable")

    def commit(self, committables: Sequence[Any]) -> None:
        self.saw("commit")
        for name in committables:
            if not (self.folder / name).exists():
                (self.folder / f".{name}").rename(self.folder / name)

    def finish(self, job: ms.SinkJob) -> None:
        self.saw("finish")
        self.jobs.add(job.id)

    def abort(self, job: ms.SinkJob) -> None:
        self.saw("abort")
        for staged in self.folder.glob(f".{job.id}.*"):
            staged.unlink()

    def ids(self) -> list[int]:
        visible = (file for file in self.folder.iterdir() if not file.name.startswith("."))
        return sorted(json.loads(line)["id"] for file in visible for line in file.read_text().splitlines())


def test_rows_arrive_once_and_the_calls_come_in_order(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path / "out")
    job = ms.range(100_000).write_sink(sink)
    assert sink.ids() == list(range(100_000))
    assert job.report()["rows"] == 100_000
    order = [call for i, call in enumerate(sink.calls) if i == 0 or call != sink.calls[i - 1]]
    assert order[:2] == ["begin", "open"]
    assert order[-3:] == ["make_durable", "commit", "finish"]
    assert sink.calls.count("commit") == sink.calls.count("finish") == sink.calls.count("begin") == 1
    assert "abort" not in order
    assert len(sink.jobs) == 1  # attempts begin with the job's id


def test_batches_are_pyarrows_and_know_their_types(tmp_path: Path) -> None:
    kept: list[pa.RecordBatch] = []

    class Keeping(FolderSink):
        def open(self, lane: int, attempt: str) -> ms.SinkWriter:
            class Writer(ms.SinkWriter):
                def write(self, batch: pa.RecordBatch) -> None:
                    kept.append(batch)

                def prepare(self) -> list[Any]:
                    return []

            return Writer()

    texts = ms.from_dict({"text": ["a", None]})
    texts.with_column("n", col("text").text.length()).write_sink(Keeping(tmp_path / "out"))
    table = pa.Table.from_batches(kept)
    assert table["text"].to_pylist() == ["a", None]
    assert table["n"].to_pylist() == [1, None]


@pytest.mark.parametrize("method", ["begin", "open", "write", "prepare", "make_durable", "commit", "finish"])
def test_what_a_method_raises_fails_the_job_with_the_sinks_name(tmp_path: Path, method: str) -> None:
    class BrokenSink(FolderSink):
        def saw(self, call: str) -> None:
            super().saw(call)
            if call == method:
                raise ValueError(f"no {call} today\x1b")

    sink = BrokenSink(tmp_path / "out")
    with pytest.raises(ms.JobError, match=rf"BrokenSink.*{method}.*ValueError: no {method} today") as raised:
        ms.range(10).write_sink(sink)
    assert "\x1b" not in str(raised.value)
    assert "abort" in sink.calls
    if method not in ("finish",):
        assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_a_job_that_fails_elsewhere_aborts(tmp_path: Path) -> None:
    @ms.udf
    def broken(n: int) -> int:
        raise RuntimeError("no")

    sink = FolderSink(tmp_path / "out")
    with pytest.raises(ms.MainstemError):
        ms.range(10).with_column("x", broken(col("id"))).write_sink(sink)
    assert sink.calls[-1] == "abort"
    assert "commit" not in sink.calls
    assert sink.ids() == []


def test_a_job_is_watched_and_cancelled_while_its_sink_writes(tmp_path: Path) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    class Slow(FolderSink):
        def saw(self, call: str) -> None:
            super().saw(call)
            if call == "write":
                at_work.set()
                assert go_on.wait(60)

    sink = Slow(tmp_path / "out")
    job = ms.range(10_000_000).write_sink(sink, wait=False)
    assert at_work.wait(60)
    assert not job.finished
    assert job.progress()["state"] == "running"
    job.cancel()
    go_on.set()
    with pytest.raises(ms.CancelledError):
        job.wait()
    assert sink.calls[-1] == "abort"
    assert sink.ids() == []


def test_a_script_may_end_while_its_sink_writes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """
import sys, threading
import mainstem as ms

started = threading.Event()

class Writer(ms.SinkWriter):
    def write(self, batch): started.set()
    def prepare(self): return []

class Endless(ms.Sink):
    def open(self, lane, attempt): return Writer()
    def commit(self, committables): pass
    def abort(self, job): print("aborted", flush=True)

job = ms.range(10**12).write_sink(Endless(), wait=False)
assert started.wait(60)
"""
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "aborted\n"


def test_only_sinks_are_taken() -> None:
    with pytest.raises(TypeError, match=r"ms\.Sink"):
        ms.range(1).write_sink("somewhere")  # type: ignore[arg-type]

    class Wrong(ms.Sink):
        def open(self, lane: int, attempt: str) -> Any:
            return 7

        def commit(self, committables: Sequence[Any]) -> None: ...

    with pytest.raises(ms.JobError, match=r"Wrong.*SinkWriter, not int"):
        ms.range(1).write_sink(Wrong())


@pytest.mark.parametrize("committable", [b"", b"\x00\xff", "text", {"a": [1, None, "é"]}, 7, [], None])
def test_committables_survive_a_checkpoint(committable: Any) -> None:
    assert read_committable(write_committable(committable)) == committable


def test_committables_that_no_checkpoint_can_hold_are_refused() -> None:
    with pytest.raises(TypeError, match=r"prepare\(\) must return bytes or JSON"):
        write_committable({"path": Path("x")})
