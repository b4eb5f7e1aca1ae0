"""Writing: the data frame's methods that run it into files, and into sinks of your own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from mainstem.checkpoint import Checkpoint
    from mainstem.dataframe import DataFrame
    from mainstem.job import Job
    from mainstem.journal import Journal
    from mainstem.plan import Node
    from mainstem.sink import Sink

MODES = ("append", "overwrite", "error")

_Method = TypeVar("_Method", bound=Callable[..., Any])

_FOR_FILES = """

        ``mode``: "append" to what is there, "overwrite" it, or "error" where something is there. ``options`` are the
        connector's own; those not given keep its defaults."""
_FOR_ALL = """

        What is written becomes visible as a whole, or not at all. With ``wait=False`` the job is returned while it
        runs. ``dead_letters``: a file for the rows that are set aside, with the reasons. ``journal``: a
        :class:`mainstem.Journal`, or its folder, where the replies of models are kept, and those of functions that
        ask for it (``@udf(journal=True)``): no run pays for a finished call again. ``checkpoint``: a
        :class:`mainstem.Checkpoint`, or its folder: run the same script again after whatever happened and the job of
        this ``job_name`` goes on, every row exactly once.
        """


def _explained(*parts: str) -> Callable[[_Method], _Method]:
    # Arguments that mean the same everywhere are explained once.
    def explain(method: _Method) -> _Method:
        method.__doc__ = (method.__doc__ or "") + "".join(parts)
        return method

    return explain


@dataclass(frozen=True, slots=True)
class _JobArguments:
    """What every writing method is told of the job."""

    wait: bool
    job_name: str | None
    dead_letters: str | os.PathLike[str] | None
    journal: Journal | str | os.PathLike[str] | None
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None


class Writing:
    """Files out of a data frame, and rows into sinks of your own."""

    __slots__ = ()

    _node: Node

    @_explained(_FOR_FILES, _FOR_ALL)
    def write_parquet(
        self,
        path: str | os.PathLike[str],
        *,
        mode: str = "append",
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Job:
        """Parquet files in a folder. Options: ``compression``, ``target_file_bytes``, ``row_group_bytes``."""
        return self._write_files(
            "parquet", path, mode, options, _JobArguments(wait, job_name, dead_letters, journal, checkpoint)
        )

    @_explained(_FOR_FILES, _FOR_ALL)
    def write_json(
        self,
        path: str | os.PathLike[str],
        *,
        mode: str = "append",
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Job:
        """JSON files in a folder, one object a line. Options: ``compression``, ``target_file_bytes``."""
        return self._write_files(
            "json", path, mode, options, _JobArguments(wait, job_name, dead_letters, journal, checkpoint)
        )

    @_explained(_FOR_FILES, _FOR_ALL)
    def write_csv(
        self,
        path: str | os.PathLike[str],
        *,
        mode: str = "append",
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Job:
        """CSV files in a folder. Options: ``compression``, ``target_file_bytes``."""
        return self._write_files(
            "csv", path, mode, options, _JobArguments(wait, job_name, dead_letters, journal, checkpoint)
        )

    @_explained(_FOR_FILES, _FOR_ALL)
    def write_files(
        self,
        path: str | os.PathLike[str],
        *,
        mode: str = "append",
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Job:
        """One file a row in a folder: bytes of one column under the name in another. Two rows of one name are an
        error. Options: ``name_column``, ``content_column``."""
        return self._write_files(
            "files", path, mode, options, _JobArguments(wait, job_name, dead_letters, journal, checkpoint)
        )

    @_explained(_FOR_ALL)
    def write_sink(
        self,
        sink: Sink,
        *,
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    ) -> Job:
        """Rows into a sink of your own (``ms.Sink``), which takes part in the engine's commits."""
        from mainstem.sink import Sink, SinkCalls, end_before_interpreter

        if not isinstance(sink, Sink):
            raise TypeError(f"write_sink takes an object of a class derived from ms.Sink, not {type(sink).__name__}")
        arguments = _JobArguments(False, job_name, dead_letters, journal, checkpoint)
        calls = SinkCalls(sink)
        job = self._write("sink", {"sink": calls}, arguments)
        end_before_interpreter(job, calls)
        if wait:
            job.wait()
        return job

    def _write_files(
        self, connector: str, path: str | os.PathLike[str], mode: str, options: dict[str, Any], job: _JobArguments
    ) -> Job:
        from mainstem.expressions import option_value
        from mainstem.io import path_text

        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        given = {name: option_value(value) for name, value in options.items()}
        return self._write(connector, {"path": path_text(path), "mode": mode, **given}, job)

    def _write(self, connector: str, options: dict[str, Any], job: _JobArguments) -> Job:
        from mainstem.io import path_text
        from mainstem.job import start

        # Names and types are checked before a job exists; the sink's options when it starts, before anything runs.
        frame = cast("DataFrame", self)._derive("write", connector=connector, options=options)
        running = start(
            frame._node,
            job_name=job.job_name,
            dead_letters=path_text(job.dead_letters) if job.dead_letters is not None else None,
            journal=job.journal,
            checkpoint=job.checkpoint,
        )
        if job.wait:
            running.wait()
        return running
