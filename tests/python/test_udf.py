"""User functions: their types, their payload, and how they are called."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
import pickle
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Optional, TypedDict

import numpy as np
import pytest

import mainstem as ms
from mainstem import DataType, col
from mainstem.return_types import of_annotation


class Label(TypedDict):
    name: str
    score: float


@dataclasses.dataclass
class Box:
    x: int
    y: int | None


def payload_of(frame: ms.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    ((_, udf),) = json.loads(frame.to_plan())["udfs"].items()
    return udf, pickle.loads(base64.b64decode(udf["payload"]))


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, DataType.int64()),
        (float, DataType.float64()),
        (str, DataType.string()),
        (bytes, DataType.binary()),
        (bool, DataType.bool()),
        (dt.date, DataType.date()),
        (dt.datetime, DataType.timestamp(6)),
        (list[int], DataType.list(DataType.int64())),
        (tuple[float, ...], DataType.list(DataType.float64())),
        (dict[str, int], DataType.map(DataType.string(), DataType.int64())),
        (Optional[int], DataType.int64()),  # noqa: UP045
        (int | None, DataType.int64()),
        (Literal["a", "b"], DataType.string()),
        (Label, DataType.struct({"name": DataType.string(), "score": DataType.float64()})),
        (list[Box], DataType.list(DataType.struct({"x": DataType.int64(), "y": DataType.int64()}))),
        (np.float32, DataType.float32()),
        (Annotated[np.ndarray, DataType.vector("float32", 3)], DataType.vector("float32", 3)),
        (ms.Image, DataType.image()),
    ],
)
def test_annotations_become_types(annotation: object, expected: DataType) -> None:
    assert of_annotation(annotation) == expected


def test_a_function_becomes_a_call_with_its_code() -> None:
    @ms.udf
    def longer(text: str, times: int = 2) -> str:
        return text * times

    frame = ms.read_files("x").select(long=longer(col("file"), times=3))
    udf, payload = payload_of(frame)
    plan = json.loads(frame.to_plan())
    (call,) = [column["expr"] for column in plan["nodes"][1]["columns"]]
    assert call == {"udf": next(iter(plan["udfs"])), "args": [{"column": "file"}, {"literal": 3}]}
    assert (udf["name"], udf["kind"], udf["form"], udf["return_type"]) == ("longer", "scalar", "general", "string")
    assert payload["callable"]("ab", 2) == "abab"
    assert (payload["kind"], payload["is_class"]) == ("scalar", False)


def test_equal_code_has_one_id_and_other_settings_another() -> None:
    def plus(x: int) -> int:
        return x + 1

    first, second = ms.udf(plus), ms.udf(plus)
    assert first.id == second.id
    assert ms.udf(plus, batch_size=10).id != first.id
    frame = ms.range(3).select(a=first(col("id")), b=second(col("id")))
    assert len(json.loads(frame.to_plan())["udfs"]) == 1


def test_a_class_is_built_on_the_worker() -> None:
    @ms.udf(concurrency=2, timeout=dt.timedelta(seconds=90), on_error="dead_letter")
    class Add:
        def __init__(self, amount: int) -> None:
            self.amount = amount

        def __call__(self, x: int) -> int:
            return x + self.amount

    udf, payload = payload_of(ms.range(3).select(y=Add(5)(col("id"))))
    assert payload["is_class"] and payload["init_args"] == (5,)
    assert payload["callable"](*payload["init_args"])(1) == 6
    assert (udf["concurrency"], udf["timeout"], udf["on_error"]) == (2, 90.0, "dead_letter")
    with pytest.raises(TypeError, match="constructor's arguments first"):
        Add(col("id"))
    assert Add(5)(1) == 6


def test_lambdas_callable_objects_async_and_plain_calls() -> None:
    double = ms.udf(lambda x: x * 2, return_dtype=DataType.int64())
    assert double(4) == 8
    assert double.name == "lambda"

    class Shift:
        def __call__(self, x: int) -> float:
            return x + 0.5

    assert ms.udf(Shift()).return_type == DataType.float64()

    @ms.udf
    async def fetch(uri: str) -> bytes:
        return b""

    assert fetch.return_type == DataType.binary()


def test_table_functions_give_rows() -> None:
    @ms.udtf
    def words(text: str) -> Iterator[str]:
        yield from text.split()

    @ms.udtf
    def labels(text: str) -> list[Label]:
        return []

    assert words.return_type == DataType.struct({"f0": DataType.string()})
    assert labels.return_type.fields().keys() == {"name", "score"}
    plan = json.loads(ms.read_files("x").join_lateral(words(col("file")).alias("word")).to_plan())
    node = plan["nodes"][1]
    assert (node["op"], node["names"], node["ignore_empty"]) == ("lateral", ["word"], True)
    assert plan["udfs"][node["call"]["udf"]]["kind"] == "table"


def test_functions_over_rows_and_batches() -> None:
    def enrich(row: dict[str, Any]) -> Label:
        return {"name": row["file"], "score": 1.0}

    frame = ms.read_files("x").map(enrich)
    assert frame.columns == ["name", "score"]
    batches = ms.read_files("x").map_batches(
        lambda b: b, return_dtype={"size": "int64"}, batch_format="pyarrow", batch_size=10
    )
    udf, payload = payload_of(batches)
    assert (udf["kind"], udf["form"], udf["batch_size"]) == ("map_batches", "arrow", 10)
    assert payload["form"] == "arrow"
    node = json.loads(batches.to_plan())["nodes"][1]
    assert (node["op"], node["replace"]) == ("map", True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"func_type": "panda"}, "func_type"),
        ({"on_error": "log"}, "on_error"),
        ({"concurrency": 0}, "concurrency"),
        ({"batch_size": -1}, "batch_size"),
        ({"timeout": 0}, "timeout"),
        ({"num_gpus": 0, "gpu_type": "x"}, "num_gpus"),
        ({"num_gpus": 1}, "gpu_type"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ms.udf(lambda x: x, return_dtype="int64", **settings)


def test_a_type_that_cannot_be_known_is_asked_for() -> None:
    with pytest.raises(TypeError, match=r"lambda: it has no return annotation. Give its type: return_dtype="):
        ms.udf(lambda x: x)

    def array(x: int) -> np.ndarray:
        return np.zeros(x)

    with pytest.raises(TypeError, match=r"DataType\.tensor"):
        ms.udf(array)


def test_code_that_cannot_travel_is_explained() -> None:
    import threading

    lock = threading.Lock()

    @ms.udf
    def locked(x: int) -> int:
        with lock:
            return x

    with pytest.raises(TypeError, match=r"locked cannot be sent to a worker.*made in the worker"):
        ms.range(3).select(y=locked(col("id")))
