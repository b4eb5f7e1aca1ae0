"""Columns and values: what user code is given for the columns of a batch, and columns of what it returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pyarrow as pa

from mainstem.host_failures import Failures, ServiceFailed

Values = list[Any]
#: Makes a user's value of a multimodal column's value, or the storage of a user's value.
Maker = Callable[..., Any]
#: Extension name -> the function that makes the user's values of such a column.
Makers = dict[str, Maker]


def extension_of(field: pa.Field) -> tuple[str, dict[str, Any]]:
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


IMAGE_MODES = {
    0: ("L", 1, "uint8"),
    1: ("LA", 2, "uint8"),
    2: ("RGB", 3, "uint8"),
    3: ("RGBA", 4, "uint8"),
    4: ("L16", 1, "uint16"),
}
MODES_BY_NAME = {name: number for number, (name, _, _) in IMAGE_MODES.items()}
MODES_BY_CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def list_values(column: pa.Array) -> Values:
    """Returns a column of lists of numbers as one numpy array a row, without copies."""
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        items = column.values.to_numpy(zero_copy_only=False)
        start = column.offset
        rows = [items[(start + row) * size : (start + row + 1) * size] for row in range(len(column))]
    else:
        items = column.values.to_numpy(zero_copy_only=False)
        offsets = column.offsets.to_numpy().tolist()
        rows = [items[begin:end] for begin, end in pairwise(offsets)]
    return null_where(column, rows)


def null_where(column: pa.Array, rows: Values) -> Values:
    if column.null_count:
        for row in column.is_null().to_numpy(zero_copy_only=False).nonzero()[0].tolist():
            rows[row] = None
    return rows


def image_values(column: pa.Array, make: Maker | None) -> Values:
    import numpy as np

    data, heights, widths, modes = (column.field(name) for name in ("data", "height", "width", "mode"))
    rows: Values = []
    for valid, pixels, height, width, mode in zip(
        column.is_valid().to_pylist(), data, heights.to_pylist(), widths.to_pylist(), modes.to_pylist(), strict=True
    ):
        if not valid or not pixels.is_valid:
            rows.append(None)
            continue
        name, channels, dtype = IMAGE_MODES[mode]
        array = np.frombuffer(pixels.as_buffer(), dtype).reshape(height, width, channels)
        rows.append(array if make is None else make(array, name))
    return rows


def audio_values(column: pa.Array, make: Maker | None) -> Values:
    fields = {column.type.field(i).name: i for i in range(column.type.num_fields)}
    samples = list_values(column.field(fields["data"]))
    others = [(name, column.field(i).to_pylist()) for name, i in fields.items() if name != "data"]
    rows: Values = []
    for row, valid in enumerate(column.is_valid().to_pylist()):
        value = None
        if valid:
            value = {name: values[row] for name, values in others}
            value["data"] = samples[row].reshape(-1, max(value.get("channels") or 1, 1))
            value = value if make is None else make(value)
        rows.append(value)
    return rows


def tensor_values(column: pa.Array, make: Maker | None) -> Values:
    shapes = column.field("shape").to_pylist()
    arrays = null_where(column, list_values(column.field("data")))  # what lies under a null means nothing
    rows = [
        None if array is None or shape is None else array.reshape(shape)
        for array, shape in zip(arrays, shapes, strict=True)
    ]
    return made(rows, make)


def made(rows: Values, make: Maker | None) -> Values:
    return rows if make is None else [None if value is None else make(value) for value in rows]


def column_values(column: pa.Array, field: pa.Field, makers: Makers) -> Values:
    """Returns the user's values of a column: Python values, multimodal ones as the docstring of host.py says."""
    name, parameters = extension_of(field)
    if not name:
        values: Values = column.to_pylist()
        return values
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


def image_storage(value: Any) -> dict[str, Any]:
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
        raise TypeError(
            f"an array of shape {list(array.shape)} and type {array.dtype} is no image; expected uint8 "
            "(height, width, channels), or uint16 with one channel"
        )
    if mode is None:
        mode = "L16" if array.dtype == np.uint16 else MODES_BY_CHANNELS.get(array.shape[2])
    number = MODES_BY_NAME.get(str(mode))
    if number is None or IMAGE_MODES[number][1] != array.shape[2] or IMAGE_MODES[number][2] != array.dtype.name:
        raise TypeError(f"an array of shape {list(array.shape)} and type {array.dtype} is no image of mode {mode}")
    return {"data": array.tobytes(), "height": array.shape[0], "width": array.shape[1], "mode": number}


def audio_storage(value: Any) -> dict[str, Any]:
    import numpy as np

    fields = dict(value) if isinstance(value, dict) else dict(vars(value))
    array = np.asarray(fields["data"], dtype=np.float32)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise TypeError(f"samples of shape {list(array.shape)}; expected (frames, channels)")
    rate = fields.get("sample_rate")
    if not rate:
        raise TypeError("audio without a sample_rate")
    fields.update(
        data=array.ravel(),
        frames=array.shape[0],
        channels=array.shape[1],
        sample_format="float32",
        layout="interleaved",
        duration_ms=array.shape[0] * 1000 // rate,
    )
    return fields


def fields_of(value: Any, names: list[str]) -> dict[str, Any]:
    """Returns a file or clip reference as a dict: from a dict, a uri, or an object with these attributes."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"uri": value, **({"offset": 0, "length": -1, "version": ""} if "offset" in names else {})}
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def tensor_storage(value: Any, dtype: pa.DataType) -> dict[str, Any]:
    import numpy as np

    array = np.asarray(value, dtype=dtype.to_pandas_dtype())
    return {"data": array.ravel(), "shape": list(array.shape)}


def storage_maker(field: pa.Field) -> Maker | None:
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


def flat_array(value: Any, kind: pa.DataType, shape: list[int] | None) -> Any:
    import numpy as np

    array = np.asarray(value, dtype=kind.value_type.to_pandas_dtype())
    if array.size != kind.list_size or (shape and list(array.shape) != list(shape)):
        raise TypeError(f"an array of shape {list(array.shape)}; expected {list(shape) if shape else [kind.list_size]}")
    return array.ravel()


def build_column(values: Values, field: pa.Field, failures: Failures) -> pa.Array:
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


def wrong_value(value: Any, field: pa.Field, error: Exception) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= 100 else shown[:97] + "..."
    detail = " ".join(str(error).split())[:300]
    return f"'{field.name}': expected {field.type}, got {type(value).__name__} {shown} ({detail})"


def storage_of(array: pa.Array) -> pa.Array:
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def items_of(result: Any) -> Values:
    if result is None:
        return []
    if isinstance(result, (str, bytes, dict)) or not hasattr(result, "__iter__"):
        return [result]
    return list(result)


def numpy_column(column: pa.Array, field: pa.Field, makers: Makers) -> Any:
    import numpy as np

    name, parameters = extension_of(field)
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


def batch_array(values: Any, field: pa.Field, failures: Failures) -> pa.Array:
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
            shape = list(values.shape)
            raise ServiceFailed(f"'{field.name}' has the shape {shape}; expected {kind.list_size} numbers a row")
        return pa.FixedSizeListArray.from_arrays(items, type=kind)
    if extension_of(field)[0] or getattr(values, "ndim", 1) > 1:
        return build_column(list(values), field, failures)
    if hasattr(values, "isna"):  # pandas: its missing values are nulls
        return pa.Array.from_pandas(values, type=kind)
    return pa.array(values, kind)
