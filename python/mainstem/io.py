"""Sources: data frames from files, URLs and tables of this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

from mainstem.accessors import TableCall
from mainstem.dataframe import DataFrame
from mainstem.datatype import DataType
from mainstem.expressions import call, col, option_value
from mainstem.plan import MemoryTable, Node

#: A file, folder, pattern or URL, or several.
Path = Union[str, "os.PathLike[str]", "Sequence[str | os.PathLike[str]]"]


def read_files(path: Path, *, monitor_interval: str | None = None, **options: Any) -> DataFrame:
    """One row a file: ``file`` (a reference), ``size``, ``modified``. Nothing is read before it is needed.

    ``path``: files, folders, patterns (``**``, ``*``, ``?``, ``[…]``, ``{a,b}``), ``http(s)://`` and ``s3://`` URLs.
    ``monitor_interval`` ("1s"): the job does not end; it lists again so long after each listing and hands out each
    path once, as soon as it is seen. Move files into the folder when they are whole: a file is read as it is found."""
    if monitor_interval is not None:
        options["monitor_interval"] = monitor_interval
    return _source("files", {"path": _paths(path), **options})


def read_datagen(
    fields: Mapping[str, str | DataType | Mapping[str, Any]],
    *,
    rows_per_second: float | None = None,
    number_of_rows: int | None = None,
    seed: int = 0,
) -> DataFrame:
    """Made-up rows, for demonstrations, tests and load: row i depends on ``seed`` and i alone.

    ``fields``: the type of each column, or a dict with ``type`` and

    * ``kind="random"`` (where nothing is said): ``min`` and ``max``, or ``length`` of texts and bytes;
    * ``kind="sequence"``: whole numbers from ``start`` (0) to ``end``, which ends the rows;
    * ``null_rate``: the share of rows without a value.

    Types: bool, int8 to int64, uint8 to uint32, float32, float64, string, binary. Without ``number_of_rows`` and
    without an ``end`` the rows do not end. ``rows_per_second``: the rate; without it, as fast as they are read."""
    described = [{"name": name, **_generated(name, field)} for name, field in fields.items()]
    options = {
        "fields": json.dumps(described),
        "rows_per_second": rows_per_second,
        "number_of_rows": number_of_rows,
        "seed": seed,
    }
    return _source("datagen", {name: value for name, value in options.items() if value is not None})


def read_parquet(path: Path, **options: Any) -> DataFrame:
    """The rows of Parquet files. Only the columns, row groups and rows that are needed are read."""
    return _source("parquet", {"path": _paths(path), **options})


def read_json(path: Path, **options: Any) -> DataFrame:
    """The rows of JSON files with one object a line."""
    return _source("json", {"path": _paths(path), **options})


def read_csv(path: Path, **options: Any) -> DataFrame:
    """The rows of CSV files."""
    return _source("csv", {"path": _paths(path), **options})


def read_video_frames(
    source: Path | DataFrame,
    video_column: str | None = None,
    *,
    frame_selector: str = "all_frames",
    sample_interval_ms: int | None = None,
    max_frames: int | None = None,
    image_height: int | None = None,
    image_width: int | None = None,
    on_error: str = "raise",
) -> DataFrame:
    """One row a frame of videos: the columns of the source, the picture and its metadata.

    ``source`` is a path as for ``read_files``, or a data frame whose ``video_column`` names videos.
    ``frame_selector``: "all_frames", "keyframe" or "sample" (each ``sample_interval_ms``)."""
    if isinstance(source, DataFrame):
        if video_column is None:
            raise TypeError("read_video_frames: name the column of the videos: video_column='file'")
        frame, column = source, video_column
    else:
        if video_column is not None:
            raise TypeError("read_video_frames: video_column is for a data frame; with a path it is 'file'")
        frame, column = read_files(source), "file"
    options = {
        "frame_selector": frame_selector,
        "sample_interval_ms": sample_interval_ms,
        "max_frames": max_frames,
        "image_height": image_height,
        "image_width": image_width,
        "on_error": on_error,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return frame.join_lateral(TableCall(call("video.explode_frames", col(column), **given).to_json()))


def range(start_or_end: int, end: int | None = None, step: int = 1) -> DataFrame:
    """Whole numbers from start up to, not including, end in the column ``id``."""
    start, stop = (0, start_or_end) if end is None else (start_or_end, end)
    if step == 0:
        raise ValueError("range: step must not be 0")
    return _source("range", {"start": start, "end": stop, "step": step})


def from_arrow(data: Any, schema: Sequence[str] | None = None) -> DataFrame:
    """A table of pyarrow, or of anything that exports Arrow (Polars, DuckDB, …). ``schema`` renames the columns."""
    import pyarrow as pa

    import mainstem.arrow_types  # noqa: F401 - extension types must be known before a table is read

    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if not isinstance(data, pa.Table):
        if not hasattr(data, "__arrow_c_stream__"):
            raise TypeError(f"from_arrow takes a table with __arrow_c_stream__, not a {type(data).__name__}")
        data = pa.table(data)
    if schema is not None:
        if len(schema) != data.num_columns:
            raise ValueError(f"schema has {len(schema)} names for {data.num_columns} columns")
        data = data.rename_columns(list(schema))
    return _memory(data)


def from_pandas(data: Any, schema: Sequence[str] | None = None) -> DataFrame:
    """A pandas table; columns of objects may hold pictures, files, sound and arrays. ``schema`` renames the columns."""
    names = [str(name) for name in data.columns] if schema is None else list(schema)
    if len(names) != len(data.columns):
        raise ValueError(f"schema has {len(names)} names for {len(data.columns)} columns")
    import pyarrow as pa

    def column(series: Any) -> Any:
        if series.dtype == object:
            from mainstem.python_values import arrow_array

            return arrow_array([None if _is_missing(value) else value for value in series.tolist()])
        return pa.Array.from_pandas(series)

    arrays = [column(data.iloc[:, index]) for index, _ in enumerate(names)]
    return _memory(_table(names, arrays))


def from_dict(data: Mapping[str, Iterable[Any]], schema: Sequence[str] | None = None) -> DataFrame:
    """Columns by name. Values may be pictures, files, sound and arrays. ``schema`` selects columns."""
    from mainstem.python_values import arrow_array

    names = list(data) if schema is None else list(schema)
    missing = [name for name in names if name not in data]
    if missing:
        raise KeyError(f"from_dict: there is no column '{missing[0]}'")
    columns = {name: list(data[name]) for name in names}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"columns have different lengths: {', '.join(f'{n} {len(v)}' for n, v in columns.items())}")
    return _memory(_table(names, [arrow_array(values) for values in columns.values()]))


def from_records(data: Iterable[Any], schema: Sequence[str] | None = None) -> DataFrame:
    """Rows as dicts, or as tuples with their names in ``schema``. For dicts ``schema`` selects columns."""
    rows = list(data)
    if all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(name for row in rows for name in row)) if schema is None else list(schema)
        return from_dict({name: [row.get(name) for row in rows] for name in names})
    if schema is None:
        raise TypeError("from_records: rows that are not dicts need their column names: schema=['a', 'b']")
    for row in rows:
        if len(row) != len(schema):
            raise ValueError(f"from_records: a row has {len(row)} values for {len(schema)} columns")
    return from_dict({name: [row[index] for row in rows] for index, name in enumerate(schema)})


def path_text(path: str | os.PathLike[str]) -> str:
    """A path as text; ``~`` is the home folder."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"expected a path, not {path!r}")
    return os.path.expanduser(os.fspath(path))


