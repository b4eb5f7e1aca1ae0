"""DataType: the type of a column or value, with the JSON form that plans use."""

from __future__ import annotations

import builtins
import enum
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mainstem.suggestion import suggestion

if TYPE_CHECKING:
    import pyarrow as pa


class ImageMode(enum.IntEnum):
    """Channels of a picture. The numbers stand in files."""

    L = 0
    LA = 1
    RGB = 2
    RGBA = 3
    L16 = 4

    @property
    def channels(self) -> int:
        return {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "L16": 1}[self.name]

    @property
    def dtype(self) -> str:
        """numpy's name for one sample."""
        return "uint16" if self is ImageMode.L16 else "uint8"


_INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_NUMBERS = (*_INTEGERS, "float32", "float64")
_PLAIN = frozenset({*_NUMBERS, "string", "binary", "bool", "date", "null"})
_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}


class DataType:
    """The type of a column: ``DataType.int64()``, ``DataType.list(DataType.string())``,
    ``DataType.image("RGB", 224, 224)``. Immutable; equal where the types are equal."""

    __slots__ = ("_json",)

    def __init__(self, form: str | Mapping[str, Any]) -> None:
        name = form if isinstance(form, str) else str(form.get("type"))
        if name not in _PLAIN and name not in _PARAMETERS:
            raise ValueError(f"there is no type '{name}'.{suggestion(name, [*_PLAIN, *_PARAMETERS])}")
        if name in _PLAIN:
            self._json: builtins.str | dict[builtins.str, Any] = name
            return
        self._json = {"type": name} if isinstance(form, str) else dict(form)
        missing = [key for key in _PARAMETERS[name] if key not in self._json]
        if missing:
            raise ValueError(f"the type '{name}' needs {', '.join(missing)}")

    # Plain types.

    @classmethod
    def int8(cls) -> DataType:
        return cls("int8")

    @classmethod
    def int16(cls) -> DataType:
        return cls("int16")

    @classmethod
    def int32(cls) -> DataType:
        return cls("int32")

    @classmethod
    def int64(cls) -> DataType:
        return cls("int64")

    @classmethod
    def uint8(cls) -> DataType:
        return cls("uint8")

    @classmethod
    def uint16(cls) -> DataType:
        return cls("uint16")

    @classmethod
    def uint32(cls) -> DataType:
        return cls("uint32")

    @classmethod
    def uint64(cls) -> DataType:
        return cls("uint64")

    @classmethod
    def float32(cls) -> DataType:
        return cls("float32")

    @classmethod
    def float64(cls) -> DataType:
        return cls("float64")

    @classmethod
    def string(cls) -> DataType:
        return cls("string")

    @classmethod
    def binary(cls) -> DataType:
        return cls("binary")

    @classmethod
    def bool(cls) -> DataType:
        return cls("bool")

    @classmethod
    def boolean(cls) -> DataType:
        return cls("bool")

    @classmethod
    def date(cls) -> DataType:
        return cls("date")

    @classmethod
    def null(cls) -> DataType:
        return cls("null")

    # Types with parameters.

    @classmethod
    def fixed_size_binary(cls, size: int) -> DataType:
        return cls({"type": "fixed_size_binary", "size": _positive("size", size)})

    @classmethod
    def decimal(cls, precision: int, scale: int = 0) -> DataType:
        if not 1 <= precision <= 76:
            raise ValueError(f"decimal precision must be between 1 and 76, not {precision}")
        return cls({"type": "decimal", "precision": precision, "scale": scale})

    @classmethod
    def time(cls, precision: int = 0) -> DataType:
        """Time of day with 0, 3, 6 or 9 digits of a second."""
        return cls({"type": "time", "unit": _unit(precision)})

    @classmethod
    def timestamp(cls, precision: int = 6, timezone: builtins.str | None = None) -> DataType:
        """Date and time with 0, 3, 6 or 9 digits of a second; with a time zone, a moment."""
        return cls({"type": "timestamp", "unit": _unit(precision), "timezone": timezone})

    @classmethod
    def timestamp_ltz(cls, precision: int = 6) -> DataType:
        """A moment, shown in UTC."""
        return cls.timestamp(precision, "UTC")

    @classmethod
    def list(cls, item: DataType) -> DataType:
        return cls({"type": "list", "item": _type(item).to_json()})

    @classmethod
    def map(cls, key: DataType, value: DataType) -> DataType:
        return cls({"type": "map", "key": _type(key).to_json(), "value": _type(value).to_json()})

    @classmethod
    def struct(cls, fields: Mapping[str, DataType] | Iterable[tuple[str, DataType]]) -> DataType:
        """Named fields: ``DataType.struct({"label": DataType.string()})`` or pairs."""
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        members = [{"name": name, "type": _type(kind).to_json()} for name, kind in pairs]
        names = [member["name"] for member in members]
        if len(set(names)) != len(names):
            raise ValueError(f"struct has a field name twice: {', '.join(map(str, names))}")
        return cls({"type": "struct", "fields": members})

    row = struct

    # Multimodal types.

    @classmethod
    def image(
        cls,
        mode: ImageMode | builtins.str | None = None,
        height: int | None = None,
        width: int | None = None,
    ) -> DataType:
        """A decoded picture; where mode, height and width are given, every row has them."""
        if (height is None) != (width is None):
            raise ValueError("image: height and width are given together or not at all")
        if height is not None and mode is None:
            raise ValueError("image: a fixed height and width need a mode")
        form: dict[str, Any] = {"type": "image"}
        if mode is not None:
            form["mode"] = (ImageMode[mode] if isinstance(mode, str) else ImageMode(mode)).name
        if height is not None and width is not None:
            form |= {"height": _positive("height", height), "width": _positive("width", width)}
        return cls(form)

    @classmethod
    def tensor(cls, dtype: DataType | builtins.str, shape: Iterable[int] = ()) -> DataType:
        """Numbers of a shape; an empty shape means that each row has its own."""
        sides = [_positive("shape", side) for side in shape]
        return cls({"type": "tensor", "dtype": _number(dtype), "shape": sides})

    @classmethod
    def vector(cls, dtype: DataType | builtins.str, dimension: int) -> DataType:
        """Dense numbers of one length: an embedding."""
        return cls({"type": "vector", "dtype": _number(dtype), "dimension": _positive("dimension", dimension)})

    @classmethod
    def file(cls) -> DataType:
        """A reference to a file or a part of one."""
        return cls({"type": "file"})

    @classmethod
    def audio(cls) -> DataType:
        """Decoded sound."""
        return cls({"type": "audio"})

    @classmethod
    def audio_clip(cls) -> DataType:
        """A time range of a sound file; its end is exclusive."""
        return cls({"type": "audio_clip"})

    @classmethod
    def video_clip(cls) -> DataType:
        """A time range of a video file; its end is inclusive."""
        return cls({"type": "video_clip"})

    # Forms.

    @property
    def name(self) -> builtins.str:
        """The type's name without its parameters: "list", "int64"."""
        return self._json if isinstance(self._json, str) else str(self._json.get("type"))

    @property
    def parameters(self) -> dict[builtins.str, Any]:
        return {} if isinstance(self._json, str) else {k: v for k, v in self._json.items() if k != "type"}

    def fields(self) -> dict[builtins.str, DataType]:
        """The fields of a struct."""
        return {field["name"]: DataType(field["type"]) for field in self.parameters.get("fields", [])}

    def to_json(self) -> Any:
        """The form that plans use."""
        return self._json

    @classmethod
    def from_json(cls, form: Any) -> DataType:
        return cls(form)

    def to_arrow(self) -> pa.DataType:
        """pyarrow's type; multimodal types become extension types."""
        from mainstem.arrow_types import to_arrow

        return to_arrow(self)

    @classmethod
    def from_arrow(cls, source: pa.DataType | pa.Field) -> DataType:
        """Reads a pyarrow type or field, the extension in a field's metadata included."""
        from mainstem.arrow_types import from_arrow

        return from_arrow(source)

    def __eq__(self, other: object) -> builtins.bool:
        return isinstance(other, DataType) and self._json == other._json

    def __hash__(self) -> int:
        return hash(json.dumps(self._json, sort_keys=True))

    def __str__(self) -> builtins.str:
        form = self.parameters
        match self.name:
            case "list":
                return f"list<{DataType(form['item'])}>"
            case "map":
                return f"map<{DataType(form['key'])}, {DataType(form['value'])}>"
            case "struct":
                return f"struct<{', '.join(f'{name}: {kind}' for name, kind in self.fields().items())}>"
            case "timestamp":
                return f"timestamp({', '.join(str(v) for v in (form['unit'], form.get('timezone')) if v)})"
        values = [str(value) for value in form.values() if value not in (None, [])]
        return f"{self.name}({', '.join(values)})" if values else self.name

    def __repr__(self) -> builtins.str:
        return f"DataType[{self}]"


#: What types with parameters cannot do without.
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "fixed_size_binary": ("size",),
    "decimal": ("precision", "scale"),
    "time": ("unit",),
    "timestamp": ("unit",),
    "list": ("item",),
    "map": ("key", "value"),
    "struct": ("fields",),
    "image": (),
    "tensor": ("dtype", "shape"),
    "vector": ("dtype", "dimension"),
    "file": (),
    "audio": (),
    "audio_clip": (),
    "video_clip": (),
}


def _type(value: Any) -> DataType:
    if isinstance(value, DataType):
        return value
    raise TypeError(f"expected a DataType such as DataType.int64(), not {value!r}")


def _number(dtype: DataType | str) -> str:
    name = dtype.name if isinstance(dtype, DataType) else str(dtype)
    if name not in _NUMBERS and name != "bool":
        raise ValueError(f"the dtype must be bool or one of {', '.join(_NUMBERS)}, not '{name}'")
    return name


def _positive(what: str, value: int) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{what} must be a positive whole number, not {value!r}")
    return value


def _unit(precision: int) -> str:
    if precision not in _UNITS:
        raise ValueError(f"the precision must be 0, 3, 6 or 9 digits, not {precision!r}")
    return _UNITS[precision]
