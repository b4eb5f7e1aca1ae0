"""Writes the table of planted bugs in docs/simulation.md anew, from what the simulator finds now.

Usage: simulation_table.py   (needs the dev build)
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "simulation.md"
BEGIN = "<!-- written by scripts/simulation_table.py -->\n"
END = "<!-- until here -->\n"


def main() -> int:
    """Returns 1 where a plant is not found."""
    program = ROOT / "build" / "dev" / "src" / "mainstem" / "simulation" / "mainstem-simulate"
    found = subprocess.run([program, "--table", "--seeds", "5000"], check=False, capture_output=True, text=True)
    if found.returncode not in (0, 1):
        sys.exit(found.stderr)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + found.stdout + END + after, encoding="utf-8")
    return found.returncode


if __name__ == "__main__":
    sys.exit(main())
