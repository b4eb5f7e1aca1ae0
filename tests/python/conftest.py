"""The Python package is tested against a native module that only binds names."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
if importlib.util.find_spec("mainstem") is None:  # nothing is built: these tests need no native module
    sys.path.insert(0, str(HERE.parents[1] / "python"))

from fake_core import FakeCore  # noqa: E402


@pytest.fixture(autouse=True)
def core() -> Iterator[FakeCore]:
    """The native module of the test."""
    from mainstem import _engine
    from mainstem.settings import config

    fake = FakeCore()
    before = _engine.use(fake)
    yield fake
    _engine.use(before)
    config.reset()
