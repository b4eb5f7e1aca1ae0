"""Starts a bench's job in a process of its own, waits for it or kills it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environment
import measure

HERE = Path(__file__).resolve().parent
FOLDER = environment.ROOT / "build" / "bench" / "recovery"


@dataclass(frozen=True)
class Setting:
    """How the benches run."""

    preset: str = "release"
    rounds: int = 3
    quick: bool = False
    timeout: float = 600
    parameters: dict[str, Any] = field(default_factory=dict)


def fresh(name: str) -> Path:
    """An empty folder of the bench."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _command(setting: Setting, module: str, request: dict[str, Any], peer: bool) -> tuple[list[str], dict[str, str]]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "request.json").write_text(json.dumps(request))
    (FOLDER / "answer.json").unlink(missing_ok=True)
    paths = [str(HERE.parent)]
    if not peer:
        paths.append(str(environment.ROOT / "build" / setting.preset / "python"))
    quiet = {"DAFT_PROGRESS_BAR": "0", "RAY_USAGE_STATS_ENABLED": "0", "DO_NOT_TRACK": "1"}
    variables = {**os.environ, **quiet, "PYTHONPATH": os.pathsep.join(paths)}
    python = environment.PEER_PYTHON if peer else environment.OUR_PYTHON
    command = [str(python), str(HERE / "child.py"), module, str(FOLDER / "request.json"), str(FOLDER / "answer.json")]
    return command, variables


def run(setting: Setting, module: str, request: dict[str, Any], *, peer: bool = False) -> tuple[Any, measure.Measured]:
    """Runs a job to its end; its answer, and what it took with all it started."""
    command, variables = _command(setting, module, request, peer)
    log = FOLDER / f"{module}.log"
    measured = measure.run(command, environment=variables, log=log, timeout=setting.timeout, ignore=set())
    if measured.returncode is None:
        raise RuntimeError(f"not finished after {setting.timeout:g} s")
    if measured.returncode != 0:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise RuntimeError(f"exit status {measured.returncode}: {lines[-1][:300] if lines else ''}")
    return json.loads((FOLDER / "answer.json").read_text()), measured


def run_and_kill(
    setting: Setting, module: str, request: dict[str, Any], due: Callable[[], bool], *, peer: bool = False
) -> None:
    """Runs a job until `due` says so, then ends its process with SIGKILL, and waits for what it had started."""
    command, variables = _command(setting, module, request, peer)
    log = FOLDER / f"{module}-killed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + setting.timeout
        try:
            while not due():
                if process.poll() is not None:
                    lines = log.read_text(errors="replace").splitlines()
                    raise RuntimeError(f"it ended before it could be killed: {lines[-1][:300] if lines else ''}")
                if time.monotonic() > deadline:
                    raise RuntimeError(f"what it should be killed at had not come after {setting.timeout:g} s")
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    while measure.descendants(os.getpid(), set()) and time.monotonic() < deadline:
        measure.reap(set())
        time.sleep(0.02)
