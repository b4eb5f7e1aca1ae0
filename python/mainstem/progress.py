"""Progress: a live line in the terminal about a running job."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from mainstem.settings import config

if TYPE_CHECKING:
    from mainstem.job import Job

#: Jobs that are over sooner show nothing.
_QUIET_S = 0.5
_INTERVAL_S = 0.2


class ProgressView(Protocol):
    """What is told that time has passed."""

    def __enter__(self) -> ProgressView: ...

    def __exit__(self, *_: object) -> None: ...

    def update(self) -> None: ...


class _Hidden:
    def __enter__(self) -> _Hidden:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self) -> None:
        pass


class _Live:
    """Shows a job's figures with rich while it runs, and removes them at the end."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._began = time.monotonic()
        self._next = self._began + _QUIET_S
        self._live: Any = None

    def __enter__(self) -> _Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _INTERVAL_S
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        text = Text(progress_text(self._job.progress(), now - self._began, self._job.name))
        if self._live is None:
            self._live = Live(text, console=Console(stderr=True), transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(text, refresh=True)


def progress_view(job: Job) -> ProgressView:
    """A live view where one is wanted: on a terminal, or where ``ms.config`` says so."""
    wanted = config.get("progress")
    if wanted is None:
        wanted = sys.stderr is not None and sys.stderr.isatty()
    return _Live(job) if wanted else _Hidden()


def progress_text(figures: dict[str, Any], seconds: float, name: str | None = None) -> str:
    """A job's figures of this moment: one line for the job, one for each operator, and what holds it up."""
    from mainstem.display import bytes_text

    def entry(values: dict[str, Any]) -> str:
        parts = []
        rows = values.get("rows", values.get("rows_out"))
        if rows is not None:
            parts.append(f"{rows:,} rows")
            parts.append(f"{rows / seconds if seconds > 0 else 0:,.0f} rows/s")
        size = values.get("bytes", values.get("bytes_out"))
        if size is not None:
            parts.append(bytes_text(size))
        if values.get("waiting"):
            parts.append(f"waits: {values['waiting']}")
        return " · ".join(parts)

    parts = [name or "running", f"{seconds:.1f} s", entry(figures)]
    lines = [" · ".join(part for part in parts if part)]
    operators = [operator for operator in figures.get("operators", []) if isinstance(operator, dict)]
    lines += [f"  {operator.get('name', '?')}  {entry(operator)}" for operator in operators]
    if figures.get("bottleneck"):
        lines.append(f"  slowest: {figures['bottleneck']}")
    return "\n".join(lines)
