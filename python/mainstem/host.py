"""The replica's side of a Python service: a program that runs user code on batches of rows.

The engine starts it as ``python …/mainstem/host.py`` (by path: importing the package would cost time that every
worker process pays) with the number of a control socket in the environment variable ``MAINSTEM_CONTROL_FD``. The
messages are those of ``src/mainstem/services/protocol.h``; batches lie in shared memory as Arrow IPC messages.

The payload of a service is a cloudpickle of a dict::

    callable      a function, an async function, a callable object, or a class (see is_class)
    kind          "scalar"       one value for the values of a row's columns, given by position
                  "map"          a dict for the dict of a row
                  "map_batches"  a dict of columns for a dict of columns (or whatever the form makes of columns)
                  "table"        any number of results for the values of a row's columns (a generator, a list)
                  "flat_map"     any number of results for the dict of a row
    form          "general"      Python values, row by row
                  "pandas"       pandas.Series
                  "arrow"        pyarrow.Array
                  "numpy"        numpy.ndarray
                  optional: the form of the service otherwise; table and flat_map know "general" only
    is_class      true: callable(*init_args, **init_kwargs) is built once on the worker, then called;
                  optional, as are init_args and init_kwargs
    concurrency   how many rows of an async function run at once, optional, 64
    values        optional: extension name -> function that makes the user's value of a multimodal column's value,
                  e.g. {"mainstem.image": lambda array, mode: Image(array, mode)}

In the general form multimodal values are: images numpy arrays (height, width, channels), tensors and vectors numpy
arrays, audio a dict whose "data" is a numpy array (frames, channels), files and clips dicts. The same are taken back,
and PIL images and objects with data and mode for images, uri strings for files.

A row that raises fails alone. Where a whole batch raises, the engine halves it until the row at fault is found.
"""

import sys

if __name__ == "__main__":
    # The folder of this file must not shadow the standard library (mainstem/types.py and the like).
    del sys.path[0]

import json
import mmap
import os
import socket
import struct
import time
import traceback

import pyarrow as pa

HEADER = struct.Struct("<IIQIIqqqq")
SETUP, READY, LOAD_FAILED, CALL, REPLY, GROW, REPLY_ARENA = range(1, 8)
NEW_REQUEST_ARENA, NEW_REPLY_ARENA, CAREFUL, KEPT, PERMANENT, REFUSED = 1, 2, 4, 8, 16, 32
ERROR_ROW, ERROR_JOB = 1, 2
REPLY_OFFSET = 64
PACKET_BYTES_MAX = 64 * 1024
REASON_CHARS_MAX = 1000


class RowsFailed(Exception):
    """Some row of the batch is at fault; it is not known which."""


class ServiceFailed(Exception):
    """No batch can be answered: the code or its declaration is wrong."""


