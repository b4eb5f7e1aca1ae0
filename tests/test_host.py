"""The Python host's conversions: every kind and form, with expected values written down by hand."""

import asyncio

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from mainstem.host_failures import RowsFailed, ServiceFailed
from mainstem.host_runner import Runner
from mainstem.host_values import storage_schema

IMAGE = pa.struct([("data", pa.large_binary()), ("height", pa.int32()), ("width", pa.int32()), ("mode", pa.uint8())])


def extension(name, storage, extension_name, metadata="{}"):
    return pa.field(
        name, storage, metadata={"ARROW:extension:name": extension_name, "ARROW:extension:metadata": metadata}
    )


def run(function, columns, output, kind="scalar", form="general", shape="scalar", **payload):
    """Runs the function on columns {field or name: values}; returns the reply's columns and the failures."""
    fields, arrays = [], []
    for key, values in columns.items():
        array = (
            values
            if isinstance(values, pa.Array)
            else pa.array(values, key.type if isinstance(key, pa.Field) else None)
        )
        fields.append(key if isinstance(key, pa.Field) else pa.field(key, array.type))
        arrays.append(array)
    schema = pa.schema(fields)
    output = pa.schema(output if isinstance(output, list) else [output])
    runner = Runner({"shape": shape}, schema, output, {"callable": function, "kind": kind, "form": form, **payload})
    batch = pa.RecordBatch.from_arrays(arrays, schema=storage_schema(schema))
    reply, failures = runner.run(batch)
    reply.validate(full=True)
    return reply.to_pydict(), dict(failures)


def test_columns_are_arguments_in_order():
    reply, failures = run(lambda a, b: a - b, {"a": [5, 7], "b": [1, 9]}, ("y", pa.int64()))
    assert reply == {"y": [4, -2]} and failures == {}


def test_nulls_reach_the_function_as_none():
    reply, _ = run(lambda a: a is None, {"a": [1, None]}, ("y", pa.bool_()))
    assert reply == {"y": [False, True]}


def test_stop_iteration_fails_its_row_only():
    def stop(a):
        if a == 1:
            raise StopIteration
        return a

    reply, failures = run(stop, {"a": [0, 1, 2, 3]}, ("y", pa.int64()))
    assert reply == {"y": [0, None, 2, 3]}
    assert list(failures) == [1] and "StopIteration" in failures[1]


def test_a_function_without_arguments_runs_once_a_row():
    counter = iter(range(100))
    schema = pa.schema([])
    runner = Runner(
        {"shape": "scalar"},
        schema,
        pa.schema([("y", pa.int64())]),
        {"callable": lambda: next(counter), "kind": "scalar"},
    )
    reply, _ = runner.run(pa.RecordBatch.from_struct_array(pa.array([{}, {}, {}], pa.struct([]))))
    assert reply.to_pydict() == {"y": [0, 1, 2]}


def test_a_value_of_the_wrong_type_fails_its_row():
    reply, failures = run(lambda a: "x" if a == 2 else a, {"a": [1, 2, 3]}, ("y", pa.int64()))
    assert reply == {"y": [1, None, 3]}
    assert "expected int64, got str 'x'" in failures[2 - 1]


def test_numpy_scalars_are_taken():
    reply, failures = run(lambda a: np.float32(a) / 2, {"a": [1, 3]}, ("y", pa.float64()))
    assert reply == {"y": [0.5, 1.5]} and failures == {}


def test_structs_come_from_dicts():
    output = ("y", pa.struct([("n", pa.int64()), ("s", pa.string())]))
    reply, failures = run(lambda a: {"n": a, "s": str(a)}, {"a": [1]}, output)
    assert reply == {"y": [{"n": 1, "s": "1"}]} and failures == {}


@pytest.mark.parametrize("form", ["pandas", "arrow", "numpy"])
def test_batch_forms_take_and_give_columns(form):
    import pyarrow.compute as pc

    double = pc.add if form == "arrow" else lambda a, b: a + b
    reply, failures = run(double, {"a": [1, 2], "b": [10, 20]}, ("y", pa.int64()), form=form)
    assert reply == {"y": [11, 22]} and failures == {}


def test_pandas_missing_values_are_nulls():
    reply, _ = run(lambda a: a.where(a > 1), {"a": [1.0, 2.0]}, ("y", pa.float64()), form="pandas")
    assert reply == {"y": [None, 2.0]}


