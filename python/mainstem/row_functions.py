"""User code on whole rows: the data frame's map, map_batches and flat_map."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from mainstem.user_function import make

if TYPE_CHECKING:
    from mainstem.dataframe import DataFrame

_BATCH_FORMS = {"pandas": "pandas", "pyarrow": "arrow", "arrow": "arrow", "numpy": "numpy"}


class RowFunctions:
    """Python functions over rows and batches. What they return replaces all columns."""

    __slots__ = ()

    def map(self, func: Callable[..., Any], *, return_dtype: Any = None, **settings: Any) -> DataFrame:
        """Each row as a dict through a function that returns a dict.

        ``return_dtype`` gives the columns: a dict of types, or read from the annotation (a TypedDict). ``settings`` are
        those of ``ms.udf``: concurrency, batch_size, timeout, num_gpus, gpu_type, on_error."""
        return self._mapped("map", func, return_dtype, None, settings)

    def map_batches(
        self,
        func: Callable[..., Any],
        *,
        return_dtype: Any = None,
        batch_format: str = "pandas",
        **settings: Any,
    ) -> DataFrame:
        """Batches of rows through a function: it takes and returns a dict of column to values, as many as it was given.

        ``batch_format``: the values are "pandas" (Series), "pyarrow" (arrays) or "numpy" (arrays).
        ``return_dtype`` gives the columns as a dict of types; ``settings`` are those of ``ms.udf``."""
        if batch_format not in _BATCH_FORMS:
            raise ValueError(f"batch_format must be pandas, pyarrow or numpy, not {batch_format!r}")
        return self._mapped("map_batches", func, return_dtype, _BATCH_FORMS[batch_format], settings)

    def flat_map(self, func: Callable[..., Any], *, return_dtype: Any = None, **settings: Any) -> DataFrame:
        """Each row as a dict through a function that yields any number of rows; single values are column ``f0``."""
        return self._mapped("flat_map", func, return_dtype, None, settings)

    def _mapped(
        self, kind: str, func: Callable[..., Any], return_dtype: Any, form: str | None, settings: dict[str, Any]
    ) -> DataFrame:
        function = make(func, kind=kind, return_dtype=return_dtype, func_type=form, **settings)
        return cast("DataFrame", self)._derive("map", udf=function, replace=True)
