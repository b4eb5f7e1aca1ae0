"""Windows: which rows a running value is made of: ``col("n").sum.over(Window().partition_by("user"))``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from mainstem.expressions import Expression

_UNORDERED = (
    "rows are taken in the order in which they come: the order of the source for each key. Sort what is bounded first: "
    "df.sort(…).with_column(…)"
)


class _Bound:
    """An end of a frame."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"Window.{self._name}"


class Window:
    """The rows of a key up to the current one.

    ``partition_by`` names the keys. The frame is SQL's ``ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW``, the only
    one there is: it gives a value with every row at once, so it works on rows that never end. Rows of a key come in
    the order of their source; behind a window of other keys, as they come. Immutable."""

    unbounded_preceding = _Bound("unbounded_preceding")
    current_row = _Bound("current_row")

    __slots__ = ("_keys", "_running")

    def __init__(self) -> None:
        self._keys: tuple[Expression, ...] = ()
        self._running = False

    def partition_by(self, *columns: Any) -> Window:
        """The keys: names of columns, or expressions. Their values must be numbers, times, texts or bytes."""
        from mainstem.expressions import Expression, col

        window = self._copy()
        flat = [c for column in columns for c in (column if isinstance(column, (list, tuple)) else [column])]
        for column in flat:
            if not isinstance(column, (str, Expression)):
                raise TypeError(f"partition_by takes names of columns and expressions, not {column!r}")
        window._keys = (*self._keys, *(col(c) if isinstance(c, str) else c for c in flat))
        return window

    def rows_between(self, start: Any, end: Any) -> Window:
        """The frame: ``Window.unbounded_preceding`` to ``Window.current_row``."""
        if start is not Window.unbounded_preceding or end is not Window.current_row:
            raise ValueError(
                f"rows_between({start!r}, {end!r}): the only frame is "
                "rows_between(Window.unbounded_preceding, Window.current_row)"
            )
        window = self._copy()
        window._running = True
        return window

    def order_by(self, *columns: Any, **options: Any) -> NoReturn:
        """Refused: rows are taken in the order in which they come."""
        raise NotImplementedError(f"order_by: {_UNORDERED}")

    def range_between(self, *bounds: Any, **options: Any) -> NoReturn:
        """Refused: frames are of rows, not of values."""
        raise NotImplementedError("range_between: the only frame is rows_between(unbounded_preceding, current_row)")

    def _copy(self) -> Window:
        window = Window()
        window._keys, window._running = self._keys, self._running
        return window

    def __repr__(self) -> str:
        return f"<Window by {', '.join(key.name for key in self._keys) or 'nothing'}>"


def over(function: str, argument: Expression | None, window: Window) -> Expression:
    """The expression of a running function over a window."""
    from mainstem.expressions import Expression

    if not isinstance(window, Window):
        raise TypeError(f"over takes a Window, not {window!r}")
    if not window._keys:
        raise ValueError("the window has no keys: Window().partition_by(…)")
    if not window._running and function != "row_number":
        raise ValueError(
            f"say which rows {function} is of: the only frame is "
            ".rows_between(Window.unbounded_preceding, Window.current_row); for one value a group use group_by().agg()"
        )
    arguments = [*([] if argument is None else [argument]), *window._keys]
    node = {
        "call": f"over.{function}",
        "args": [expression.to_json() for expression in arguments],
        "options": {"keys": len(window._keys)},
    }
    name = function if argument is None else f"{argument.name}_{function}"
    return Expression(node, name)


class RowNumber:
    """The number of a row among those of its key; made by ``ms.row_number()``."""

    __slots__ = ()

    def over(self, window: Window) -> Expression:
        """As a column: 1 for the first row of a key, then 2, …"""
        return over("row_number", None, window)

    def __repr__(self) -> str:
        return "<row_number(), without a window: .over(Window().partition_by(…))>"


def row_number() -> RowNumber:
    """Numbers the rows of each key from 1: ``ms.row_number().over(ms.Window().partition_by("user"))``."""
    return RowNumber()
