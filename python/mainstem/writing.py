"""Writing: the data frame's methods that run it into files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mainstem.dataframe import DataFrame
    from mainstem.job import Job
    from mainstem.plan import Node

MODES = ("append", "overwrite", "error")


class Writing:
    """Files out of a data frame. What is written becomes visible as a whole, or not at all.

    ``mode``: "append" to what is there, "overwrite" it, or "error" where something is there. With ``wait=False`` the
    job is returned while it runs. ``dead_letters``: a file for the rows that are set aside, with the reasons.
    ``journal``: a folder where the replies of models are kept, and those of functions that ask for it
    (``@udf(journal=True)``): no run pays for a finished call again.
    ``options`` are the connector's own; those not given keep its defaults."""

    __slots__ = ()

    _node: Node

    def write_parquet(
        self,
        path: str | os.PathLike[str],
        *,
        mode: str = "append",
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Job:
        """Parquet files in a folder. Options: ``compression``, ``target_file_bytes``, ``row_group_bytes``."""
        return self._write("parquet", path, mode, wait, job_name, dead_letters, journal, options)

    def write_json(
        self,
        path: str | os.PathLike[str],
        *,
        mode: str = "append",
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Job:
        """JSON files in a folder, one object a line."""
        return self._write("json", path, mode, wait, job_name, dead_letters, journal, options)

    def write_csv(
        self,
        path: str | os.PathLike[str],
        *,
        mode: str = "append",
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Job:
        """CSV files in a folder."""
        return self._write("csv", path, mode, wait, job_name, dead_letters, journal, options)

    def write_files(
        self,
        path: str | os.PathLike[str],
        *,
        mode: str = "append",
        wait: bool = True,
        job_name: str | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        journal: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Job:
        """One file a row in a folder: bytes of one column under the name in another."""
        return self._write("files", path, mode, wait, job_name, dead_letters, journal, options)

    def _write(
        self,
        connector: str,
        path: str | os.PathLike[str],
        mode: str,
        wait: bool,
        job_name: str | None,
        dead_letters: str | os.PathLike[str] | None,
        journal: str | os.PathLike[str] | None,
        options: dict[str, Any],
    ) -> Job:
        from mainstem.expressions import option_value
        from mainstem.io import path_text
        from mainstem.job import start

        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        given = {name: option_value(value) for name, value in options.items()}
        fields = {"connector": connector, "options": {"path": path_text(path), "mode": mode, **given}}
        # Names and types are checked before a job exists; the sink's options when it starts, before anything runs.
        frame = cast("DataFrame", self)._derive("write", **fields)
        job = start(
            frame._node,
            job_name=job_name,
            dead_letters=path_text(dead_letters) if dead_letters is not None else None,
            journal=path_text(journal) if journal is not None else None,
        )
        if wait:
            job.wait()
        return job
