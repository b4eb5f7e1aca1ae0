"""A pytest plug-in that notes what the tests that pass have used: ``pytest -p tests.usage --usage FILE``.

Functions, aggregates and Python functions are read from the plans that the real engine has started; a plan that is
only built counts for nothing. Methods and sources are those that the test itself called while it ran such a plan."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

#: These run no plan and still do all they do.
WITHOUT_JOB = {"explain", "to_plan"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--usage", type=Path, help="the file that says what each passing test has used")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--usage"):
        config.pluginmanager.register(Usage(config.getoption("--usage")))


class Usage:
    """What the tests of this run have used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tests: dict[str, dict[str, list[str]]] = {}
        self.failed: set[str] = set()
        self.used: dict[str, set[str]] = defaultdict(set)
        self.called: set[str] = set()
        self.depth = 0

    def pytest_collection(self) -> None:
        """Wraps the package before any test module takes names from it."""
        import mainstem.io
        import mainstem.job
        from mainstem.dataframe import DataFrame
        from mainstem.grouped import GroupedDataFrame

        for name in mainstem.io.__all__:
            setattr(mainstem.io, name, self.noted(f"ms.{name}", getattr(mainstem.io, name)))
        for owner in (DataFrame, GroupedDataFrame):
            for name, method in public_methods(owner):
                setattr(owner, name, self.noted(name, method))
        start = mainstem.job.start_written

        @functools.wraps(start)
        def started(plan_json: str, *values: Any, **named: Any) -> Any:
            job = start(plan_json, *values, **named)
            if hasattr(mainstem._engine.native(), "__file__"):  # and not a stand-in that a test has put there
                self.read_plan(json.loads(plan_json))
            return job

        mainstem.job.start_written = started

    def noted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a function so that calls from outside the package are noted."""

        @functools.wraps(function)
        def call(*values: Any, **named: Any) -> Any:
            if self.depth == 0:
                self.called.add(name)
            self.depth += 1
            try:
                return function(*values, **named)
            finally:
                self.depth -= 1

        return call

    def read_plan(self, plan: dict[str, Any]) -> None:
        self.used["jobs"].add("1")
        for part in objects(plan["nodes"]):
            if isinstance(part.get("call"), str):
                self.used["functions"].add(part["call"])
            if part.get("op") == "aggregate":
                for entry in part["aggregates"]:
                    counts_rows = entry["function"] == "count" and entry.get("expr") is None
                    self.used["functions"].add("agg.count_all" if counts_rows else f"agg.{entry['function']}")
        for function in plan.get("udfs", {}).values():
            self.used["udfs"].add(f"{function['kind']}, {function['form']}")

    def pytest_runtest_setup(self) -> None:
        self.used.clear()
        self.called.clear()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid.partition("[")[0])
        if report.when != "call" or not report.passed:
            return
        ran = self.used.pop("jobs", None)
        methods = self.called if ran else self.called & WITHOUT_JOB
        found = {**self.used, "methods": methods}
        self.tests[report.nodeid] = {kind: sorted(names) for kind, names in found.items() if names}

    def pytest_sessionfinish(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # With one set of parameters that fails, a test shows nothing.
        passed = {test: found for test, found in self.tests.items() if test.partition("[")[0] not in self.failed}
        self.path.write_text(json.dumps({test: found for test, found in passed.items() if found}, indent=1))


def public_methods(owner: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The methods that users call, those of base classes too."""
    for kind in owner.__mro__[:-1]:
        for name, value in vars(kind).items():
            if not name.startswith("_") and callable(value):
                yield name, value


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON document."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)
