"""User functions of every form, well-behaved and not."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mainstem as ms
from mainstem import col

NUMBERS = list(range(1000))


class Pair(TypedDict):
    half: float
    name: str


@ms.udf
def plus_one(x: int) -> int:
    return x + 1


@ms.udf
async def later(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@ms.udf(func_type="pandas", return_dtype=ms.DataType.int64())
def plus_one_pandas(x: pd.Series) -> pd.Series:  # type: ignore[type-arg]
    return x + 1


@ms.udf(func_type="arrow", return_dtype=ms.DataType.int64())
def plus_one_arrow(x: pa.Array) -> pa.Array:
    return pc.add(x, 1)


@ms.udf(func_type="numpy", return_dtype=ms.DataType.int64())
def plus_one_numpy(x: np.ndarray) -> np.ndarray:
    return x + 1


@ms.udf
class Adder:
    """Built once a worker."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __call__(self, x: int) -> int:
        return x + self.amount


@ms.udf
def both(x: int) -> Pair:
    return {"half": x / 2, "name": f"n{x}"}


FORMS: dict[str, Any] = {
    "function": plus_one,
    "lambda": ms.udf(lambda x: x + 1, return_dtype=ms.DataType.int64()),
    "async": later,
    "pandas": plus_one_pandas,
    "arrow": plus_one_arrow,
    "numpy": plus_one_numpy,
    "class": Adder(1),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_sees_every_row_once_and_in_order(profile: str, form: str) -> None:
    found = ms.from_dict({"x": NUMBERS}).select("x", y=FORMS[form](col("x"))).collect()
    assert [(row.x, row.y) for row in found] == [(x, x + 1) for x in NUMBERS]


@pytest.mark.parametrize("size", [1, 7, 1000, 5000, "auto"])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_batch_size_and_concurrency_change_no_row(size: int | str, concurrency: int) -> None:
    @ms.udf(batch_size=size, concurrency=concurrency, func_type="numpy", return_dtype=ms.DataType.int64())
    def count(x: np.ndarray) -> np.ndarray:
        if isinstance(size, int) and len(x) > size:
            raise AssertionError(f"{len(x)} rows in a batch of {size}")
        return x * 2

    rows = 300 if size == 1 else 1000
    found = ms.range(rows).select(y=count(col("id"))).collect()
    assert [row.y for row in found] == [2 * x for x in range(rows)]


def test_structs_tensors_pictures_and_nulls_cross_the_border(profile: str) -> None:
    frame = ms.from_dict({"x": [1, None, 3]})

    @ms.udf
    def maybe(x: int | None) -> str | None:
        return None if x is None else str(x)

    found = frame.select("x", text=maybe(col("x"))).collect()
    assert [row.text for row in found] == ["1", None, "3"]
    found = ms.from_dict({"x": [2, 3]}).select(p=both(col("x"))).collect()
    assert [row.p for row in found] == [{"half": 1.0, "name": "n2"}, {"half": 1.5, "name": "n3"}]

    @ms.udf(return_dtype=ms.DataType.float64())
    def brightness(image: Any) -> float:
        return float(np.asarray(image).mean())

    pixels = [np.full((4, 5, 3), value, np.uint8) for value in (10, 200)]
    found = ms.from_dict({"image": [ms.Image(p) for p in pixels]}).select(b=brightness(col("image"))).collect()
    assert [row.b for row in found] == [10.0, 200.0]


def test_map_map_batches_and_flat_map(profile: str) -> None:
    frame = ms.range(500)
    kinds = {"a": ms.DataType.int64(), "b": ms.DataType.string()}
    found = frame.map(lambda row: {"a": row["id"] * 2, "b": str(row["id"])}, return_dtype=kinds).collect()
    assert [(row.a, row.b) for row in found] == [(2 * i, str(i)) for i in range(500)]

    def doubled(batch: dict[str, Any]) -> dict[str, Any]:
        return {"a": batch["id"] * 2}

    for form in ("pandas", "numpy"):
        found = frame.map_batches(doubled, return_dtype={"a": ms.DataType.int64()}, batch_format=form).collect()
        assert [row.a for row in found] == [*range(0, 1000, 2)]

    def repeat(row: dict[str, int]) -> Any:
        for _ in range(row["id"] % 3):
            yield {"a": row["id"]}

    found = frame.flat_map(repeat, return_dtype={"a": ms.DataType.int64()}).collect()
    assert [row.a for row in found] == [i for i in range(500) for _ in range(i % 3)]


def test_a_table_function_gives_many_rows_for_one(profile: str) -> None:
    @ms.udtf(return_dtype={"word": ms.DataType.string(), "at": ms.DataType.int64()})
    def words(text: str) -> Any:
        for at, word in enumerate((text or "").split()):
            yield {"word": word, "at": at}

    frame = ms.from_dict({"id": [1, 2, 3], "text": ["a b c", "", "d"]})
    found = frame.join_lateral(words(col("text"))).select("id", "word", "at").collect()
    assert [(row.id, row.word, row.at) for row in found] == [(1, "a", 0), (1, "b", 1), (1, "c", 2), (3, "d", 0)]
    kept = frame.join_lateral(words(col("text")), ignore_empty=False).select("id", "word").collect()
    assert [(row.id, row.word) for row in kept] == [(1, "a"), (1, "b"), (1, "c"), (2, None), (3, "d")]


def test_functions_find_modules_of_the_script_and_what_they_close_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_own_module.py").write_text("def triple(x):\n    return 3 * x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_own_module  # type: ignore[import-not-found]

    offset = 5

    @ms.udf
    def use(x: int) -> int:
        return int(my_own_module.triple(x)) + offset

    assert [row.y for row in ms.range(3).select(y=use(col("id"))).collect()] == [5, 8, 11]


def misbehaving(how: str) -> Any:
    """A function that misbehaves on the row 77 alone."""

    def work(x: int) -> int:
        if x == 77:
            if how == "raises":
                raise ValueError("no 77 please")
            if how == "wrong type":
                return "text"  # type: ignore[return-value]
            if how == "exits":
                os._exit(3)
            if how == "sys.exit":
                sys.exit(3)
            if how == "segfaults":
                ctypes.string_at(0)
            if how == "sleeps":
                time.sleep(1000)
            if how == "busy":
                while True:
                    pass
        return x * 2

    return work


BAD = ["raises", "wrong type", "exits", "sys.exit", "segfaults", "sleeps", "busy"]


def function(how: str, **settings: Any) -> Any:
    if how in ("sleeps", "busy"):
        settings["timeout"] = 0.5
    return ms.udf(misbehaving(how), return_dtype=ms.DataType.int64(), name="mine", batch_size=50, **settings)


@pytest.mark.parametrize("how", BAD)
def test_raise_ends_the_job_and_names_the_function(how: str) -> None:
    with pytest.raises(ms.MainstemError, match="mine") as caught:
        ms.range(200).select(y=function(how)(col("id"))).collect()
    text = str(caught.value)
    words = {"raises": "no 77 please", "exits": "3", "segfaults": "(?i)sig|segmentation", "wrong type": "(?i)int|text"}
    assert len(text) < 2000
    if how in words:
        import re

        assert re.search(words[how], text), text


@pytest.mark.parametrize("how", BAD)
def test_null_and_dead_letter_cost_the_one_row(how: str) -> None:
    frame = ms.range(200)
    found = frame.select("id", y=function(how, on_error="null")(col("id"))).collect()
    assert [(row.id, row.y) for row in found] == [(x, None if x == 77 else 2 * x) for x in range(200)]
    found = frame.select("id", y=function(how, on_error="dead_letter")(col("id"))).collect()
    assert [(row.id, row.y) for row in found] == [(x, 2 * x) for x in range(200) if x != 77]
    assert found.job is not None
    letters = found.job.dead_letters().collect()
    assert len(letters) == 1
    assert "mine" in str(letters[0].as_dict())
    assert "77" in str(letters[0].as_dict())


def refuse_77(x: Any) -> None:
    if x == 77:
        raise ValueError("no 77 please")


def rowwise(x: int) -> int:
    refuse_77(x)
    return x


def batchwise(x: Any) -> Any:
    for value in x.tolist():
        refuse_77(value)
    return x


async def eventually(x: int) -> int:
    refuse_77(x)
    return x


def many(x: int) -> Iterator[int]:
    refuse_77(x)
    yield x


def whole_row(row: dict[str, Any]) -> dict[str, int]:
    refuse_77(row["id"])
    return {"y": row["id"]}


def rows_of(row: dict[str, Any]) -> Iterator[dict[str, int]]:
    refuse_77(row["id"])
    yield {"y": row["id"]}


def batch_of_rows(batch: dict[str, Any]) -> dict[str, Any]:
    return {"y": [None, *("no 77 please" if x == 77 else x for x in batch["id"])]}


INT = ms.DataType.int64()
Y = ms.DataType.struct({"y": INT})
FRAMES_OF_FORMS: dict[str, Callable[[ms.DataFrame], ms.DataFrame]] = {
    "row": lambda frame: frame.select(y=ms.udf(rowwise, return_dtype=INT)(col("id"))),
    "an expression": lambda frame: frame.select(y=ms.udf(rowwise, return_dtype=INT)(col("id") + 0)),
    "async": lambda frame: frame.select(y=ms.udf(eventually, return_dtype=INT)(col("id"))),
    "numpy": lambda frame: frame.select(y=ms.udf(batchwise, func_type="numpy", return_dtype=INT)(col("id"))),
    "pandas": lambda frame: frame.select(y=ms.udf(batchwise, func_type="pandas", return_dtype=INT)(col("id"))),
    "udtf": lambda frame: frame.join_lateral(ms.udtf(many, return_dtype=INT)(col("id"))),
    "map": lambda frame: frame.map(whole_row, return_dtype=Y),
    "flat_map": lambda frame: frame.flat_map(rows_of, return_dtype=Y),
    "map_batches": lambda frame: frame.map_batches(batch_of_rows, return_dtype=Y),
}


@pytest.mark.parametrize("form", FRAMES_OF_FORMS)
def test_an_error_names_the_row(form: str) -> None:
    with pytest.raises(ms.RowError, match=r"(id|argument) = 77: "):
        FRAMES_OF_FORMS[form](ms.range(200)).collect()


@pytest.mark.parametrize("form", ["pandas", "arrow", "numpy"])
def test_a_batch_of_another_length_is_refused(form: str) -> None:
    def short(x: Any) -> Any:
        return x[:-1]

    made = ms.udf(short, func_type=form, return_dtype=ms.DataType.int64(), name="short")
    with pytest.raises(ms.MainstemError, match=r"short.*(rows|each row)"):
        ms.range(100).select(y=made(col("id"))).collect()


def test_a_batch_function_that_fails_on_one_row_loses_that_row_alone() -> None:
    @ms.udf(func_type="numpy", return_dtype=ms.DataType.int64(), on_error="dead_letter")
    def picky(x: np.ndarray) -> np.ndarray:
        if (x == 77).any():
            raise ValueError("77 is in the batch")
        return x * 2

    found = ms.range(200).select("id", y=picky(col("id"))).collect()
    assert [row.id for row in found] == [x for x in range(200) if x != 77]


def test_a_function_that_always_kills_its_worker_does_not_run_for_ever() -> None:
    @ms.udf
    def deadly(x: int) -> int:
        os._exit(1)

    started = time.monotonic()
    with pytest.raises(ms.MainstemError, match="deadly"):
        ms.range(100_000).select(y=deadly(col("id"))).collect()
    assert time.monotonic() - started < 20


def test_a_constructor_that_raises_is_said() -> None:
    @ms.udf
    class Broken:
        def __init__(self) -> None:
            raise RuntimeError("no model here")

        def __call__(self, x: int) -> int:
            return x

    with pytest.raises(ms.MainstemError, match="no model here"):
        ms.range(10).select(y=Broken()(col("id"))).collect()


def test_a_module_that_is_missing_on_the_worker_is_said() -> None:
    @ms.udf
    def importing(x: int) -> int:
        import no_such_module_at_all  # type: ignore[import-not-found]

        return int(no_such_module_at_all.f(x))

    with pytest.raises(ms.MainstemError, match="no_such_module_at_all"):
        ms.range(10).select(y=importing(col("id"))).collect()


def test_prints_reach_the_user(capfd: pytest.CaptureFixture[str]) -> None:
    @ms.udf
    def chatty(x: int) -> int:
        print("seen", x)
        print("to the other stream", x, file=sys.stderr)
        os.write(1, b"raw\n")
        return x

    assert len(ms.range(3).select(y=chatty(col("id"))).collect()) == 3
    out, err = capfd.readouterr()
    for text in ("seen 2", "to the other stream 2", "raw"):
        assert text in out + err


def test_very_many_and_very_long_prints_block_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    @ms.udf
    def loud(x: int) -> int:
        print("y" * 100_000)
        return x

    assert len(ms.range(100).select(y=loud(col("id"))).collect()) == 100
    capfd.readouterr()


def test_large_values_cross_both_ways(profile: str) -> None:
    @ms.udf
    def grow(x: int) -> bytes:
        return bytes([x]) * 3_000_000

    found = ms.range(8).select(data=grow(col("id"))).select(n=col("data").image.file_size_filter(3_000_000, 3_000_000))
    assert [row.n for row in found.collect()] == [True] * 8


def test_a_function_that_eats_memory_does_not_end_the_process() -> None:
    @ms.udf(on_error="null", timeout=20)
    def hungry(x: int) -> int:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
        return len(b"x" * (1 << 40)) if x == 5 else x

    found = ms.range(10).select(y=hungry(col("id"))).collect()
    assert [row.y for row in found] == [x if x != 5 else None for x in range(10)]


def test_two_functions_and_a_native_step_in_one_pipeline(profile: str) -> None:
    frame = ms.range(300).with_column("a", plus_one(col("id"))).with_column("b", col("a") * 10)
    found = frame.with_column("c", plus_one_numpy(col("b"))).filter(col("c") > 100).limit(50).collect()
    assert [row.c for row in found] == [(x + 1) * 10 + 1 for x in range(300) if (x + 1) * 10 + 1 > 100][:50]


def test_the_same_function_twice_and_nested() -> None:
    found = ms.range(10).select(a=plus_one(plus_one(col("id"))), b=plus_one(col("id")) + plus_one(col("id"))).collect()
    assert [(row.a, row.b) for row in found] == [(x + 2, 2 * x + 2) for x in range(10)]


def test_a_limit_stops_the_workers_early() -> None:
    @ms.udf(batch_size=10)
    def slow(x: int) -> int:
        time.sleep(0.01)
        return x

    started = time.monotonic()
    assert len(ms.range(1_000_000).select(y=slow(col("id"))).take(5)) == 5
    assert time.monotonic() - started < 20


def test_what_cannot_be_sent_is_refused_before_the_job() -> None:
    lock = threading.Lock()

    @ms.udf
    def closing(x: int) -> int:
        with lock:
            return x

    with pytest.raises(TypeError, match="closing"):
        ms.range(1).select(y=closing(col("id"))).collect()
