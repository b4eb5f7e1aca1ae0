"""The runner of a Python replica: user code, loaded, and what turns batches into its arguments and back."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mainstem.host_failures import Failures, RowsFailed, ServiceFailed, describe
from mainstem.host_values import (
    Values,
    batch_array,
    build_column,
    column_values,
    extension_of,
    items_of,
    numpy_column,
    storage_of,
    storage_schema,
)

if TYPE_CHECKING:
    import asyncio

Finish = Callable[[Any], Values]


class Runner:
    """The user's code, loaded, with what turns batches into its arguments and its results into batches."""

    def __init__(
        self, options: dict[str, Any], input_schema: pa.Schema, output_schema: pa.Schema, payload: dict[str, Any]
    ):
        self.fields = list(input_schema)
        self.input = storage_schema(input_schema)
        self.output_fields = list(output_schema)
        output = storage_schema(output_schema)
        self.shape = options["shape"]
        self.output = list(output)
        self.reply_schema = output
        if self.shape == "table":
            self.reply_schema = pa.schema([pa.field("__row", pa.int64(), nullable=False), *output])
        self.kind = payload["kind"]
        self.form = payload.get("form") or options.get("form") or "general"
        self.pandas = PandasIsLate()
        if self.form == "pandas":
            import pandas  # noqa: F401  now, and not within the time of the first batch
        self.makers = payload.get("values") or {}
        self.call: Callable[..., Any] = payload["callable"]
        if payload.get("is_class"):
            self.call = self.call(*payload.get("init_args", ()), **payload.get("init_kwargs", {}))
        if not callable(self.call):
            raise ServiceFailed(f"{type(self.call).__name__} objects cannot be called; a class needs a method __call__")
        self.loop: asyncio.AbstractEventLoop | None = None
        self.concurrency = payload.get("concurrency") or 64
        if self.is_async():
            import asyncio

            self.loop = asyncio.new_event_loop()
        #: Where the row is noted that user code is on, while rows are watched.
        self.progress: memoryview[int] | None = None
        if self.kind in ("table", "flat_map") and self.form != "general":
            raise ServiceFailed(f"a {self.kind} function has the form 'general', not '{self.form}'")
        if (self.kind in ("table", "flat_map")) != (self.shape == "table"):
            raise ServiceFailed(f"a {self.kind} function does not answer in the shape '{self.shape}'")

    def is_async(self) -> bool:
        import inspect

        target = getattr(self.call, "func", self.call)  # functools.partial
        method = type(target).__call__
        return any(inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in (target, method))

    def run(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Failures]:
        """Answers a batch."""
        self.pandas.tell_pyarrow()
        if self.kind in ("table", "flat_map"):
            return self.run_table(batch)
        if self.form == "general" and self.kind != "map_batches":
            return self.run_rows(batch)
        return self.run_batch(batch)

    # ---- row by row

    def arguments(self, batch: pa.RecordBatch) -> list[Values]:
        """Returns one list of Python values a column."""
        return [column_values(batch.column(i), field, self.makers) for i, field in enumerate(self.fields)]

    def each_row(self, batch: pa.RecordBatch, finish: Finish | None = None) -> tuple[Values, Failures]:
        """Calls the user's function on every row; a row that raises has the result None and a failure."""
        columns = self.arguments(batch)
        rows = batch.num_rows
        call = self.call
        if self.kind in ("map", "flat_map"):
            names = [field.name for field in self.fields]
            if columns:
                columns = [[dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]]
            else:
                columns = [[{} for _ in range(rows)]]
        if self.loop is not None:
            return self.each_row_async(self.loop, columns, rows, finish)
        failures = Failures()
        results: Values = []
        if finish is not None:
            call = finished(call, finish)
        if self.progress is not None:
            call = careful(call, self.progress)
        iterators = [iter(column) for column in columns]
        while len(results) < rows:
            try:
                if iterators:
                    # The loop runs in C. After an exception it is taken up again behind the row that raised.
                    results.extend(map(call, *iterators))
                else:
                    results.append(call())
                if len(results) < rows and iterators:
                    raise RuntimeError("the function raised StopIteration")
            except Exception as error:
                failures.add(len(results), describe(error))
                results.append(None)
        return results, failures

    def each_row_async(
        self, loop: asyncio.AbstractEventLoop, columns: list[Values], rows: int, finish: Finish | None
    ) -> tuple[Values, Failures]:
        import asyncio

        call = self.call
        failures = Failures()
        results: Values = [None] * rows
        limit = asyncio.Semaphore(self.concurrency)

        async def one(row: int, values: tuple[Any, ...]) -> None:
            async with limit:
                try:
                    result = call(*values)
                    if hasattr(result, "__await__"):
                        result = await result
                    if hasattr(result, "__aiter__"):
                        result = [item async for item in result]
                    results[row] = result if finish is None else finish(result)
                except Exception as error:
                    failures.add(row, describe(error))

        async def everything() -> None:
            arguments = zip(*columns, strict=True) if columns else (() for _ in range(rows))
            await asyncio.gather(*(one(row, values) for row, values in enumerate(arguments)))

        loop.run_until_complete(everything())
        return results, failures

    def run_rows(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Failures]:
        results, failures = self.each_row(batch)
        self.pandas.tell_pyarrow()
        if self.kind == "map":
            columns = self.columns_of_dicts(results, failures)
        else:
            columns = [results]
            if len(self.output) != 1:
                raise ServiceFailed(f"a scalar function has one output, not {len(self.output)}")
        arrays = [
            build_column(values, field, failures) for values, field in zip(columns, self.output_fields, strict=True)
        ]
        return self.assemble(arrays, failures)

    def columns_of_dicts(self, results: Values, failures: Failures) -> list[Values]:
        names = [field.name for field in self.output]
        known = set(names)
        for row, value in enumerate(results):
            if value is None:
                results[row] = {}
            elif not hasattr(value, "keys"):
                failures.add(row, f"expected a dict with {', '.join(names)}; got {type(value).__name__}")
                results[row] = {}
            elif not known.issuperset(value.keys()):
                unknown = ", ".join(repr(key) for key in value if key not in known)
                expected = ", ".join(names)
                failures.add(row, f"the dict has {unknown}, which the return type does not name; expected {expected}")
                results[row] = {}
        return [[value.get(name) for value in results] for name in names]

    def assemble(self, arrays: list[pa.Array], failures: Failures) -> tuple[pa.RecordBatch, Failures]:
        return pa.RecordBatch.from_arrays([storage_of(array) for array in arrays], schema=self.reply_schema), failures

    # ---- many rows for one

    def run_table(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Failures]:
        results, failures = self.each_row(batch, items_of)
        self.pandas.tell_pyarrow()
        while True:
            # A row with a wrong value fails whole: its other results go, too.
            rows = [row for row, items in enumerate(results) if items and row not in failures for _ in items]
            items = [item for row, items in enumerate(results) if items and row not in failures for item in items]
            wrong = Failures()
            columns = self.columns_of_items(items, wrong)
            arrays = [
                build_column(values, field, wrong) for values, field in zip(columns, self.output_fields, strict=True)
            ]
            if not wrong:
                return self.assemble([pa.array(rows, pa.int64()), *arrays], failures)
            for index, reason in wrong.items():
                failures.add(rows[index], reason)

    def columns_of_items(self, items: Values, failures: Failures) -> list[Values]:
        names = [field.name for field in self.output]
        if (
            items
            and all(hasattr(item, "keys") for item in items)
            and not (len(names) == 1 and pa.types.is_struct(self.output[0].type) and not set(items[0]) <= set(names))
        ):
            return self.columns_of_dicts(items, failures)
        if len(names) == 1:
            return [[item[0] if isinstance(item, tuple) and len(item) == 1 else item for item in items]]
        for index, item in enumerate(items):
            if hasattr(item, "keys"):
                items[index] = tuple(item.get(name) for name in names)
            elif not isinstance(item, (tuple, list)) or len(item) != len(names):
                failures.add(index, f"expected {len(names)} values ({', '.join(names)}); got {item!r:.100}")
                items[index] = (None,) * len(names)
        return [[item[i] for item in items] for i in range(len(names))]

    # ---- whole batches

    def run_batch(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Failures]:
        columns = [self.batch_column(batch.column(i), field) for i, field in enumerate(self.fields)]
        try:
            if self.kind in ("map", "map_batches"):
                result = self.call({field.name: column for field, column in zip(self.fields, columns, strict=True)})
            else:
                result = self.call(*columns)
            if self.loop is not None and hasattr(result, "__await__"):
                result = self.loop.run_until_complete(result)
        except Exception as error:
            raise RowsFailed(describe(error)) from None
        self.pandas.tell_pyarrow()
        if self.kind in ("map", "map_batches"):
            parts = self.parts_of(result)
        elif len(self.output) == 1:
            parts = [result]
        else:
            raise ServiceFailed(f"a scalar function has one output, not {len(self.output)}")
        failures = Failures()
        arrays = [
            self.batch_result(part, field, failures) for part, field in zip(parts, self.output_fields, strict=True)
        ]
        if failures and self.shape != "scalar":
            # Rows of a result are not rows of the batch: halving the batch finds the row that they come from.
            raise RowsFailed(next(iter(failures.values())))
        rows = batch.num_rows if self.shape == "scalar" else len(arrays[0]) if arrays else 0
        for array, field in zip(arrays, self.output, strict=True):
            if len(array) != rows:
                expected = "one for each row of the batch" if self.shape == "scalar" else "as many as the first column"
                what = "the result" if self.shape == "scalar" else f"'{field.name}'"
                raise ServiceFailed(f"{what} has {len(array)} values; expected {rows}, {expected}")
        return self.assemble(arrays, failures)

    def batch_column(self, column: pa.Array, field: pa.Field) -> Any:
        if self.form == "arrow":
            return column
        if self.form == "pandas":
            import pandas

            if extension_of(field)[0] in ("", "mainstem.file", "mainstem.audio_clip", "mainstem.video_clip"):
                return column.to_pandas()
            return pandas.Series(column_values(column, field, self.makers), dtype=object)
        if self.form == "numpy":
            return numpy_column(column, field, self.makers)
        if self.form == "general":
            return column_values(column, field, self.makers)
        raise ServiceFailed(f"there is no form '{self.form}'; there are: general, pandas, arrow, numpy")

    def parts_of(self, result: Any) -> Values:
        """Returns the output columns of a dict, a pandas.DataFrame or a pyarrow table, in order."""
        names = [field.name for field in self.output]
        if isinstance(result, (pa.Table, pa.RecordBatch)):
            result = {name: result.column(name) for name in result.schema.names}
        if not hasattr(result, "keys"):
            raise ServiceFailed(f"expected a dict of columns with {', '.join(names)}; got {type(result).__name__}")
        got = list(result.keys())
        if set(got) != set(names):
            raise ServiceFailed(f"expected the columns {', '.join(names)}; got {', '.join(map(str, got))}")
        return [result[name] for name in names]

    def batch_result(self, values: Any, field: pa.Field, failures: Failures) -> pa.Array:
        try:
            return batch_array(values, field, failures)
        except ServiceFailed:
            raise
        except Exception as error:
            kind = type(values).__name__
            detail = getattr(values, "type", getattr(values, "dtype", ""))
            raise RowsFailed(
                f"'{field.name}': expected {field.type}, got {kind} {detail} ({' '.join(str(error).split())[:300]})"
            ) from None


