"""The engine's functions as Python sees them: names, arguments, options, documentation."""

from __future__ import annotations

import functools
import inspect
import json
import textwrap
from dataclasses import dataclass, field
from typing import Any

from mainstem._engine import NativeModule, native
from mainstem.suggestion import suggestion

#: Options that Mainstem fills in itself and users never see.
INTERNAL_OPTIONS = frozenset({"resolved"})

_DOC_WIDTH = 100

_PYTHON_TYPES = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "string": "str",
    "int_list": "Sequence[int]",
    "float_list": "Sequence[float]",
    "string_list": "Sequence[str]",
}


@dataclass(frozen=True)
class Argument:
    """A column or value that a function works on."""

    name: str
    accepts: str
    doc: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Option:
    """A named setting of a call."""

    name: str
    type: str
    default: Any = None
    required: bool = False
    doc: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def annotation(self) -> str:
        """The option's type as Python writes it."""
        name = _PYTHON_TYPES[self.type]
        return f"{name} | None" if self.default is None and not self.required else name

    @property
    def limits(self) -> str:
        """What values are taken, for people; empty where all are."""
        if self.choices:
            return " | ".join(repr(choice) for choice in self.choices)
        match (self.minimum, self.maximum):
            case (None, None):
                return ""
            case (low, None):
                return f"at least {_number(low)}"
            case (None, high):
                return f"at most {_number(high)}"
            case (low, high):
                return f"{_number(low)} to {_number(high)}"


@dataclass(frozen=True)
class Function:
    """One function of the registry: "image.resize", "add"."""

    name: str
    kind: str
    doc: str = ""
    cost: str = "cheap"
    variadic: bool = False
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = field(default=())

    @property
    def accessor(self) -> str:
        """What stands before the dot, or nothing."""
        return self.name.partition(".")[0] if "." in self.name else ""

    @property
    def short_name(self) -> str:
        return self.name.partition(".")[2] or self.name

    @property
    def public_options(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if option.name not in INTERNAL_OPTIONS)

    @property
    def needs_model(self) -> bool:
        """Whether a call names a model that Mainstem looks up."""
        return any(option.name == "resolved" for option in self.options)

    def docstring(self) -> str:
        lines = textwrap.wrap(self.doc.strip(), _DOC_WIDTH) or [self.name]
        described = [(a.name, a.accepts, a.doc) for a in self.arguments]
        described += [(o.name, o.limits or o.annotation, o.doc) for o in self.public_options]
        if described:
            lines += ["", "Parameters:"]
        for name, kind, doc in described:
            text = f"{name} ({kind}): {doc}".rstrip(": ")
            lines += textwrap.wrap(text, _DOC_WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8)
        return "\n".join(lines)

    def usage(self) -> str:
        """How it is called, without types: "image.resize(image, width, height, method='lanczos')"."""
        parameters = self.signature(method=False).parameters.values()
        bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
        return f"{self.name}{inspect.Signature(bare)}"

    def signature(self, *, method: bool) -> inspect.Signature:
        """How Python calls it. A method's first argument is the expression it stands on.

        What must be given comes first; arguments stand before options. Where the last argument repeats,
        options are keywords."""
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        arguments = list(self.arguments[1:] if method else self.arguments)
        repeated = (arguments.pop() if arguments else self.arguments[-1]) if self.variadic else None

        def of(argument: Argument) -> inspect.Parameter:
            default = None if argument.optional else inspect.Parameter.empty
            return inspect.Parameter(argument.name, kind, default=default, annotation="Any")

        def setting(option: Option) -> inspect.Parameter:
            default = inspect.Parameter.empty if option.required else option.default
            how = inspect.Parameter.KEYWORD_ONLY if repeated else kind
            return inspect.Parameter(option.name, how, default=default, annotation=option.annotation)

        options = self.public_options
        parameters = [of(a) for a in arguments if not a.optional]
        if repeated is not None:
            name = repeated.name if repeated.name not in [p.name for p in parameters] else "others"
            parameters.append(inspect.Parameter(name, inspect.Parameter.VAR_POSITIONAL, annotation="Any"))
            parameters += [setting(o) for o in options]
        else:
            parameters += [setting(o) for o in options if o.required]
            parameters += [of(a) for a in arguments if a.optional]
            parameters += [setting(o) for o in options if not o.required]
        if method:
            parameters.insert(0, inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY))
        return inspect.Signature(parameters)


def _number(value: float | None) -> str:
    return str(int(value)) if value is not None and value == int(value) else f"{value:g}"


def parse(functions_json: str) -> dict[str, Function]:
    """Reads the registry's JSON."""
    return _parse(functions_json)


@functools.lru_cache(maxsize=4)
def _parse(text: str) -> dict[str, Function]:
    found: dict[str, Function] = {}
    for entry in json.loads(text):
        options = tuple(
            Option(**{**option, "choices": tuple(option.get("choices", ()))}) for option in entry.get("options", ())
        )
        arguments = tuple(Argument(**argument) for argument in entry.get("arguments", ()))
        known = {key: entry[key] for key in ("name", "kind", "doc", "cost", "variadic") if key in entry}
        found[entry["name"]] = Function(**known, arguments=arguments, options=options)
    return found


def functions() -> dict[str, Function]:
    """All functions of the native engine, by name."""
    global _read
    module = native()
    if _read is None or _read[0] is not module:
        _read = (module, _parse(module.functions_json()))
    return _read[1]


# The native module whose functions were read last, and these.
_read: tuple[NativeModule, dict[str, Function]] | None = None


def find(name: str) -> Function:
    """Returns a function, or fails with the nearest name."""
    known = functions()
    if name not in known:
        raise AttributeError(f"there is no function '{name}'.{suggestion(name, known)}")
    return known[name]
