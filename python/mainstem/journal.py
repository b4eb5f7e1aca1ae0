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
    """Figures of a journal.

    ``max_bytes`` and ``max_age_s``: the bounds that the last job gave it; ``None``: none. ``trimmed_at_s``: when a job
    last removed replies for their sake (seconds since 1970), and ``trimmed_entries``: how many."""

    entries: int
    bytes: int
    max_bytes: int | None = None
    max_age_s: float | None = None
    trimmed_at_s: float | None = None
    trimmed_entries: int | None = None


@dataclass(frozen=True)
class JournalCollection:
    """What a collection did, and the figures after it."""

    removed: int
    entries: int
    bytes: int
    bytes_before: int


class Journal(os.PathLike[str]):
    """A journal: its folder, and how large and how old it may become.

    Jobs take it, or the folder alone: ``df.write_parquet(…, journal=ms.Journal("state/journal", max_bytes="50GB",
    max_age="30d"))``. A job with such bounds removes what is out of them while it runs, in the background: replies
    that are older, then the oldest until the rest fits. It never removes a reply that it has written or read itself,
    so a job that needs more than the bound goes above it. ``max_bytes``: bytes, or a text like ``"50GB"``;
    ``max_age``: seconds, or a text like ``"30d"``, since a reply was written."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = None,
        max_age: float | str | None = None,
    ) -> None:
        self.folder = os.path.expanduser(os.fspath(folder))
        self.max_bytes = max_bytes
        self.max_age = max_age
        self._native: Any = cast(Any, native()).Journal(self.folder)

    def __fspath__(self) -> str:
        return self.folder

    def _options(self) -> dict[str, Any]:
        """As the engine reads them."""
        bounds = {"max_bytes": self.max_bytes, "max_age": self.max_age}
        return {"folder": self.folder, **{name: value for name, value in bounds.items() if value is not None}}

    def stats(self) -> JournalStats:
        """How many replies it holds, and the bytes on disk. A job may be using it."""
        with translated():
            found = json.loads(self._native.stats_json())
        del found["folder"]
        return JournalStats(**found)

    def collect(self, *, max_bytes: int | str | None = None, max_age: str | None = None) -> JournalCollection:
        """Removes what is older than ``max_age`` ("30d"), then the oldest until ``max_bytes`` ("10GB") are left, and
        gives the space back. Not while another process uses the folder."""
        size = "" if max_bytes is None else str(max_bytes)
        with translated():
            found = json.loads(self._native.collect_json(size, max_age or ""))
        return JournalCollection(found["removed"], found["entries"], found["bytes"], found["bytes_before"])

    def __repr__(self) -> str:
        bounds = "".join(f", {n}={v!r}" for n, v in self._options().items() if n != "folder")
        return f"<Journal {self.folder}{bounds}>"


def journal_options(given: Journal | str | os.PathLike[str] | None) -> dict[str, Any] | None:
    """What a job is told: a folder alone stands for a Journal without bounds."""
    if given is None:
        return None
    if not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"journal= takes a Journal or a folder, not {type(given).__name__}")
    if not isinstance(given, Journal):
        given = Journal(given)
    if "://" in given.folder:
        raise ValueError(f"journal: '{given.folder}' must be a local path: it grows by appending, which objects cannot")
    return given._options()
