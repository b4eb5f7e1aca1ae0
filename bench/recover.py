"""The benches of recovery: what checkpoints and the journal cost, and how soon a job goes on after a failure.

    make bench-recovery                                          everything
    make bench-recovery BENCH="--benches throughput --rounds 5"
    make bench-recovery BENCH="--quick --rounds 1"               small, to see that it runs

Rounds of what is compared are interleaved; every output is checked. Results go to build/bench/results-recovery.json and
.md, beside those of benches not run this time.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
from datetime import date

import environment
import measure
import recovery
import report
from recovery.figures import Figure, markdown
from recovery.processes import Setting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benches", nargs="+", choices=recovery.NAMES, default=list(recovery.NAMES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small inputs")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a run may take")
    parser.add_argument("--preset", default="release", help="the build of Mainstem to measure")
    parser.add_argument("--engines", nargs="+", help="of the bench resume")
    parser.add_argument("--counts", nargs="+", type=int, help="finished rows of the bench resume")
    parser.add_argument("--works", nargs="+", choices=("images", "documents"), help="of the bench throughput")
    given = parser.parse_args()
    environment.set_up()
    measure.adopt_orphans()
    chosen = {name: value for name in ("engines", "counts", "works") if (value := getattr(given, name))}
    setting = Setting(given.preset, given.rounds, given.quick, given.timeout, chosen)
    path = environment.ROOT / "build" / "bench" / "results-recovery.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(path.read_text()) if path.exists() else {}
    for name in given.benches:
        figures = importlib.import_module(f"recovery.{name}").measure(setting)
        taken = f"{date.today()}, {given.rounds} rounds, {report.machine()}" + (", quick" if given.quick else "")
        kept[name] = {"taken": taken, "figures": [dataclasses.asdict(figure) for figure in figures]}
        path.write_text(json.dumps(kept, indent=1))
    found = [Figure(**one) for name in recovery.NAMES if name in kept for one in kept[name]["figures"]]
    taken = {kept[name]["taken"] for name in recovery.NAMES if name in kept}
    path.with_suffix(".md").write_text(markdown(found, "Taken " + "; ".join(sorted(taken)) + "."))
    print(path.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
