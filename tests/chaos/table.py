"""Writes the table of docs/chaos.md from what the last run of the tests in this folder has noted.

Usage: table.py   (reads build/reports/chaos.jsonl; `make chaos` runs the tests and this)
"""

from __future__ import annotations

import json
import os
import statistics
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
RECORD = ROOT / "build" / "reports" / "chaos.jsonl"
PAGE = ROOT / "docs" / "chaos.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
WORDS = {
    "numbers": "range → function → Parquet",
    "pictures": "files → decode → resize → encode → Parquet",
    "journal": "range → function with a journal → Parquet",
    "sort": "range → function → sort → Parquet",
    "group": "range → function → group by → Parquet",
    "limit": "range → function → limit → Parquet",
    "files": "range → function → one file a row",
    "parquet": "Parquet → function → Parquet",
    "csv": "CSV → function → Parquet",
    "json": "JSON lines → function → Parquet",
    "letters": "range → function that sets rows aside → Parquet and a file of dead letters",
    "delta": "range → function → Delta Lake (a Python sink)",
    "region": "the same with a sink that fails now and then: parts restart",
    "endless": "made-up rows without end → JSON, stopped at the end",
    "watched": "new files of a folder → function → JSON, stopped at the end",
}


def main() -> None:
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in RECORD.read_text().splitlines():
        entry = json.loads(line)
        runs[entry["kind"]].append(entry)
    lines = ["| job | runs | kills | of these | looks of a reader |", "|---|---|---|---|---|"]
    total = Counter(runs=0, kills=0, polls=0)
    for kind in sorted(
        runs, key=lambda kind: (kind not in WORDS, list(WORDS).index(kind) if kind in WORDS else 0, kind)
    ):
        entries = runs[kind]
        how = sum((Counter(entry["how"]) for entry in entries), Counter())
        kills, polls = sum(entry["kills"] for entry in entries), sum(entry["polls"] for entry in entries)
        total.update(runs=len(entries), kills=kills, polls=polls)
        shown = ", ".join(f"{count} {name}" for name, count in sorted(how.items()))
        lines.append(f"| {WORDS.get(kind, kind)} | {len(entries)} | {kills} | {shown} | {polls:,} |")
    lines.append(f"| **all** | **{total['runs']}** | **{total['kills']}** | | **{total['polls']:,}** |")
    lines += ["", *figures(runs)]
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)
    print(f"{PAGE.relative_to(ROOT)}: {total['runs']} runs, {total['kills']} kills")


def figures(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Times from a worker's death to the first answer of its replacement."""
    lines = []
    for kind in sorted(runs):
        seconds = [value for entry in runs[kind] for value in entry.get("replacement_s", [])]
        if seconds:
            what = "death" if "killed" in kind else "freeze (0.6 s of it is the function's time limit)"
            lines.append(
                f"* {kind}: from a {what} to the first answer of the replacement {statistics.median(seconds):.2f} s in "
                f"the median, at most {max(seconds):.2f} s ({len(seconds)} times)."
            )
    return [*lines, "", f"On {os.cpu_count()} processors, shared with whatever else ran there."]


if __name__ == "__main__":
    main()
