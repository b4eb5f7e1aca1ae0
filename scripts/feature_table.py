"""Writes docs/features.md from what the tests have run, so that the table cannot claim what no test shows.

It reads build/reports: usage.json (tests/usage.py: what each passing Python test has used) and the JUnit files of ctest
and pytest, and from the package what there is to use. Usage: feature_table.py [--tree build/dev/python]"""

from __future__ import annotations

import argparse
import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
PAGE = ROOT / "docs" / "features.md"

#: Kinds and forms of Python functions (docs/plan.md), and how they are written.
PYTHON_FUNCTIONS = {
    "scalar, general": "`@ms.udf`: row by row",
    "scalar, pandas": '`@ms.udf(func_type="pandas")`',
    "scalar, arrow": '`@ms.udf(func_type="arrow")`',
    "scalar, numpy": '`@ms.udf(func_type="numpy")`',
    "table, general": "`@ms.udtf`",
    "map, general": "`df.map`",
    "map_batches, pandas": "`df.map_batches`",
    "map_batches, arrow": '`df.map_batches(batch_format="pyarrow")`',
    "map_batches, numpy": '`df.map_batches(batch_format="numpy")`',
    "flat_map, general": "`df.flat_map`",
}
STEPS = {"asan": "C++, address and undefined-behaviour sanitizers", "tsan": "C++, thread sanitizer"}


def counts(usage: dict[str, dict[str, list[str]]], kind: str) -> Counter[str]:
    """Counts the test functions that used each name; the parameters of a test do not make it several."""
    tests = defaultdict(set)
    for test, found in usage.items():
        for name in found.get(kind, []):
            tests[name].add(test.partition("[")[0])
    return Counter({name: len(ids) for name, ids in tests.items()})


def table(title: str, rows: Iterable[tuple[str, int]]) -> list[str]:
    lines = [f"| {title} | tests |", "|---|---|"]
    return [*lines, *(f"| {name} | {count or 'untested'} |" for name, count in rows), ""]


def passed_by_room(path: Path) -> Counter[str]:
    """Passed cases of a JUnit file of ctest, by the room that stands in front of the name."""
    rooms: Counter[str] = Counter()
    for case in ElementTree.parse(path).iter("testcase"):
        if case.get("status") == "run" and case.find("failure") is None and case.find("skipped") is None:
            rooms[case.get("name", "").partition(": ")[0]] += 1
    return rooms


def page(usage: dict[str, dict[str, list[str]]], functions: list[dict[str, str]]) -> str:
    from mainstem import io
    from mainstem.dataframe import DataFrame

    used, methods = counts(usage, "functions"), counts(usage, "methods")
    python = counts(usage, "udfs")
    names = sorted(function["name"] for function in functions)
    public = sorted(name for name in dir(DataFrame) if not name.startswith("_") and callable(getattr(DataFrame, name)))
    writers = [name for name in public if name.startswith("write_")]
    tested = sum(1 for name in names if used[name])
    lines = [
        "# What the tests show",
        "",
        "Written by `scripts/feature_table.py` at the end of `make test`, not by hand. A number says how many",
        "passing Python tests ran a plan on the engine with that function, or called that method while they ran one. A",
        "test with several parameters counts once; tests that only build a plan do not count. What no such",
        "test has used is *untested* here, even where C++ tests cover it.",
        "",
        f"{tested} of {len(names)} functions are used by tests of whole pipelines.",
        "",
        "## Sources and sinks",
        "",
        *table("source", ((f"`ms.{name}`", methods[f"ms.{name}"]) for name in io.__all__)),
        *table("sink", ((f"`df.{name}`", methods[name]) for name in writers)),
        "## Python functions",
        "",
        *table("form", ((text, python[name]) for name, text in PYTHON_FUNCTIONS.items())),
        "## Data frame methods",
        "",
        *table("method", ((f"`{name}`", methods[name]) for name in public if name not in writers)),
        "## Functions",
        "",
    ]
    for space in sorted({name.rpartition(".")[0] for name in names}):
        inside = [name for name in names if name.rpartition(".")[0] == space]
        lines += table(space or "operators", ((f"`{name}`", used[name]) for name in inside))
    steps = {step: passed_by_room(REPORTS / f"{step}.xml") for step in STEPS if (REPORTS / f"{step}.xml").exists()}
    if steps:
        lines += ["## C++ tests that passed, by room", ""]
        lines += ["| room | " + " | ".join(STEPS[step] for step in steps) + " |", "|---" * (len(steps) + 1) + "|"]
    for room in sorted(set().union(*steps.values())):
        lines.append(f"| `{room}` | " + " | ".join(str(found[room] or "–") for found in steps.values()) + " |")
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=ROOT / "build" / "dev" / "python", help="the built package")
    sys.path.insert(0, str(parser.parse_args().tree))
    from mainstem._engine import native

    usage = json.loads((REPORTS / "usage.json").read_text())
    if not usage:
        print("no test has run a plan: docs/features.md stays as it is", file=sys.stderr)
        return 1
    PAGE.write_text(page(usage, json.loads(native().functions_json())))
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
