"""The peers' own virtual environment, build/bench-venv."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "build" / "bench-venv"
PEER_PYTHON = VENV / "bin" / "python"
OUR_PYTHON = ROOT / ".venv" / "bin" / "python"


def set_up() -> None:
    """Makes the environment when it is missing or its list has changed."""
    requirements = ROOT / "bench" / "requirements.txt"
    stamp = VENV / "requirements.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return
    print("bench: installing the peers into build/bench-venv", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(PEER_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(requirements)], check=True)
    stamp.write_text(requirements.read_text())
