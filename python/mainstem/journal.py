"""Journal: finished replies of models and functions, kept in a folder so that no run pays for one twice."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, cast

from mainstem._engine import native
from mainstem.errors import translated


@dataclass(frozen=True)
class JournalStats:
    """Figures of a journal."""

    entries: int
    bytes: int


@dataclass(frozen=True)
class JournalCollection:
    """What a collection did, and the figures after it."""

    removed: int
    entries: int
    bytes: int
    bytes_before: int


class Journal:
    """A journal's folder. Jobs use it by its path: ``df.write_parquet(…, journal="state/journal")``."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)
        self._native: Any = cast(Any, native()).Journal(self.folder)

    def stats(self) -> JournalStats:
        """How many replies it holds, and the bytes on disk. A job may be using it."""
        with translated():
            found = json.loads(self._native.stats_json())
        return JournalStats(found["entries"], found["bytes"])

    def collect(self, *, max_bytes: int | str | None = None, max_age: str | None = None) -> JournalCollection:
        """Removes what is older than ``max_age`` ("30d"), then the oldest until ``max_bytes`` ("10GB") are left, and
        gives the space back. Not while another process uses the folder."""
        size = "" if max_bytes is None else str(max_bytes)
        with translated():
            found = json.loads(self._native.collect_json(size, max_age or ""))
        return JournalCollection(found["removed"], found["entries"], found["bytes"], found["bytes_before"])

    def __repr__(self) -> str:
        return f"<Journal {self.folder}>"