def test_a_batch_that_raises_asks_to_be_halved():
    with pytest.raises(RowsFailed, match="ZeroDivisionError"):
        run(lambda a: 1 // 0, {"a": [1]}, ("y", pa.int64()), form="numpy")


def test_a_wrong_number_of_rows_is_a_mistake_of_the_function():
    with pytest.raises(ServiceFailed, match="has 1 values; expected 2"):
        run(lambda a: a[:1], {"a": [1, 2]}, ("y", pa.int64()), form="pandas")


def test_a_single_value_is_no_column():
    with pytest.raises(ServiceFailed, match="expected a column, got int"):
        run(lambda a: 5, {"a": [1, 2]}, ("y", pa.int64()), form="pandas")


def test_map_batches_takes_and_gives_a_dict_of_columns():
    output = [("n", pa.int64()), ("m", pa.int64())]
    reply, _ = run(lambda d: {"m": d["a"] * 3, "n": d["a"]}, {"a": [1, 2]}, output, kind="map_batches", form="pandas")
    assert reply == {"n": [1, 2], "m": [3, 6]}


def test_map_batches_with_a_missing_column_says_which_are_expected():
    with pytest.raises(ServiceFailed, match="expected the columns n, m; got n"):
        run(
            lambda d: {"n": d["a"]},
            {"a": [1]},
            [("n", pa.int64()), ("m", pa.int64())],
            kind="map_batches",
            form="pandas",
        )


def test_map_batches_takes_data_frames_and_tables_back():
    import pandas

    def frame(columns):
        return pandas.DataFrame({"n": columns["a"]})

    def table(columns):
        return pa.table({"n": pa.array(columns["a"])})

    for function in (frame, table):
        reply, _ = run(function, {"a": [1, 2]}, [("n", pa.int64())], kind="map_batches", form="pandas")
        assert reply == {"n": [1, 2]}


def test_map_fills_missing_names_with_null_and_refuses_unknown_ones():
    output = [("n", pa.int64()), ("s", pa.string())]
    reply, failures = run(lambda r: {"n": 1} if r["a"] else {"m": 1}, {"a": [True, False]}, output, kind="map")
    assert reply == {"n": [1, None], "s": [None, None]}
    assert "'m'" in failures[1]


@pytest.mark.parametrize("items", [[(1, "a"), (2, "b")], [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}]])
def test_table_functions_give_tuples_or_dicts(items):
    reply, failures = run(
        lambda a: iter(items[:a]),
        {"a": [1, 0, 2]},
        [("n", pa.int64()), ("s", pa.string())],
        kind="table",
        shape="table",
    )
    assert reply == {"__row": [0, 2, 2], "n": [1, 1, 2], "s": ["a", "a", "b"]} and failures == {}


def test_a_generator_that_raises_midway_fails_its_row_whole():
    def items(a):
        yield a
        if a == 1:
            raise ValueError("midway")

    reply, failures = run(items, {"a": [0, 1, 2]}, ("n", pa.int64()), kind="table", shape="table")
    assert reply == {"__row": [0, 2], "n": [0, 2]}
    assert "ValueError: midway" in failures[1]


def test_a_table_row_with_a_wrong_value_fails_whole():
    reply, failures = run(
        lambda a: [a, "x"] if a == 1 else [a], {"a": [0, 1, 2]}, ("n", pa.int64()), kind="table", shape="table"
    )
    assert reply == {"__row": [0, 2], "n": [0, 2]}
    assert list(failures) == [1] and "got str 'x'" in failures[1]


def test_flat_map_takes_dicts():
    reply, _ = run(lambda r: [{"n": r["a"]}] * r["a"], {"a": [2, 1]}, ("n", pa.int64()), kind="flat_map", shape="table")
    assert reply == {"__row": [0, 0, 1], "n": [2, 2, 1]}


def test_async_functions_run_at_most_so_many_at_once():
    running = most = 0

    async def function(a):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        if a == 3:
            raise ValueError("three")
        return a

    reply, failures = run(function, {"a": list(range(10))}, ("y", pa.int64()), concurrency=4)
    assert most == 4
    assert reply["y"] == [0, 1, 2, None, 4, 5, 6, 7, 8, 9] and "ValueError: three" in failures[3]


def test_async_generators_are_table_functions():
    async def items(a):
        for i in range(a):
            yield i

    reply, _ = run(items, {"a": [2, 1]}, ("n", pa.int64()), kind="table", shape="table")
    assert reply == {"__row": [0, 0, 1], "n": [0, 1, 0]}


