"""End-to-end tests: whole pipelines from Python, compared with libraries that know nothing of the engine."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

import mainstem as ms

ROOT = Path(__file__).resolve().parents[2]
MEDIA = ROOT / "src" / "mainstem" / "media"

#: A test that takes longer hangs.
PATIENCE_S = 60

#: Settings under which the same case must give the same rows.
PROFILES: dict[str, dict[str, object]] = {
    "default": {},
    "serial": {"parallelism": 1},
    "four": {"parallelism": 4},
    "tight": {"memory_budget": "64MB"},
    "least": {"memory_budget": "16MiB"},
}


@pytest.fixture(params=list(PROFILES))
def profile(request: pytest.FixtureRequest) -> str:
    """A setting of the engine; a test that takes it runs under each."""
    name: str = request.param
    for setting, value in PROFILES[name].items():
        ms.config.set(setting, value)
    return name


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    ms.config.reset()
    yield
    ms.config.reset()


@pytest.fixture(autouse=True)
def never_hangs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that hangs in Python, and ends the run where a native call hangs."""

    def fail(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail(f"hung for {PATIENCE_S} s", pytrace=True)

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(PATIENCE_S)
    faulthandler.dump_traceback_later(PATIENCE_S + 30, exit=True, file=sys.__stderr__)
    yield
    signal.alarm(0)
    faulthandler.cancel_dump_traceback_later()
    signal.signal(signal.SIGALRM, before)


def children(parent: int | None = None) -> dict[int, str]:
    """The processes that a process (this one) has started and that still run, with their command lines."""
    parent = os.getpid() if parent is None else parent
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in parentheses may hold anything; the fields follow the last one.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == parent and fields[0] != "Z":
            found[int(entry.name)] = command
    return found


def shared_memory() -> set[str]:
    """Files in shared memory that belong to nobody else."""
    return {entry.name for entry in Path("/dev/shm").iterdir()}


def eventually(condition: object, within_s: float = 5) -> bool:
    """Asks until the condition holds or the time is over."""
    deadline = time.monotonic() + within_s
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves processes or shared memory."""
    memory = shared_memory()
    before = set(children())
    yield
    assert eventually(lambda: not set(children()) - before), f"processes left: {children()}"
    assert shared_memory() <= memory


def files_below(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []
