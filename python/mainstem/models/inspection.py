"""Inputs and outputs of a model file, as its header states them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import ModelError

_TYPES = {
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "boolean": "bool",
}


def describe(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns inputs and outputs of a model: name, type and shape of each, −1 where a side is free."""
    import openvino

    try:
        model = openvino.Core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(f"{path} is not a model that OpenVINO reads (ONNX, IR, TFLite): {reason}") from error
    return [_port(port) for port in model.inputs], [_port(port) for port in model.outputs]


def _port(port: Any) -> dict[str, Any]:
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise ModelError(f"the number of dimensions of {port.get_any_name()!r} is not stated in the model")
    names = port.get_names()
    kind = port.get_element_type().get_type_name()
    return {
        "name": port.get_any_name() if names else "",
        "type": _TYPES.get(kind, kind),
        "shape": [-1 if side.is_dynamic else side.get_length() for side in shape],
    }
