"""The Python package is tested against a native module that only binds names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parents[1] / "python"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

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
