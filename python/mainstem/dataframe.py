"""DataFrame: a lazy table. Each method returns a new one; nothing runs before rows are asked for or written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from mainstem import plan
from mainstem._engine import engine
from mainstem.accessors import TableCall
from mainstem.aggregates import AggregateExpression
from mainstem.cleaning import Cleaning
from mainstem.consumption import Consumption
from mainstem.errors import NotSupportedError, PlanError, translated
from mainstem.expressions import Expression, col, lit
from mainstem.grouped import GroupedDataFrame, aggregate_entries
from mainstem.row_functions import RowFunctions
from mainstem.schema import Schema
from mainstem.selection import (
    Column,
    expression_of,
    flattened,
    named_expressions,
    names_of,
    refuse_duplicates,
    value_of,
)
from mainstem.suggestion import suggestion
from mainstem.writing import Writing

if TYPE_CHECKING:
    from mainstem.plan import Node

P = ParamSpec("P")
R = TypeVar("R")

_JOINS = {"full": "outer", "left_semi": "semi", "left_anti": "anti"}
_JOIN_KINDS = ("inner", "left", "right", "outer", "semi", "anti", "cross")


class DataFrame(Cleaning, RowFunctions, Consumption, Writing):
    """A lazy table.

    Names and types are checked when a method is called; the work is done by ``show``, ``collect``, ``to_pandas``,
    ``iter_rows`` and the like, and by ``write_parquet`` and its neighbours."""

    __slots__ = ("_native_schema", "_node", "_schema")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._schema: Schema | None = None
        written = plan.write(node, payloads=False)
        with translated(planning=True):
            self._native_schema = engine().schema(written.json, written.tables)

    def _derive(self, op: str, /, **fields: Any) -> DataFrame:
        return DataFrame(plan.Node(op, fields, input=self._node))

    # What it holds.

    @property
    def schema(self) -> Schema:
        """Names and types of the columns."""
        if self._schema is None:
            self._schema = Schema.from_native(self._native_schema)
        return self._schema

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.schema.names

    @overload
    def __getitem__(self, key: str) -> Expression: ...

    @overload
    def __getitem__(self, key: list[str] | Expression) -> DataFrame: ...

    def __getitem__(self, key: str | list[str] | Expression) -> Expression | DataFrame:
        """``df["a"]`` is the column, ``df[["a", "b"]]`` selects, ``df[df["a"] > 1]`` filters."""
        if isinstance(key, str):
            self.schema[key]
            return col(key)
        if isinstance(key, Expression):
            return self.filter(key)
        if isinstance(key, (list, tuple)):
            return self.select(*key)
        raise TypeError(f"a column's name, a list of names or a condition stands in brackets, not {key!r}")

    def __getattr__(self, name: str) -> Expression:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self.schema:
            return col(name)
        known = [*self.columns, *(entry for entry in dir(type(self)) if not entry.startswith("_"))]
        raise AttributeError(f"a data frame has no column or method '{name}'.{suggestion(name, known)}")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(name for name in self.columns if name.isidentifier())]

    # Columns.

    def select(self, *columns: Column | Sequence[Column], **projections: Any) -> DataFrame:
        """Exactly these columns: names, expressions, and new ones by keyword."""
        entries = named_expressions(self, columns, projections)
        if not entries:
            raise TypeError("select takes at least one column")
        return self._derive("select", columns=entries)

    def with_column(self, name: str, expr: Column) -> DataFrame:
        """All columns and one more; a column of that name is replaced."""
        if not isinstance(name, str) or not name:
            raise TypeError(f"with_column takes a name and an expression, not {name!r}")
        if isinstance(expr, TableCall):
            raise TypeError(f"with_column: {TableCall._not_an_expression}")
        value = value_of(self, name, expr)
        return self._derive("with_columns", columns=[{"name": name, "expr": value.to_json()}])

    def with_columns(self, *exprs: Column | Sequence[Column], **named: Any) -> DataFrame:
        """All columns and these; columns of the same names are replaced. All see the old columns."""
        entries = named_expressions(self, exprs, named)
        return self._derive("with_columns", columns=entries) if entries else self

    def drop(self, *columns: str | Sequence[str], strict: bool = True) -> DataFrame:
        """All columns but these; unless ``strict``, names that are not there are ignored."""
        return self._derive("drop", names=names_of(flattened(columns)), strict=strict)

    drop_columns = drop

    def rename(
        self,
        *pairs: tuple[str, str] | Mapping[str, str] | Callable[[str], str],
        mapping: Mapping[str, str] | None = None,
    ) -> DataFrame:
        """Other names: ``("old", "new")`` pairs, a dict, or a function from old to new."""
        names: dict[str, str] = dict(mapping or {})
        for pair in pairs:
            if callable(pair):
                names |= {old: pair(old) for old in self.columns}
            elif isinstance(pair, Mapping):
                names |= pair
            elif isinstance(pair, tuple) and len(pair) == 2:
                names[pair[0]] = pair[1]
            else:
                raise TypeError(f"rename takes (old, new) pairs, a dict or a function, not {pair!r}")
        names = {old: new for old, new in names.items() if old != new}
        return self._derive("rename", names=names) if names else self

    rename_columns = rename

    # Rows.

    def filter(self, *predicates: Any, **constraints: Any) -> DataFrame:
        """Rows for which all conditions are true. ``filter(kind="jpeg")`` compares; ``None`` asks for nulls."""
        conditions = [self._condition(predicate) for predicate in predicates]
        for name, value in constraints.items():
            conditions.append(col(name).is_null() if value is None else col(name) == value)
        if not conditions:
            return self
        predicate = conditions[0]
        for condition in conditions[1:]:
            predicate = predicate & condition
        return self._derive("filter", predicate=predicate.to_json())

    where = filter

    def _condition(self, predicate: Any) -> Expression:
        if isinstance(predicate, str):
            raise NotSupportedError(
                f"filter does not read SQL text ({predicate!r}); write an expression: df.filter(col('size') > 1000)"
            )
        if isinstance(predicate, bool):
            return lit(predicate)
        return expression_of(self, predicate)

    def limit(self, n: int) -> DataFrame:
        """The first n rows."""
        return self._derive("limit", count=_row_count("limit", n), offset=0)

    def offset(self, n: int) -> DataFrame:
        """All rows but the first n."""
        return self._derive("limit", count=None, offset=_row_count("offset", n))

    def head(self, n: int = 5) -> DataFrame:
        """The first n rows."""
        return self.limit(n)

    def explode(
        self,
        column: str | Expression,
        *,
        output_column: str | None = None,
        ignore_empty_and_null: bool = False,
    ) -> DataFrame:
        """One row for each item of a list column. An empty list or a null gives one row with null, or none with
        ``ignore_empty_and_null``. The list of an expression is not kept; its items are appended."""
        frame, name = self, column
        if isinstance(column, Expression):
            name = column.name
            if column.to_json() != {"column": name}:
                name = output_column or name
                frame = self.with_column(name, column)
        return frame._derive(
            "explode",
            column=name,
            output_column=None if output_column == name else output_column,
            ignore_empty_and_null=ignore_empty_and_null,
        )

    def join_lateral(self, call: TableCall, *, on: Any = None, ignore_empty: bool = True) -> DataFrame:
        """Each row once for each row that a table function gives for it, with the function's columns.

        A row for which it gives none is left out, or kept with nulls unless ``ignore_empty``."""
        if on is not None:
            raise NotSupportedError("join_lateral takes no condition; filter the result instead: .filter(…)")
        if not isinstance(call, TableCall):
            raise TypeError(f"join_lateral takes a table function, such as col('file').document.pages(), not {call!r}")
        names = list(call.names) if call.names is not None else None
        return self._derive("lateral", call=call.to_json(), names=names, ignore_empty=ignore_empty)

    def union_all(self, *others: DataFrame) -> DataFrame:
        """The rows of all, columns matched by position."""
        frames = (self, *others)
        for other in others:
            if not isinstance(other, DataFrame):
                raise TypeError(f"union_all takes data frames, not {other!r}")
        return DataFrame(plan.Node("union_all", inputs=tuple(frame._node for frame in frames))) if others else self

    def drop_duplicates(self, subset: str | Iterable[str] | None = None, *, keep: str = "first") -> DataFrame:
        """One row for each combination of the subset's values (all columns unless given): the first or last."""
        if keep not in ("first", "last"):
            raise ValueError(f"keep must be 'first' or 'last', not {keep!r}")
        return self._derive("distinct", subset=None if subset is None else names_of(subset), keep=keep)

    distinct = drop_duplicates
    unique = drop_duplicates

    def sort(
        self,
        by: Column | Sequence[Column],
        *,
        descending: bool | Sequence[bool] = False,
        nulls_first: bool | Sequence[bool] | None = None,
    ) -> DataFrame:
        """Rows in order. Nulls are the smallest values unless ``nulls_first`` says where they stand."""
        keys = [expression_of(self, column) for column in flattened([by])]
        if not keys:
            raise TypeError("sort takes at least one column")
        downward = _for_each("descending", descending, len(keys))
        nulls = (
            [not down for down in downward] if nulls_first is None else _for_each("nulls_first", nulls_first, len(keys))
        )
        order = [
            {"expr": key.to_json(), "descending": down, "nulls_first": first}
            for key, down, first in zip(keys, downward, nulls, strict=True)
        ]
        return self._derive("sort", by=order)

    def top_n(
        self,
        n: int,
        *,
        partition_by: Any = None,
        order_by: Column | Sequence[Column],
        descending: bool | Sequence[bool] = False,
        nulls_first: bool | Sequence[bool] | None = None,
    ) -> DataFrame:
        """The first n rows in order."""
        if partition_by is not None:
            raise NotSupportedError(
                "top_n takes no partition_by; for one row of each group: .sort(…).drop_duplicates(subset)"
            )
        return self.sort(order_by, descending=descending, nulls_first=nulls_first).limit(n)

    # Groups and joins.

    def group_by(self, *columns: Column | Sequence[Column], **named: Any) -> GroupedDataFrame:
        """Rows with equal keys together; ``agg`` gives one row for each group."""
        keys = named_expressions(self, columns, named)
        if not keys:
            raise TypeError("group_by takes at least one column; df.agg(…) aggregates all rows")
        return GroupedDataFrame(self, keys)

    def agg(self, *aggregates: AggregateExpression, **named: AggregateExpression) -> DataFrame:
        """One row: aggregates over all rows."""
        entries = aggregate_entries(aggregates, named)
        if not entries:
            raise TypeError("agg takes at least one aggregate, such as ms.count() or col('size').sum")
        refuse_duplicates(entry["name"] for entry in entries)
        return self._derive("aggregate", keys=[], aggregates=entries)

    def join(
        self,
        other: DataFrame,
        on: str | Iterable[str] | None = None,
        how: str = "inner",
        left_on: str | Iterable[str] | None = None,
        right_on: str | Iterable[str] | None = None,
    ) -> DataFrame:
        """Rows of both whose keys are equal. ``how``: inner, left, right, outer (full), semi, anti, cross.

        Keys of one name are kept once. Other columns of one name are refused: rename one of them."""
        if not isinstance(other, DataFrame):
            raise TypeError(f"join takes a data frame, not {other!r}")
        kind = _JOINS.get(how, how)
        if kind not in _JOIN_KINDS:
            raise ValueError(f"how must be one of {', '.join(_JOIN_KINDS)}, not {how!r}.{suggestion(how, _JOIN_KINDS)}")
        left, right = _join_keys(kind, on, left_on, right_on)
        for frame, keys in ((self, left), (other, right)):
            for key in keys:
                if key not in frame.schema:
                    raise PlanError(f"join: there is no column '{key}'.{suggestion(key, frame.columns)}")
        if kind not in ("semi", "anti"):
            shared = {a for a, b in zip(left, right, strict=True) if a == b}
            clash = [name for name in other.columns if name in self.schema and name not in shared]
            if clash:
                raise PlanError(
                    f"join: both sides have a column '{clash[0]}'; rename one: .rename(('{clash[0]}', '{clash[0]}_2'))"
                )
        node = plan.Node("join", {"how": kind, "left_on": left, "right_on": right}, left=self._node, right=other._node)
        return DataFrame(node)

    def pipe(self, function: Callable[Concatenate[DataFrame, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``function(self, …)``: keeps chains readable."""
        return function(self, *args, **kwargs)


def _row_count(what: str, n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ValueError(f"{what} takes a number of rows, 0 or more, not {n!r}")
    return n


def _for_each(what: str, value: bool | Sequence[bool], count: int) -> list[bool]:
    if isinstance(value, bool):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"sort: {what} has {len(value)} entries for {count} columns")
    return [bool(entry) for entry in value]


def _join_keys(kind: str, on: Any, left_on: Any, right_on: Any) -> tuple[list[str], list[str]]:
    if isinstance(on, Expression):
        raise NotSupportedError("join takes column names, not a condition; compute a column to join on first")
    if kind == "cross":
        if on is not None or left_on is not None or right_on is not None:
            raise TypeError("a cross join takes no keys")
        return [], []
    if on is not None:
        if left_on is not None or right_on is not None:
            raise TypeError("join takes either on or left_on and right_on")
        return names_of(on), names_of(on)
    if left_on is None or right_on is None:
        raise TypeError("join needs keys: on='id', or left_on='id' and right_on='photo_id'")
    left, right = names_of(left_on), names_of(right_on)
    if len(left) != len(right) or not left:
        raise ValueError(f"join: left_on has {len(left)} columns and right_on {len(right)}")
    return left, right
