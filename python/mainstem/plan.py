"""Plans: what a data frame is made of, and the JSON that the engine reads (docs/plan.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mainstem.sink import SinkCalls

if TYPE_CHECKING:
    from mainstem.user_function import UserFunction

VERSION = 1


class MemoryTable:
    """A table of this process that a plan reads; it has ``__arrow_c_stream__``."""

    __slots__ = ("table",)

    def __init__(self, table: Any) -> None:
        self.table = table


@dataclass(frozen=True, eq=False)
class Node:
    """One step of a plan. Steps are shared between plans and never change.

    ``fields`` is the step's JSON; user functions, memory tables and sinks stand in it as objects until the plan is
    written out. ``inputs`` names the fields that hold earlier steps."""

    op: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    input: Node | None = None
    inputs: tuple[Node, ...] = ()
    left: Node | None = None
    right: Node | None = None

    def earlier(self) -> Iterator[Node]:
        yield from (node for node in (self.input, self.left, self.right) if node is not None)
        yield from self.inputs


@dataclass(frozen=True)
class WrittenPlan:
    """A plan as the engine takes it: JSON, and the tables and sinks that it names."""

    json: str
    tables: Mapping[str, Any]
    sinks: Mapping[str, SinkCalls] = field(default_factory=dict)


def write(root: Node, *, payloads: bool = True, indent: int | None = None) -> WrittenPlan:
    """Writes a plan out. Without ``payloads`` the code of user functions is left empty: enough for binding."""
    order = _topological(root)
    position = {id(node): index for index, node in enumerate(order)}
    functions: dict[str, UserFunction] = {}
    tables: dict[str, Any] = {}
    sinks: dict[str, SinkCalls] = {}
    names: dict[int, str] = {}

    def outside(value: Any) -> Any:
        if isinstance(value, MemoryTable):
            name = names.setdefault(id(value), f"table-{len(names)}")
            tables[name] = value.table
            return name
        if isinstance(value, SinkCalls):
            sinks[value.name] = value
            return value.name
        identity = getattr(value, "id", None)
        if isinstance(identity, str):
            functions[identity] = value
            return identity
        raise TypeError(f"{value!r} cannot stand in a plan")

    # User functions are found while the steps are written, so the steps come first.
    steps = json.loads(json.dumps([_entry(node, position) for node in order], default=outside, allow_nan=False))
    udfs = {identity: function.to_json(payload=payloads) for identity, function in functions.items()}
    document = {"version": VERSION, "nodes": steps, "udfs": udfs}
    return WrittenPlan(json.dumps(document, indent=indent), tables, sinks)


def _entry(node: Node, position: Mapping[int, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {"op": node.op}
    for name, earlier in (("input", node.input), ("left", node.left), ("right", node.right)):
        if earlier is not None:
            entry[name] = position[id(earlier)]
    if node.inputs:
        entry["inputs"] = [position[id(earlier)] for earlier in node.inputs]
    return {**entry, **node.fields}


def _topological(root: Node) -> list[Node]:
    # Without recursion: a loop in a script may build plans of thousands of steps.
    order: list[Node] = []
    seen: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((earlier, False) for earlier in reversed(list(node.earlier())))
    return order
