"""A sink of one's own: rows into a Delta Lake table, each exactly once, through the table's own Python library.

    pip install deltalake
    python examples/delta_sink.py TABLE

Writers put Parquet files into the table's folder. Delta readers see only files that the log names, so these are staged.
A commit adds them in one Delta transaction, which also notes how far each writer has come (Delta's application
transactions): a commit that is repeated after a crash finds its own note and adds nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.transaction import AddAction

import mainstem as ms


class DeltaWriter(ms.SinkWriter):
    """Stages the rows of one lane: a Parquet file for each checkpoint."""

    def __init__(self, sink: DeltaSink, lane: int, attempt: str) -> None:
        self._sink = sink
        # Nobody has used this name before, not even a job of the same name whose checkpoints have been removed.
        self._writer = f"{lane}-{uuid.uuid4().hex}"
        self._stem = f"part-{attempt}-{self._writer}"
        self._files = 0
        self._file: pq.ParquetWriter | None = None
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        if self._file is None:
            self._sink.create_table(batch.schema)
            self._file = pq.ParquetWriter(self._sink.folder / self._name(), batch.schema)
        self._file.write_batch(batch)
        self._rows += batch.num_rows

    def prepare(self) -> list[dict[str, Any]]:
        if self._file is None:
            return []
        self._file.close()
        name, rows = self._name(), self._rows
        self._file, self._rows, self._files = None, 0, self._files + 1
        size = (self._sink.folder / name).stat().st_size
        return [{"path": name, "size": size, "rows": rows, "writer": self._writer, "version": self._files}]

    def _name(self) -> str:
        return f"{self._stem}-{self._files}.parquet"


class DeltaSink(ms.Sink):
    """Appends to the Delta table in a local folder; makes it where there is none."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._lock = threading.Lock()  # writers are on several threads

    def create_table(self, schema: pa.Schema) -> None:
        with self._lock:
            if not DeltaTable.is_deltatable(str(self.folder)):
                DeltaTable.create(self.folder, schema=schema)

    def begin(self, job: ms.SinkJob) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep(job, set())

    def restore(self, job: ms.SinkJob, pending: Sequence[dict[str, Any]]) -> None:
        self._sweep(job, {entry["path"] for entry in pending})

    def open(self, lane: int, attempt: str) -> DeltaWriter:
        return DeltaWriter(self, lane, attempt)

    def make_durable(self, committables: Sequence[dict[str, Any]]) -> None:
        for path in [*(self.folder / entry["path"] for entry in committables), self.folder]:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def commit(self, committables: Sequence[dict[str, Any]]) -> None:
        table = DeltaTable(self.folder)
        done = {name: table.transaction_version(name) or 0 for name in {entry["writer"] for entry in committables}}
        new = [entry for entry in committables if entry["version"] > done[entry["writer"]]]
        if not new:
            return
        reached: dict[str, int] = {}
        for entry in new:
            reached[entry["writer"]] = max(entry["version"], reached.get(entry["writer"], 0))
        now_ms = int(time.time() * 1000)
        table.create_write_transaction(
            [
                AddAction(entry["path"], entry["size"], {}, now_ms, True, f'{{"numRecords": {entry["rows"]}}}')
                for entry in new
            ],
            mode="append",
            schema=table.schema(),
            commit_properties=CommitProperties(
                app_transactions=[Transaction(name, version, now_ms) for name, version in reached.items()]
            ),
        )

    def abort(self, job: ms.SinkJob) -> None:
        self._sweep(job, set())

    def _sweep(self, job: ms.SinkJob, kept: set[str]) -> None:
        if DeltaTable.is_deltatable(str(self.folder)):
            kept = kept | {Path(uri).name for uri in DeltaTable(self.folder).file_uris()}
        for staged in self.folder.glob(f"part-{job.id}.*.parquet"):
            if staged.name not in kept:
                staged.unlink()


def main() -> None:
    """Writes a million squares and reads them back with Delta's own library."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "squares")
    numbers = ms.range(1_000_000)
    numbers.with_column("square", ms.col("id") * ms.col("id")).write_sink(DeltaSink(folder))
    table = DeltaTable(folder)
    rows = sum(table.get_add_actions(flatten=True)["num_records"].to_pylist())
    print(f"{folder}: version {table.version()}, {rows:,} rows in {len(table.file_uris())} files")


if __name__ == "__main__":
    main()
