"""A job with checkpoints is killed in each method of its sink, which is the user's own, and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = 200_000

SCRIPT = f"""
import json, os, pathlib, signal, sys, uuid
import mainstem as ms

folder, kill_at, kill_number = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = {{}}

def at(point):
    seen[point] = seen.get(point, 0) + 1
    if point == kill_at and seen[point] == kill_number:
        os.kill(os.getpid(), signal.SIGKILL)

class Writer(ms.SinkWriter):
    def __init__(self, stem):
        self.stem, self.rows, self.number = stem, [], 0

    def write(self, batch):
        at("write")
        self.rows += [json.dumps(row) for row in batch.to_pylist()]

    def prepare(self):
        at("prepare")
        if not self.rows:
            return []
        name = f"{{self.stem}}-{{self.number}}"
        (folder / f".{{name}}").write_text("\\n".join(self.rows) + "\\n")
        self.rows, self.number = [], self.number + 1
        return [name]

class Lines(ms.Sink):
    def begin(self, job):
        at("begin")
        folder.mkdir(exist_ok=True)
        for staged in folder.glob(f".{{job.id}}.*"):
            staged.unlink()

    def restore(self, job, pending):
        for name in pending:
            assert (folder / name).exists() or (folder / f".{{name}}").exists()
        for staged in folder.glob(".*"):
            if staged.name[1:] not in pending:
                staged.unlink()

    def open(self, lane, attempt):
        return Writer(f"{{attempt}}-{{lane}}-{{uuid.uuid4().hex[:8]}}")

    def make_durable(self, names):
        at("make_durable")

    def commit(self, names):
        at("commit")
        for name in names:
            if not (folder / name).exists():
                (folder / f".{{name}}").rename(folder / name)
                at("in the middle of a commit")
        at("after a commit")

    def finish(self, job):
        at("finish")

    def abort(self, job):
        raise AssertionError("a job that can go on is not aborted")

state = ms.Checkpoint(folder.parent / "state", every=0.03)
ms.range({ROWS}).write_sink(Lines(), job_name="lines", checkpoint=state)
"""


def run(tmp_path: Path, kill_at: str, number: int) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(tmp_path / "out"), kill_at, str(number)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def visible(folder: Path) -> list[int]:
    if not folder.exists():
        return []
    files = (file for file in folder.iterdir() if not file.name.startswith("."))
    return sorted(json.loads(line)["id"] for file in files for line in file.read_text().splitlines())


@pytest.mark.parametrize(
    ("point", "number"),
    [
        ("begin", 1),
        ("write", 2),
        ("prepare", 2),
        ("make_durable", 1),
        ("make_durable", 2),
        ("commit", 1),
        ("in the middle of a commit", 1),
        ("in the middle of a commit", 2),
        ("after a commit", 1),
        ("finish", 1),
    ],
)
def test_a_kill_in_the_sink_loses_and_repeats_no_row(tmp_path: Path, point: str, number: int) -> None:
    killed = run(tmp_path, point, number)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    between = visible(tmp_path / "out")
    assert len(between) == len(set(between))
    again = run(tmp_path, "", 0)
    assert again.returncode == 0, again.stderr
    assert visible(tmp_path / "out") == list(range(ROWS))
    assert not list((tmp_path / "out").glob(".*"))  # nothing staged is left