def _paths(path: Path) -> list[str]:
    if isinstance(path, (str, os.PathLike)):
        return [path_text(path)]
    paths = [path_text(entry) for entry in path]
    if not paths:
        raise ValueError("expected at least one path")
    return paths


def _source(connector: str, options: dict[str, Any]) -> DataFrame:
    given = {name: option_value(value) for name, value in options.items()}
    return DataFrame(Node("source", {"connector": connector, "options": given}))


def _generated(name: str, field: str | DataType | Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(field) if isinstance(field, Mapping) else {"type": field}
    if "type" not in settings:
        raise ValueError(f"read_datagen: column '{name}' has no type")
    kind = settings["type"]
    return {**settings, "type": kind.to_json() if isinstance(kind, DataType) else kind}


def _memory(table: Any) -> DataFrame:
    return DataFrame(Node("source", {"connector": "memory", "options": {"table": MemoryTable(table)}}))


def _table(names: Sequence[str], arrays: Sequence[Any]) -> Any:
    import pyarrow as pa

    if len(set(names)) != len(names):
        raise ValueError("a column name occurs twice")
    return pa.Table.from_arrays(list(arrays), names=list(names))


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


__all__ = [
    "from_arrow",
    "from_dict",
    "from_pandas",
    "from_records",
    "range",
    "read_csv",
    "read_datagen",
    "read_files",
    "read_json",
    "read_parquet",
    "read_video_frames",
]
