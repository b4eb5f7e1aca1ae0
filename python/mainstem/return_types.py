"""Return types: column types from Python's annotations."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Union

from mainstem.datatype import DataType

_SIMPLE: dict[Any, Callable[[], DataType]] = {
    bool: DataType.bool,
    int: DataType.int64,
    float: DataType.float64,
    str: DataType.string,
    bytes: DataType.binary,
    bytearray: DataType.binary,
    dt.date: DataType.date,
    dt.datetime: DataType.timestamp,
    type(None): DataType.null,
}

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Collection)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_STREAMS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)


class UnknownReturnType(TypeError):
    """The annotation does not say what column it becomes."""


def declared(return_dtype: Any) -> DataType:
    """A return type as users give it: a DataType, a plain type's name, fields by name, or an annotation."""
    if isinstance(return_dtype, (DataType, str)):
        return return_dtype if isinstance(return_dtype, DataType) else DataType(return_dtype)
    if isinstance(return_dtype, Mapping):
        return DataType.struct({str(name): declared(kind) for name, kind in return_dtype.items()})
    return of_annotation(return_dtype)


def of_callable(function: Callable[..., Any]) -> Any:
    """The annotation of what a function, a class's ``__call__`` or a callable object returns; None if there is none."""
    target: Any = function
    if inspect.isclass(function):
        target = function.__call__
    elif not inspect.isroutine(function):
        target = type(function).__call__
    raw = getattr(target, "__annotations__", {}).get("return")
    if not isinstance(raw, str):
        return raw
    try:
        return typing.get_type_hints(target, localns=_closure(target), include_extras=True).get("return")
    except (NameError, TypeError, AttributeError) as error:
        raise UnknownReturnType(f"the annotation {raw!r} cannot be read ({error})") from None


def of_annotation(annotation: Any) -> DataType:
    """The column type for an annotation, or a clear refusal."""
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]()
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        given = next((extra for extra in arguments[1:] if isinstance(extra, DataType)), None)
        return given or of_annotation(arguments[0])
    if origin in (Union, types.UnionType):
        kinds = [argument for argument in arguments if argument is not type(None)]
        if len(kinds) == 1:
            return of_annotation(kinds[0])
        raise UnknownReturnType(f"{annotation} could be several types")
    if origin is typing.Literal:
        literals = {type(argument) for argument in arguments}
        if len(literals) == 1:
            return of_annotation(literals.pop())
        raise UnknownReturnType(f"{annotation} could be several types")
    if origin in _LISTS:
        items = {of_annotation(argument) for argument in arguments if argument is not ...}
        if len(items) == 1:
            return DataType.list(items.pop())
        raise UnknownReturnType(f"{annotation} has items of several types")
    if origin in _MAPS:
        return DataType.map(of_annotation(arguments[0]), of_annotation(arguments[1]))
    if inspect.isclass(annotation):
        return _of_class(annotation)
    raise UnknownReturnType(f"{annotation!r} does not say what column it becomes")


def of_rows(annotation: Any) -> DataType:
    """The struct of the rows that a table function gives: the T of ``Iterator[T]``; one value is column ``f0``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (*_STREAMS, *_LISTS):
        return as_rows(of_annotation(arguments[0]))
    raise UnknownReturnType(f"a table function returns Iterator[…] or list[…], not {annotation!r}")


def as_rows(kind: DataType) -> DataType:
    """A struct as it is; anything else as the column ``f0``."""
    return kind if kind.name == "struct" else DataType.struct({"f0": kind})


def _of_class(annotation: type) -> DataType:
    if (
        typing.is_typeddict(annotation)
        or dataclasses.is_dataclass(annotation)
        or hasattr(annotation, "_field_defaults")
    ):
        hints = typing.get_type_hints(annotation, include_extras=True)
        if dataclasses.is_dataclass(annotation):
            hints = {field.name: hints[field.name] for field in dataclasses.fields(annotation)}
        return DataType.struct({name: of_annotation(_required(hint)) for name, hint in hints.items()})
    full_name = f"{annotation.__module__}.{annotation.__qualname__}"
    if full_name in _MULTIMODAL:
        return _MULTIMODAL[full_name]()
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(annotation, numpy.generic):
        return DataType("bool" if annotation is numpy.bool_ else numpy.dtype(annotation).name)
    if full_name == "numpy.ndarray":
        raise UnknownReturnType(
            "an array has no type of its own: DataType.tensor('float32', (3, 224, 224)) or .vector(…)"
        )
    raise UnknownReturnType(f"{full_name} does not say what column it becomes")


_MULTIMODAL: dict[str, Callable[[], DataType]] = {
    "mainstem.values.Image": DataType.image,
    "mainstem.values.File": DataType.file,
    "mainstem.values.Audio": DataType.audio,
    "mainstem.values.AudioClip": DataType.audio_clip,
    "mainstem.values.VideoClip": DataType.video_clip,
    "PIL.Image.Image": DataType.image,
}


def _required(hint: Any) -> Any:
    # Required[T] and NotRequired[T] of a TypedDict.
    return typing.get_args(hint)[0] if str(typing.get_origin(hint)).endswith("Required") else hint


def _closure(function: Any) -> dict[str, Any]:
    try:
        return dict(inspect.getclosurevars(function).nonlocals)
    except (TypeError, ValueError):
        return {}
