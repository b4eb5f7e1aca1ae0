"""Kills jobs and starts them again: real processes, real signals.

Every process of a run carries a variable of its own in its environment, so that it is found wherever it is."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import expected

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = os.environ.get("MAINSTEM_PACKAGE", str(ROOT / "build" / "dev" / "python"))
RECORD = ROOT / "build" / "reports" / "chaos.jsonl"
PATIENCE_S = 120.0
#: Kills of each run that has ended in this process.
MADE: list[int] = []
#: Processes of a job that has been killed notice it and end within this time, however busy the machine.
VANISH_S = 20.0
#: Jobs that are killed at the same time. Most of a life is waiting: for its start, for the time of its death.
AT_ONCE = 4
#: A job process that dies of itself at a named point dies of this.
KILLED = -signal.SIGKILL


def kills_wanted(share: float) -> int:
    """How many of the kills that this run is to make fall to a test with that share of them."""
    return max(1, round(int(os.environ.get("MAINSTEM_KILLS", "120")) * share))


def side_by_side(work: Callable[..., Any], *arguments: Iterable[Any]) -> None:
    """Calls work for each of the arguments, several at a time; the first defect is raised."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, *arguments))


class Defect(AssertionError):
    """What a run has shown, with all that is needed to see it again."""


class Run:
    """One job with its folder, from its first start to its end."""

    def __init__(self, kind: str, folder: Path, seed: int, *, watch: bool = True, **given: Any) -> None:
        self.kind, self.folder, self.seed = kind, folder, seed
        self.random = random.Random(f"{kind} {seed}")
        self.given = {"kind": kind, **given}
        self.tag = f"MAINSTEM_RUN={uuid.uuid4().hex}"
        self.kills: list[dict[str, Any]] = []
        self.seen: Poller | None = None
        folder.mkdir(parents=True)
        (folder / "tmp").mkdir()
        (folder / "parallelism").write_text("2")
        (folder / "given.json").write_text(json.dumps(self.given))
        if kind == "pictures":
            expected.write_pictures(folder / "in", given["rows"])
        if kind in ("parquet", "csv", "json"):
            expected.write_tables(kind, folder / "in", given["rows"])
        if watch:
            self.seen = Poller(self)

    # Starting and killing.

    def start(self, die_at: str | None = None) -> subprocess.Popen[str]:
        name, _, value = self.tag.partition("=")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([PACKAGE, str(ROOT / "examples")]),
            "TMPDIR": str(self.folder / "tmp"),
            name: value,
        }
        if die_at is not None:
            environment["MAINSTEM_DIE_AT"] = die_at
        log = open(self.folder / "log", "a")  # noqa: SIM115 - the child writes into it
        with log:
            return subprocess.Popen(
                [sys.executable, str(HERE / "victims.py"), self.kind, str(self.folder)],
                env=environment,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def processes(self) -> list[int]:
        """Everything that lives and belongs to this run."""
        wanted, found = self.tag.encode(), []
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                with open(f"/proc/{entry.name}/environ", "rb") as file:
                    is_ours = wanted in file.read().split(b"\0")
                if is_ours and not is_zombie(int(entry.name)):
                    found.append(int(entry.name))
            except OSError:
                continue  # it has just ended
        return found

    def workers(self, job: subprocess.Popen[str]) -> list[int]:
        return [pid for pid in self.processes() if pid != job.pid]

    def kill(self, job: subprocess.Popen[str], how: str) -> None:
        """``tree``: everything at once; ``alone``: the job's process, and its workers must go by themselves."""
        if how == "tree":
            for pid in [job.pid, *self.processes()]:
                send(pid, signal.SIGKILL)
        else:
            send(job.pid, signal.SIGKILL)
        job.wait(PATIENCE_S)
        self.kills.append({"how": how, "ns": time.monotonic_ns()})

    def wait_gone(self, why: str) -> None:
        deadline = time.monotonic() + VANISH_S
        while left := self.processes():
            if time.monotonic() > deadline:
                names = [command(pid) for pid in left]
                for pid in left:
                    send(pid, signal.SIGKILL)
                raise self.defect(f"{why}: processes are left after {VANISH_S:g} s: {names}")
            time.sleep(0.02)

    def wait_begun(self, job: subprocess.Popen[str], times: int) -> None:
        self.wait_until(lambda: len(self.noted("begun")) >= times or job.poll() is not None, "the job to begin")

    def wait_until(self, holds: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                raise self.defect(f"waited {PATIENCE_S:g} s for {what}")
            time.sleep(0.003)

    def wait_end(self, job: subprocess.Popen[str]) -> int:
        try:
            return job.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            for pid in self.processes():
                send(pid, signal.SIGABRT)
            raise self.defect("the job does not end") from None

    # One life after the other.

    def random_kills(self, kills: int, after_s: float, busy: bool = False) -> Run:
        """Kills the job so many times, each at a random time after its start, then lets it end."""
        starts = 0
        with contention(busy):
            while len(self.kills) < kills:
                job = self.start()
                starts += 1
                self.wait_begun(job, starts)
                # The next life may have another number of subtasks.
                (self.folder / "parallelism").write_text(str(self.random.randint(1, 4)))
                time.sleep(self.random.uniform(0, after_s))
                if job.poll() is not None:
                    self.must_be(job, 0)
                    return self  # it was faster than the kills
                how = self.random.choice(("tree", "tree", "alone"))
                self.kill(job, how)
                if how == "alone" and self.random.random() < 0.5:
                    self.wait_gone("the job's process was killed")
            self.finish()
        return self

    def finish(self) -> None:
        """Starts the job once more and lets it end."""
        self.must_be(job := self.start(), self.wait_end(job))

    def must_be(self, job: subprocess.Popen[str], status: int) -> None:
        if job.returncode != 0 or status != 0:
            raise self.defect(f"the job ended with status {job.returncode}")

    # What was noted and reported.

    def noted(self, file: str) -> list[tuple[str, int, int]]:
        path = self.folder / file
        if not path.exists():
            return []
        lines = [line.split() for line in path.read_text().splitlines()]
        return [(line[0], int(line[1]), int(line[2])) for line in lines if len(line) == 3]

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return found

    def log(self) -> str:
        return (self.folder / "log").read_text() if (self.folder / "log").exists() else ""

    def defect(self, what: str) -> Defect:
        kept = RECORD.parent / "chaos" / f"{self.kind}-{self.seed}-{uuid.uuid4().hex[:6]}"
        with contextlib.suppress(OSError, shutil.Error):
            shutil.copytree(self.folder, kept, symlinks=True)
        return Defect(
            f"{self.kind}, seed {self.seed}, {self.given}: {what}\nkills: {self.kills}\nkept in {kept}\n"
            f"log: …{self.log()[-3000:]}"
        )

    # Checks after the end.

    def rows(self) -> list[expected.Row]:
        while True:
            found: list[expected.Row] = []
            try:
                for path in expected.visible(self.kind, self.folder / "out"):
                    found += expected.read(self.kind, path)
                return found
            except FileNotFoundError:
                if not (self.seen and self.seen.may_withdraw):
                    raise

    def check_rows(self, wanted: Counter[expected.Row]) -> None:
        found = Counter(self.rows())
        if found != wanted:
            lost, more = wanted - found, found - wanted
            raise self.defect(
                f"{lost.total()} rows are lost ({sorted(map(str, lost))[:5]}), {more.total()} are there that should "
                f"not be ({sorted(map(str, more))[:5]})"
            )

    def check_nothing_left(self, staging: bool = False) -> None:
        """No processes, no temporary or staged files, no more checkpoints than a finished job keeps."""
        self.wait_gone("the job has ended")
        left = [path for path in (self.folder / "tmp").rglob("*")]
        hidden = [] if staging else list((self.folder / "out").rglob(".*"))
        partial = list((self.folder / "state").rglob("*.partial*")) + list((self.folder / "state").glob(".removed-*"))
        if left or hidden or partial:
            raise self.defect(f"left behind: {[str(path) for path in left + hidden + partial][:10]}")
        if shared := [name for name in os.listdir("/dev/shm") if "mainstem" in name]:
            raise self.defect(f"left in /dev/shm: {shared}")

    def end(self, wanted: Counter[expected.Row] | None = None, **figures: Any) -> Run:
        """All checks that every bounded job must pass."""
        if self.seen is not None:
            self.seen.stop()
        self.check_rows(wanted if wanted is not None else expected.rows_of(self.kind, self.given))
        self.check_nothing_left()
        self.record(**figures)
        shutil.rmtree(self.folder)
        return self

    def record(self, **figures: Any) -> None:
        """One line for the table in docs/chaos.md."""
        RECORD.parent.mkdir(parents=True, exist_ok=True)
        MADE.append(len(self.kills))
        line = {
            "kind": self.kind,
            "seed": self.seed,
            "kills": len(self.kills),
            "how": Counter(kill["how"] for kill in self.kills),
            "polls": self.seen.polls if self.seen else 0,
            **figures,
        }
        with open(RECORD, "a") as file:
            file.write(json.dumps(line) + "\n")


class Poller:
    """Looks at the output all along, as a reader would.

    Each file parses as soon as it is seen, never changes and never goes; no row is seen twice. Of a bounded job
    everything is seen or nothing, but while a decided commit is half done, which the sink notes beside the files."""

    UNBOUNDED = ("endless", "watched")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sizes: dict[Path, int] = {}
        self._rows: Counter[expected.Row] = Counter()
        self._held: dict[Path, list[expected.Row]] = {}
        #: A job that goes back to an older checkpoint takes out of sight what later ones have shown.
        self.may_withdraw = False
        self._error: str | None = None
        self._ended = threading.Event()
        self.polls = 0
        self._bounded = run.kind not in self.UNBOUNDED
        self._all = expected.rows_of(run.kind, run.given).total() if self._bounded and "rows" in run.given else None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        if self._error:
            raise self._run.defect(f"a reader has seen it: {self._error}")

    def _watch(self) -> None:
        while not self._ended.wait(0.02) and self._error is None:
            try:
                self._look()
            except Exception as error:
                self._error = f"{type(error).__name__}: {error}"
        if self._error is None:
            self._look()

    def _look(self) -> None:
        self._add(self._listing())
        self.polls += 1
        if self._bounded and self._sizes and self._all is not None and self._rows.total() != self._all:
            # A commit may have begun and ended while this looked; then the next look sees all of it.
            halfway = self._decided()
            self._add(self._listing())
            if not halfway and not self._decided() and self._rows.total() != self._all:
                raise AssertionError(f"{self._rows.total()} of {self._all} rows, and no commit is under way")

    def _listing(self) -> list[Path]:
        return expected.visible(self._run.kind, self._run.folder / "out")

    def _decided(self) -> bool:
        return any((self._run.folder / "out").glob(".mainstem-staging/*/commit.json"))

    def _add(self, files: list[Path]) -> None:
        gone = self._sizes.keys() - set(files)
        if self.may_withdraw:
            for path in gone:
                self._rows.subtract(self._held.pop(path))
                del self._sizes[path]
        else:
            assert not gone, f"files have gone: {sorted(gone)[:3]}"
        for path in files:
            try:
                self._add_file(path)
            except FileNotFoundError:
                if not self.may_withdraw:
                    raise
                if path not in self._held:  # else the next look finds that it has gone
                    self._sizes.pop(path, None)
        twice = [row for row, times in self._rows.items() if times > 1][:3]
        assert not twice or self._run.kind == "files", f"rows are there twice: {twice}"

    def _add_file(self, path: Path) -> None:
        size = path.stat().st_size
        known = self._sizes.setdefault(path, size)
        assert known == size, f"{path} has changed from {known} to {size} bytes"
        if path not in self._held:
            self._held[path] = expected.read(self._run.kind, path)
            self._rows.update(self._held[path])


def send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def is_zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] in "ZX"


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    except OSError:
        return "gone"


@contextlib.contextmanager
def contention(busy: bool) -> Any:
    """Loops that leave the job a part of the processors."""
    loops = []
    if busy:
        code = "import os\nos.nice(1)\nwhile os.getppid() > 1: pass"
        loops = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