def describe(error: BaseException) -> str:
    """Returns "ValueError: message (file.py:12 in parse)" with the innermost frames of the user's code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    places = ", ".join(f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames[-3:][::-1])
    try:
        message = " ".join(str(error).split())
    except Exception:
        message = "(its message could not be made)"
    text = type(error).__name__ + (f": {message[:REASON_CHARS_MAX]}" if message else "")
    return f"{text} ({places})" if places else text


# ---------------------------------------------------------------------------------------------------------------------
# Columns and values


def extension_of(field: pa.Field) -> tuple[str, dict]:
    """Returns the extension name of a field and its parameters; "" for a plain field."""
    if isinstance(field.type, pa.FixedShapeTensorType):
        return "arrow.fixed_shape_tensor", {"shape": list(field.type.shape)}
    if isinstance(field.type, pa.BaseExtensionType):
        name, text = field.type.extension_name, field.type.__arrow_ext_serialize__()
    else:
        metadata = field.metadata or {}
        name = metadata.get(b"ARROW:extension:name", b"").decode()
        text = metadata.get(b"ARROW:extension:metadata", b"")
    try:
        parameters = json.loads(text) if text else {}
    except ValueError:
        parameters = {}
    return name, parameters if isinstance(parameters, dict) else {}


def storage_schema(schema: pa.Schema) -> pa.Schema:
    """Returns the schema without extension types: batches hold storage arrays."""
    fields = []
    for field in schema:
        if isinstance(field.type, pa.BaseExtensionType):
            field = pa.field(field.name, field.type.storage_type, field.nullable, field.metadata)
        fields.append(field)
    return pa.schema(fields)


IMAGE_MODES = {0: ("L", 1, "uint8"), 1: ("LA", 2, "uint8"), 2: ("RGB", 3, "uint8"), 3: ("RGBA", 4, "uint8"),
               4: ("L16", 1, "uint16")}
MODES_BY_NAME = {name: number for number, (name, _, _) in IMAGE_MODES.items()}
MODES_BY_CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def list_values(column: pa.Array) -> list:
    """Returns a column of lists of numbers as one numpy array a row, without copies."""
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        items = column.values.to_numpy(zero_copy_only=False)
        start = column.offset
        rows = [items[(start + row) * size:(start + row + 1) * size] for row in range(len(column))]
    else:
        items = column.values.to_numpy(zero_copy_only=False)
        offsets = column.offsets.to_numpy().tolist()
        rows = [items[begin:end] for begin, end in zip(offsets, offsets[1:])]
    return null_where(column, rows)


def null_where(column: pa.Array, rows: list) -> list:
    if column.null_count:
        for row in column.is_null().to_numpy(zero_copy_only=False).nonzero()[0].tolist():
            rows[row] = None
    return rows


def image_values(column: pa.Array, make) -> list:
    import numpy as np

    data, heights, widths, modes = (column.field(name) for name in ("data", "height", "width", "mode"))
    rows = []
    for valid, pixels, height, width, mode in zip(column.is_valid().to_pylist(), data, heights.to_pylist(),
                                                  widths.to_pylist(), modes.to_pylist()):
        if not valid or not pixels.is_valid:
            rows.append(None)
            continue
        name, channels, dtype = IMAGE_MODES[mode]
        array = np.frombuffer(pixels.as_buffer(), dtype).reshape(height, width, channels)
        rows.append(array if make is None else make(array, name))
    return rows


def audio_values(column: pa.Array, make) -> list:
    fields = {column.type.field(i).name: i for i in range(column.type.num_fields)}
    samples = list_values(column.field(fields["data"]))
    others = [(name, column.field(i).to_pylist()) for name, i in fields.items() if name != "data"]
    rows = []
    for row, valid in enumerate(column.is_valid().to_pylist()):
        value = None
        if valid:
            value = {name: values[row] for name, values in others}
            value["data"] = samples[row].reshape(-1, max(value.get("channels") or 1, 1))
            value = value if make is None else make(value)
        rows.append(value)
    return rows


def tensor_values(column: pa.Array, make) -> list:
    shapes = column.field("shape").to_pylist()
    arrays = null_where(column, list_values(column.field("data")))  # what lies under a null means nothing
    rows = [None if array is None or shape is None else array.reshape(shape) for array, shape in zip(arrays, shapes)]
    return made(rows, make)


def made(rows: list, make) -> list:
    return rows if make is None else [None if value is None else make(value) for value in rows]


def column_values(column: pa.Array, field: pa.Field, makers: dict) -> list:
    """Returns the user's values of a column: Python values, multimodal ones as the docstring of this file says."""
    name, parameters = extension_of(field)
    if not name:
        return column.to_pylist()
    make = makers.get(name)
    if name == "mainstem.image":
        return image_values(column, make)
    if name == "mainstem.audio":
        return audio_values(column, make)
    if name == "mainstem.tensor":
        return tensor_values(column, make)
    if name == "arrow.fixed_shape_tensor":
        shape = parameters.get("shape", [-1])
        return made([None if row is None else row.reshape(shape) for row in list_values(column)], make)
    if name == "mainstem.vector":
        return made(list_values(column), make)
    return made(column.to_pylist(), make)


