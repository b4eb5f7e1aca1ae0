"""Mainstem's types in pyarrow: extension types, registered when this module is imported.

The storage layouts are those of src/mainstem/data/logical_type.h. Files and batches with these types can be read
without Mainstem: pyarrow then shows the storage."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from mainstem.datatype import DataType

_IMAGE_STORAGE = pa.struct(
    [("data", pa.large_binary()), ("height", pa.int32()), ("width", pa.int32()), ("mode", pa.uint8())]
)
_FILE_STORAGE = pa.struct(
    [
        ("uri", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("version", pa.string()),
        ("data", pa.large_binary()),
    ]
)
_AUDIO_STORAGE = pa.struct(
    [
        ("data", pa.large_list(pa.float32())),
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("frames", pa.int64()),
        ("sample_format", pa.string()),
        ("layout", pa.string()),
        ("duration_ms", pa.int64()),
        ("source_uri", pa.string()),
        ("start_time_ms", pa.int64()),
        ("end_time_ms", pa.int64()),
    ]
)
_CLIP_STORAGE = pa.struct([("uri", pa.string()), ("start_time_ms", pa.int64()), ("end_time_ms", pa.int64())])


class MainstemScalar(pa.ExtensionScalar):  # type: ignore[misc]
    """One value of a multimodal column."""

    def as_py(self, **_: Any) -> Any:
        if not self.is_valid:
            return None
        return python_values(
            pa.ExtensionArray.from_storage(self.type, pa.array([self.value.as_py()], self.type.storage_type))
        )[0]


class MainstemArray(pa.ExtensionArray):  # type: ignore[misc]
    """A multimodal column."""

    def to_pylist(self, **_: Any) -> list[Any]:
        return python_values(self)


class _MainstemType(pa.ExtensionType):  # type: ignore[misc]
    """Base: a storage type and a name."""

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    def __arrow_ext_class__(self) -> type:
        return MainstemArray

    def __arrow_ext_scalar_class__(self) -> type:
        return MainstemScalar


class ImageType(_MainstemType):
    """mainstem.image"""

    def __init__(self, mode: str | None = None, height: int | None = None, width: int | None = None) -> None:
        self.mode, self.height, self.width = mode, height, width
        super().__init__(_IMAGE_STORAGE, "mainstem.image")

    def __arrow_ext_serialize__(self) -> bytes:
        given = {"mode": self.mode, "height": self.height, "width": self.width}
        return json.dumps({k: v for k, v in given.items() if v is not None}, separators=(",", ":")).encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> ImageType:
        _check(storage, _IMAGE_STORAGE, "mainstem.image")
        form = json.loads(serialized or b"{}")
        return cls(form.get("mode"), form.get("height"), form.get("width"))


class TensorType(_MainstemType):
    """mainstem.tensor: each row has a shape of its own."""

    def __init__(self, dtype: pa.DataType) -> None:
        self.dtype = dtype
        super().__init__(
            pa.struct([("data", pa.large_list(dtype)), ("shape", pa.list_(pa.int32()))]), "mainstem.tensor"
        )

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> TensorType:
        made = cls(storage.field("data").type.value_type)
        _check(storage, made.storage_type, "mainstem.tensor")
        return made


class VectorType(_MainstemType):
    """mainstem.vector"""

    def __init__(self, dtype: pa.DataType, dimension: int) -> None:
        self.dtype, self.dimension = dtype, dimension
        super().__init__(pa.list_(dtype, dimension), "mainstem.vector")

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> VectorType:
        return cls(storage.value_type, storage.list_size)


class FileType(_MainstemType):
    """mainstem.file"""

    def __init__(self) -> None:
        super().__init__(_FILE_STORAGE, "mainstem.file")

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> FileType:
        _check(storage, _FILE_STORAGE, "mainstem.file")
        return cls()


class AudioType(_MainstemType):
    """mainstem.audio"""

    def __init__(self) -> None:
        super().__init__(_AUDIO_STORAGE, "mainstem.audio")

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> AudioType:
        _check(storage, _AUDIO_STORAGE, "mainstem.audio")
        return cls()


class AudioClipType(_MainstemType):
    """mainstem.audio_clip"""

    def __init__(self) -> None:
        super().__init__(_CLIP_STORAGE, "mainstem.audio_clip")

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> AudioClipType:
        _check(storage, _CLIP_STORAGE, "mainstem.audio_clip")
        return cls()


class VideoClipType(_MainstemType):
    """mainstem.video_clip"""

    def __init__(self) -> None:
        super().__init__(_CLIP_STORAGE, "mainstem.video_clip")

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> VideoClipType:
        _check(storage, _CLIP_STORAGE, "mainstem.video_clip")
        return cls()


def _check(storage: pa.DataType, expected: pa.DataType, name: str) -> None:
    if storage != expected:
        raise pa.ArrowInvalid(f"{name} is stored as {expected}, not {storage}")


_EXTENSIONS: dict[str, Callable[[pa.DataType, bytes], pa.DataType]] = {
    "mainstem.image": ImageType.__arrow_ext_deserialize__,
    "mainstem.tensor": TensorType.__arrow_ext_deserialize__,
    "mainstem.vector": VectorType.__arrow_ext_deserialize__,
    "mainstem.file": FileType.__arrow_ext_deserialize__,
    "mainstem.audio": AudioType.__arrow_ext_deserialize__,
    "mainstem.audio_clip": AudioClipType.__arrow_ext_deserialize__,
    "mainstem.video_clip": VideoClipType.__arrow_ext_deserialize__,
}

_PLAIN: dict[str, Callable[[], pa.DataType]] = {
    "int8": pa.int8,
    "int16": pa.int16,
    "int32": pa.int32,
    "int64": pa.int64,
    "uint8": pa.uint8,
    "uint16": pa.uint16,
    "uint32": pa.uint32,
    "uint64": pa.uint64,
    "float32": pa.float32,
    "float64": pa.float64,
    "string": pa.string,
    "binary": pa.large_binary,
    "bool": pa.bool_,
    "date": pa.date32,
    "null": pa.null,
    "file": FileType,
    "audio": AudioType,
    "audio_clip": AudioClipType,
    "video_clip": VideoClipType,
}


def register() -> None:
    """Makes the types known to pyarrow in this process."""
    number = pa.float32()
    for example in (
        ImageType(),
        TensorType(number),
        VectorType(number, 1),
        FileType(),
        AudioType(),
        AudioClipType(),
        VideoClipType(),
    ):
        with contextlib.suppress(pa.ArrowKeyError):  # the module was imported again
            pa.register_extension_type(example)


def to_arrow(data_type: DataType) -> pa.DataType:
    """pyarrow's type."""
    form = data_type.parameters
    match data_type.name:
        case "list":
            return pa.list_(pa.field("item", to_arrow(DataType(form["item"]))))
        case "struct":
            return pa.struct([pa.field(name, to_arrow(kind)) for name, kind in data_type.fields().items()])
        case "map":
            return pa.map_(to_arrow(DataType(form["key"])), to_arrow(DataType(form["value"])))
        case "timestamp":
            return pa.timestamp(form["unit"], form.get("timezone"))
        case "time":
            return pa.time32(form["unit"]) if form["unit"] in ("s", "ms") else pa.time64(form["unit"])
        case "decimal":
            decimal = pa.decimal128 if form["precision"] <= 38 else pa.decimal256
            return decimal(form["precision"], form["scale"])
        case "fixed_size_binary":
            return pa.binary(form["size"])
        case "image":
            return ImageType(form.get("mode"), form.get("height"), form.get("width"))
        case "vector":
            return VectorType(_PLAIN[form["dtype"]](), form["dimension"])
        case "tensor":
            dtype = _PLAIN[form["dtype"]]()
            return pa.fixed_shape_tensor(dtype, form["shape"]) if form["shape"] else TensorType(dtype)
    return _PLAIN[data_type.name]()


