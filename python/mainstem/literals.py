"""Literals: Python values in the form that plans use."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import enum
import math
import sys
from typing import Any

from mainstem.datatype import DataType


def literal(value: Any, data_type: DataType | None = None) -> dict[str, Any]:
    """Returns ``{"literal": value, "type": type}``; the type stands where it is given or not evident."""
    form, inferred = _encoded(value)
    kind = data_type or inferred
    node: dict[str, Any] = {"literal": form}
    if kind is not None:
        node["type"] = kind.to_json()
    return node


def _encoded(value: Any) -> tuple[Any, DataType | None]:
    if isinstance(value, enum.Enum):
        value = value.name
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        value = value.item()
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _encoded_array(value)
    match value:
        case None | bool() | str():
            return value, None
        case int():
            if not -(2**63) <= value < 2**63:
                raise TypeError(f"{value} does not fit a 64-bit number; use a Decimal")
            return value, None
        case float():
            return (value, None) if math.isfinite(value) else (_not_finite(value), DataType.float64())
        case bytes() | bytearray() | memoryview():
            return {"base64": base64.b64encode(bytes(value)).decode("ascii")}, DataType.binary()
        case dt.datetime():
            zone = "UTC" if value.tzinfo else None
            moment = value.astimezone(dt.timezone.utc).replace(tzinfo=None) if value.tzinfo else value
            text = moment.isoformat(timespec="microseconds")
            return f"{text}Z" if zone else text, DataType.timestamp(6, zone)
        case dt.date():
            return value.isoformat(), DataType.date()
        case dt.time():
            if value.tzinfo:
                raise TypeError("a time of day with a time zone has no column type; remove tzinfo")
            # Microseconds since midnight: Arrow does not read a time of day from text.
            seconds = (value.hour * 60 + value.minute) * 60 + value.second
            return seconds * 1_000_000 + value.microsecond, DataType.time(6)
        case decimal.Decimal():
            return str(value), _decimal_type(value)
        case list() | tuple():
            return _encoded_list(list(value))
    raise TypeError(
        f"a {type(value).__name__} cannot stand in a plan: literals are None, bool, int, float, str, bytes, dates, "
        "Decimal, and lists and one-dimensional numpy arrays of these"
    )


def _encoded_list(values: list[Any]) -> tuple[Any, DataType]:
    if any(isinstance(value, (list, tuple)) for value in values):
        raise TypeError("a list literal cannot hold lists")
    encoded = [_encoded(value) for value in values]
    kinds = {kind or _evident(value) for value, (_, kind) in zip(values, encoded, strict=True) if value is not None}
    if kinds == {DataType.int64(), DataType.float64()}:
        kinds = {DataType.float64()}
    if len(kinds) > 1:
        raise TypeError(f"a list literal holds values of one type, not {', '.join(sorted(map(str, kinds)))}")
    return [form for form, _ in encoded], DataType.list(kinds.pop() if kinds else DataType.null())


def _encoded_array(array: Any) -> tuple[Any, DataType]:
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise TypeError(f"an array literal is one row of numbers, not {array.dtype} of the shape {array.shape}")
    return [_encoded(item)[0] for item in array.tolist()], DataType.list(DataType(str(array.dtype)))


def _evident(value: Any) -> DataType:
    match value:
        case None:
            return DataType.null()
        case bool():
            return DataType.bool()
        case int():
            return DataType.int64()
        case float():
            return DataType.float64()
        case _:
            return DataType.string()


def _decimal_type(value: decimal.Decimal) -> DataType:
    if not value.is_finite():
        raise TypeError(f"the decimal {value} has no column type; use float('{str(value).lower()}')")
    _, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    whole = max(len(digits) + int(exponent), 0) if int(exponent) > 0 else len(digits)
    return DataType.decimal(max(whole, scale, 1), scale)


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
