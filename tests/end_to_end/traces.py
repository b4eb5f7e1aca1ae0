"""What a job could leave behind: processes, shared memory, files. A module of its own, not conftest: worker processes
import the tests that define user functions, and there several modules are named conftest."""

from __future__ import annotations

import os
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEDIA = ROOT / "src" / "mainstem" / "media"


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


def files_below(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []
