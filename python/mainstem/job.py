"""Job: a plan that runs, or has run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mainstem import plan
from mainstem._engine import NativeJob, engine
from mainstem.checkpoint import Checkpoint, checkpoint_options
from mainstem.errors import MainstemError, translated
from mainstem.journal import Journal, journal_options
from mainstem.settings import config

if TYPE_CHECKING:
    import pyarrow as pa

    from mainstem.dataframe import DataFrame
    from mainstem.plan import Node

#: How long one look at the job may take. Short, so that Ctrl-C is answered at once.
_LOOK_S = 0.1


class Report(dict[str, Any]):
    """A job's figures: time, rows, bytes, peak memory, calls, dead letters, and what each operator did."""

    def __repr__(self) -> str:
        from mainstem.display import report_text

        return report_text(self)


class Job:
    """A running or finished job."""

    def __init__(self, native: NativeJob, name: str | None = None) -> None:
        self._native = native
        self.name = name

    @property
    def finished(self) -> bool:
        """Whether it has ended, well or not."""
        return self._native.finished()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end; says whether it was reached within the timeout (seconds). A job that failed raises.

        Ctrl-C cancels the job."""
        from mainstem.display import progress_view

        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            with progress_view(self) as view, translated():
                while True:
                    left = _LOOK_S if deadline is None else min(_LOOK_S, max(0.0, deadline - time.monotonic()))
                    done = self._native.wait(left)
                    if done or (deadline is not None and time.monotonic() >= deadline):
                        return done
                    view.update()
        except KeyboardInterrupt:
            self.cancel()
            raise
        except MainstemError as error:
            error.job = self
            raise

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows that come out of the job, as pyarrow batches, while it runs. Leaving the loop cancels the job."""
        import pyarrow as pa

        import mainstem.arrow_types  # noqa: F401 - extension types must be known before a batch is read
        from mainstem.display import progress_view

        ended = False
        try:
            with progress_view(self) as view:
                while True:
                    with translated():
                        # Asked in this order, neither the last batch nor an error at the end can be missed.
                        over = self._native.finished()
                        batch = self._native.next(_LOOK_S)
                    if batch is not None:
                        yield pa.record_batch(batch)
                    elif over:
                        ended = True
                        return
                    view.update()
        except MainstemError as error:
            ended = True
            error.job = self
            raise
        finally:
            if not ended:
                self.cancel()

    def savepoint(self, *, timeout: float = 600) -> str:
        """Takes a savepoint: a complete checkpoint that is kept until somebody removes it. Returns its path.

        Needs a job that was started with ``checkpoint=``; ``Checkpoint(from_=path)`` goes on from it."""
        return self._savepoint(False, timeout)

    def stop(self, *, timeout: float = 600) -> str:
        """Takes a savepoint and ends the job after it; the next run goes on from there. Returns its path."""
        return self._savepoint(True, timeout)

    def _savepoint(self, stop: bool, timeout: float) -> str:
        with translated():
            path = self._native.savepoint(stop, timeout)
        if path is None:
            raise TimeoutError(f"no savepoint was complete after {timeout:g} s")
        return path

    def rescale(self, task: int | str, parallelism: int) -> None:
        """Changes in how many subtasks a task runs, while it runs. ``task``: its number, or a part of its name, as
        ``explain`` shows them. Tasks that read a source, and those that take their keys of another (``over``,
        ``drop_duplicates`` of rows without end), can be rescaled; it waits for the end of a checkpoint under way."""
        if isinstance(task, str):
            found = sorted({int(line["task"]) for line in self.progress()["operators"] if task in line["name"]})
            if len(found) != 1:
                raise ValueError(f"{len(found)} tasks have an operator whose name contains {task!r}")
            task = found[0]
        with translated():
            self._native.rescale(task, parallelism)

    def cancel(self) -> None:
        """Asks the job to stop. What it staged never becomes visible; with ``checkpoint=`` the next run uses it."""
        self._native.cancel()

    def progress(self) -> dict[str, Any]:
        """Figures of this moment: rows, bytes, rates, and what holds the job up."""
        found: dict[str, Any] = json.loads(self._native.progress_json())
        return found

    def report(self) -> Report:
        """The figures of the whole job."""
        return Report(json.loads(self._native.report_json()))

    def dead_letters(self) -> DataFrame:
        """The rows that were set aside, with the reasons."""
        from mainstem.io import from_arrow

        return from_arrow(self._native.dead_letters())

    def __repr__(self) -> str:
        return f"<Job {self.name or ''} {'finished' if self.finished else 'running'}>".replace("  ", " ")


def start(
    root: Node,
    *,
    job_name: str | None = None,
    dead_letters: str | None = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
) -> Job:
    """Starts a plan; ``dead_letters`` is a file for the rows that are set aside, ``journal`` where replies
    are kept, ``checkpoint`` how the job survives."""
    written = plan.write(root)
    return start_written(
        written.json,
        written.tables,
        written.sinks,
        job_name=job_name,
        dead_letters=dead_letters,
        journal=journal,
        checkpoint=checkpoint,
    )


def start_written(
    plan_json: str,
    tables: Any = None,
    sinks: Any = None,
    *,
    job_name: str | None = None,
    dead_letters: str | None = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
) -> Job:
    """Starts a plan that is JSON already."""
    if dead_letters is not None and "://" in os.fspath(dead_letters):
        raise ValueError(
            f"dead_letters: '{dead_letters}' must be a local path: it grows by appending, which objects cannot"
        )
    settings = {
        "checkpoint": checkpoint_options(checkpoint),
        "name": job_name,
        "dead_letters": dead_letters,
        "journal": journal_options(journal if journal is not None else config.get("journal")),
        "watchdog": config.get("watchdog"),
    }
    options = {name: value for name, value in settings.items() if value is not None}
    # Nothing has run yet: what is refused here is the plan.
    with translated(planning=True):
        return Job(engine().start(plan_json, tables or {}, json.dumps(options), sinks or {}), job_name)
