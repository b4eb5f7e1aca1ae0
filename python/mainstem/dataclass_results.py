"""Results that are dataclasses: a worker sends dicts, so they are made into dicts before."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any


def holds_dataclass(annotation: Any) -> bool:
    """Whether an annotation names a dataclass of the user's somewhere."""
    if inspect.isclass(annotation) and dataclasses.is_dataclass(annotation):
        return not annotation.__module__.startswith("mainstem.")
    return any(holds_dataclass(argument) for argument in typing.get_args(annotation))


def converting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, or a class of the same constructor, whose results are dicts for dataclasses."""
    return Built(function) if inspect.isclass(function) else _wrapped(function)


def _wrapped(function: Any) -> Callable[..., Any]:
    called = function if inspect.isroutine(function) else type(function).__call__
    return AwaitedResults(function) if inspect.iscoroutinefunction(called) else Results(function)


class Built:
    """Builds an object on the worker and wraps it."""

    def __init__(self, made: type) -> None:
        self._made = made

    def __call__(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        return _wrapped(self._made(*args, **kwargs))


class Results:
    """A function with converted results."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *values: Any) -> Any:
        return _plain(self._function(*values))


class AwaitedResults:
    """An async function with converted results."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    async def __call__(self, *values: Any) -> Any:
        return _plain(await self._function(*values))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if type(value).__module__.startswith("mainstem."):
            return value
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if inspect.isasyncgen(value):
        return _plain_later(value)
    if isinstance(value, Iterator):
        return (_plain(item) for item in value)
    return value


async def _plain_later(values: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for value in values:
        yield _plain(value)
