"""Expressions: what to compute from a row's columns. They hold plan JSON and compute nothing themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from mainstem.accessors import AccessorProperties
from mainstem.aggregates import AggregateProperties
from mainstem.datatype import DataType
from mainstem.literals import literal
from mainstem.suggestion import suggestion


class Expression(AccessorProperties, AggregateProperties):
    """A value of each row: a column, a literal, or a call on others. Immutable.

    Operators work as in Python; ``&``, ``|`` and ``~`` stand for and, or and not. Null in is null out."""

    __slots__ = ("_name", "_node")

    def __init__(self, node: dict[str, Any], name: str) -> None:
        object.__setattr__(self, "_node", node)
        object.__setattr__(self, "_name", name)

    _node: dict[str, Any]
    _name: str

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("expressions cannot be changed; operators and methods return new ones")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("expressions cannot be changed")

    def __reduce__(self) -> tuple[Any, ...]:
        return Expression, (self._node, self._name)

    # Arithmetic.

    def __add__(self, other: Any) -> Expression:
        return call("add", self, other)

    def __radd__(self, other: Any) -> Expression:
        return call("add", other, self)

    def __sub__(self, other: Any) -> Expression:
        return call("subtract", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return call("subtract", other, self)

    def __mul__(self, other: Any) -> Expression:
        return call("multiply", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return call("multiply", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return call("divide", other, self)

    def __floordiv__(self, other: Any) -> Expression:
        return call("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Expression:
        return call("floor_divide", other, self)

    def __mod__(self, other: Any) -> Expression:
        return call("modulo", self, other)

    def __rmod__(self, other: Any) -> Expression:
        return call("modulo", other, self)

    def __pow__(self, other: Any) -> Expression:
        return call("power", self, other)

    def __rpow__(self, other: Any) -> Expression:
        return call("power", other, self)

    def __neg__(self) -> Expression:
        return call("negate", self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return call("abs", self)

    def abs(self) -> Expression:
        """The value without its sign."""
        return call("abs", self)

    def sign(self) -> Expression:
        """-1, 0 or 1."""
        return call("sign", self)

    def round(self, digits: int = 0) -> Expression:
        """Rounded to so many digits behind the point."""
        return call("round", self, digits=digits)

    def floor(self) -> Expression:
        """The next whole number below."""
        return call("floor", self)

    def ceil(self) -> Expression:
        """The next whole number above."""
        return call("ceil", self)

    def sqrt(self) -> Expression:
        """Square root."""
        return call("sqrt", self)

    def exp(self) -> Expression:
        """e to the power of the value."""
        return call("exp", self)

    def ln(self) -> Expression:
        """Natural logarithm."""
        return call("ln", self)

    def log10(self) -> Expression:
        """Decimal logarithm."""
        return call("log10", self)

    def __round__(self, digits: int | None = None) -> Expression:
        return self.round(digits or 0)

    def __floor__(self) -> Expression:
        return self.floor()

    def __ceil__(self) -> Expression:
        return self.ceil()

    # Comparison and logic.

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return call("equal", self, other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return call("not_equal", self, other)

    def __lt__(self, other: Any) -> Expression:
        return call("less", self, other)

    def __le__(self, other: Any) -> Expression:
        return call("less_equal", self, other)

    def __gt__(self, other: Any) -> Expression:
        return call("greater", self, other)

    def __ge__(self, other: Any) -> Expression:
        return call("greater_equal", self, other)

    def __and__(self, other: Any) -> Expression:
        return call("and", self, other)

    def __rand__(self, other: Any) -> Expression:
        return call("and", other, self)

    def __or__(self, other: Any) -> Expression:
        return call("or", self, other)

    def __ror__(self, other: Any) -> Expression:
        return call("or", other, self)

    def __invert__(self) -> Expression:
        return call("not", self)

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "an expression has no truth value before the job runs. Write & | ~ for and, or, not (with parentheses: "
            "(a > 1) & (b < 2)), x.between(low, high) for low <= x <= high, and ms.when(…).otherwise(…) for if"
        )

    def __iter__(self) -> NoReturn:
        raise TypeError("an expression cannot be iterated; explode turns the items of a list into rows")

    def __contains__(self, item: Any) -> NoReturn:
        raise TypeError("'in' has no meaning for an expression; use x.is_in([…]) or x.text.contains(…)")

    def between(self, low: Any, high: Any) -> Expression:
        """Whether low <= value <= high."""
        return call("between", self, low, high)

    def is_in(self, values: Iterable[Any]) -> Expression:
        """Whether the value is one of these."""
        if isinstance(values, (str, bytes, Expression)):
            raise TypeError("is_in takes a list of values")
        wanted = list(values)
        if any(value is None for value in wanted):
            raise TypeError("is_in does not find nulls; write x.is_in([…]) | x.is_null()")
        if not wanted:
            return call("and", self.is_not_null(), lit(False))
        return call("is_in", self, *wanted)

    def in_(self, *values: Any) -> Expression:
        """Whether the value is one of these: ``col("a").in_(1, 2)``."""
        if len(values) == 1 and isinstance(values[0], (list, tuple, set, frozenset, range)):
            return self.is_in(values[0])
        return self.is_in(values)

    # Nulls and types.

    def is_null(self) -> Expression:
        """Whether the value is missing. Never null itself."""
        return call("is_null", self)

    def is_not_null(self) -> Expression:
        """Whether the value is there. Never null itself."""
        return call("is_not_null", self)

    def is_nan(self) -> Expression:
        """Whether the value is the floating-point "not a number"; null for null."""
        return call("is_nan", self)

    def fill_null(self, value: Any) -> Expression:
        """The value, or another where it is null."""
        return call("coalesce", self, value)

    def cast(self, data_type: DataType | str) -> Expression:
        """The value as another type; what does not fit fails the row."""
        if not isinstance(data_type, (DataType, str)):
            raise TypeError(f"cast takes a DataType such as DataType.int64(), not {data_type!r}")
        kind = data_type if isinstance(data_type, DataType) else DataType(data_type)
        return call("cast", self, type=json.dumps(kind.to_json()))

    def hash(self) -> Expression:
        """A 64-bit number from the value, the same on every run."""
        return call("hash", self)

    # Parts and names.

    def __getitem__(self, key: int | str) -> Expression:
        return self.get(key)

    def get(self, key: int | str) -> Expression:
        """An item of a list by position, or a field of a struct by name."""
        if isinstance(key, bool) or not isinstance(key, (int, str)):
            raise TypeError(f"a position or a field name stands in brackets, not {key!r}")
        if isinstance(key, int):
            return call("list.get", self, index=key)
        made = call("struct.field", self, name=key)
        return Expression(made._node, key)

    def alias(self, name: str) -> Expression:
        """The same value under another column name."""
        if not isinstance(name, str) or not name:
            raise TypeError(f"a column name is a text that is not empty, not {name!r}")
        return Expression(self._node, name)

    @property
    def name(self) -> str:
        """The column's name in a result: an alias, or the first column that the expression uses."""
        return self._name

    def to_json(self) -> dict[str, Any]:
        """The form that plans use. User functions are still objects in it."""
        return self._node

    def __repr__(self) -> str:
        text = text_of(self._node)
        return f"<{text}>" if self._name == _first_column(self._node) else f"<{text} as {self._name}>"

    if not TYPE_CHECKING:  # type checkers know what there is

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            near = suggestion(name, dir(type(self)))
            raise AttributeError(f"expressions have no '{name}'.{near} A field of a struct is .get('{name}')")


