"""End-to-end tests: whole pipelines from Python, compared with libraries that know nothing of the engine."""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Iterator
from types import FrameType

import pytest
from traces import children, eventually, shared_memory

import mainstem as ms

#: A test that takes longer hangs.
PATIENCE_S = 60

#: Settings under which the same case must give the same rows.
PROFILES: dict[str, dict[str, object]] = {
    "default": {},
    "serial": {"parallelism": 1},
    "four": {"parallelism": 4},
    "tight": {"memory_budget": "64MB"},
    "least": {"memory_budget": "16MiB"},
}


@pytest.fixture(params=list(PROFILES))
def profile(request: pytest.FixtureRequest) -> str:
    """A setting of the engine; a test that takes it runs under each."""
    name: str = request.param
    for setting, value in PROFILES[name].items():
        ms.config.set(setting, value)
    return name


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    ms.config.reset()
    yield
    ms.config.reset()


@pytest.fixture(autouse=True)
def never_hangs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that hangs in Python, and ends the run where a native call hangs."""

    def fail(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail(f"hung for {PATIENCE_S} s", pytrace=True)

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(PATIENCE_S)
    faulthandler.dump_traceback_later(PATIENCE_S + 30, exit=True, file=sys.__stderr__)
    yield
    signal.alarm(0)
    faulthandler.cancel_dump_traceback_later()
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves processes or shared memory."""
    memory = shared_memory()
    before = set(children())
    yield
    assert eventually(lambda: not set(children()) - before), f"processes left: {children()}"
    assert shared_memory() <= memory
