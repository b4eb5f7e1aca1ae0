"""User functions: Python that runs in worker processes, on columns, rows or batches."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from mainstem import return_types
from mainstem.accessors import TableCall
from mainstem.dataclass_results import converting, holds_dataclass
from mainstem.datatype import DataType
from mainstem.expressions import Expression, _first_column, to_expression

FORMS = ("general", "pandas", "arrow", "numpy")
ON_ERROR = ("raise", "null", "dead_letter")


@dataclass(frozen=True)
class Settings:
    """How a user function is called and served."""

    name: str
    kind: str
    form: str
    return_type: DataType
    deterministic: bool = True
    concurrency: int | None = None
    batch_size: int | str | None = None
    timeout: float | None = None
    num_gpus: float | None = None
    gpu_type: str | None = None
    on_error: str = "raise"
    journal: bool | str = False

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "return_type": self.return_type.to_json()}


class UserFunction:
    """A user function. Called with expressions it makes an expression; called with values it runs here.

    A class is built on the worker: the first call takes what its constructor takes, the second the columns."""

    def __init__(
        self,
        function: Callable[..., Any],
        settings: Settings,
        init: tuple[tuple[Any, ...], dict[str, Any]] | None = None,
    ) -> None:
        self._function = function
        self._settings = settings
        self._init = init
        self._written: tuple[str, str] | None = None
        self._identity: str | None = None
        functools.update_wrapper(self, function, updated=())

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def return_type(self) -> DataType:
        """The type of its result; of table functions, the struct of a row."""
        return self._settings.return_type

    @property
    def id(self) -> str:
        """A name made from its content: equal code and settings have equal ids."""
        return self._write()[0]

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self._function)

    def to_json(self, *, payload: bool = True) -> dict[str, Any]:
        """The form that plans use."""
        written = {**self._settings.to_json(), "payload": self._write()[1] if payload else ""}
        del written["journal"]
        if self._settings.journal:
            written["journal"] = self._journal_identity()
        return written

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        over_columns = any(isinstance(value, Expression) for value in (*args, *kwargs.values()))
        if self.is_class and self._init is None:
            if not over_columns:
                return UserFunction(self._function, self._settings, (args, kwargs))
            if _needs_arguments(self._function):
                raise TypeError(
                    f"{self.name} is built on the worker: give its constructor's arguments first, then the columns: "
                    f"{self.name}(…)(col('x'))"
                )
            return UserFunction(self._function, self._settings, ((), {}))(*args, **kwargs)
        if not over_columns:
            function = self._here()
            return function(*args, **kwargs)
        values = [to_expression(value).to_json() for value in self._positional(args, kwargs)]
        node: dict[str, Any] = {"udf": self, "args": values}
        if self._settings.kind == "table":
            return TableCall(node)
        return Expression(node, _first_column(node) or self.name)

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        # A worker passes columns by position.
        if not kwargs:
            return list(args)
        target: Any = self._function
        signature = inspect.signature(target.__call__ if self.is_class else target)
        if self.is_class:
            signature = signature.replace(parameters=list(signature.parameters.values())[1:])
        bound = signature.bind(*args, **kwargs)
        by_name = [n for n in kwargs if signature.parameters[n].kind is inspect.Parameter.KEYWORD_ONLY]
        if by_name:
            raise TypeError(f"{self.name}: columns are passed by position; {', '.join(by_name)} is keyword-only")
        bound.apply_defaults()
        return list(bound.args)

    def _gives_dataclasses(self) -> bool:
        try:
            return holds_dataclass(return_types.of_callable(self._function))
        except return_types.UnknownReturnType:
            return False

    def _journal_identity(self) -> str:
        """What decides its results, beside its input: the code, or the version that the user gave it."""
        from mainstem.code_identity import UnknownIdentity, code_identity

        if self._identity is not None:
            return self._identity
        settings = self._settings
        code: Any = self._function if settings.journal is True else settings.journal
        try:
            self._identity = code_identity(
                settings.kind, settings.form, settings.return_type.to_json(), code, self._init
            )
        except UnknownIdentity as error:
            raise TypeError(
                f"{self.name}: journal=True cannot tell this function from a changed one: {error}. Name its version "
                "yourself and change the name with the code: journal='v1'"
            ) from error
        return self._identity

    def _here(self) -> Callable[..., Any]:
        function: Any = self._function
        if self._init is None:
            return cast("Callable[..., Any]", function)
        args, kwargs = self._init
        return cast("Callable[..., Any]", function(*args, **kwargs))

    def _write(self) -> tuple[str, str]:
        if self._written is None:
            import hashlib

            import cloudpickle

            args, kwargs = self._init or ((), {})
            content = {
                "callable": converting(self._function) if self._gives_dataclasses() else self._function,
                "kind": self._settings.kind,
                "form": self._settings.form,
                "is_class": self.is_class,
                "init_args": args,
                "init_kwargs": kwargs,
                "values": _value_makers(self._settings.form),
            }
            try:
                payload = cloudpickle.dumps(content)
            except Exception as error:
                raise TypeError(
                    f"{self.name} cannot be sent to a worker: {error}. Open files, sockets, locks and the like are "
                    "made in the worker: in the constructor of a class, or inside the function"
                ) from error
            digest = hashlib.sha256(payload)
            digest.update(json.dumps(self._settings.to_json(), sort_keys=True).encode())
            self._written = (f"{self.name}-{digest.hexdigest()[:16]}", base64.b64encode(payload).decode("ascii"))
        return self._written

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_written": None}

    def __repr__(self) -> str:
        return f"<{self._settings.kind} user function {self.name} -> {self.return_type}>"


def make(
    function: Callable[..., Any],
    *,
    kind: str,
    return_dtype: Any = None,
    name: str | None = None,
    func_type: str | None = None,
    deterministic: bool = True,
    concurrency: int | None = None,
    batch_size: int | str | None = None,
    timeout: float | dt.timedelta | None = None,
    num_gpus: float | None = None,
    gpu_type: str | None = None,
    on_error: str = "raise",
    journal: bool | str = False,
) -> UserFunction:
    """Checks what a user gave and makes a user function of it."""
    init = None
    if isinstance(function, UserFunction):
        given = function
        function, init = given._function, given._init
    if not callable(function):
        raise TypeError(f"expected a function, a class or a callable object, not {function!r}")
    label = name or _name_of(function)
    form = func_type or "general"
    if form not in FORMS:
        raise ValueError(f"{label}: func_type must be one of {', '.join(FORMS)}, not {func_type!r}")
    if on_error not in ON_ERROR:
        raise ValueError(f"{label}: on_error must be one of {', '.join(ON_ERROR)}, not {on_error!r}")
    if inspect.isclass(function) and "__call__" not in dir(function):
        raise TypeError(f"{label}: the class needs a method __call__, which is called with the columns")
    if journal == "" or not isinstance(journal, (bool, str)):
        raise ValueError(f"{label}: journal must be True, False or a text that names the version, not {journal!r}")
    settings = Settings(
        name=label,
        kind=kind,
        form=form,
        return_type=_return_type(function, label, kind, form, return_dtype),
        deterministic=deterministic,
        concurrency=_count(label, "concurrency", concurrency),
        batch_size=batch_size if batch_size == "auto" else _count(label, "batch_size", batch_size),
        timeout=_seconds(label, timeout),
        num_gpus=_gpus(label, num_gpus, gpu_type),
        gpu_type=gpu_type,
        on_error=on_error,
        journal=journal,
    )
    return UserFunction(function, settings, init)


def udf(
    func: Callable[..., Any] | None = None,
    *,
    return_dtype: Any = None,
    deterministic: bool = True,
    name: str | None = None,
    func_type: str | None = None,
    concurrency: int | None = None,
    batch_size: int | str | None = None,
    timeout: float | dt.timedelta | None = None,
    num_gpus: float | None = None,
    gpu_type: str | None = None,
    on_error: str = "raise",
    journal: bool | str = False,
) -> Any:
    """Makes a column function of Python: a function, a lambda, an async function, a class or a callable object.

    ``func_type``: "general" calls it for each row; "pandas", "arrow" and "numpy" with a batch of each column.
    ``return_dtype``: its column type; read from the annotations unless given. ``batch_size``: rows a call, or "auto"
    (by bytes and time). ``timeout``: seconds for one batch. ``on_error``: "raise", "null" or "dead_letter".
    ``journal``: keep results where the job has a journal; True: until the code changes; a text: until the text does.
    ``deterministic=False``: equal arguments may give different results, so the journal keeps one for each row; a row
    is known again, after a crash or in the next run, by the file and the place in it that it comes from."""

    made = functools.partial(
        make,
        kind="scalar",
        return_dtype=return_dtype,
        deterministic=deterministic,
        name=name,
        func_type=func_type,
        concurrency=concurrency,
        batch_size=batch_size,
        timeout=timeout,
        num_gpus=num_gpus,
        gpu_type=gpu_type,
        on_error=on_error,
        journal=journal,
    )
    return made(func) if func is not None else made


def udtf(
    func: Callable[..., Any] | None = None,
    *,
    return_dtype: Any = None,
    deterministic: bool = True,
    name: str | None = None,
    concurrency: int | None = None,
    batch_size: int | str | None = None,
    timeout: float | dt.timedelta | None = None,
    num_gpus: float | None = None,
    gpu_type: str | None = None,
    on_error: str = "raise",
    journal: bool | str = False,
) -> Any:
    """Makes a table function of Python: it yields or returns any number of rows for one, for ``join_lateral``.

    Rows are dicts, tuples, dataclasses or, where there is one column, values (column ``f0``)."""

    made = functools.partial(
        make,
        kind="table",
        return_dtype=return_dtype,
        deterministic=deterministic,
        name=name,
        concurrency=concurrency,
        batch_size=batch_size,
        timeout=timeout,
        num_gpus=num_gpus,
        gpu_type=gpu_type,
        on_error=on_error,
        journal=journal,
    )
    return made(func) if func is not None else made


def _value_makers(form: str) -> dict[str, Callable[..., Any]]:
    """What the worker makes multimodal values with: the classes that ``collect`` gives, too."""
    if form not in ("general", "pandas"):
        return {}
    from mainstem import values

    return {
        "mainstem.image": values.Image,
        "mainstem.audio": values.Audio.from_fields,
        "mainstem.file": values.File.from_fields,
        "mainstem.audio_clip": values.AudioClip.from_fields,
        "mainstem.video_clip": values.VideoClip.from_fields,
    }


def _return_type(function: Any, label: str, kind: str, form: str, return_dtype: Any) -> DataType:
    gives_rows = kind != "scalar"
    if return_dtype is not None:
        given = return_types.declared(return_dtype)
        return return_types.as_rows(given) if gives_rows else given
    try:
        annotation = return_types.of_callable(function)
        if annotation is None:
            raise return_types.UnknownReturnType("it has no return annotation")
        if form != "general":
            raise return_types.UnknownReturnType(f"a {form} batch does not say what its items are")
        if kind in ("table", "flat_map"):
            return return_types.of_rows(annotation)
        found = return_types.of_annotation(annotation)
    except return_types.UnknownReturnType as error:
        example = "{'name': DataType.string()}" if gives_rows else "DataType.string()"
        raise TypeError(f"{label}: {error}. Give its type: return_dtype={example}") from None
    return return_types.as_rows(found) if gives_rows else found


def _name_of(function: Any) -> str:
    name = getattr(function, "__name__", None) or type(function).__name__
    return "lambda" if name == "<lambda>" else str(name)


def _needs_arguments(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    repeated = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is inspect.Parameter.empty and p.kind not in repeated for p in parameters)


def _count(label: str, what: str, value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{label}: {what} must be a whole number of at least 1, not {value!r}")
    return value


def _seconds(label: str, timeout: float | dt.timedelta | None) -> float | None:
    seconds = timeout.total_seconds() if isinstance(timeout, dt.timedelta) else timeout
    if seconds is not None and not (isinstance(seconds, (int, float)) and seconds > 0):
        raise ValueError(f"{label}: timeout must be more than 0 seconds, not {timeout!r}")
    return seconds


def _gpus(label: str, num_gpus: float | None, gpu_type: str | None) -> float | None:
    if num_gpus is None:
        if gpu_type is not None:
            raise ValueError(f"{label}: gpu_type needs num_gpus")
        return None
    if not num_gpus > 0:
        raise ValueError(f"{label}: num_gpus must be more than 0, not {num_gpus!r}")
    if gpu_type is None:
        raise ValueError(f"{label}: num_gpus needs gpu_type, the kind of accelerator that the function runs on")
    return num_gpus
