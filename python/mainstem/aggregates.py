"""Aggregates: one value from many rows: ``col("size").sum``, ``ms.count()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.expressions import Expression
    from mainstem.window import Window


class AggregateExpression:
    """A value of a group of rows, for ``agg``. Callable, so that ``.sum`` and ``.sum()`` are the same."""

    __slots__ = ("_expression", "_function", "_name", "_options")

    _not_an_expression = (
        "an aggregate stands on its own in agg(…). Give it a name there and compute with that column afterwards: "
        ".agg(total=col('x').sum).with_column('half', col('total') / 2)"
    )

    def __init__(
        self,
        function: str,
        expression: Expression | None,
        name: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self._function = function
        self._expression = expression
        self._options = options or {}
        self._name = name or (f"{expression.name}_{function}" if expression is not None else "count")

    @property
    def name(self) -> str:
        """The column's name in the result: an alias, or column and function: "size_sum"."""
        return self._name

    def alias(self, name: str) -> AggregateExpression:
        """The same aggregate under another column name."""
        if not isinstance(name, str) or not name:
            raise TypeError(f"a column name is a text that is not empty, not {name!r}")
        return AggregateExpression(self._function, self._expression, name, self._options)

    def __call__(self) -> AggregateExpression:
        return self

    def over(self, window: Window) -> Expression:
        """As a running value beside every row: of the rows of its key up to this one. ``window`` says which keys, and
        that the frame is running: ``Window().partition_by("k").rows_between(Window.unbounded_preceding,
        Window.current_row)``. There are count, sum, mean, min and max. What comes of different keys has no order."""
        from mainstem.window import over

        # A running count of all rows is the row's number.
        function = "row_number" if self._function == "count_all" else self._function
        return over(function, self._expression, window)

    def to_json(self) -> dict[str, Any]:
        """The form that plans use."""
        expression = self._expression.to_json() if self._expression is not None else None
        return {"name": self._name, "function": self._function, "expr": expression, "options": self._options}

    def __repr__(self) -> str:
        inner = repr(self._expression).strip("<>") if self._expression is not None else "*"
        return f"<{self._function}({inner}) as {self._name}>"


def count() -> AggregateExpression:
    """The number of rows, nulls included."""
    return AggregateExpression("count_all", None)


class AggregateProperties:
    """The aggregates of an expression. Nulls do not count, unless said."""

    __slots__ = ()

    def _aggregate(self, function: str) -> AggregateExpression:
        return AggregateExpression(function, self)  # type: ignore[arg-type]

    @property
    def sum(self) -> AggregateExpression:
        """Sum."""
        return self._aggregate("sum")

    @property
    def avg(self) -> AggregateExpression:
        """Mean."""
        return self._aggregate("mean")

    @property
    def mean(self) -> AggregateExpression:
        """Mean."""
        return self._aggregate("mean")

    @property
    def count(self) -> AggregateExpression:
        """Number of values."""
        return self._aggregate("count")

    @property
    def count_distinct(self) -> AggregateExpression:
        """Number of different values."""
        return self._aggregate("count_distinct")

    @property
    def min(self) -> AggregateExpression:
        """Smallest value."""
        return self._aggregate("min")

    @property
    def max(self) -> AggregateExpression:
        """Largest value."""
        return self._aggregate("max")

    @property
    def first_value(self) -> AggregateExpression:
        """A group's first value."""
        return self._aggregate("first")

    @property
    def last_value(self) -> AggregateExpression:
        """A group's last value."""
        return self._aggregate("last")

    @property
    def array_agg(self) -> AggregateExpression:
        """All values as a list, nulls included."""
        return self._aggregate("list")

    @property
    def collect(self) -> AggregateExpression:
        """All values as a list, nulls included."""
        return self._aggregate("list")

    @property
    def stddev_samp(self) -> AggregateExpression:
        """Standard deviation of a sample (divided by n - 1)."""
        return self._aggregate("stddev_samp")

    @property
    def stddev_pop(self) -> AggregateExpression:
        """Standard deviation of a population (divided by n)."""
        return self._aggregate("stddev_pop")

    @property
    def var_samp(self) -> AggregateExpression:
        """Variance of a sample (divided by n - 1)."""
        return self._aggregate("var_samp")

    @property
    def var_pop(self) -> AggregateExpression:
        """Variance of a population (divided by n)."""
        return self._aggregate("var_pop")

    @property
    def any(self) -> AggregateExpression:
        """Whether one value is true."""
        return self._aggregate("any")

    @property
    def all(self) -> AggregateExpression:
        """Whether all values are true."""
        return self._aggregate("all")