def finished(call: Callable[..., Any], finish: Finish) -> Callable[..., Any]:
    """Wraps the function so that its result is finished while a failure still belongs to its row."""

    def finished_call(*values: Any) -> Values:
        return finish(call(*values))

    return finished_call


def careful(call: Callable[..., Any], progress: memoryview[int]) -> Callable[..., Any]:
    """Wraps the function so that the row it is on can be seen from outside, whatever it does."""
    rows = itertools.count()

    def noted(*values: Any) -> Any:
        progress[0] = next(rows)
        return call(*values)

    return noted


class PandasIsLate:
    """Keeps pyarrow from importing pandas before the user's code does.

    The first pyarrow.array of Python values looks whether they are pandas objects and imports pandas, if it is
    installed, to find out: half a second for every worker process, mostly for nothing. With the import refused once,
    pyarrow asks again only where pandas is truly needed (to_pandas), or when it is told to.
    """

    def __init__(self) -> None:
        self.told = "pandas" in sys.modules
        if not self.told:
            sys.meta_path.insert(0, self)
            try:
                pa.array([0])
            finally:
                sys.meta_path.remove(self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError("pandas is not needed yet")

    def tell_pyarrow(self) -> None:
        """Lets pyarrow know pandas when the user's code has imported it."""
        if not self.told and "pandas" in sys.modules:
            self.told = True
            _ = pa.lib._pandas_api.pd
