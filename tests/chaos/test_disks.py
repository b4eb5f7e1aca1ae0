"""Disks that fill, folders that cannot be written, files that are damaged between a death and the next start."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import expected
import pytest
from killing import Run, side_by_side
from test_points import die, go_on_and_stop

import mainstem as ms
from mainstem import checkpoint as ms_checkpoint

#: How much a small disk holds.
DISK_BYTES = 8 << 20


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A small tmpfs mounted on a folder: a real file system that is really full."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Takes the last byte."""
    with open(folder / "..ballast", "ab", buffering=0) as file:
        for part in (1 << 16, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * part)


def checkpoints(run: Run) -> dict[str, int]:
    try:
        found: dict[str, int] = run.report()["checkpoints"]
    except (OSError, KeyError):
        return {"completed": 0, "failed": 0}
    return found


def while_checkpoints_fail(run: Run, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Has checkpoints fail for a while: rows go on, and the next checkpoint works when the cause has gone."""
    job = run.start()
    run.wait_until(lambda: checkpoints(run)["completed"] >= 2 or job.poll() is not None, "checkpoints")
    begin()
    failed = checkpoints(run)["failed"]
    answers = len(run.noted("answers"))
    run.wait_until(lambda: checkpoints(run)["failed"] >= failed + 3 or job.poll() is not None, "failures")
    run.wait_until(lambda: len(run.noted("answers")) > answers + 50 or job.poll() is not None, "more answers")
    end()
    completed = checkpoints(run)["completed"]
    run.wait_until(lambda: checkpoints(run)["completed"] > completed or job.poll() is not None, "a checkpoint")
    if job.poll() is not None:
        raise run.defect("the job has ended too early")
    run.must_be(job, run.wait_end(job))
    if run.report()["restarts"] != 0:
        raise run.defect("the job was restarted")


def test_a_full_disk_under_the_checkpoints(tmp_path: Path) -> None:
    run = Run("numbers", tmp_path / "run", 1, rows=4000, pause=0.002)
    state = run.folder / "state"
    with small_disk(state):
        while_checkpoints_fail(run, lambda: fill(state), lambda: (state / "..ballast").unlink())
        if "No space left" not in run.log():
            raise run.defect("the log does not say what failed")
        run.record(kind="full disk under the checkpoints")
        assert run.seen is not None
        run.seen.stop()
        run.check_rows(expected.rows_of("numbers", run.given))
        run.check_nothing_left()


@contextlib.contextmanager
def immutable(folder: Path) -> Iterator[None]:
    """A folder in which not even the superuser makes files."""
    changed = subprocess.run(["chattr", "+i", str(folder)], capture_output=True, text=True)
    if changed.returncode != 0:
        pytest.skip(f"a folder cannot be made read-only here: {changed.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(folder)], check=True)


def test_a_read_only_folder_under_the_checkpoints(tmp_path: Path) -> None:
    run = Run("numbers", tmp_path / "run", 2, rows=4000, pause=0.002)
    with contextlib.ExitStack() as stack:

        def begin() -> None:
            stack.enter_context(immutable(run.folder / "state" / "victim"))

        while_checkpoints_fail(run, begin, stack.close)
    if "not permitted" not in run.log():
        raise run.defect("the log does not say what failed")
    run.end(kind="read-only folder under the checkpoints")


def test_a_full_disk_under_the_output(tmp_path: Path) -> None:
    """The job fails and names the folder; the same script goes on when there is room."""
    run = Run("numbers", tmp_path / "run", 3, rows=4000, pause=0.002)
    out = run.folder / "out"
    with small_disk(out):
        job = run.start()
        run.wait_until(lambda: len(run.noted("answers")) > 300 or job.poll() is not None, "answers")
        completed = checkpoints(run)["completed"]
        run.wait_until(lambda: checkpoints(run)["completed"] > completed + 1 or job.poll() is not None, "checkpoints")
        ballast = out / ".mainstem-staging"
        fill(ballast)
        status = run.wait_end(job)
        log = run.log()
        if status == 0 or "No space left" not in log or str(out) not in log:
            raise run.defect(f"status {status}: the error does not name the disk that is full")
        run.wait_gone("the job has failed")
        (ballast / "..ballast").unlink()
        run.finish()
        if run.report()["restored_rows"] == 0:
            raise run.defect("nothing was restored")
        run.record(kind="full disk under the output")
        assert run.seen is not None
        run.seen.stop()
        run.check_rows(expected.rows_of("numbers", run.given))
        run.check_nothing_left()


def kill_when_covered(run: Run, rows: int = 200) -> None:
    """Kills the job when its newest checkpoint covers so many rows."""

    def covers() -> bool:
        try:
            newest = ms_checkpoint.jobs(run.folder / "state")[0]["checkpoints"][0]
        except (ms.MainstemError, IndexError):
            return False  # not there yet, or files came and went meanwhile
        return "damage" not in newest and newest["counters"].get("rows_written", 0) >= rows

    job = run.start()
    run.wait_until(lambda: covers() or job.poll() is not None, "a checkpoint that covers rows")
    run.kill(job, "tree")
    run.wait_gone("the job was killed")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 0x10
    path.write_bytes(bytes(data))


def empty(path: Path) -> None:
    os.truncate(path, 0)


def newest(state: Path, pattern: str) -> Path:
    """The file of the newest complete checkpoint."""
    complete = [path.parent for path in state.glob("victim/checkpoint-*/manifest")]
    folder = max(complete, key=lambda path: int(path.name.partition("-")[2]))
    return next(iter(sorted(folder.glob(pattern))))


def test_a_damaged_file(tmp_path: Path) -> None:
    """The checkpoint before it is used, and the log names the file; a lock and an attempt's number are made again."""

    def work(what: str, damage: Callable[[Path], None]) -> None:
        name = f"{what}-{damage.__name__}"
        run = Run("numbers", tmp_path / name, 4, rows=800, pause=0.001, damage=name)
        kill_when_covered(run)
        state = run.folder / "state"
        path = {
            "manifest": lambda: newest(state, "manifest"),
            "snapshot": lambda: newest(state, "*.snapshot"),
            "epoch": lambda: state / "victim" / "epoch",
            "lock": lambda: state / "victim" / "owner.lock",
        }[what]()
        if what == "lock":
            path.write_bytes(b"what nobody expects")
        damage(path)
        run.finish()
        if what in ("manifest", "snapshot"):
            if path.parent.name not in run.log() or "the one before it is used" not in run.log():
                raise run.defect("the log does not name the damaged checkpoint")
            if run.report()["restored_from"] == int(path.parent.name.partition("-")[2]):
                raise run.defect("the damaged checkpoint was used")
        run.end(kind=f"damaged {what}")

    files = ("manifest", "snapshot", "epoch", "lock")
    side_by_side(work, *zip(*[(what, damage) for what in files for damage in (cut, flip, empty)], strict=True))


def test_a_damaged_checkpoint_of_a_job_without_end(tmp_path: Path) -> None:
    """What it covered is visible: it goes out of sight and comes again, each row once."""

    def work(what: str, damage: Callable[[Path], None], die_at: str | None) -> None:
        name = f"{what}-{damage.__name__}" + (f"-{die_at}" if die_at else "")
        run = Run("endless", tmp_path / name, 8, rows=20_000, damage=name)
        die(run, "checkpoint.committed:20")
        path = newest(run.folder / "state", "manifest" if what == "manifest" else "*.snapshot")
        damage(path)
        assert run.seen is not None
        run.seen.may_withdraw = True
        if die_at:
            die(run, die_at)
        go_on_and_stop(run, kind="damaged checkpoint of a job without end")

    cases: list[tuple[str, Callable[[Path], None], str | None]]
    cases = [("manifest", cut, None), ("manifest", flip, None), ("snapshot", empty, None)]
    cases += [("manifest", flip, die_at) for die_at in ("sink.withdraw:1", "recovery.withdrawn:1")]
    side_by_side(work, *zip(*cases, strict=True))


@pytest.mark.parametrize("damage", [cut, flip, empty], ids=lambda damage: damage.__name__)
def test_two_damaged_checkpoints_are_an_error_that_names_them(damage: Callable[[Path], None], tmp_path: Path) -> None:
    run = Run("numbers", tmp_path / "run", 5, rows=800, pause=0.001)
    kill_when_covered(run)
    kept = run.folder / "kept"
    shutil.copytree(run.folder / "state", kept)
    manifests = sorted((run.folder / "state").glob("victim/checkpoint-*/manifest"), key=lambda p: p.stat().st_mtime_ns)
    for path in manifests[-2:]:
        damage(path)
    job = run.start()
    if run.wait_end(job) == 0 or any(path.parent.name not in run.log() for path in manifests[-2:]):
        raise run.defect("no error names both")
    if run.rows():
        raise run.defect("rows are visible")
    # The files are brought back.
    shutil.rmtree(run.folder / "state")
    shutil.copytree(kept, run.folder / "state")
    run.finish()
    run.end(kind="two damaged checkpoints")


@pytest.mark.parametrize("damage", [cut, flip, empty], ids=lambda damage: damage.__name__)
def test_a_damaged_decision_is_an_error_that_names_it(damage: Callable[[Path], None], tmp_path: Path) -> None:
    run = Run("numbers", tmp_path / "run", 6, rows=800, pause=0.001)
    die(run, "sink.moved:1")
    path = next((run.folder / "out").glob(".mainstem-staging/*/commit.json"))
    before = path.read_bytes()
    damage(path)
    if path.read_bytes() != before:
        job = run.start()
        if run.wait_end(job) == 0:
            raise run.defect("a damaged decision was carried out")
        if "commit.json" not in run.log() and "staged" not in run.log():
            raise run.defect("no error names the file")
        path.write_bytes(before)
    run.finish()
    run.end(kind="damaged decision of a commit")


def test_a_staged_file_that_has_lost_bytes_is_an_error_that_names_it(tmp_path: Path) -> None:
    run = Run("numbers", tmp_path / "run", 7, rows=800, pause=0.001)
    kill_when_covered(run)
    closed = [path for path in (run.folder / "out").glob(".mainstem-staging/*/*/*.parquet") if path.stat().st_size]
    staged = min(closed, key=lambda path: path.stat().st_mtime_ns)
    before = staged.read_bytes()
    cut(staged)
    job = run.start()
    if run.wait_end(job) == 0:
        raise run.defect("a staged file that a checkpoint covers was cut, and nobody noticed")
    if staged.name not in run.log():
        raise run.defect("no error names the file")
    staged.write_bytes(before)
    run.finish()
    run.end(kind="damaged staged file")
