"""Runs every test there is and closes with one line, `N passed, M failed`, that sums them.

Steps: Python tests on the dev build, C++ tests under the address and undefined-behaviour sanitizers, those of the
rooms with threads under the thread sanitizer, ruff, mypy. A step that cannot be built counts as one failure. The C++
tests run without a sanitizer by `--only dev`; in a full run only those of the native models do, because OpenVINO loads
a library in a way (RTLD_DEEPBIND) that the address sanitizer refuses, and the simulator, whose many thousand seeds are
to be quick; a few of its seeds run under the sanitizers too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
BIN = ROOT / ".venv" / "bin"
NOT_UNDER_ASAN = ("services/models", "simulation")
#: Seeds of each topology of the simulator under the address sanitizer, where each takes twenty times as long.
SEEDS_UNDER_ASAN = 30
#: For programs that were built with a sanitizer; the others do not look at them.
SANITIZERS = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # else overflows of Arrow's buffers go unseen
    "LSAN_OPTIONS": f"suppressions={ROOT}/cmake/lsan.supp:print_suppressions=0",
    "TSAN_OPTIONS": f"suppressions={ROOT}/cmake/tsan.supp:halt_on_error=1",
}
THREADED_ROOMS = ("platform", "services", "services/host", "connectors", "operators", "runtime")
STEPS = ("python", "plain", "asan", "tsan", "lint")


@dataclass
class Count:
    """Tests of one step, or of all."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __iadd__(self, other: Count) -> Count:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


def run(*command: str | Path, **options: object) -> int:
    print("+", " ".join(str(word) for word in command), flush=True)
    return subprocess.run([str(word) for word in command], cwd=ROOT, check=False, **options).returncode  # type: ignore[call-overload,no-any-return]


def read_junit(path: Path, status: int) -> Count:
    """Counts the cases of a JUnit file (ctest, pytest); a bad exit status without a failed case counts as one."""
    count = Count()
    if not path.exists():
        return Count(failed=1)
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            count.skipped += 1
        else:
            count.passed += 1
    if status != 0 and not count.failed:
        count.failed = 1
    return count


def programs(preset: str, rooms: tuple[str, ...], without: tuple[str, ...]) -> list[str]:
    """Names the test programs of a configured preset, of the given rooms or of all, and what they start."""
    listing = subprocess.run(
        ["ninja", "-C", f"build/{preset}", "-t", "targets", "all"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    names = {line.split(":")[0] for line in listing.splitlines()}
    tests = {name for name in names if name.startswith("mainstem_") and name.endswith("_test") and "/" not in name}
    if rooms:
        tests &= {f"mainstem_{room.replace('/', '_')}_test" for room in rooms}
    tests -= {f"mainstem_{room.replace('/', '_')}_test" for room in without}
    return sorted(tests | ({"mainstem-host"} & names))


def cpp(preset: str, rooms: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Count:
    """Builds and runs the C++ tests of a preset."""
    built = 0 if (ROOT / "build" / preset / "build.ninja").exists() else run("cmake", "--preset", preset)
    built = built or run(
        "cmake", "--build", f"build/{preset}", "--target", *programs(preset, rooms, without), "--", "--quiet"
    )
    if built != 0:
        print(f"{preset}: the build failed")
        return Count(failed=1)
    report = REPORTS / f"{preset}.xml"
    report.unlink(missing_ok=True)
    narrowed = ["-R", f"^({'|'.join(rooms)}): "] if rooms else []
    narrowed += ["-E", f"^(({'|'.join(without)}): |mainstem_.*_NOT_BUILT)"] if without else []
    status = run("ctest", "--test-dir", f"build/{preset}", "--output-on-failure", "--progress", "-j", "2",
                 "--output-junit", report, *narrowed, env={**os.environ, **SANITIZERS})  # fmt: skip
    return read_junit(report, status)


def asan() -> Count:
    count = cpp("asan", without=NOT_UNDER_ASAN)
    simulator = "mainstem_simulation_test"
    if run("cmake", "--build", "build/asan", "--target", simulator, "--", "--quiet") != 0:
        print(f"asan: {simulator} cannot be built")
        count.failed += 1
        return count
    report = REPORTS / "asan-simulation.xml"
    report.unlink(missing_ok=True)
    seeds = {"MAINSTEM_SEEDS": str(SEEDS_UNDER_ASAN)}
    status = run(f"build/asan/src/mainstem/simulation/{simulator}", "--gtest_filter=*EverySeedKeepsWhatIsPromised*",
                 f"--gtest_output=xml:{report}", env={**os.environ, **SANITIZERS, **seeds})  # fmt: skip
    count += read_junit(report, status)
    return count


def python() -> Count:
    if run("sh", "scripts/build.sh", "dev") != 0:
        print("dev: the build failed")
        return Count(failed=1)
    report = REPORTS / "python.xml"
    report.unlink(missing_ok=True)
    usage = ("-p", "tests.usage", f"--usage={REPORTS / 'usage.json'}")  # for the table of features
    status = run(BIN / "python", "-m", "pytest", "-q", "tests", f"--junitxml={report}", *usage)
    return read_junit(report, status)


def lint() -> Count:
    count = Count()
    for command in (["ruff", "check", "python", "tests", "examples", "bench", "scripts"], ["mypy"]):
        if run(BIN / command[0], *command[1:]) == 0:
            count.passed += 1
        else:
            count.failed += 1
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=(*STEPS, "dev"), action="append", help="a step; may be repeated")
    steps = parser.parse_args().only or STEPS
    REPORTS.mkdir(parents=True, exist_ok=True)
    actions = {
        "dev": lambda: cpp("dev"),
        "plain": lambda: cpp("dev", NOT_UNDER_ASAN),
        "python": python,
        "asan": asan,
        "tsan": lambda: cpp("tsan", THREADED_ROOMS),
        "lint": lint,
    }
    total = Count()
    lines = []
    for step in steps:
        started = time.monotonic()
        count = actions[step]()
        total += count
        lines.append(f"{step:>8}: {count} ({time.monotonic() - started:.0f} s)")
        print(lines[-1], flush=True)
    if set(steps) == set(STEPS):
        run(BIN / "python", "scripts/feature_table.py")
    print("\n" + "\n".join(lines))
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
