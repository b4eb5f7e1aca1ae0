"""A job without end goes back to a checkpoint before its last commits: rows that these have shown come again, once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import mainstem as ms


def start(folder: Path, sink: ms.Sink | None = None, from_: str | None = None, every: str = "50ms") -> Any:
    frame = ms.read_datagen({"id": {"type": "int64", "kind": "sequence"}}, rows_per_second=5_000)
    state = ms.Checkpoint(folder / "state", every=every, from_=from_)
    options: dict[str, Any] = {"job_name": "endless", "checkpoint": state, "wait": False}
    return frame.write_sink(sink, **options) if sink else frame.write_json(folder / "out", **options)


def visible(folder: Path) -> list[int]:
    lines = [line for file in sorted(folder.glob("[!.]*")) for line in file.read_text().splitlines()]
    return sorted(json.loads(line)["id"] for line in lines)


def wait_for_rows(job: Any, rows: int) -> None:
    while job.report()["rows"] < rows:
        job.wait(0.02)


def test_from_an_older_savepoint_rows_are_there_once(tmp_path: Path) -> None:
    job = start(tmp_path)
    wait_for_rows(job, 1000)
    savepoint = job.savepoint()
    covered = job.report()["checkpoints"]["last"]
    while job.report()["checkpoints"]["last"] < covered + 8:  # more than are retained
        job.wait(0.02)
    job.stop()
    before = visible(tmp_path / "out")
    again = start(tmp_path, from_=savepoint)
    assert again.report()["restored_rows"] < len(before)
    wait_for_rows(again, len(before) + 1000)
    again.stop()
    rows = visible(tmp_path / "out")
    assert len(rows) == len(set(rows)) == again.report()["rows"]
    assert len(rows) > len(before)
    # What was shown and is not any more is not lost.
    withdrawn = list((tmp_path / "out" / ".mainstem-withdrawn").rglob("*.jsonl"))
    assert sum(len(file.read_text().splitlines()) for file in withdrawn) > 0


class Writer(ms.SinkWriter):
    def __init__(self, folder: Path, stem: str) -> None:
        self.folder, self.stem, self.rows, self.number = folder, stem, [], 0

    def write(self, batch: Any) -> None:
        self.rows += [json.dumps(row) for row in batch.to_pylist()]

    def prepare(self) -> list[str]:
        if not self.rows:
            return []
        name = f"{self.stem}-{self.number}"
        (self.folder / f".{name}").write_text("\n".join(self.rows) + "\n")
        self.rows, self.number = [], self.number + 1
        return [name]


class Lines(ms.Sink):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, job: ms.SinkJob) -> None:
        self.folder.mkdir()

    def restore(self, job: ms.SinkJob, pending: Any) -> None:
        for staged in self.folder.glob(".*"):
            if staged.name[1:] not in pending:
                staged.unlink()

    def open(self, lane: int, attempt: str) -> Writer:
        return Writer(self.folder, f"{attempt}-{lane}")

    def commit(self, names: Any) -> None:
        for name in names:
            if not (self.folder / name).exists():
                (self.folder / f".{name}").rename(self.folder / name)


class LinesThatGoBack(Lines):
    def withdraw(self, job: ms.SinkJob, shown: Any, kept: Any) -> None:
        for name in shown:
            if (self.folder / name).exists():
                (self.folder / name).rename(self.folder / f".{name}")


def newest(state: Path) -> Path:
    manifests = state.glob("endless/*-*/manifest")
    return max((path.parent for path in manifests), key=lambda path: int(path.name.partition("-")[2]))


def damage_newest(state: Path) -> str:
    manifest = newest(state) / "manifest"
    manifest.write_bytes(manifest.read_bytes()[:-5])
    return manifest.parent.name


@pytest.mark.parametrize("sink", [Lines, LinesThatGoBack])
def test_a_sink_of_ones_own_takes_back_or_refuses(sink: type[Lines], tmp_path: Path) -> None:
    job = start(tmp_path, sink(tmp_path / "out"), every="1h")
    for rows in (1000, 2000):
        wait_for_rows(job, rows)
        job.savepoint()
    job.stop()
    shutil.rmtree(newest(tmp_path / "state"))  # the one that stop has made shows nothing
    before = visible(tmp_path / "out")
    damaged = damage_newest(tmp_path / "state")
    if sink is Lines:
        with pytest.raises(ms.JobError, match="cannot take back what it has shown") as error:
            start(tmp_path, sink(tmp_path / "out"))
        assert damaged in str(error.value) and "commit-*" in str(error.value)
        assert visible(tmp_path / "out") == before
        return
    again = start(tmp_path, sink(tmp_path / "out"))
    wait_for_rows(again, len(before) + 500)
    again.stop()
    rows = visible(tmp_path / "out")
    assert len(rows) == len(set(rows)) == again.report()["rows"]
