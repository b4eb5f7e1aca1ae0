"""Between Arrow columns and Python values, multimodal ones included."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mainstem import arrow_types as at
from mainstem.datatype import DataType, ImageMode
from mainstem.values import Audio, AudioClip, File, Image, VideoClip


def python_values(array: Any) -> list[Any]:
    """The values of an array or chunked array; pixels, samples and numbers are views of Arrow's memory."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in python_values(chunk)]
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        convert = _CONVERTERS.get(kind.extension_name)
        return convert(array) if convert else python_values(array.storage)
    if not _holds_extension(kind):
        values: list[Any] = array.to_pylist()
        return values
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        columns = [python_values(array.field(index)) for index in range(len(names))]
        return _where(array, [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)])
    if pa.types.is_map(kind):
        keys, items = python_values(array.keys), python_values(array.items)
        return _sliced(array, list(zip(keys, items, strict=True)))
    if pa.types.is_fixed_size_list(kind):
        size, values = kind.list_size, python_values(array.values)
        starts = range(array.offset * size, (array.offset + len(array)) * size, size) if size else [0] * len(array)
        return _where(array, [values[start : start + size] for start in starts])
    return _sliced(array, python_values(array.values))


def _holds_extension(kind: Any) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return True
    return any(_holds_extension(kind.field(index).type) for index in range(kind.num_fields))


def _where(array: Any, values: list[Any]) -> list[Any]:
    if array.null_count == 0:
        return values
    return [value if valid else None for value, valid in zip(values, array.is_valid().to_pylist(), strict=True)]


def _sliced(array: Any, values: list[Any]) -> list[Any]:
    offsets = array.offsets.to_pylist()
    return _where(array, [values[start:end] for start, end in itertools.pairwise(offsets)])


def _images(array: Any) -> list[Any]:
    storage = array.storage
    pixels, heights, widths, modes = (storage.field(index) for index in range(4))
    if not len(storage):
        return []
    # By offsets: taking the bytes value by value would copy them.
    _, offsets_buffer, data = pixels.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[pixels.offset :].tolist()
    sides = zip(heights.to_pylist(), widths.to_pylist(), modes.to_pylist(), storage.is_valid().to_pylist(), strict=True)
    made: list[Any] = []
    for start, (height, width, number, valid) in zip(offsets, sides, strict=False):
        if not valid or number is None:
            made.append(None)
            continue
        mode = ImageMode(number)
        count = height * width * mode.channels
        flat = np.frombuffer(data, mode.dtype, count, start)
        made.append(Image(flat.reshape(height, width, mode.channels), mode))
    return made


def _numbers(array: Any) -> Any:
    return array.to_numpy(zero_copy_only=False)


def _vectors(array: Any) -> list[Any]:
    storage, size = array.storage, array.type.storage_type.list_size
    first = storage.offset * size
    rows = _numbers(storage.values)[first : first + len(storage) * size].reshape(len(storage), size)
    return _where(storage, list(rows))


def _fixed_tensors(array: Any) -> list[Any]:
    storage, shape = array.storage, array.type.shape
    size = array.type.storage_type.list_size
    first = storage.offset * size
    rows = _numbers(storage.values)[first : first + len(storage) * size].reshape(len(storage), *shape)
    return _where(storage, list(rows))


def _tensors(array: Any) -> list[Any]:
    storage = array.storage
    data, shapes = storage.field(0), storage.field(1).to_pylist()
    valid = storage.is_valid().to_pylist()
    return [_numbers(data[i].values).reshape(shapes[i]) if valid[i] else None for i in range(len(storage))]


def _sounds(array: Any) -> list[Any]:
    storage = array.storage
    data = storage.field("data")
    columns = ("sample_rate", "channels", "source_uri", "start_time_ms", "end_time_ms")
    rows = zip(*(storage.field(name).to_pylist() for name in columns), storage.is_valid().to_pylist(), strict=True)
    made: list[Any] = []
    for index, (rate, channels, uri, start, end, valid) in enumerate(rows):
        made.append(Audio(_numbers(data[index].values).reshape(-1, channels), rate, uri, start, end) if valid else None)
    return made


def _from_fields(make: Callable[..., Any]) -> Callable[[Any], list[Any]]:
    return lambda array: [make(row) if row is not None else None for row in array.storage.to_pylist()]


_CONVERTERS: dict[str, Callable[[Any], list[Any]]] = {
    "mainstem.image": _images,
    "mainstem.vector": _vectors,
    "mainstem.tensor": _tensors,
    "mainstem.file": _from_fields(File.from_fields),
    "mainstem.audio": _sounds,
    "mainstem.audio_clip": _from_fields(AudioClip.from_fields),
    "mainstem.video_clip": _from_fields(VideoClip.from_fields),
    "arrow.fixed_shape_tensor": _fixed_tensors,
}