def test_images_are_numpy_arrays_and_come_back_as_arrays_or_pil():
    pixels = bytes(range(12))
    value = {"data": pixels, "height": 2, "width": 2, "mode": 2}
    column = {extension("i", IMAGE, "mainstem.image"): [value, None]}
    seen = []

    def flip(image):
        seen.append(image)
        return None if image is None else image[::-1]

    reply, failures = run(flip, column, extension("o", IMAGE, "mainstem.image"))
    assert seen[0].shape == (2, 2, 3) and seen[0].dtype == np.uint8 and seen[1] is None
    assert reply == {"o": [{**value, "data": pixels[6:] + pixels[:6]}, None]} and failures == {}
    reply, failures = run(
        lambda image: Image.fromarray(image).convert("L") if image is not None else None,
        column,
        extension("o", IMAGE, "mainstem.image"),
    )
    expected = Image.fromarray(np.frombuffer(pixels, np.uint8).reshape(2, 2, 3)).convert("L").tobytes()
    assert reply == {"o": [{"data": expected, "height": 2, "width": 2, "mode": 0}, None]} and failures == {}


def test_an_array_that_is_no_image_fails_its_row():
    reply, failures = run(lambda a: np.zeros((2, 2, 3)), {"a": [1]}, extension("o", IMAGE, "mainstem.image"))
    assert reply == {"o": [None]} and "float64 is no image" in failures[0]


def test_values_may_be_made_by_the_front_end():
    value = {"data": b"\0" * 4, "height": 2, "width": 2, "mode": 0}
    reply, _ = run(
        lambda image: image[1] + str(image[0].shape),
        {extension("i", IMAGE, "mainstem.image"): [value]},
        ("y", pa.string()),
        values={"mainstem.image": lambda array, mode: (array, mode)},
    )
    assert reply == {"y": ["L(2, 2, 1)"]}


def test_vectors_and_fixed_tensors_are_arrays():
    vector = extension("v", pa.list_(pa.float32(), 3), "mainstem.vector", '{"dtype": "float", "dimension": 3}')
    tensor = extension("t", pa.list_(pa.float32(), 4), "arrow.fixed_shape_tensor", '{"shape": [2, 2]}')
    columns = {vector: [[1, 2, 3], None], tensor: [[1, 2, 3, 4], [5, 6, 7, 8]]}
    reply, failures = run(lambda v, t: None if v is None else v * t.shape[0], columns, vector)
    assert reply == {"v": [[2.0, 4.0, 6.0], None]} and failures == {}
    reply, failures = run(lambda v, t: t + 1, columns, tensor)
    assert reply == {"t": [[2, 3, 4, 5], [6, 7, 8, 9]]}
    reply, failures = run(lambda v, t: t[0], columns, tensor)
    assert "shape [2]; expected [2, 2]" in failures[0]


def test_fixed_tensors_in_numpy_form_are_one_array():
    tensor = extension("t", pa.list_(pa.float32(), 4), "arrow.fixed_shape_tensor", '{"shape": [2, 2]}')
    reply, _ = run(
        lambda t: t * 2 if t.shape == (2, 2, 2) else None, {tensor: [[1, 2, 3, 4], [5, 6, 7, 8]]}, tensor, form="numpy"
    )
    assert reply == {"t": [[2, 4, 6, 8], [10, 12, 14, 16]]}


def test_tensors_of_their_own_shape():
    storage = pa.struct([("data", pa.large_list(pa.int64())), ("shape", pa.list_(pa.int32()))])
    tensor = extension("t", storage, "mainstem.tensor", '{"dtype": "int64", "shape": []}')
    reply, failures = run(
        lambda t: None if t is None else t.T, {tensor: [{"data": [1, 2, 3, 4, 5, 6], "shape": [2, 3]}, None]}, tensor
    )
    assert reply == {"t": [{"data": [1, 4, 2, 5, 3, 6], "shape": [3, 2]}, None]} and failures == {}


def test_kept_memory_is_noticed():
    view = memoryview(bytearray(pa.record_batch({"a": [1, 2]}).serialize().to_pybytes()))
    batch = pa.ipc.read_record_batch(pa.py_buffer(view), pa.schema([("a", pa.int64())]))
    with pytest.raises(BufferError):
        view.release()
    del batch
    view.release()