def image_storage(value) -> dict:
    import numpy as np

    if isinstance(value, dict):
        return value
    mode = getattr(value, "mode", None)
    if hasattr(value, "getbands"):  # a PIL image
        if mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
            raise TypeError(f"an image of mode {mode}; expected L, LA, RGB, RGBA or I;16")
        mode = "L16" if mode == "I;16" else mode
        array = np.asarray(value)
    else:
        array = np.asarray(value if isinstance(value, np.ndarray) else getattr(value, "data", value))
        mode = getattr(mode, "name", mode)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"an array of shape {list(array.shape)} and type {array.dtype} is no image; expected uint8 "
                        "(height, width, channels), or uint16 with one channel")
    if mode is None:
        mode = "L16" if array.dtype == np.uint16 else MODES_BY_CHANNELS.get(array.shape[2])
    number = MODES_BY_NAME.get(mode)
    if number is None or IMAGE_MODES[number][1] != array.shape[2] or IMAGE_MODES[number][2] != array.dtype.name:
        raise TypeError(f"an array of shape {list(array.shape)} and type {array.dtype} is no image of mode {mode}")
    return {"data": array.tobytes(), "height": array.shape[0], "width": array.shape[1], "mode": number}


def audio_storage(value) -> dict:
    import numpy as np

    fields = dict(value) if isinstance(value, dict) else dict(vars(value))
    array = np.asarray(fields["data"], dtype=np.float32)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise TypeError(f"samples of shape {list(array.shape)}; expected (frames, channels)")
    rate = fields.get("sample_rate")
    if not rate:
        raise TypeError("audio without a sample_rate")
    fields.update(data=array.ravel(), frames=array.shape[0], channels=array.shape[1], sample_format="float32",
                  layout="interleaved", duration_ms=array.shape[0] * 1000 // rate)
    return fields


def fields_of(value, names) -> dict:
    """Returns a file or clip reference as a dict: from a dict, a uri, or an object with these attributes."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"uri": value, **({"offset": 0, "length": -1, "version": ""} if "offset" in names else {})}
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def tensor_storage(value, dtype: pa.DataType) -> dict:
    import numpy as np

    array = np.asarray(value, dtype=dtype.to_pandas_dtype())
    return {"data": array.ravel(), "shape": list(array.shape)}


def storage_maker(field: pa.Field):
    """Returns the function that turns a user's value into the storage of the field's type, or None for plain types."""
    name, parameters = extension_of(field)
    if name == "mainstem.image":
        return image_storage
    if name == "mainstem.audio":
        return audio_storage
    if name == "mainstem.tensor":
        dtype = field.type.field("data").type.value_type
        return lambda value: value if isinstance(value, dict) else tensor_storage(value, dtype)
    if name in ("arrow.fixed_shape_tensor", "mainstem.vector"):
        return lambda value: flat_array(value, field.type, parameters.get("shape"))
    if name in ("mainstem.file", "mainstem.audio_clip", "mainstem.video_clip"):
        names = [field.type.field(i).name for i in range(field.type.num_fields)]
        return lambda value: fields_of(value, names)
    return None


def flat_array(value, kind: pa.DataType, shape):
    import numpy as np

    array = np.asarray(value, dtype=kind.value_type.to_pandas_dtype())
    if array.size != kind.list_size or (shape and list(array.shape) != list(shape)):
        raise TypeError(f"an array of shape {list(array.shape)}; expected {list(shape) if shape else [kind.list_size]}")
    return array.ravel()


class Failures(dict):
    """Row -> reason; the first reason of a row stays."""

    def add(self, row: int, reason: str) -> None:
        self.setdefault(row, reason)


def build_column(values: list, field: pa.Field, failures: Failures) -> pa.Array:
    """Makes an array of the field's type; a value that cannot be converted becomes null and fails its row."""
    make = storage_maker(field)
    if make is not None:
        converted = []
        for row, value in enumerate(values):
            try:
                converted.append(None if value is None else make(value))
            except Exception as error:
                failures.add(row, wrong_value(value, field, error))
                converted.append(None)
        values = converted
    try:
        return pa.array(values, field.type)
    except Exception:
        pass
    for row, value in enumerate(values):
        try:
            pa.array([value], field.type)
        except Exception as error:
            if make is None and hasattr(value, "tolist"):  # a numpy value that pyarrow does not take as it is
                try:
                    pa.array([value.tolist()], field.type)
                    values[row] = value.tolist()
                    continue
                except Exception:
                    pass
            failures.add(row, wrong_value(value, field, error))
            values[row] = None
    return pa.array(values, field.type)


def wrong_value(value, field: pa.Field, error: Exception) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= 100 else shown[:97] + "..."
    return f"'{field.name}': expected {field.type}, got {type(value).__name__} {shown} ({' '.join(str(error).split())[:300]})"


# ---------------------------------------------------------------------------------------------------------------------
# Running user code


class Runner:
    """The user's code, loaded, with what turns batches into its arguments and its results into batches."""

    def __init__(self, options: dict, input_schema: pa.Schema, output_schema: pa.Schema, payload: dict):
        self.fields = list(input_schema)
        self.input = storage_schema(input_schema)
        self.output_fields = list(output_schema)
        output = storage_schema(output_schema)
        self.shape = options["shape"]
        self.output = list(output)
        self.reply_schema = output
        if self.shape == "table":
            self.reply_schema = pa.schema([pa.field("__row", pa.int64(), nullable=False), *output])
        self.kind = payload["kind"]
        self.form = payload.get("form") or options.get("form") or "general"
        self.pandas = PandasIsLate()
        if self.form == "pandas":
            import pandas  # noqa: F401  now, and not within the time of the first batch
        self.makers = payload.get("values") or {}
        self.call = payload["callable"]
        if payload.get("is_class"):
            self.call = self.call(*payload.get("init_args", ()), **payload.get("init_kwargs", {}))
        if not callable(self.call):
            raise ServiceFailed(f"{type(self.call).__name__} objects cannot be called; a class needs a method __call__")
        self.loop = None
        self.concurrency = payload.get("concurrency") or 64
        if self.is_async():
            import asyncio

            self.loop = asyncio.new_event_loop()
        self.progress = None
        if self.kind in ("table", "flat_map") and self.form != "general":
            raise ServiceFailed(f"a {self.kind} function has the form 'general', not '{self.form}'")
        if (self.kind in ("table", "flat_map")) != (self.shape == "table"):
            raise ServiceFailed(f"a {self.kind} function does not answer in the shape '{self.shape}'")

    def is_async(self) -> bool:
        import inspect

        target = getattr(self.call, "func", self.call)  # functools.partial
        method = getattr(type(target), "__call__", None)
        return any(inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in (target, method))

    def run(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Failures]:
        """Answers a batch."""
        self.pandas.tell_pyarrow()
        if self.kind in ("table", "flat_map"):
            return self.run_table(batch)
        if self.form == "general" and self.kind != "map_batches":
            return self.run_rows(batch)
        return self.run_batch(batch)

    # ---- row by row

    def arguments(self, batch: pa.RecordBatch):
        """Returns one list of Python values a column."""
        return [column_values(batch.column(i), field, self.makers) for i, field in enumerate(self.fields)]

    def each_row(self, batch: pa.RecordBatch, finish=None) -> tuple[list, Failures]:
        """Calls the user's function on every row; a row that raises has the result None and a failure."""
        columns = self.arguments(batch)
        rows = batch.num_rows
        call = self.call
        if self.kind in ("map", "flat_map"):
            names = [field.name for field in self.fields]
            items = [dict(zip(names, values)) for values in zip(*columns)] if columns else [{} for _ in range(rows)]
            columns = [items]
        if self.loop is not None:
            return self.each_row_async(columns, rows, finish)
        failures = Failures()
        results: list = []
        if finish is not None:
            function, inner = call, finish
            call = lambda *values: inner(function(*values))  # noqa: E731
        if self.progress is not None:
            call = self.careful(call)
        iterators = [iter(column) for column in columns]
        while len(results) < rows:
            try:
                if iterators:
                    # The loop runs in C. After an exception it is taken up again behind the row that raised.
                    results.extend(map(call, *iterators))
                else:
                    results.append(call())
                if len(results) < rows and iterators:
                    raise RuntimeError("the function raised StopIteration")
            except Exception as error:
                failures.add(len(results), describe(error))
                results.append(None)
        return results, failures

    def careful(self, call):
        """Wraps the function so that the row it is on can be seen from outside, whatever it does."""
        progress = self.progress
        count = iter(range(1 << 62))

        def noted(*values):
            progress[0] = next(count)
            return call(*values)

        return noted

    def each_row_async(self, columns: list, rows: int, finish) -> tuple[list, Failures]:
        import asyncio

        call = self.call
        failures = Failures()
        results: list = [None] * rows
        limit = asyncio.Semaphore(self.concurrency)

        async def one(row: int, values: tuple) -> None:
            async with limit:
                try:
                    result = call(*values)
                    if hasattr(result, "__await__"):
                        result = await result
                    if hasattr(result, "__aiter__"):
                        result = [item async for item in result]
                    results[row] = result if finish is None else finish(result)
                except Exception as error:
                    failures.add(row, describe(error))

        async def everything() -> None:
            arguments = zip(*columns) if columns else (() for _ in range(rows))
            await asyncio.gather(*(one(row, values) for row, values in enumerate(arguments)))

        self.loop.run_until_complete(everything())
        return results, failures

    def run_rows(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Failures]:
        results, failures = self.each_row(batch)
        self.pandas.tell_pyarrow()
        if self.kind == "map":
            columns = self.columns_of_dicts(results, failures)
        else:
            columns = [results]
            if len(self.output) != 1:
                raise ServiceFailed(f"a scalar function has one output, not {len(self.output)}")
        arrays = [build_column(values, field, failures) for values, field in zip(columns, self.output_fields)]
        return self.assemble(arrays, failures)

    def columns_of_dicts(self, results: list, failures: Failures) -> list:
        names = [field.name for field in self.output]
        known = set(names)
        for row, value in enumerate(results):
            if value is None:
                results[row] = {}
            elif not hasattr(value, "keys"):
                failures.add(row, f"expected a dict with {', '.join(names)}; got {type(value).__name__}")
                results[row] = {}
            elif not known.issuperset(value.keys()):
                unknown = ", ".join(repr(key) for key in value if key not in known)
                failures.add(row, f"the dict has {unknown}, which the return type does not name; expected {', '.join(names)}")
                results[row] = {}
        return [[value.get(name) for value in results] for name in names]

    def assemble(self, arrays: list, failures: Failures) -> tuple[pa.RecordBatch, Failures]:
        return pa.RecordBatch.from_arrays([storage_of(array) for array in arrays], schema=self.reply_schema), failures

    # ---- many rows for one

    def run_table(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Failures]:
        results, failures = self.each_row(batch, items_of)
        self.pandas.tell_pyarrow()
        while True:
            # A row with a wrong value fails whole: its other results go, too.
            rows = [row for row, items in enumerate(results) if items and row not in failures for _ in items]
            items = [item for row, items in enumerate(results) if items and row not in failures for item in items]
            wrong = Failures()
            columns = self.columns_of_items(items, wrong)
            arrays = [build_column(values, field, wrong) for values, field in zip(columns, self.output_fields)]
            if not wrong:
                return self.assemble([pa.array(rows, pa.int64()), *arrays], failures)
            for index, reason in wrong.items():
                failures.add(rows[index], reason)

    def columns_of_items(self, items: list, failures: Failures) -> list:
        names = [field.name for field in self.output]
        if items and all(hasattr(item, "keys") for item in items) and not (
                len(names) == 1 and pa.types.is_struct(self.output[0].type) and not set(items[0]) <= set(names)):
            return self.columns_of_dicts(items, failures)
        if len(names) == 1:
            return [[item[0] if isinstance(item, tuple) and len(item) == 1 else item for item in items]]
        for index, item in enumerate(items):
            if hasattr(item, "keys"):
                items[index] = tuple(item.get(name) for name in names)
            elif not isinstance(item, (tuple, list)) or len(item) != len(names):
                failures.add(index, f"expected {len(names)} values ({', '.join(names)}); got {item!r:.100}")
                items[index] = (None,) * len(names)
        return [[item[i] for item in items] for i in range(len(names))]

    # ---- whole batches

    def run_batch(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Failures]:
        columns = [self.batch_column(batch.column(i), field) for i, field in enumerate(self.fields)]
        try:
            if self.kind in ("map", "map_batches"):
                result = self.call({field.name: column for field, column in zip(self.fields, columns)})
            else:
                result = self.call(*columns)
            if self.loop is not None and hasattr(result, "__await__"):
                result = self.loop.run_until_complete(result)
        except Exception as error:
            raise RowsFailed(describe(error)) from None
        self.pandas.tell_pyarrow()
        if self.kind in ("map", "map_batches"):
            parts = self.parts_of(result)
        elif len(self.output) == 1:
            parts = [result]
        else:
            raise ServiceFailed(f"a scalar function has one output, not {len(self.output)}")
        failures = Failures()
        arrays = [self.batch_result(part, field, failures) for part, field in zip(parts, self.output_fields)]
        rows = batch.num_rows if self.shape == "scalar" else len(arrays[0]) if arrays else 0
        for array, field in zip(arrays, self.output):
            if len(array) != rows:
                expected = "one for each row of the batch" if self.shape == "scalar" else "as many as the first column"
                raise ServiceFailed(f"'{field.name}' has {len(array)} values; expected {rows}, {expected}")
        return self.assemble(arrays, failures)

    def batch_column(self, column: pa.Array, field: pa.Field):
        name, parameters = extension_of(field)
        if self.form == "arrow":
            return column
        if self.form == "pandas":
            import pandas

            if name in ("", "mainstem.file", "mainstem.audio_clip", "mainstem.video_clip"):
                return column.to_pandas()
            return pandas.Series(column_values(column, field, self.makers), dtype=object)
        if self.form == "numpy":
            return numpy_column(column, field, name, parameters, self.makers)
        if self.form == "general":
            return column_values(column, field, self.makers)
        raise ServiceFailed(f"there is no form '{self.form}'; there are: general, pandas, arrow, numpy")

    def parts_of(self, result) -> list:
        """Returns the output columns of a dict, a pandas.DataFrame or a pyarrow table, in order."""
        names = [field.name for field in self.output]
        if isinstance(result, (pa.Table, pa.RecordBatch)):
            result = {name: result.column(name) for name in result.schema.names}
        if not hasattr(result, "keys"):
            raise ServiceFailed(f"expected a dict of columns with {', '.join(names)}; got {type(result).__name__}")
        got = list(result.keys())
        if set(got) != set(names):
            raise ServiceFailed(f"expected the columns {', '.join(names)}; got {', '.join(map(str, got))}")
        return [result[name] for name in names]

    def batch_result(self, values, field: pa.Field, failures: Failures) -> pa.Array:
        try:
            return batch_array(values, field, failures)
        except ServiceFailed:
            raise
        except Exception as error:
            kind = type(values).__name__
            detail = getattr(values, "type", getattr(values, "dtype", ""))
            raise RowsFailed(f"'{field.name}': expected {field.type}, got {kind} {detail} "
                             f"({' '.join(str(error).split())[:300]})") from None


def storage_of(array: pa.Array) -> pa.Array:
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def items_of(result) -> list:
    if result is None:
        return []
    if isinstance(result, (str, bytes, dict)) or not hasattr(result, "__iter__"):
        return [result]
    return list(result)


def numpy_column(column: pa.Array, field: pa.Field, name: str, parameters: dict, makers: dict):
    import numpy as np

    if pa.types.is_fixed_size_list(column.type) and column.null_count == 0:
        shape = parameters.get("shape") or [column.type.list_size]
        return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), *shape)
    if not name and not pa.types.is_nested(column.type):
        return column.to_numpy(zero_copy_only=False)
    values = column_values(column, field, makers)
    shapes = {value.shape if isinstance(value, np.ndarray) else None for value in values}
    if len(shapes) == 1 and None not in shapes:
        return np.stack(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def batch_array(values, field: pa.Field, failures: Failures) -> pa.Array:
    """Makes an array of the field's type from a Series, an ndarray, an Array or a list."""
    kind = field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        values = storage_of(values)
        return values if values.type == kind else values.cast(kind)
    if isinstance(values, (pa.Scalar, str, bytes, int, float, bool)) or values is None:
        raise ServiceFailed(f"'{field.name}': expected a column, got {type(values).__name__}")
    if pa.types.is_fixed_size_list(kind) and hasattr(values, "ndim") and values.ndim > 1:
        items = pa.array(values.reshape(-1), kind.value_type)
        rows = len(values)
        if len(items) != rows * kind.list_size:
            raise ServiceFailed(f"'{field.name}' has the shape {list(values.shape)}; expected {kind.list_size} numbers a row")
        return pa.FixedSizeListArray.from_arrays(items, type=kind)
    if extension_of(field)[0] or getattr(values, "ndim", 1) > 1:
        return build_column(list(values), field, failures)
    if hasattr(values, "isna"):  # pandas: its missing values are nulls
        return pa.Array.from_pandas(values, type=kind)
    return pa.array(values, kind)


# ---------------------------------------------------------------------------------------------------------------------
# pandas, which is slow to import


class PandasIsLate:
    """Keeps pyarrow from importing pandas before the user's code does.

    The first pyarrow.array of Python values looks whether they are pandas objects and imports pandas, if it is
    installed, to find out: half a second for every worker process, mostly for nothing. With the import refused once,
    pyarrow asks again only where pandas is truly needed (to_pandas), or when it is told to.
    """

    def __init__(self) -> None:
        self.told = "pandas" in sys.modules
        if not self.told:
            sys.meta_path.insert(0, self)
            try:
                pa.array([0])
            finally:
                sys.meta_path.remove(self)

    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ImportError("pandas is not needed yet")

    def tell_pyarrow(self) -> None:
        """Lets pyarrow know pandas when the user's code has imported it."""
        if not self.told and "pandas" in sys.modules:
            self.told = True
            _ = getattr(pa.lib, "_pandas_api").pd


# ---------------------------------------------------------------------------------------------------------------------
# The loop


class Slot:
    """One of the two places where a batch and its reply lie."""

    def __init__(self) -> None:
        self.request = None
        self.reply = None
        self.progress = None

    def take_request_arena(self, fd: int) -> None:
        self.request = memoryview(map_region(fd, mmap.PROT_READ))

    def take_reply_arena(self, fd: int) -> None:
        self.reply = memoryview(map_region(fd, mmap.PROT_READ | mmap.PROT_WRITE))
        self.progress = self.reply[:8].cast("q")


def map_region(fd: int, protection: int) -> mmap.mmap:
    try:
        return mmap.mmap(fd, os.fstat(fd).st_size, flags=mmap.MAP_SHARED, prot=protection)
    finally:
        os.close(fd)


class Host:
    def __init__(self, control: socket.socket):
        self.control = control
        self.waiting: list = []
        self.slots = [Slot(), Slot()]
        self.runner = None
        self.schema_bytes = 0
        self.options = pa.ipc.IpcWriteOptions(use_threads=False)

    def receive(self):
        """Returns the next message, its text and its descriptors, or None when the engine has gone."""
        if self.waiting:
            return self.waiting.pop(0)
        return self.receive_now()

    def receive_now(self):
        try:
            data, fds, _, _ = socket.recv_fds(self.control, PACKET_BYTES_MAX, 4)
        except ConnectionResetError:
            return None
        if not data:
            return None
        for fd in fds:
            os.set_inheritable(fd, False)
        return HEADER.unpack_from(data), data[HEADER.size:], list(fds)

    def send(self, kind, flags=0, call=0, slot=0, error=0, rows_offset=0, rows_bytes=0, failures_bytes=0,
             busy_ns=0, text="") -> None:
        data = HEADER.pack(kind, flags, call, slot, error, rows_offset, rows_bytes, failures_bytes, busy_ns)
        self.control.send(data + text.encode("utf-8", "replace")[:PACKET_BYTES_MAX // 2])

    def set_up(self) -> bool:
        message = self.receive()
        if message is None:
            return False
        region = map_region(message[2][0], mmap.PROT_READ)
        lengths = struct.unpack_from("<4q", region, 0)
        parts, offset = [], 32
        for length in lengths:
            parts.append(region[offset:offset + length])
            offset += length
        try:
            import cloudpickle  # noqa: F401  some pickles need it to be importable, and say so badly
            import pickle

            payload = pickle.loads(parts[3])
        except BaseException as error:
            self.fail_load(error, "its code cannot be loaded in a worker process", PERMANENT)
            return False
        try:
            self.runner = Runner(json.loads(parts[0]), pa.ipc.read_schema(pa.py_buffer(parts[1])),
                                 pa.ipc.read_schema(pa.py_buffer(parts[2])), payload)
        except ServiceFailed as error:
            self.send(LOAD_FAILED, flags=PERMANENT, text=str(error))
            return False
        except Exception as error:
            self.fail_load(error, "its object cannot be built in a worker process", 0)
            return False
        self.schema_bytes = self.runner.reply_schema.serialize().size
        self.send(READY)
        return True

    def fail_load(self, error: BaseException, what: str, flags: int) -> None:
        traceback.print_exception(type(error), error, error.__traceback__)
        sys.stderr.flush()
        self.send(LOAD_FAILED, flags=flags, text=f"{what}: {describe(error)}")

    def serve(self) -> None:
        while True:
            message = self.receive()
            if message is None:
                return
            (kind, flags, call, slot, _, _, rows_bytes, _, _), _, fds = message
            if kind != CALL:
                raise RuntimeError(f"a message of kind {kind} out of turn")
            place = self.slots[slot]
            if flags & NEW_REQUEST_ARENA:
                place.take_request_arena(fds.pop(0))
            if flags & NEW_REPLY_ARENA:
                place.take_reply_arena(fds.pop(0))
            self.answer(place, call, slot, rows_bytes, bool(flags & CAREFUL))

    def answer(self, place: Slot, call: int, slot: int, rows_bytes: int, careful: bool) -> None:
        place.progress[0] = -1
        self.runner.progress = place.progress if careful else None
        view = place.request[:rows_bytes]
        start = time.monotonic_ns()
        failed, text = 0, ""
        try:
            reply, failures = self.work(view)
        except RowsFailed as error:
            failed, text = ERROR_ROW, str(error)
        except ServiceFailed as error:
            failed, text = ERROR_JOB, str(error)
        busy_ns = time.monotonic_ns() - start
        try:
            view.release()
            kept = 0
        except BufferError:
            kept = KEPT  # the user's code holds on to values of this batch: the memory must not be written again
        if failed:
            self.send(REPLY, kept, call, slot, failed, busy_ns=busy_ns, text=text)
        else:
            self.reply(place, call, slot, kept, busy_ns, reply, failures)

    def work(self, view: memoryview):
        batch = pa.ipc.read_record_batch(pa.py_buffer(view), self.runner.input)
        try:
            return self.runner.run(batch)
        except (RowsFailed, ServiceFailed):
            raise
        except Exception as error:
            traceback.print_exception(type(error), error, error.__traceback__)
            raise ServiceFailed(f"a batch cannot be converted: {describe(error)}") from None

    def reply(self, place: Slot, call: int, slot: int, kept: int, busy_ns: int, rows: pa.RecordBatch, failures) -> None:
        listed = json.dumps(sorted(failures.items())).encode() if failures else b""
        rows_bytes = pa.ipc.get_record_batch_size(rows)
        needed = REPLY_OFFSET + self.schema_bytes + rows_bytes + len(listed) + 64
        if needed > place.reply.nbytes and not self.grow(place, call, slot, needed):
            text = f"the reply to {rows.num_rows} rows has {needed} bytes, which is over the limit"
            self.send(REPLY, kept, call, slot, ERROR_ROW, busy_ns=busy_ns, text=text)
            return
        # A stream is what pyarrow writes in place; its schema, which comes first, is left out of the reply.
        sink = pa.FixedSizeBufferWriter(pa.py_buffer(place.reply[REPLY_OFFSET:]))
        pa.ipc.new_stream(sink, rows.schema, options=self.options).write_batch(rows)
        end = REPLY_OFFSET + sink.tell()
        place.reply[end:end + len(listed)] = listed
        self.send(REPLY, kept, call, slot, 0, end - rows_bytes, rows_bytes, len(listed), busy_ns)

    def grow(self, place: Slot, call: int, slot: int, needed: int) -> bool:
        self.send(GROW, 0, call, slot, rows_bytes=needed)
        while True:
            message = self.receive_now()
            if message is None:
                os._exit(0)
            if message[0][0] != REPLY_ARENA:
                self.waiting.append(message)
                continue
            if message[0][1] & REFUSED:
                return False
            place.take_reply_arena(message[2][0])
            return True


def die_with_parent() -> None:
    """Asks the kernel to end this process when the engine does, whatever the user's code is doing then."""
    try:
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        pass  # the end of the control socket ends this process, too, between two batches


def main() -> int:
    import faulthandler

    parent = os.getppid()
    die_with_parent()
    faulthandler.enable()
    number = int(os.environ.pop("MAINSTEM_CONTROL_FD"))
    os.set_inheritable(number, False)
    control = socket.socket(fileno=number)
    if os.getppid() != parent:
        return 0
    sys.stdout.reconfigure(line_buffering=True)
    host = Host(control)
    if host.set_up():
        host.serve()
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
