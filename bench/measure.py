"""Runs a command and measures it with everything it starts: time, CPU time, peak memory with shared pages once.

Memory is the sum of PSS over the tree of processes. This process becomes the reaper of orphans, so a process that an
engine detaches stays in the tree, and what an engine leaves behind is seen, named and ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Measured:
    """What one run took."""

    returncode: int | None = None  # None: it ran past its time and was ended
    started: float = 0.0  # time.monotonic() at the start of the process
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    left_behind: list[str] = field(default_factory=list)


def adopt_orphans() -> None:
    """Makes orphaned descendants children of this process."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def run(command: list[str], *, environment: dict[str, str], log: Path, timeout: float, ignore: set[int]) -> Measured:
    """Runs command; `ignore` are children of ours that do not belong to it (the HTTP server)."""
    measured = Measured(started=time.monotonic())
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    done = threading.Event()
    sampler = threading.Thread(target=_sample, args=(measured, done, ignore), daemon=True)
    sampler.start()
    before = os.times()
    try:
        measured.returncode = process.wait(timeout)
    except subprocess.TimeoutExpired:
        measured.returncode = None
    measured.seconds = time.monotonic() - measured.started
    done.set()
    sampler.join()
    if measured.returncode is None:
        process.kill()
        process.wait()
    left = _end_leftovers(ignore)
    measured.left_behind = left if measured.returncode is not None else []  # what we interrupted is not to blame
    after = os.times()
    measured.cpu_seconds = after.children_user + after.children_system - before.children_user - before.children_system
    return measured


def descendants(root: int, ignore: set[int]) -> list[int]:
    """Process ids below root."""
    parents: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [child for child in parents.get(root, []) if child not in ignore]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += parents.get(process, [])
    return found


def _pss(process: int) -> int:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _sample(measured: Measured, done: threading.Event, ignore: set[int]) -> None:
    pause = 0.05
    while not done.wait(pause):
        started = time.thread_time()
        total = sum(_pss(process) for process in descendants(os.getpid(), ignore))
        measured.peak_bytes = max(measured.peak_bytes, total)
        pause = max(0.1, 40 * (time.thread_time() - started))  # never more than 2.5 % of a core


def _end_leftovers(ignore: set[int]) -> list[str]:
    """Gives what is left two seconds to end by itself, then ends it; returns the names of what had to be ended."""
    deadline = time.monotonic() + 2
    left = descendants(os.getpid(), ignore)
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        reap(ignore)
        left = descendants(os.getpid(), ignore)
    names = []
    for process in left:
        try:
            names.append(Path(f"/proc/{process}/comm").read_text().strip())
            os.kill(process, signal.SIGKILL)
        except OSError:
            continue
    deadline = time.monotonic() + 5
    while descendants(os.getpid(), ignore) and time.monotonic() < deadline:
        time.sleep(0.05)
        reap(ignore)
    return names


def reap(ignore: set[int]) -> None:
    """Takes note of children that have ended."""
    for child in descendants(os.getpid(), ignore):
        try:
            os.waitpid(child, os.WNOHANG)
        except ChildProcessError:
            continue
