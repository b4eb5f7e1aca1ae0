"""Checks that every room of src/mainstem includes only what its line in the table allows.

Usage: check_walls.py [ROOT]   (ROOT is the repository; prints one line a violation and exits 1 if there is any)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Room → rooms it may include, besides itself. Read top-down it is the order in which data flows.
ROOMS: dict[str, str] = {
    "base": "",
    "platform": "base",
    "data": "base",
    "media": "base data",
    "functions": "base data media",
    "state": "base platform data",
    "operators": "base data functions state",
    "services": "base platform data",
    "connectors": "base platform data functions",
    "plan": "base data functions operators connectors services",
    "checkpoint": "base platform data state",
    "runtime": "base platform data functions state operators services connectors plan checkpoint",
    "worker": "base platform data plan runtime",
    "simulation": "base platform data media functions state operators services connectors plan checkpoint runtime "
    "worker",
    "bindings": "base data functions plan runtime",
}

THREAD_HEADERS = (
    "thread mutex shared_mutex atomic condition_variable future semaphore latch barrier stop_token pthread.h"
)
# Folders (or files) where threads, mutexes and atomics live; the value says why when it is not a room made for them.
THREADED: dict[str, str] = {
    "platform": "",
    "runtime": "",
    "services": "",
    "connectors/fetch": "remote reads run ahead of the decoder",
    "connectors/files/remote_store": "one client a remote store, whichever subtask comes first",
    "connectors/files/remote_lock": "a lease is renewed while whoever holds it works",
    "connectors/files/memory_object_store": "test-only: a bucket that several processes of a test share",
    "connectors/files/open_file": "waits for the fetcher's answer while a job is set up",
    "operators/relational": "Acero answers from threads of its own, and is told to stop from another",
    "media/video/plugin.cc": "FFmpeg's plug-in is loaded once, by whichever subtask comes first",
    "media/document/pdfium": "pdfium serves one caller at a time",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
ROOM_LINE = re.compile(r"mainstem_room\(\s*(\S+)([^)]*)\)")
SOURCES = {".h", ".cc"}


def check(root: Path) -> list[str]:
    """Returns the violations under root, each as `file:line: what is wrong`."""
    source = root / "src" / "mainstem"
    found = [problem for path in sorted(source.rglob("*")) for problem in _check_file(source, path)]
    return found


def _check_file(source: Path, path: Path) -> Iterator[str]:
    if path.name == "CMakeLists.txt" and path.parent != source:
        yield from _check_cmake(source, path)
    if path.suffix not in SOURCES or not path.is_file():
        return
    inside = path.relative_to(source)
    room = inside.parts[0]
    if len(inside.parts) < 2 or room not in ROOMS:
        yield f"src/mainstem/{inside}:1: is in no room of the table in scripts/check_walls.py"
        return
    # A test may call from several threads what says that it can be.
    threads_allowed = path.name.endswith("_test.cc") or any(inside.as_posix().startswith(name) for name in THREADED)
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        place = f"src/mainstem/{inside}:{number}"
        kind, name = match.groups()
        if name.startswith("mainstem/"):
            target = name.split("/")[1]
            if target != room and target not in ROOMS[room].split():
                yield f"{place}: {room} may not include {target} ({name})"
        elif name in THREAD_HEADERS.split() and not threads_allowed:
            yield f"{place}: {room} may not use <{name}>: threads, mutexes and atomics live in the folders of THREADED"
        elif kind == '"' and (path.parent / name).exists():
            yield f'{place}: include "{name}" by its full name, "mainstem/…"'


def _check_cmake(source: Path, path: Path) -> Iterator[str]:
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
    for name, arguments in ROOM_LINE.findall(text):
        room = name.split("/")[0]
        if room not in ROOMS:
            yield f"src/mainstem/{path.relative_to(source)}:1: {room} is no room of the table in scripts/check_walls.py"
            continue
        depends = re.search(r"\bDEPENDS\b(.*?)(?:\b(?:LIBRARIES|EXCLUDE)\b|$)", arguments, re.DOTALL)
        for other in depends.group(1).split() if depends else ():
            target = other.split("/")[0]
            if target != room and target not in ROOMS[room].split():
                yield f"src/mainstem/{path.relative_to(source)}:1: {room} may not depend on {target}"


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    problems = check(root)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
