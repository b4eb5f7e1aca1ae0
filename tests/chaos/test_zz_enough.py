"""A full run of this folder kills often enough. Last in the alphabet: it counts what the others have done."""

from __future__ import annotations

import pytest
from killing import MADE

KILLS_MIN = 200
MODULES = {"test_disks", "test_killing", "test_points", "test_random_kills", "test_workers"}


def test_there_were_enough_kills(request: pytest.FixtureRequest) -> None:
    ran = {item.module.__name__.rpartition(".")[2] for item in request.session.items if hasattr(item, "module")}
    narrowed = request.config.option.keyword or any("::" in name for name in request.config.args)
    if narrowed or not ran >= MODULES:
        pytest.skip("a part of the folder was run")
    if request.session.testsfailed:
        pytest.skip("runs that failed have not counted their kills")
    assert sum(MADE) >= KILLS_MIN, f"{sum(MADE)} kills in {len(MADE)} runs"
