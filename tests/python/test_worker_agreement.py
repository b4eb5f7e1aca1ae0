"""What a user function is sent as is what a worker runs."""

from __future__ import annotations

import base64
import dataclasses
import pickle
from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pytest

import mainstem as ms
from mainstem import DataType
from mainstem.host_runner import Runner
from mainstem.host_values import storage_schema
from mainstem.python_values import arrow_array, python_values
from mainstem.user_function import UserFunction, make


class Counted(TypedDict):
    word: str
    letters: int


@dataclasses.dataclass
class Point:
    at: int


@dataclasses.dataclass
class Box:
    width: int
    corners: list[Point]


def run(function: UserFunction, columns: dict[str, Any], shape: str = "scalar") -> pa.RecordBatch:
    """Runs a user function as a worker does, without the process around it."""
    entry = function.to_json()
    payload = pickle.loads(base64.b64decode(entry["payload"]))
    arrays = [arrow_array(values) for values in columns.values()]
    before = pa.schema([pa.field(name, array.type) for name, array in zip(columns, arrays, strict=True)])
    returned = function.return_type
    rows = returned.fields() if entry["kind"] != "scalar" else {"value": returned}
    after = pa.schema([pa.field(name, kind.to_arrow()) for name, kind in rows.items()])
    runner = Runner({"shape": shape, "form": entry["form"]}, before, after, payload)
    storage = [array.storage if isinstance(array, pa.ExtensionArray) else array for array in arrays]
    reply, failures = runner.run(pa.RecordBatch.from_arrays(storage, schema=storage_schema(before)))
    assert not failures, failures
    return reply


def test_rows_in_python_values() -> None:
    @ms.udf
    def shout(text: str, times: int) -> str:
        return text.upper() * times

    assert run(shout, {"a": ["x", "y"], "b": [1, 2]})["value"].to_pylist() == ["X", "YY"]


def test_pictures_are_pictures() -> None:
    @ms.udf
    def flipped(image: ms.Image) -> ms.Image:
        assert isinstance(image, ms.Image)
        return ms.Image(image.data[:, ::-1], image.mode)

    pixels = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    storage = run(flipped, {"image": [ms.Image(pixels)]})["value"]
    (image,) = python_values(pa.ExtensionArray.from_storage(DataType.image().to_arrow(), storage))
    assert image == ms.Image(pixels[:, ::-1])


def test_references_and_sound_have_their_classes() -> None:
    @ms.udf
    def describe(file: ms.File, sound: ms.Audio, clip: ms.VideoClip) -> str:
        return f"{file.uri} {sound.frames}/{sound.sample_rate} {clip.end_time_ms}"

    columns = {
        "file": [ms.File("a.jpg")],
        "sound": [ms.Audio(np.zeros(800), 8000)],
        "clip": [ms.VideoClip("b.mp4", 0, 90)],
    }
    assert run(describe, columns)["value"].to_pylist() == ["a.jpg 800/8000 90"]


@pytest.mark.parametrize("form", ["pandas", "arrow", "numpy"])
def test_batches_in_every_form(form: str) -> None:
    import pyarrow.compute as pc

    body = {"pandas": lambda s: s + 1, "numpy": lambda a: a + 1, "arrow": lambda a: pc.add(a, 1)}[form]
    function = ms.udf(body, return_dtype="int64", func_type=form)
    assert run(function, {"a": [1, 2, 3]})["value"].to_pylist() == [2, 3, 4]


def test_a_class_and_an_async_function() -> None:
    @ms.udf
    class Add:
        def __init__(self, amount: int) -> None:
            self.amount = amount

        def __call__(self, x: int) -> int:
            return x + self.amount

    @ms.udf
    async def double(x: int) -> int:
        return 2 * x

    assert run(Add(5), {"x": [1]})["value"].to_pylist() == [6]
    assert run(double, {"x": [1, 2]})["value"].to_pylist() == [2, 4]


def test_rows_of_table_functions() -> None:
    @ms.udtf
    def words(text: str) -> Iterator[Counted]:
        for word in text.split():
            yield {"word": word, "letters": len(word)}

    @ms.udtf
    def letters(text: str) -> Iterator[str]:
        yield from text

    reply = run(words, {"text": ["a bb", ""]}, "table")
    assert reply.to_pylist() == [{"__row": 0, "word": "a", "letters": 1}, {"__row": 0, "word": "bb", "letters": 2}]
    assert run(letters, {"text": ["ab"]}, "table")["f0"].to_pylist() == ["a", "b"]


def test_dataclasses_become_structs() -> None:
    @ms.udf
    def box(x: int) -> Box:
        return Box(x, [Point(x + 1)])

    @ms.udf
    class Boxes:
        async def __call__(self, x: int) -> Box:
            return Box(x, [])

    @ms.udtf
    def points(x: int) -> Iterator[Point]:
        yield Point(x)

    assert run(box, {"x": [1]})["value"].to_pylist() == [{"width": 1, "corners": [{"at": 2}]}]
    assert run(Boxes(), {"x": [1]})["value"].to_pylist() == [{"width": 1, "corners": []}]
    assert run(points, {"x": [3]}, "table")["at"].to_pylist() == [3]


def test_whole_rows_and_batches() -> None:
    def count(row: dict[str, Any]) -> Counted:
        return {"word": row["text"], "letters": len(row["text"])}

    columns = {"text": ["a", "bb"]}
    assert run(make(count, kind="map"), columns).to_pylist() == [
        {"word": "a", "letters": 1},
        {"word": "bb", "letters": 2},
    ]
    batches = make(
        lambda batch: {"n": batch["text"].str.len()},
        kind="map_batches",
        func_type="pandas",
        return_dtype={"n": "int64"},
    )
    assert run(batches, columns)["n"].to_pylist() == [1, 2]
    spread = make(lambda row: [row["text"]] * len(row["text"]), kind="flat_map", return_dtype="string")
    assert run(spread, columns, "table")["f0"].to_pylist() == ["a", "bb", "bb"]
