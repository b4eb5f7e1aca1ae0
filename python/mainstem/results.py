"""Results: rows that a job has given back, as Python, pandas or Arrow sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from mainstem.python_values import python_values
from mainstem.schema import Schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mainstem.job import Job

T = TypeVar("T")
BATCH_FORMATS = ("pandas", "pyarrow")


class Row(dict[str, Any]):
    """One row: a dict of column to value, also by attribute (``row.label``) and position (``row[0]``)."""

    __slots__ = ()

    def __missing__(self, key: Any) -> Any:
        if isinstance(key, int) and not isinstance(key, bool):
            return list(self.values())[key]
        from mainstem.suggestion import suggestion_or_list

        raise KeyError(f"there is no column '{key}'.{suggestion_or_list(str(key), self)}")

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"the row has no column '{name}'")

    def as_dict(self) -> dict[str, Any]:
        """A plain dict."""
        return dict(self)

    def __repr__(self) -> str:
        return f"Row({', '.join(f'{name}={value!r}' for name, value in self.items())})"


class Rows(Sequence[Row]):
    """All rows of a result, in memory. A list of rows that shows itself as a table."""

    def __init__(self, table: pa.Table, job: Job | None = None) -> None:
        self._table = table
        self._rows: list[Row] | None = None
        #: The job that made the rows: ``rows.job.report()``.
        self.job = job

    @property
    def schema(self) -> Schema:
        return Schema(self._table.schema)

    @property
    def columns(self) -> list[str]:
        return list(self._table.column_names)

    def to_arrow(self) -> pa.Table:
        """pyarrow's table."""
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """pandas' table; pictures, files and sound are objects."""
        return to_pandas(self._table)

    def _all(self) -> list[Row]:
        if self._rows is None:
            self._rows = list(rows_of(self._table))
        return self._rows

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Rows: ...

    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            part = (
                self._table.slice(start, max(0, stop - start))
                if step == 1
                else self._table.take(list(range(start, stop, step)))
            )
            return Rows(part, self.job)
        return self._all()[index]

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        from mainstem.display import table_text

        return table_text(self)

    def _repr_html_(self) -> str:
        from mainstem.display import table_html

        return table_html(self)


class CloseableIterator(Generic[T]):
    """An iterator over the rows of a running job. Closing it, or leaving its ``with``, cancels the job."""

    def __init__(self, items: Iterator[T], close: Callable[[], None]) -> None:
        self._items = items
        self._close = close

    def __iter__(self) -> CloseableIterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def __enter__(self) -> CloseableIterator[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._close()


def rows_of(batch: Any) -> Iterator[Row]:
    """The rows of a batch or table."""
    names = batch.schema.names
    if not names:
        yield from (Row() for _ in range(batch.num_rows))
        return
    columns = [python_values(column) for column in batch.columns]
    for values in zip(*columns, strict=True):
        yield Row(zip(names, values, strict=True))


def rebatched(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Tables of so many rows each; the last may have fewer."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        if batch.num_rows == 0:
            continue
        held.append(batch)
        count += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(held)
            yield table.slice(0, rows)
            count -= rows
            held = table.slice(rows).to_batches() if count else []
    if held:
        yield pa.Table.from_batches(held)


def formatted(table: pa.Table, batch_format: str) -> Any:
    """A table in the form that was asked for."""
    return table if batch_format == "pyarrow" else to_pandas(table)


def check_batch_format(batch_format: str) -> None:
    if batch_format not in BATCH_FORMATS:
        raise ValueError(f"batch_format must be one of {', '.join(BATCH_FORMATS)}, not {batch_format!r}")


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A table as pandas has it; multimodal columns become objects."""
    import pandas as pd
    import pyarrow as pa

    def object_column(column: Any) -> Any:
        values = python_values(column)
        series = pd.Series([None] * len(values), dtype=object)
        for index, value in enumerate(values):
            series.iat[index] = value
        return series

    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        special = isinstance(field.type, pa.BaseExtensionType) or pa.types.is_nested(field.type)
        columns.append(object_column(column) if special else column.to_pandas())
    if not columns:
        return pd.DataFrame(index=range(table.num_rows))
    frame = pd.concat([column.reset_index(drop=True) for column in columns], axis=1)
    frame.columns = pd.Index(table.column_names)
    return frame
