"""Consumption: the data frame's methods that run it and give its rows back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO, cast

from mainstem import plan
from mainstem._engine import engine
from mainstem.aggregates import count as count_rows
from mainstem.errors import translated
from mainstem.suggestion import suggestion_or_list

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mainstem.dataframe import DataFrame
    from mainstem.job import Job
    from mainstem.plan import Node
    from mainstem.results import CloseableIterator, Row, Rows

EXPLAIN_MODES = ("logical", "optimized", "physical", "all")


class Consumption:
    """Rows out of a data frame. Each call runs the plan anew."""

    __slots__ = ()

    _node: Node

    def _start(self, job_name: str | None = None) -> Job:
        from mainstem.job import start

        return start(self._node, job_name=job_name)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        # The job starts with the first batch, so that an iterator that is never used leaves none behind.
        yield from self._start().batches()

    def collect(self, *, job_name: str | None = None) -> Rows:
        """All rows, in memory: a list that shows itself as a table."""
        from mainstem.results import Rows

        job = self._start(job_name)
        return Rows(self._table(job), job)

    def to_arrow(self) -> pa.Table:
        """All rows as pyarrow's table."""
        return self._table(self._start())

    def to_pandas(self) -> pd.DataFrame:
        """All rows as pandas' table; pictures, files and sound are objects."""
        from mainstem.results import to_pandas

        return to_pandas(self.to_arrow())

    def _table(self, job: Job) -> pa.Table:
        import pyarrow as pa

        batches = list(job.batches())
        schema = batches[0].schema if batches else cast("DataFrame", self).schema.to_arrow()
        return pa.Table.from_batches(batches, schema)

    def iter_rows(self) -> CloseableIterator[Row]:
        """Rows one by one, while the job runs. ``with df.iter_rows() as rows:`` ends the job when the loop is left."""
        from mainstem.results import CloseableIterator, rows_of

        batches = self._batches()

        def rows() -> Iterator[Row]:
            for batch in batches:
                yield from rows_of(batch)

        return CloseableIterator(rows(), cast(Any, batches).close)

    def iter_batches(self, *, batch_size: int = 1000, batch_format: str = "pandas") -> CloseableIterator[Any]:
        """Batches of rows, while the job runs, as pandas' or pyarrow's tables."""
        from mainstem.results import CloseableIterator, check_batch_format, formatted, rebatched

        check_batch_format(batch_format)
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size!r}")
        batches = self._batches()
        made = (formatted(table, batch_format) for table in rebatched(batches, batch_size))
        return CloseableIterator(made, cast(Any, batches).close)

    def take(self, n: int) -> Rows:
        """The first n rows."""
        return cast("DataFrame", self).limit(n).collect()

    def take_batch(self, n: int, *, batch_format: str = "pandas") -> Any:
        """The first n rows as pandas' or pyarrow's table."""
        from mainstem.results import check_batch_format, formatted

        check_batch_format(batch_format)
        return formatted(cast("DataFrame", self).limit(n).to_arrow(), batch_format)

    def show(self, n: int = 10) -> None:
        """Prints the first n rows as a table; in a notebook, with pictures."""
        from mainstem.display import show

        show(self.take(n))

    def count(self) -> int:
        """The number of rows: those that ``collect()`` gives.

        Columns are computed only where they may set rows aside (``on_error="dead_letter"``); one that would fail the
        job (``on_error="raise"``) is not looked at.
        """
        return int(cast("DataFrame", self).agg(count_rows().alias("rows")).collect()[0]["rows"])

    def explain(self, mode: str = "all", *, file: TextIO | None = None) -> None:
        """Prints the plan: "logical" as written, "optimized", "physical" as it will run, or "all"."""
        print(self._explanation(mode), file=file or sys.stdout)

    def _explanation(self, mode: str) -> str:
        if mode not in EXPLAIN_MODES:
            raise ValueError(f"there is no mode '{mode}'.{suggestion_or_list(mode, EXPLAIN_MODES)}")
        written = plan.write(self._node, payloads=False)
        with translated(planning=True):
            return engine().explain(written.json, written.tables, mode)

    def to_plan(self, *, indent: int | None = None) -> str:
        """The plan as JSON, for ``mainstem run plan.json``. Tables of this process cannot stand in it."""
        written = plan.write(self._node, indent=indent)
        if written.tables:
            raise TypeError("the plan reads a table of this process; write it to a file and read that instead")
        return written.json

    def __repr__(self) -> str:
        from mainstem.display import frame_text

        return frame_text(cast("DataFrame", self))

    def _repr_html_(self) -> str:
        from mainstem.display import frame_html

        return frame_html(cast("DataFrame", self))
