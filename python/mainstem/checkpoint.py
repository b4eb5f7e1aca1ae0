"""Checkpoints: how a job that writes survives, and what can be seen of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, cast

from mainstem._engine import native
from mainstem.errors import translated

Duration = float | str


def _location(folder: str | os.PathLike[str]) -> str:
    """A path as it is from any working directory; a uri as it is."""
    text = os.fspath(folder)
    return text if "://" in text else os.path.abspath(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How a job survives: run the same script again, whatever happened, and it goes on from its last checkpoint.

    ``folder``: where checkpoints are kept (a path or an ``s3://`` URL), each job in a folder of its ``job_name``.
    ``every``: from one checkpoint to the next. ``unaligned_after``: when barriers that are held up overtake the
    data in front of them (``0`` at once, ``None`` never). ``timeout``: after which a checkpoint is given up; the
    job runs on. ``minimum_pause``: between two checkpoints. ``tolerated_failures``: checkpoints in a row that may
    fail. ``retained``: complete checkpoints that are kept. ``resume=False`` forgets what the folder holds of the
    job and begins anew. ``from_``: a checkpoint or savepoint to go on from (a name or a path) in place of the
    newest. ``restarts``: of the job or a part of it, without a complete checkpoint in between, before it fails;
    ``restart_delay``: before the first of them, doubled each time. ``regions_may_fall_back``: a checkpoint may be
    completed with the previous snapshot of parts that have just failed (at most 30 % of them, at most twice in a
    row).

    Durations are seconds or texts like ``"10s"``."""

    folder: str | os.PathLike[str]
    every: Duration = "10s"
    unaligned_after: Duration | None = "30s"
    timeout: Duration = "10min"
    minimum_pause: Duration = 0
    tolerated_failures: int = 100
    retained: int = 3
    resume: bool = True
    from_: str | os.PathLike[str] | None = None
    restarts: int = 5
    restart_delay: Duration = "1s"
    regions_may_fall_back: bool = False

    def _options(self) -> dict[str, Any]:
        """As the engine reads them."""
        options: dict[str, Any] = {
            "folder": _location(self.folder),
            "every": self.every,
            "unaligned_after": self.unaligned_after,
            "timeout": self.timeout,
            "minimum_pause": self.minimum_pause,
            "tolerated_failures": self.tolerated_failures,
            "retained": self.retained,
            "resume": self.resume,
            "restarts": self.restarts,
            "restart_delay": self.restart_delay,
            "regions_may_fall_back": self.regions_may_fall_back,
        }
        if self.from_ is not None:
            options["from"] = os.fspath(self.from_)
        return options


def checkpoint_options(given: Checkpoint | str | os.PathLike[str] | None) -> dict[str, Any] | None:
    """What a job is told: a folder alone stands for a Checkpoint of it."""
    if given is None:
        return None
    if isinstance(given, (str, os.PathLike)):
        given = Checkpoint(given)
    if not isinstance(given, Checkpoint):
        raise TypeError(f"checkpoint= takes a Checkpoint or a folder, not {type(given).__name__}")
    return given._options()


def _core() -> Any:
    return cast(Any, native())


def jobs(folder: str | os.PathLike[str], *, verify: bool = False) -> list[dict[str, Any]]:
    """The jobs of a checkpoint folder with their checkpoints, newest first: names, bytes, times, damage.

    ``verify`` reads and checks every file. Running jobs are not disturbed."""
    with translated():
        found: list[dict[str, Any]] = json.loads(_core().jobs_json(os.fspath(folder), verify))
        return found


def show(path: str | os.PathLike[str]) -> dict[str, Any]:
    """One checkpoint or savepoint: its regions, where its sources stand, what was in flight, its files."""
    with translated():
        found: dict[str, Any] = json.loads(_core().checkpoint_json(os.fspath(path)))
        return found


def ask_to_stop(folder: str | os.PathLike[str], job_name: str) -> None:
    """Asks the process that runs a job to take a savepoint and to end."""
    with translated():
        _core().ask_to_stop(os.fspath(folder), job_name)
