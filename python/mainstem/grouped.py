"""GroupedDataFrame: rows that belong together by keys, waiting for aggregates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mainstem.aggregates import AggregateExpression
from mainstem.selection import refuse_duplicates

if TYPE_CHECKING:
    from mainstem.dataframe import DataFrame


class GroupedDataFrame:
    """What ``group_by`` returns."""

    def __init__(self, frame: DataFrame, keys: list[dict[str, Any]]) -> None:
        self._frame = frame
        self._keys = keys

    def agg(self, *aggregates: AggregateExpression, **named: AggregateExpression) -> DataFrame:
        """One row for each group: the keys and the aggregates.

        ``df.group_by("label").agg(files=ms.count(), mean_size=col("size").avg)``"""
        entries = aggregate_entries(aggregates, named)
        if not entries:
            raise TypeError("agg takes at least one aggregate, such as ms.count() or col('size').sum")
        refuse_duplicates(entry["name"] for entry in [*self._keys, *entries])
        return self._frame._derive("aggregate", keys=self._keys, aggregates=entries)

    def __repr__(self) -> str:
        return f"<rows grouped by {', '.join(key['name'] for key in self._keys)}; call .agg(…)>"


def aggregate_entries(aggregates: Iterable[Any], named: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Aggregates in the form that plans use."""
    entries = []
    for aggregate in [*aggregates, *(_checked(value, name).alias(name) for name, value in named.items())]:
        entries.append(_checked(aggregate, "agg").to_json())
    return entries


def _checked(value: Any, where: str) -> AggregateExpression:
    if not isinstance(value, AggregateExpression):
        raise TypeError(f"{where}: expected an aggregate such as ms.count() or col('size').sum, not {value!r}")
    return value
