"""What the benches found, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Figure:
    """One thing measured, and what it must reach."""

    bench: str
    what: str
    target: str
    value: str
    met: bool | None = None  # None: nothing is demanded of it
    details: list[str] = field(default_factory=list)


def markdown(figures: Sequence[Figure], head: str) -> str:
    verdicts = {True: "met", False: "**missed**", None: "–"}
    lines = [head, "", "| bench | what | found | must reach | |", "|---|---|---|---|---|"]
    lines += [f"| {one.bench} | {one.what} | {one.value} | {one.target} | {verdicts[one.met]} |" for one in figures]
    details = [f"* {one.bench}, {one.what}: {text}" for one in figures for text in one.details]
    return "\n".join([*lines, "", *details]) + "\n"


def seconds(values: Sequence[float]) -> str:
    """ "1.23 (1.20 … 1.31) s" """
    import statistics

    return f"{statistics.median(values):.2f} ({min(values):.2f} … {max(values):.2f}) s"
