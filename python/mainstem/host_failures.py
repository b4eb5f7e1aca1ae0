"""How rows and services fail on the side of a Python replica: classes and texts."""

from __future__ import annotations

import functools
import os
import traceback

REASON_CHARS_MAX = 1000


class RowsFailed(Exception):
    """Some row of the batch is at fault; it is not known which."""


class ServiceFailed(Exception):
    """No batch can be answered: the code or its declaration is wrong."""


class Failures(dict[int, str]):
    """Row -> reason; the first reason of a row stays."""

    def add(self, row: int, reason: str) -> None:
        self.setdefault(row, reason)


def describe(error: BaseException) -> str:
    """Returns "ValueError: message (file.py:12 in parse)" with the innermost frames of the user's code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_ours(frame.filename)]
    places = ", ".join(
        f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames[-3:][::-1]
    )
    try:
        message = " ".join(str(error).split())
    except Exception:
        message = "(its message could not be made)"
    text = type(error).__name__ + (f": {message[:REASON_CHARS_MAX]}" if message else "")
    return f"{text} ({places})" if places else text


@functools.cache
def is_ours(path: str) -> bool:
    """Whether a file of code belongs to this package and tells the user nothing."""
    return os.path.dirname(os.path.realpath(path)) == os.path.dirname(os.path.realpath(__file__))
