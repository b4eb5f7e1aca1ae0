"""Cleaning: the data frame's methods for missing values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from mainstem.datatype import DataType
from mainstem.expressions import Expression, col
from mainstem.selection import names_of

if TYPE_CHECKING:
    from mainstem.dataframe import DataFrame

_FLOATS = ("float32", "float64")


class Cleaning:
    """Rows without missing values, or with others in their place."""

    __slots__ = ()

    def drop_null(self, subset: str | Iterable[str] | None = None) -> DataFrame:
        """Rows that have no null in these columns (all unless given)."""
        frame = cast("DataFrame", self)
        names = frame.columns if subset is None else names_of(subset)
        return frame.filter(*(col(name).is_not_null() for name in names))

    def drop_nan(self, subset: str | Iterable[str] | None = None) -> DataFrame:
        """Rows that have no NaN in these columns (all floating-point ones unless given). Nulls stay."""
        frame = cast("DataFrame", self)
        names = _floating(frame) if subset is None else names_of(subset)
        return frame.filter(*(~_is_nan(name) for name in names))

    def fill_null(self, value: Any, subset: str | Iterable[str] | None = None) -> DataFrame:
        """Another value where these columns are null: one for all, or a dict of column to value.

        Unless given, the columns are those whose type can hold the value."""
        frame = cast("DataFrame", self)
        if isinstance(value, Mapping) and subset is None:
            return frame.with_columns([col(name).fill_null(item) for name, item in value.items()])
        if value is None:
            raise TypeError("fill_null needs a value that is not None")
        names = _holding(frame, value) if subset is None else names_of(subset)
        return frame.with_columns([col(name).fill_null(value) for name in names])

    def fill_nan(self, value: float, subset: str | Iterable[str] | None = None) -> DataFrame:
        """Another value where these columns (all floating-point ones unless given) are NaN."""
        from mainstem.expressions import when

        frame = cast("DataFrame", self)
        names = _floating(frame) if subset is None else names_of(subset)
        return frame.with_columns([when(_is_nan(name), value).otherwise(col(name)).alias(name) for name in names])


def _is_nan(name: str) -> Expression:
    return col(name).is_nan().fill_null(False)


def _floating(frame: DataFrame) -> list[str]:
    return [name for name, kind in frame.schema.items() if kind.name in _FLOATS]


def _holding(frame: DataFrame, value: Any) -> list[str]:
    def holds(kind: DataType) -> bool:
        if isinstance(value, bool):
            return kind.name == "bool"
        if isinstance(value, int):
            return "int" in kind.name or kind.name in _FLOATS
        if isinstance(value, float):
            return kind.name in _FLOATS
        if isinstance(value, str):
            return kind.name == "string"
        if isinstance(value, bytes):
            return kind.name == "binary"
        raise TypeError(f"fill_null: name the columns for a {type(value).__name__}: fill_null(value, ['a'])")

    return [name for name, kind in frame.schema.items() if holds(kind)]
