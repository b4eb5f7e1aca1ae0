"""The benches: the same works on Mainstem and its peers, interleaved, checked, with time and peak memory.

    make bench                                         everything, five rounds
    make bench BENCH="--works images audio --rounds 7"
    make bench BENCH="--scale quick --rounds 1"        small inputs, to see that it runs

Each run is a process of its own. An engine's imports and start-up are not timed unless the work says so. Inputs stay in
build/bench/inputs; results go to build/bench/results.json and results.md, beside those of works not run this time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import environment
import measure
import report
import works

ROOT = environment.ROOT
HERE = Path(__file__).resolve().parent
FOLDER = ROOT / "build" / "bench"


def python_of(engine: str, preset: str = "release") -> tuple[Path, dict[str, str]]:
    """The interpreter and environment of an engine."""
    quiet = {"DAFT_PROGRESS_BAR": "0", "RAY_USAGE_STATS_ENABLED": "0", "DO_NOT_TRACK": "1"}
    variables = {**os.environ, **quiet, "PYTHONPATH": str(HERE)}
    if engine in (works.OURS, "model_alone"):
        variables["PYTHONPATH"] = f"{HERE}:{ROOT / 'build' / preset / 'python'}"
        return environment.OUR_PYTHON, variables
    return environment.PEER_PYTHON, variables


def label(work: works.Work, variant: dict[str, Any]) -> str:
    inside = ", ".join(f"{key}={value}" for key, value in variant.items() if key != "must_reach")
    return f"{work.name}[{inside}]" if inside else work.name


class Bench:
    """One work at one setting of its variant."""

    def __init__(self, work: works.Work, variant: dict[str, Any], arguments: argparse.Namespace) -> None:
        self.work = work
        self.arguments = arguments
        self.parameters = {**(work.quick if arguments.scale == "quick" else work.full), **variant}
        self.name = label(work, variant)
        self.engines = [name for name in work.engines if not arguments.engines or name in arguments.engines]
        self.inputs = FOLDER / "inputs" / f"{work.name}-{arguments.scale}"
        self.results: dict[str, list[dict[str, Any]]] = {engine: [] for engine in self.engines}
        self.server: subprocess.Popen[str] | None = None

    def prepare(self) -> None:
        stamp = self.inputs / ".." / f"{self.inputs.name}.json"
        wanted = json.dumps(self.work.quick if self.arguments.scale == "quick" else self.work.full, sort_keys=True)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"{self.name}: making inputs", flush=True)
        shutil.rmtree(self.inputs, ignore_errors=True)
        self.inputs.mkdir(parents=True)
        if self._run("prepare", FOLDER / "out")["error"]:
            sys.exit(f"{self.name}: the inputs cannot be made, see {FOLDER / 'prepare.log'}")
        stamp.write_text(wanted)

    def serve(self) -> None:
        if not self.work.serves_inputs:
            return
        command = [sys.executable, str(HERE / "server.py"), str(self.inputs), str(self.parameters["delay_ms"])]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout
        self.parameters["port"] = int(self.server.stdout.readline())

    def round(self, number: int) -> None:
        turn = number % len(self.engines)
        for engine in self.engines[turn:] + self.engines[:turn]:
            out = FOLDER / "out"
            shutil.rmtree(out, ignore_errors=True)
            result = self._run(engine, out)
            if not result["error"]:
                result["checked"], result["error"] = self._check(engine, out)
            self.results[engine].append(result)
            text = result["error"] or f"{result['seconds']:.2f} s, {result['checked']}"
            print(
                f"{self.name} round {number + 1} {engine}: {text} "
                f"({result['peak_bytes'] / 2**20:.0f} MiB, {result['cpu_seconds']:.1f} CPU-s)",
                flush=True,
            )

    def close(self) -> None:
        if self.server:
            self.server.communicate()
            self.server = None
        shutil.rmtree(FOLDER / "out", ignore_errors=True)

    def _check(self, engine: str, out: Path) -> tuple[str, str]:
        """Runs the check where the peers' libraries are, outside the measured process."""
        request = {
            "work": self.work.name,
            "out": str(out),
            "inputs": str(self.inputs),
            "parameters": {**self.parameters, "root": str(ROOT)},
        }
        python, variables = python_of("peer")
        done = subprocess.run(
            [str(python), str(HERE / "check.py")],
            input=json.dumps(request), capture_output=True, text=True, check=False, env=variables,
        )  # fmt: skip
        last = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines() or ["no output"]
        return (last[-1], "") if done.returncode == 0 else ("", f"wrong output: {last[-1]}")

    def _run(self, engine: str, out: Path) -> dict[str, Any]:
        request, answer, log = FOLDER / "request.json", FOLDER / "answer.json", FOLDER / f"{engine}.log"
        answer.unlink(missing_ok=True)
        out.mkdir(parents=True, exist_ok=True)
        parameters = {**self.parameters, "root": str(ROOT)}
        request.write_text(
            json.dumps(
                {"work": self.work.name, "engine": engine, "inputs": str(self.inputs), "out": str(out),
                 "parameters": parameters}
            )
        )  # fmt: skip
        python, variables = python_of(engine, self.arguments.preset)
        variables.update(self.parameters.get("environment", {}))
        measured = measure.run(
            [str(python), str(HERE / "worker.py"), str(request), str(answer)],
            environment=variables,
            log=log,
            timeout=self.arguments.timeout,
            ignore={self.server.pid} if self.server else set(),
        )
        result: dict[str, Any] = {
            "seconds": measured.seconds, "process_seconds": measured.seconds, "cpu_seconds": measured.cpu_seconds,
            "peak_bytes": measured.peak_bytes, "left_behind": measured.left_behind, "settings": {}, "error": "",
        }  # fmt: skip
        if measured.returncode is None:
            result["error"] = f"not finished after {self.arguments.timeout} s"
        elif measured.returncode != 0:
            lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
            result["error"] = f"exit status {measured.returncode}: {lines[-1][:200] if lines else ''}"
        elif answer.exists():
            given = json.loads(answer.read_text())
            start = measured.started if self.work.from_process_start else given["started"]
            result.update(seconds=given["finished"] - start, settings=given["settings"], detail=given["detail"])
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", nargs="+", choices=works.NAMES, default=list(works.NAMES))
    parser.add_argument("--engines", nargs="+", help="only these engines")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", choices=("full", "quick"), default="full")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a run may take")
    parser.add_argument("--variants", nargs="+", type=int, help="numbers of the variants of a work to run (from 0)")
    parser.add_argument("--preset", default="release", help="the build of Mainstem to measure")
    arguments = parser.parse_args()
    environment.set_up()
    FOLDER.mkdir(parents=True, exist_ok=True)
    measure.adopt_orphans()
    finished: list[Bench] = []
    for name in arguments.works:
        work = works.load(name)
        for index, variant in enumerate(work.variants):
            if arguments.variants and index not in arguments.variants:
                continue
            bench = Bench(work, variant, arguments)
            if not bench.engines:
                continue
            bench.prepare()
            bench.serve()
            try:
                for number in range(arguments.rounds):
                    bench.round(number)
            finally:
                bench.close()
            finished.append(bench)
            report.write(FOLDER, finished, arguments)
    print((FOLDER / "results.md").read_text())


if __name__ == "__main__":
    main()
