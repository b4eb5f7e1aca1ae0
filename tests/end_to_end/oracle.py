"""Rows in a form in which the engine's and another library's can be compared."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import pyarrow as pa


def plain(value: Any) -> Any:
    """A value that compares equal across libraries; NaN equals itself, floats are rounded."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else round(value, 9)
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return tuple((name, plain(item)) for name, item in value.items())
    return value


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """The rows in order."""
    return [tuple(plain(value) for value in row.values()) for row in table.to_pylist()]


def bag(table: pa.Table) -> list[tuple[Any, ...]]:
    """The rows in an order that depends on their content alone."""
    return sorted(rows(table), key=repr)


def sql(query: str, **tables: pa.Table) -> pa.Table:
    """What DuckDB answers over these tables."""
    with duckdb.connect() as database:
        for name, table in tables.items():
            database.register(name, table)
        return database.sql(query).to_arrow_table()
