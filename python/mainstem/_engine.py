"""The native engine as Python sees it: its interface, and the one that this process uses."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from mainstem.errors import JobError
from mainstem.settings import config


class NativeJob(Protocol):
    """A running job."""

    def next(self, timeout_s: float) -> Any | None:
        """Returns a batch (``__arrow_c_array__``), or None after the timeout and at the end."""

    def finished(self) -> bool: ...

    def wait(self, timeout_s: float) -> bool:
        """Waits for the end; says whether it was reached."""

    def cancel(self) -> None: ...

    def savepoint(self, stop: bool, timeout_s: float) -> str | None:
        """Returns the savepoint's path, or None when the time is over."""

    def rescale(self, task: int, lanes: int) -> None: ...

    def progress_json(self) -> str: ...

    def report_json(self) -> str: ...

    def dead_letters(self) -> Any:
        """Returns a table (``__arrow_c_stream__``)."""


class NativeEngine(Protocol):
    """Binds, explains and runs plans. ``tables`` have ``__arrow_c_stream__``, ``sinks`` are ``sink.SinkCalls``."""

    def schema(self, plan_json: str, tables: Mapping[str, Any]) -> Any:
        """Returns the schema of the root (``__arrow_c_schema__``)."""

    def explain(self, plan_json: str, tables: Mapping[str, Any], mode: str) -> str: ...

    def start(
        self, plan_json: str, tables: Mapping[str, Any], job_options_json: str, sinks: Mapping[str, Any]
    ) -> NativeJob: ...


class NativeModule(Protocol):
    """``mainstem._core``. Its exceptions carry ``error_class``."""

    def functions_json(self) -> str: ...

    def Engine(self, options_json: str) -> NativeEngine: ...


_native: NativeModule | None = None
_engines: dict[str, NativeEngine] = {}


def native() -> NativeModule:
    """Returns the native module, loaded on first use."""
    global _native
    if _native is None:
        _bind_libcrypto_alone()
        try:
            _native = cast(NativeModule, importlib.import_module("mainstem._core"))
        except ImportError as error:
            raise JobError(
                f"mainstem's native module could not be loaded ({error}). "
                "Install the package again: pip install --force-reinstall mainstem"
            ) from error
    return _native


def _bind_libcrypto_alone() -> None:
    """Loads the system's libcrypto before the native module does.

    pyarrow's libparquet exports a whole OpenSSL. Loaded after it in one scope, as a dependency of ours, the system's
    libcrypto would call into that other version, and Python's own hashlib and ssl would crash with it."""
    with contextlib.suppress(OSError):
        ctypes.CDLL("libcrypto.so.3")


def use(module: NativeModule | None) -> NativeModule | None:
    """Puts another implementation in place of the native module; returns the one before."""
    global _native
    before, _native = _native, module
    _engines.clear()
    return before


def engine() -> NativeEngine:
    """Returns the engine for the settings of now. Engines are kept: workers and caches live in them."""
    options = json.dumps({**config.engine_options(), **worker_options()}, sort_keys=True)
    found = _engines.get(options)
    if found is None:
        if "MAINSTEM_PDFIUM" not in os.environ and (library := pdfium_library()):
            os.environ["MAINSTEM_PDFIUM"] = library
        found = _engines[options] = native().Engine(options)
    return found


def worker_options() -> dict[str, Any]:
    """Where the engine finds what it starts. Workers find the modules that the script finds."""
    package = Path(__file__).absolute().parent
    options: dict[str, Any] = {
        "python": sys.executable,
        "python_host": str(package / "host.py"),
        "environment": ["PYTHONPATH=" + os.pathsep.join(os.path.abspath(entry) for entry in sys.path)],
    }
    # Installed in editable mode, Python files and what was built lie in different folders.
    built = getattr(native(), "__file__", None)
    for folder in (package, Path(built).absolute().parent if built else package):
        program = folder / "bin" / "mainstem-host"
        if program.is_file():
            options["native_host"] = str(program)
    return options


def pdfium_library() -> str | None:
    """Finds the library that the package pypdfium2 carries, without importing it."""
    spec = importlib.util.find_spec("pypdfium2_raw")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for name in ("libpdfium.so", "libpdfium.dylib", "pdfium.dll"):
            path = Path(folder) / name
            if path.is_file():
                return str(path)
    return None