class When(Expression):
    """A choice that grows: ``when(c, v).when(c2, v2).otherwise(v3)``; without otherwise it ends in null."""

    __slots__ = ("_cases",)
    _cases: tuple[tuple[Expression, Expression], ...]

    def __init__(self, cases: tuple[tuple[Expression, Expression], ...]) -> None:
        chosen = _chosen(cases, lit(None))
        super().__init__(chosen._node, cases[0][1]._name)
        object.__setattr__(self, "_cases", cases)

    def __reduce__(self) -> tuple[Any, ...]:
        return When, (self._cases,)

    def when(self, condition: Any, value: Any) -> When:
        """Adds a case; the first whose condition is true counts."""
        return When((*self._cases, (to_expression(condition), to_expression(value))))

    def otherwise(self, value: Any) -> Expression:
        """The value where no condition is true."""
        chosen = _chosen(self._cases, to_expression(value))
        return Expression(chosen._node, self._name)


def _chosen(cases: tuple[tuple[Expression, Expression], ...], last: Expression) -> Expression:
    return call("case_when", *(part for case in cases for part in case), last)


def col(name: str) -> Expression:
    """A column by name."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"col takes a column's name, not {name!r}")
    return Expression({"column": name}, name)


def lit(value: Any, data_type: DataType | None = None) -> Expression:
    """The same value in each row."""
    if isinstance(value, Expression):
        raise TypeError("lit takes a value; an expression can be used as it is")
    return Expression(literal(value, data_type), "literal")


def when(condition: Any, value: Any) -> When:
    """Begins a choice: ``ms.when(col("a") > 1, "big").otherwise("small")``."""
    return When(((to_expression(condition), to_expression(value)),))


def coalesce(*values: Any) -> Expression:
    """The first value that is not null."""
    if not values:
        raise TypeError("coalesce takes at least one value")
    return call("coalesce", *values)


def call(function: str, /, *arguments: Any, **options: Any) -> Expression:
    """A call of any function of the registry by its name: ``ms.call("image.resize", x, width=64, height=64)``."""
    expressions = [to_expression(argument) for argument in arguments]
    node: dict[str, Any] = {"call": function, "args": [expression._node for expression in expressions]}
    if options:
        node["options"] = {name: option_value(value) for name, value in options.items()}
    return Expression(node, _first_column(node) or function)


def to_expression(value: Any) -> Expression:
    """An expression as it is; any other value as a literal."""
    if isinstance(value, Expression):
        return value
    misplaced = getattr(type(value), "_not_an_expression", None)
    if misplaced:
        raise TypeError(misplaced)
    return lit(value)


def option_value(value: Any) -> Any:
    """A value as an option holds it."""
    if isinstance(value, Expression):
        raise TypeError("an option is the same for all rows; it takes a value, not an expression")
    if isinstance(value, DataType):
        return json.dumps(value.to_json())
    if isinstance(value, (list, tuple, range, set, frozenset)):
        return [option_value(item) for item in value]
    if hasattr(value, "__fspath__"):
        return str(value)
    form = literal(value)["literal"]
    if isinstance(form, list) or form is None or isinstance(form, (bool, int, float, str)):
        return form
    raise TypeError(f"an option takes None, bool, int, float, str or a list of these, not {value!r}")


def _first_column(node: dict[str, Any]) -> str | None:
    if "column" in node:
        return str(node["column"])
    return next((found for arg in node.get("args", ()) if (found := _first_column(arg))), None)


_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "modulo": "%",
    "power": "**",
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "and": "&",
    "or": "|",
}


def text_of(node: dict[str, Any]) -> str:
    """An expression's JSON for people."""
    if "column" in node:
        return str(node["column"])
    if "literal" in node:
        return repr(node["literal"])
    arguments = [text_of(argument) for argument in node.get("args", ())]
    if "udf" in node:
        return f"{getattr(node['udf'], 'name', node['udf'])}({', '.join(arguments)})"
    name = node["call"]
    if name in _SIGNS and len(arguments) == 2:
        return f"({arguments[0]} {_SIGNS[name]} {arguments[1]})"
    arguments += [f"{key}={value!r}" for key, value in node.get("options", {}).items()]
    return f"{name}({', '.join(arguments)})"
