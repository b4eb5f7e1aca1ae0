"""Code identity: a hash of what a user function computes, the same in every process until the code changes."""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib.util
import inspect
import pickle
import sys
import sysconfig
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
#: What a class' body holds beside what its author wrote.
_CLASS_NOISE = {
    "__module__",
    "__dict__",
    "__weakref__",
    "__doc__",
    "__firstlineno__",
    "__static_attributes__",
    "__annotations__",
    "__annotate__",
}


class UnknownIdentity(TypeError):
    """Something that the code uses cannot be told apart from another thing like it."""


def code_identity(*values: Any) -> str:
    """Hashes functions, classes and values by what they are: code, constants, defaults, closures, the globals and the
    modules of the user's own that they use. Libraries count by name and version; line numbers, comments and the place
    of a file do not count."""
    digest = _Digest()
    try:
        for value in values:
            digest.add(value)
    except RecursionError:
        raise UnknownIdentity("it uses values that are nested too deeply") from None
    return digest.hexdigest()


class _Digest:
    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is used twice

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def add(self, value: Any) -> None:
        if isinstance(value, _PLAIN) and type(value) in _PLAIN:
            return self._put(type(value).__name__, repr(value))
        # Whether equal constants are one object is the compiler's affair; that other things come again is the code's.
        if not isinstance(value, tuple | frozenset | types.CodeType):
            if id(value) in self._seen:
                return self._put("seen", str(self._seen[id(value)]))
            self._seen[id(value)] = len(self._seen)
            self._kept.append(value)
        match value:
            case types.CodeType():
                self._code(value)
            case types.FunctionType():
                self._function(value)
            case types.ModuleType():
                self._module(value.__name__)
            case type():
                self._class(value)
            case types.MethodType():
                self._all("method", (value.__func__, value.__self__))
            case functools.partial():
                self._all("partial", (value.func, value.args, value.keywords))
            case staticmethod() | classmethod():
                self._all(type(value).__name__, (value.__func__,))
            case property():
                self._all("property", (value.fget, value.fset, value.fdel))
            case list() | tuple() if type(value) in (list, tuple):
                self._all(type(value).__name__, value)
            case set() | frozenset() if type(value) in (set, frozenset):
                # Their order differs from process to process.
                self._all(type(value).__name__, sorted(code_identity(item) for item in value))
            case dict() if type(value) is dict:
                self._all("dict", (part for item in value.items() for part in item))
            case _:
                self._object(value)

    def _put(self, kind: str, text: str | bytes) -> None:
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self._hash.update(f"{kind} {len(data)} ".encode())
        self._hash.update(data)

    def _all(self, kind: str, values: Any) -> None:
        listed = list(values)
        self._put(kind, str(len(listed)))
        for value in listed:
            self.add(value)

    def _code(self, code: types.CodeType) -> None:
        self._put("code", code.co_code)
        self._put("shape", repr((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)))
        self._put("handlers", getattr(code, "co_exceptiontable", b""))
        for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_consts):
            self._all("names", names)

    def _function(self, function: types.FunctionType) -> None:
        if self._from_library(function):
            return
        self.add(function.__code__)
        self._all("defaults", (function.__defaults__, function.__kwdefaults__))
        self._all("closure", (_cell(cell) for cell in function.__closure__ or ()))
        for name in _globals_of(function.__code__):
            if name in function.__globals__:
                self._put("global", name)
                self.add(function.__globals__[name])
        for name in _imports_of(function.__code__):
            self._module(name)

    def _class(self, cls: type) -> None:
        if self._from_library(cls):
            return
        self._put("class", cls.__qualname__)
        self._all("bases", cls.__bases__)
        for name, value in sorted(vars(cls).items()):
            if name in _CLASS_NOISE or isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType):
                continue
            self._put("member", name)
            self.add(value)

    def _object(self, value: Any) -> None:
        from mainstem.user_function import UserFunction

        if isinstance(value, UserFunction):
            return self._all("user function", (value._function, value._init))
        kind = type(value)
        if isinstance(value, types.BuiltinFunctionType | types.MethodDescriptorType | types.WrapperDescriptorType):
            return self._put("builtin", f"{getattr(value, '__module__', '')}.{value.__qualname__}")
        if not _library_of(kind.__module__):
            state = getattr(value, "__dict__", None)
            slots = {n: getattr(value, n) for c in kind.__mro__ for n in _slots(c) if hasattr(value, n)}
            if state is not None or slots:
                return self._all("object", (kind, {**(state or {}), **slots}))
        try:
            self._put("pickle", pickle.dumps(value, protocol=5))
        except Exception as error:
            raise UnknownIdentity(f"it uses {value!r} of type {kind.__qualname__} ({error})") from error

    def _from_library(self, value: Any) -> bool:
        library = _library_of(value.__module__)
        if library:
            self._put("library", f"{library}:{value.__module__}.{value.__qualname__}")
        return bool(library)

    def _module(self, name: str) -> None:
        library = _library_of(name)
        if library:
            return self._put("library", f"{library}:{name}")
        source = _source_of(name)
        if source is None:
            raise UnknownIdentity(f"it uses the module {name}, whose source cannot be found")
        self._put("module", name)
        self._put("source", source.read_bytes())


def _cell(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _slots(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _names(code: types.CodeType, *operations: str) -> list[str]:
    found = {
        str(step.argval) for part in _codes(code) for step in dis.get_instructions(part) if step.opname in operations
    }
    return sorted(found)


def _globals_of(code: types.CodeType) -> list[str]:
    return _names(code, "LOAD_GLOBAL", "LOAD_NAME")


def _imports_of(code: types.CodeType) -> list[str]:
    return _names(code, "IMPORT_NAME")


@functools.lru_cache(maxsize=4096)
def _library_of(module: str | None) -> str | None:
    """Name and version of the library that a module belongs to; nothing where it is the user's own."""
    if module is None:
        return "python"
    root = module.partition(".")[0]
    if root == "__main__":
        return None
    if root in sys.stdlib_module_names or root == "builtins":
        return f"python{sys.version_info.major}.{sys.version_info.minor}"
    source = _source_of(root)
    if root != "mainstem" and source is not None and not any(source.is_relative_to(path) for path in _LIBRARIES):
        return None
    if root != "mainstem" and source is None and root not in sys.modules:
        return None
    loaded = sys.modules.get(root)
    return f"{root} {getattr(loaded, '__version__', '')}".strip()


def _source_of(module: str) -> Path | None:
    loaded = sys.modules.get(module)
    place = getattr(loaded, "__file__", None)
    if place is None and loaded is None:
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        place = found.origin if found is not None else None
    if place is None or not Path(place).is_file():
        try:
            place = inspect.getsourcefile(loaded) if loaded is not None else None
        except TypeError:
            return None
    return Path(place).resolve() if place and Path(place).is_file() else None
