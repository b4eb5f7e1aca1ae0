"""Where the tests find the package that was just built, and real data."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "dev" / "python"
if BUILT.is_dir():
    # Imported here, so that tests that also look into python/ get this package, which has the native module beside it.
    sys.path.insert(0, str(BUILT))
    importlib.import_module("mainstem")


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder with real photos, papers, speech and clips; collected from packages when it is not there yet."""
    folder = ROOT / "build" / "samples"
    subprocess.run([sys.executable, str(ROOT / "scripts" / "samples.py")], check=True, stdout=subprocess.DEVNULL)
    return folder
