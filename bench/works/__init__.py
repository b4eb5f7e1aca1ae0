"""The works: one module each, with the same job written for every engine."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = (
    "images", "images_http", "classify", "accelerator", "documents", "audio", "video", "identity", "relational",
    "first_row", "memory",
)  # fmt: skip
OURS = "mainstem"


@dataclass(frozen=True)
class Case:
    """One job: what to read, where to write, and its parameters."""

    inputs: Path
    out: Path
    parameters: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.parameters[name]
        except KeyError:
            raise AttributeError(name) from None


# An engine imports and starts what it needs (not timed) and returns the job (timed) with the settings it chose.
Engine = Callable[[Case], tuple[Callable[[], Any], dict[str, Any]]]


@dataclass(frozen=True)
class Work:
    """A job, the engines that can do it, and what counts as right."""

    name: str
    title: str
    target: str
    engines: dict[str, Engine]
    prepare: Callable[[Path, dict[str, Any]], None]
    check: Callable[[Case], str]  # raises AssertionError; returns what was compared
    peers: tuple[str, ...]  # the engines that the ratio is taken against; the others inform
    full: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)
    variants: tuple[dict[str, Any], ...] = ({},)  # parameters swept over
    from_process_start: bool = False  # time from the start of the process, not of the job
    serves_inputs: bool = False  # needs the HTTP server of bench/server.py
    ratio: float = 1.0  # what must be reached against the best peer
    bound: tuple[str, float] | None = None  # an engine that shows the limit, and the share of it that must be reached


def load(name: str) -> Work:
    work: Work = importlib.import_module(f"works.{name}").WORK
    return work
