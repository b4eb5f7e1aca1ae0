"""Accessors: the registry's functions as methods (``col("x").image.resize(64, 64)``) and as ``ms.ai``.

Classes are made from the registry on first use; ``_functions.pyi`` describes them to type checkers and editors."""

from __future__ import annotations

import builtins
import inspect
import json
import os
from typing import TYPE_CHECKING, Any

from mainstem import registry
from mainstem.errors import PlanError
from mainstem.suggestion import suggestion, suggestion_or_list

if TYPE_CHECKING:
    from mainstem import _functions
    from mainstem.expressions import Expression

#: The accessors that expressions have.
ACCESSORS = ("image", "audio", "video", "document", "text", "vector", "file", "temporal", "list", "struct")


class Accessor:
    """Functions of one kind on one expression."""

    __slots__ = ("_expression",)
    _prefix = ""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    if not TYPE_CHECKING:  # type checkers know what there is

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            known = [f.short_name for f in registry.functions().values() if f.accessor == self._prefix]
            raise AttributeError(f"there is no function '{self._prefix}.{name}'.{suggestion_or_list(name, known)}")

    def __repr__(self) -> str:
        return f"<functions {self._prefix}.* on {self._expression!r}>"


class FunctionNamespace:
    """Functions of one kind as they are: ``ms.ai.embed_text(col("chunk"))``."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def _functions(self) -> dict[str, registry.Function]:
        found = registry.functions().values()
        return {function.short_name: function for function in found if function.accessor == self._prefix}

    if not TYPE_CHECKING:  # type checkers know what there is

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            known = self._functions()
            if name not in known:
                raise AttributeError(f"there is no function '{self._prefix}.{name}'.{suggestion_or_list(name, known)}")
            return _callable(known[name], method=False)

    def __dir__(self) -> list[str]:
        return sorted(self._functions())

    def __repr__(self) -> str:
        return f"<functions {self._prefix}.*>"


class TableCall:
    """A call that gives any number of rows for one; for ``join_lateral``."""

    __slots__ = ("_names", "_node")

    _not_an_expression = (
        "a table function gives several rows for one: it stands in df.join_lateral(…), not in a column expression"
    )

    def __init__(self, node: dict[str, Any], names: tuple[str, ...] | None = None) -> None:
        self._node = node
        self._names = names

    def alias(self, *names: str) -> TableCall:
        """Other names for the columns that it gives."""
        if not names or not all(isinstance(name, str) and name for name in names):
            raise TypeError(f"alias takes column names, not {names!r}")
        return TableCall(self._node, names)

    @property
    def names(self) -> tuple[str, ...] | None:
        return self._names

    def to_json(self) -> dict[str, Any]:
        """The form that plans use."""
        return self._node

    def __repr__(self) -> str:
        from mainstem.expressions import text_of

        return f"<rows of {text_of(self._node)}>"


_classes: dict[tuple[int, str], type[Accessor]] = {}


def accessor_class(prefix: str) -> type[Accessor]:
    """Returns the class whose methods are the registry's functions "prefix.*"."""
    known = registry.functions()
    key = (id(known), prefix)
    if key not in _classes:
        methods: dict[str, Any] = {
            function.short_name: _callable(function, method=True)
            for function in known.values()
            if function.accessor == prefix
        }
        body = {"__slots__": (), "_prefix": prefix, "__doc__": f"Functions {prefix}.* on an expression.", **methods}
        _classes[key] = type(f"{prefix.capitalize()}Accessor", (Accessor,), body)
    return _classes[key]


def _callable(function: registry.Function, *, method: bool) -> Any:
    signature = function.signature(method=method)

    def made(*args: Any, **kwargs: Any) -> Any:
        if method:
            args = (args[0]._expression, *args[1:])
        return bind(function, signature, args, kwargs)

    made.__name__ = function.short_name
    made.__qualname__ = f"{function.accessor}.{function.short_name}"
    made.__doc__ = function.docstring()
    made.__module__ = "mainstem"
    made.__signature__ = signature  # type: ignore[attr-defined]
    return made


