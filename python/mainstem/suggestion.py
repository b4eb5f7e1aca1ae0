"""Suggestion: the nearest known name for one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" or, where nothing is near, an empty text."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def suggestion_or_list(name: str, known: Iterable[str]) -> str:
    """Returns the nearest name or, where nothing is near, a list of all of them."""
    names = sorted(known)
    return suggestion(name, names) or (f" There are: {', '.join(names)}." if names else "")