def from_arrow(source: pa.DataType | pa.Field) -> DataType:
    """Mainstem's type of a pyarrow type or field."""
    if isinstance(source, pa.Field):
        metadata = source.metadata or {}
        make = _EXTENSIONS.get(metadata.get(b"ARROW:extension:name", b"").decode())
        if make and not isinstance(source.type, pa.BaseExtensionType):
            return from_arrow(make(source.type, metadata.get(b"ARROW:extension:metadata", b"")))
        return from_arrow(source.type)
    if isinstance(source, pa.BaseExtensionType):
        return _from_extension(source)
    return _from_plain(source)


def _from_extension(source: Any) -> DataType:
    match source:
        case ImageType():
            # The engine may know a picture's size and not its mode.
            known = {"mode": source.mode, "height": source.height, "width": source.width}
            return DataType({"type": "image", **{name: value for name, value in known.items() if value is not None}})
        case VectorType():
            return DataType.vector(from_arrow(source.dtype), source.dimension)
        case TensorType():
            return DataType.tensor(from_arrow(source.dtype))
        case FileType() | AudioType() | AudioClipType() | VideoClipType():
            return DataType(source.extension_name.removeprefix("mainstem."))
        case pa.FixedShapeTensorType():
            return DataType.tensor(from_arrow(source.value_type), source.shape)
    return from_arrow(source.storage_type)


def _from_plain(source: Any) -> DataType:
    kind = pa.types
    for name, make in _PLAIN.items():
        if name != "binary" and source == make():
            return DataType(name)
    if kind.is_large_string(source) or kind.is_string_view(source):
        return DataType.string()
    if kind.is_fixed_size_binary(source):
        return DataType.fixed_size_binary(source.byte_width)
    if kind.is_binary(source) or kind.is_large_binary(source) or kind.is_binary_view(source):
        return DataType.binary()
    if kind.is_decimal(source):
        return DataType.decimal(source.precision, source.scale)
    if kind.is_date(source):
        return DataType.date()
    if kind.is_timestamp(source):
        return DataType({"type": "timestamp", "unit": source.unit, "timezone": source.tz})
    if kind.is_time(source):
        return DataType({"type": "time", "unit": source.unit})
    if kind.is_map(source):
        return DataType.map(from_arrow(source.key_field), from_arrow(source.item_field))
    if kind.is_nested(source) and hasattr(source, "value_field"):
        return DataType.list(from_arrow(source.value_field))
    if kind.is_struct(source):
        return DataType.struct([(member.name, from_arrow(member)) for member in source])
    if kind.is_dictionary(source):
        return from_arrow(source.value_type)
    raise TypeError(f"Mainstem has no type for Arrow's {source}")


def python_values(array: Any) -> list[Any]:
    """The values of an Arrow array as Python sees them; pixels, samples and numbers are not copied."""
    from mainstem.python_values import python_values as convert

    return convert(array)


register()
