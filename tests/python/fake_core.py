"""A native module for tests: it binds column names, remembers what it was given, and answers with prepared rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa


def _option(name: str, kind: str, default: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "default": default, "required": False, "doc": f"The {name}.", **more}


def _function(
    name: str, kind: str, arguments: list[str], options: Sequence[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    entries = [{"name": a.rstrip("?"), "accepts": "any", "doc": "", "optional": a.endswith("?")} for a in arguments]
    made = {"name": name, "kind": kind, "cost": "cheap", "doc": f"Does {name}.", "variadic": False}
    return {**made, "arguments": entries, "options": list(options), **more}


ON_ERROR = _option("on_error", "string", "raise", choices=["raise", "null", "dead_letter"])
FUNCTIONS = [
    _function("image.decode", "row", ["image"], [_option("mode", "string"), ON_ERROR]),
    _function(
        "image.resize",
        "row",
        ["image"],
        [
            _option("width", "int", required=True, minimum=1),
            _option("height", "int", required=True, minimum=1),
            _option("method", "string", "lanczos", choices=["nearest", "lanczos"]),
        ],
    ),
    _function("image.encode", "row", ["image"], [_option("format", "string", "JPEG"), _option("quality", "int", 85)]),
    _function("image.crop", "row", ["image"], [_option("crop_ratio", "float_list", [0.8, 0.8])]),
    _function("text.upper", "vector", ["text"]),
    _function("text.concat", "vector", ["text"], variadic=True),
    _function("text.chunk", "row", ["text"], [_option("size", "int", 1000), _option("overlap", "int", 0)]),
    _function("vector.cosine", "vector", ["left", "right"]),
    _function("audio.split_by_timestamp", "table", ["audio", "timestamps?"], [_option("max_segments", "int", 1024)]),
    _function("document.pages", "table", ["document"], [_option("dpi", "int", 150)]),
    _function("video.explode_frames", "table", ["video"], [_option("frame_selector", "string", "all_frames")]),
    _function(
        "ai.embed_text", "call", ["text"], [_option("model", "string", required=True), _option("resolved", "string")]
    ),
    _function("add", "vector", ["left", "right"]),
    _function("agg.sum", "aggregate", ["value"]),
]


class Error(Exception):
    """What the native module raises."""

    def __init__(self, message: str, error_class: str = "job") -> None:
        super().__init__(message)
        self.error_class = error_class


class FakeJob:
    def __init__(self, core: FakeCore) -> None:
        self._core = core
        self._batches = list(core.batches)
        self.cancelled = False

    def next(self, timeout_s: float) -> Any | None:
        if self._core.failure:
            raise self._core.failure
        return self._batches.pop(0) if self._batches else None

    def finished(self) -> bool:
        return not self._batches

    def wait(self, timeout_s: float) -> bool:
        if self._core.failure:
            raise self._core.failure
        return True

    def cancel(self) -> None:
        self.cancelled = True

    def progress_json(self) -> str:
        return json.dumps({"rows": 10, "operators": []})

    def report_json(self) -> str:
        return json.dumps({"rows": 10, "peak_memory_bytes": 1_400_000})

    def dead_letters(self) -> Any:
        return pa.table({"reason": ["broken"]})


class FakeEngine:
    def __init__(self, core: FakeCore, options: dict[str, Any]) -> None:
        self._core = core
        self.options = options

    def schema(self, plan_json: str, tables: dict[str, Any]) -> pa.Schema:
        plan = json.loads(plan_json)
        schemas: list[pa.Schema] = []
        for node in plan["nodes"]:
            schemas.append(self._bind(node, schemas, tables, plan["udfs"]))
        return schemas[-1]

    def explain(self, plan_json: str, tables: dict[str, Any], mode: str) -> str:
        return f"{mode} of {len(json.loads(plan_json)['nodes'])} nodes"

    def start(self, plan_json: str, tables: dict[str, Any], job_options_json: str, sinks: dict[str, Any]) -> FakeJob:
        self._core.started.append((json.loads(plan_json), dict(tables), json.loads(job_options_json)))
        job = FakeJob(self._core)
        self._core.jobs.append(job)
        return job

    def _bind(self, node: dict[str, Any], schemas: list[pa.Schema], tables: dict[str, Any], udfs: Any) -> pa.Schema:
        if node["op"] == "source":
            if node["connector"] == "memory":
                return tables[node["options"]["table"]].schema
            return self._core.sources[node["connector"]]
        if node["op"] == "join":
            left, right = schemas[node["left"]], schemas[node["right"]]
            return pa.schema([*left, *(field for field in right if field.name not in left.names)])
        before = schemas[node["inputs"][0] if "inputs" in node else node["input"]]
        bind = getattr(self, f"_bind_{node['op']}", None)
        return bind(node, before, udfs) if bind else before

    def _bind_select(self, node: Any, before: pa.Schema, _: Any) -> pa.Schema:
        return pa.schema([pa.field(c["name"], self._type(c["expr"], before)) for c in node["columns"]])

    def _bind_with_columns(self, node: Any, before: pa.Schema, _: Any) -> pa.Schema:
        fields = {field.name: field for field in before}
        fields |= {c["name"]: pa.field(c["name"], self._type(c["expr"], before)) for c in node["columns"]}
        return pa.schema(list(fields.values()))

    def _bind_filter(self, node: Any, before: pa.Schema, _: Any) -> pa.Schema:
        self._type(node["predicate"], before)
        return before

    def _bind_drop(self, node: Any, before: pa.Schema, _: Any) -> pa.Schema:
        return pa.schema([field for field in before if field.name not in node["names"]])

    def _bind_rename(self, node: Any, before: pa.Schema, _: Any) -> pa.Schema:
        return pa.schema([field.with_name(node["names"].get(field.name, field.name)) for field in before])

    def _bind_aggregate(self, node: Any, before: pa.Schema, _: Any) -> pa.Schema:
        keys = [pa.field(k["name"], self._type(k["expr"], before)) for k in node["keys"]]
        return pa.schema([*keys, *(pa.field(a["name"], pa.int64()) for a in node["aggregates"])])

    def _bind_map(self, node: Any, before: pa.Schema, udfs: Any) -> pa.Schema:
        fields = udfs[node["udf"]]["return_type"]["fields"]
        return pa.schema([pa.field(field["name"], pa.int64()) for field in fields])

    def _type(self, expr: Any, before: pa.Schema) -> pa.DataType:
        if "column" in expr:
            if expr["column"] not in before.names:
                raise Error(f"there is no column '{expr['column']}'")
            return before.field(expr["column"]).type
        types = [self._type(argument, before) for argument in expr.get("args", ())]
        return types[0] if types else pa.int64()


class FakeCore:
    """Stands in for ``mainstem._core``."""

    Error = Error

    def __init__(self) -> None:
        self.started: list[tuple[Any, Any, Any]] = []
        self.jobs: list[FakeJob] = []
        self.engines: list[FakeEngine] = []
        self.batches: list[pa.RecordBatch] = []
        self.failure: Error | BaseException | None = None
        files = pa.schema([("file", pa.string()), ("size", pa.int64()), ("modified", pa.timestamp("us"))])
        self.sources = {"files": files, "range": pa.schema([("id", pa.int64())]), "parquet": files}

    def functions_json(self) -> str:
        return json.dumps(FUNCTIONS)

    def Engine(self, options_json: str) -> FakeEngine:
        self.engines.append(FakeEngine(self, json.loads(options_json)))
        return self.engines[-1]
