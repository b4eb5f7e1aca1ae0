"""Selections: what users write for columns, as named expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union

from mainstem.errors import PlanError
from mainstem.expressions import Expression, col, to_expression

if TYPE_CHECKING:
    from mainstem.dataframe import DataFrame

#: A column by name, an expression, or a function that makes one from the data frame.
Column = Union[str, Expression, "Callable[[DataFrame], Expression]"]


def expression_of(frame: DataFrame, column: Any) -> Expression:
    """A column's name, an expression or a callable, as an expression."""
    if isinstance(column, str):
        return col(column)
    if callable(column) and not isinstance(column, Expression) and not hasattr(type(column), "_not_an_expression"):
        column = column(frame)
    return to_expression(column)


def value_of(frame: DataFrame, name: str, value: Any) -> Expression:
    """The value of a named column. A bare text could be a column or a literal, so it is neither."""
    if isinstance(value, str):
        raise TypeError(f"{name}={value!r}: write {name}=col({value!r}) for the column or lit({value!r}) for the text")
    return expression_of(frame, value)


def flattened(columns: Iterable[Any]) -> list[Any]:
    """Lists among the columns count as their items."""
    flat: list[Any] = []
    for column in columns:
        flat.extend(column if isinstance(column, (list, tuple)) else [column])
    return flat


def named_expressions(frame: DataFrame, columns: Iterable[Any], named: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Columns in the form that plans use. A name that occurs twice is refused."""
    expressions = [expression_of(frame, column) for column in flattened(columns)]
    pairs = [(expression.name, expression) for expression in expressions]
    pairs += [(name, value_of(frame, name, value)) for name, value in named.items()]
    refuse_duplicates(name for name, _ in pairs)
    return [{"name": name, "expr": expression.to_json()} for name, expression in pairs]


def refuse_duplicates(names: Iterable[str]) -> None:
    """Fails where a column name occurs twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise PlanError(f"the column '{name}' occurs twice; give one of them another name with .alias('…')")
        seen.add(name)


def names_of(columns: str | Iterable[str]) -> list[str]:
    """One name or several, as a list."""
    names = [columns] if isinstance(columns, str) else list(columns)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"expected a column's name, not {name!r}")
    return names
