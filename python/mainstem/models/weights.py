"""Readers of the two weight files that the model packages carry, without the frameworks that wrote them."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_PROTOCOL = 1001
_STORAGE_TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_SAFETENSORS_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
_HEADER_BYTES_MAX = 16 << 20


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Reads a safetensors file (huggingface.co/docs/safetensors: length, JSON header, raw little-endian data)."""
    with path.open("rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        if header_bytes > _HEADER_BYTES_MAX:
            raise ValueError(f"{path} is not a safetensors file")
        header = json.loads(file.read(header_bytes))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        values = np.frombuffer(data[start:end], dtype=_SAFETENSORS_TYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors


class _Named(dict[str, Any]):
    """Takes the attributes that the writer's ordered dictionary carries beside its items."""


class _View(NamedTuple):
    """A tensor as the pickle describes it: a window of a storage whose bytes follow later in the file."""

    storage: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild(storage: tuple[str, np.dtype[Any]], offset: int, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(storage[0], storage[1], offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Knows the four names that a file of plain tensors uses and refuses every other, so nothing in it can run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Named
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise pickle.UnpicklingError(f"the file names {module}.{name}, which a file of weights does not need")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        _, dtype, key, _, _, _ = pid
        return key, dtype


def read_torch(path: Path) -> dict[str, NDArray[Any]]:
    """Reads tensors from a file of torch.save's form before 1.6: five pickles, then the storages one by one."""
    with path.open("rb") as file:
        if _load(file) != _TORCH_MAGIC or _load(file) != _TORCH_PROTOCOL:
            raise ValueError(f"{path} is not a file of PyTorch's older form")
        _load(file)  # sizes of C types, of no use
        views: dict[str, _View] = _load(file)
        dtypes = {view.storage: view.dtype for view in views.values()}
        storages = {}
        for key in _load(file):
            (count,) = struct.unpack("<q", file.read(8))
            storages[key] = np.frombuffer(file.read(count * dtypes[key].itemsize), dtype=dtypes[key])
    return {name: _materialize(view, storages[view.storage]) for name, view in views.items()}


def _load(file: BinaryIO) -> Any:
    return _Unpickler(file).load()


def _materialize(view: _View, storage: NDArray[Any]) -> NDArray[Any]:
    window = storage[view.offset :]
    last = sum((side - 1) * stride for side, stride in zip(view.shape, view.strides, strict=True))
    if last >= window.size or min(view.strides, default=0) < 0:
        raise ValueError("a tensor reaches beyond its storage")
    strides = tuple(stride * storage.itemsize for stride in view.strides)
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(window, view.shape, strides))
