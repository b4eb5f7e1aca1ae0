"""Turns measured runs into results.json and a Markdown table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import works

MIB = 2**20


def summarise(bench: Any) -> dict[str, Any]:
    """Medians an engine, the best peer, and the ratios."""
    engines: dict[str, Any] = {}
    for name, runs in bench.results.items():
        good = [run for run in runs if not run["error"]]
        errors = sorted({run["error"] for run in runs if run["error"]})
        engines[name] = {
            "seconds": statistics.median(run["seconds"] for run in good) if good else None,
            "spread": [min(run["seconds"] for run in good), max(run["seconds"] for run in good)] if good else None,
            "cpu_seconds": statistics.median(run["cpu_seconds"] for run in good) if good else None,
            "peak_mib": statistics.median(run["peak_bytes"] for run in good) / MIB if good else None,
            "checked": good[-1].get("checked") if good else None,
            "detail": good[-1].get("detail") if good else None,
            "settings": good[-1]["settings"] if good else {},
            "left_behind": sorted({name for run in runs for name in run["left_behind"]}),
            "errors": errors,
            "failed_runs": len(runs) - len(good),
        }
    work = bench.work
    ours = engines.get(works.OURS, {}).get("seconds")
    peers = {name: engines[name] for name in work.peers if engines.get(name, {}).get("seconds")}
    best = min(peers, key=lambda name: peers[name]["seconds"], default=None)
    smallest = min(peers, key=lambda name: peers[name]["peak_mib"], default=None)
    summary: dict[str, Any] = {
        "work": bench.name, "title": work.title, "target": work.target, "parameters": bench.parameters,
        "engines": engines, "best_peer": best, "smallest_peer": smallest,
        "ratio": None, "met": None, "bound_share": None,
    }  # fmt: skip
    if ours and best:
        summary["ratio"] = peers[best]["seconds"] / ours
        summary["met"] = summary["ratio"] >= bench.parameters.get("must_reach", work.ratio)
    if ours and work.bound:
        limit = bound_seconds(work.bound[0], engines, bench.parameters)
        if limit:
            summary["bound_share"] = limit / ours
            summary["met"] = summary["met"] is not False and summary["bound_share"] >= work.bound[1]
    return summary


def bound_seconds(bound: str, engines: dict[str, Any], parameters: dict[str, Any]) -> float | None:
    """The limit's time: an engine's, or one that the work computed into its parameters' detail."""
    if bound in engines:
        return engines[bound]["seconds"]  # type: ignore[no-any-return]
    details = [engine["detail"] for engine in engines.values() if isinstance(engine["detail"], dict)]
    found = [detail[bound] for detail in details if bound in detail]
    return max(found) if found else None


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}"


def markdown(summaries: Sequence[dict[str, Any]]) -> str:
    places = sorted({summary["taken"]["machine"] for summary in summaries})
    dates = sorted({summary["taken"]["date"] for summary in summaries})
    rounds = sorted({summary["taken"]["rounds"] for summary in summaries})
    lines = [
        f"Taken {' and '.join(dates)} on {' and '.join(places)}; "
        f"medians of {' or '.join(map(str, rounds))} interleaved rounds, scale {summaries[0]['taken']['scale']}.",
        "Ratio = best peer's time / Mainstem's. Memory = PSS of the tree of processes.",
        "",
        "| work | Mainstem s | best peer s | ratio | share of limit | must reach | MiB: ours / smallest peer |",
        "|---|---|---|---|---|---|---|",
    ]
    for summary in summaries:
        ours = summary["engines"].get(works.OURS, {})
        best, smallest = summary["best_peer"], summary["smallest_peer"]
        verdict = {True: "met", False: "**missed**", None: "–"}[summary["met"]]
        lines.append(
            f"| {summary['work']}: {summary['title']} | {number(ours.get('seconds'))} "
            f"| {number(summary['engines'][best]['seconds']) + ' (' + best + ')' if best else '–'} "
            f"| {number(summary['ratio'])} | {number(summary['bound_share'])} | {summary['target']}: {verdict} "
            f"| {number(ours.get('peak_mib'), 0)} / "
            f"{number(summary['engines'][smallest]['peak_mib'], 0) + ' (' + smallest + ')' if smallest else '–'} |"
        )
    lines += [
        "",
        "| work | engine | s (least … most) | CPU-s | peak MiB | settings | output, errors |",
        "|---|---|---|---|---|---|---|",
    ]
    for summary in summaries:
        for name, engine in summary["engines"].items():
            spread = engine["spread"]
            notes = [engine["checked"] or ""] + engine["errors"]
            if isinstance(engine["detail"], dict):
                notes.append(", ".join(f"{key} {value}" for key, value in engine["detail"].items()))
            if engine["failed_runs"]:
                notes.append(f"{engine['failed_runs']} runs failed")
            if engine["left_behind"]:
                notes.append("left behind: " + " ".join(engine["left_behind"]))
            settings = ", ".join(f"{key} {value}" for key, value in engine["settings"].items())
            lines.append(
                f"| {summary['work']} | {name} | {number(engine['seconds'])}"
                + (f" ({number(spread[0])} … {number(spread[1])})" if spread else "")
                + f" | {number(engine['cpu_seconds'], 1)} | {number(engine['peak_mib'], 0)} | {settings} "
                f"| {'; '.join(note for note in notes if note).replace('|', '/')} |"
            )
    return "\n".join(lines) + "\n"


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def write(folder: Path, benches: Sequence[Any], arguments: argparse.Namespace) -> None:
    """Adds these works to the results that are there; others of the same scale stay."""
    path = folder / "results.json"
    kept = json.loads(path.read_text()) if path.exists() else {"summaries": [], "runs": {}}
    taken = {"date": str(date.today()), "machine": machine(), "rounds": arguments.rounds, "scale": arguments.scale}
    summaries = {one["work"]: one for one in kept["summaries"] if one.get("taken", {}).get("scale") == arguments.scale}
    summaries |= {bench.name: {**summarise(bench), "taken": taken} for bench in benches}
    runs = {name: runs for name, runs in kept["runs"].items() if name in summaries}
    runs |= {bench.name: bench.results for bench in benches}
    found = sorted(summaries.values(), key=lambda one: works.NAMES.index(one["work"].split("[")[0]))
    path.write_text(json.dumps({"summaries": found, "runs": runs}, indent=1, default=str))
    (folder / "results.md").write_text(markdown(found))