def arrow_array(values: Sequence[Any], data_type: DataType | None = None) -> Any:
    """An Arrow array of Python values; without a type it is found from the values."""
    given = list(values)
    kind = data_type or _inferred(given)
    if kind is None:
        return pa.array([os.fspath(v) if isinstance(v, os.PathLike) else v for v in given])
    return _of_type(given, kind)


def _inferred(values: list[Any]) -> DataType | None:
    """The type where Arrow would not find it: multimodal values and lists of them."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    first = present[0]
    if isinstance(first, Image) or _is_pil(first):
        return DataType.image()
    for made, name in ((File, "file"), (Audio, "audio"), (AudioClip, "audio_clip"), (VideoClip, "video_clip")):
        if isinstance(first, made):
            return DataType(name)
    if isinstance(first, np.ndarray) and first.dtype.kind in "biuf":
        shapes = {np.shape(value) for value in present}
        if len(shapes) == 1 and 0 not in first.shape and first.ndim > 0:
            dtype = str(first.dtype)
            return DataType.vector(dtype, first.shape[0]) if first.ndim == 1 else DataType.tensor(dtype, first.shape)
        return DataType.tensor(str(first.dtype))
    if isinstance(first, list):
        item = _inferred([entry for value in present for entry in value])
        return DataType.list(item) if item else None
    return None


def _is_pil(value: Any) -> bool:
    return any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__)


def _of_type(values: list[Any], kind: DataType) -> Any:
    target = at.to_arrow(kind)
    if kind.name == "list" and _holds_extension(target):
        lengths = [0, *np.cumsum([len(value or ()) for value in values]).tolist()]
        items = _of_type([entry for value in values for entry in value or ()], DataType(kind.parameters["item"]))
        # A null stands in the offsets: from_arrays reads a null offset as a null list.
        starts = [None if value is None else start for value, start in zip(values, lengths, strict=False)]
        return pa.ListArray.from_arrays(pa.array([*starts, lengths[-1]], pa.int32()), items, type=target)
    if kind.name == "struct" and _holds_extension(target):
        columns = [
            _of_type([None if row is None else row.get(name) for row in values], member)
            for name, member in kind.fields().items()
        ]
        missing = pa.array([row is None for row in values], pa.bool_())
        return pa.StructArray.from_arrays(columns, fields=list(target), mask=missing)
    if not isinstance(target, pa.BaseExtensionType):
        return pa.array(values, target)
    storage = [None if value is None else _stored(value, kind) for value in values]
    return pa.ExtensionArray.from_storage(target, pa.array(storage, target.storage_type))


def _stored(value: Any, kind: DataType) -> Any:
    match kind.name:
        case "image":
            return _stored_image(value, kind)
        case "vector" | "tensor":
            numbers = np.asarray(value, dtype=kind.parameters["dtype"])
            shape = kind.parameters.get("shape") or ([kind.parameters["dimension"]] if kind.name == "vector" else None)
            if shape and list(numbers.shape) != list(shape):
                raise ValueError(f"an array of shape {list(numbers.shape)} does not fit {kind}")
            flat = numbers.reshape(-1)
            return flat if shape else {"data": flat, "shape": list(numbers.shape)}
        case "file":
            made = (
                File(os.fspath(value))
                if isinstance(value, (str, os.PathLike)) and not isinstance(value, File)
                else value
            )
            return {name: getattr(made, name) for name in ("uri", "offset", "length", "version", "data")}
        case "audio":
            return _stored_sound(value)
        case _:
            return {name: getattr(value, name) for name in ("uri", "start_time_ms", "end_time_ms")}


def _stored_image(value: Any, kind: DataType) -> dict[str, Any]:
    form = kind.parameters
    if not isinstance(value, Image):
        value = Image.from_pil(value) if _is_pil(value) else Image(value, form.get("mode"))
    fixed = (form.get("mode"), form.get("height"), form.get("width"))
    actual = (value.mode.name, value.height, value.width)
    if any(wanted not in (None, found) for wanted, found in zip(fixed, actual, strict=True)):
        raise ValueError(f"{value!r} does not fit {kind}")
    return {"data": value.data.tobytes(), "height": value.height, "width": value.width, "mode": int(value.mode)}


def _stored_sound(value: Audio) -> dict[str, Any]:
    start = value.start_time_ms or 0
    return {
        "data": value.data.reshape(-1),
        "sample_rate": value.sample_rate,
        "channels": value.channels,
        "frames": value.frames,
        "sample_format": "float32",
        "layout": "interleaved",
        "duration_ms": value.duration_ms,
        "source_uri": value.source_uri,
        "start_time_ms": start,
        "end_time_ms": value.end_time_ms if value.end_time_ms is not None else start + value.duration_ms,
    }