def bind(
    function: registry.Function, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Makes the call that Python's arguments ask for."""
    from mainstem.aggregates import AggregateExpression
    from mainstem.expressions import Expression, call

    unknown = [name for name in kwargs if name not in signature.parameters]
    if unknown:
        names = [name for name in signature.parameters if name != "self"]
        near = suggestion(unknown[0], names) or f" It takes {', '.join(names) or 'none'}."
        raise TypeError(f"{function.name} has no option '{unknown[0]}'.{near}")
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{function.name}: {error}. It is called as {_usage(function, signature)}") from None

    declared = {option.name for option in function.options}
    options = {name: value for name, value in given.items() if name in declared}
    arguments: list[Any] = []
    for name, value in given.items():
        if name in declared:
            continue
        if signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            arguments.extend(value)
        elif value is not None or not _is_optional(function, name):
            arguments.append(value)
    if arguments and isinstance(arguments[0], str) and function.accessor == "ai":
        raise TypeError(
            f"{function.name} takes an expression: col({arguments[0]!r}) for a column, "
            f"lit({arguments[0]!r}) for the text"
        )
    if function.needs_model:
        options["resolved"] = _resolved(function, options)
    made = call(function.name, *arguments, **options)
    if function.kind == "table":
        return TableCall(made.to_json())
    if function.kind == "aggregate":
        first = arguments[0] if arguments else None
        return AggregateExpression(function.name, first if isinstance(first, Expression) else None, options=options)
    return made


def _resolved(function: registry.Function, options: dict[str, Any]) -> str:
    from mainstem import models

    default = next((option.default for option in function.options if option.name == "model"), None)
    model = options.get("model") or default or _only_model(function.short_name)
    try:
        return json.dumps(models.resolve(function.short_name, os.fspath(model)))
    except models.ModelError as error:
        raise PlanError(f"{function.name}: {error}") from None


def _only_model(task: str) -> str:
    from mainstem import models

    known = [str(entry["name"]) for entry in models.list() if task in entry["tasks"]]
    if len(known) == 1:
        return known[0]
    raise PlanError(f"{task}: name a model: model={' or '.join(map(repr, known)) or 'a path of yours'}")


def _is_optional(function: registry.Function, name: str) -> bool:
    return any(argument.name == name and argument.optional for argument in function.arguments)


def _usage(function: registry.Function, signature: inspect.Signature) -> str:
    parameters = [p.replace(annotation=inspect.Parameter.empty) for n, p in signature.parameters.items() if n != "self"]
    return f"{function.short_name}{inspect.Signature(parameters)}"


class AccessorProperties:
    """The accessors of an expression."""

    __slots__ = ()

    def _accessor(self, prefix: builtins.str) -> Any:
        return accessor_class(prefix)(self)  # type: ignore[arg-type]

    @property
    def image(self) -> _functions.ImageAccessor:
        """Functions on pictures."""
        return self._accessor("image")  # type: ignore[no-any-return]

    @property
    def audio(self) -> _functions.AudioAccessor:
        """Functions on sound."""
        return self._accessor("audio")  # type: ignore[no-any-return]

    @property
    def video(self) -> _functions.VideoAccessor:
        """Functions on video."""
        return self._accessor("video")  # type: ignore[no-any-return]

    @property
    def document(self) -> _functions.DocumentAccessor:
        """Functions on documents."""
        return self._accessor("document")  # type: ignore[no-any-return]

    @property
    def text(self) -> _functions.TextAccessor:
        """Functions on text."""
        return self._accessor("text")  # type: ignore[no-any-return]

    @property
    def str(self) -> _functions.TextAccessor:
        """Functions on text: the same as ``.text``."""
        return self._accessor("text")  # type: ignore[no-any-return]

    @property
    def vector(self) -> _functions.VectorAccessor:
        """Functions on embeddings."""
        return self._accessor("vector")  # type: ignore[no-any-return]

    @property
    def file(self) -> _functions.FileAccessor:
        """Functions on file references."""
        return self._accessor("file")  # type: ignore[no-any-return]

    @property
    def temporal(self) -> _functions.TemporalAccessor:
        """Functions on dates and times."""
        return self._accessor("temporal")  # type: ignore[no-any-return]

    @property
    def list(self) -> _functions.ListAccessor:
        """Functions on lists."""
        return self._accessor("list")  # type: ignore[no-any-return]

    @property
    def struct(self) -> _functions.StructAccessor:
        """Functions on structs."""
        return self._accessor("struct")  # type: ignore[no-any-return]
