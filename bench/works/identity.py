"""The identity function in user Python over two million rows, on batches and on single rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from works import Case, Work, images


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"x": pyarrow.array(range(parameters["rows"]), pyarrow.int64())})
    pyarrow.parquet.write_table(table, folder / "rows.parquet")


def keep_sum(case: Case, column: Any) -> None:
    """Notes what the check compares."""
    import pyarrow.compute

    found = {"rows": len(column), "sum": pyarrow.compute.sum(column).as_py()}
    (case.out / "sum.json").write_text(json.dumps(found))


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    if case.form == "batch":
        identity = ms.udf(lambda x: x, func_type="arrow", return_dtype=ms.DataType.int64())
    else:
        identity = ms.udf(lambda x: x, return_dtype=ms.DataType.int64())

    def job() -> None:
        frame = ms.read_parquet(str(case.inputs / "rows.parquet"))
        keep_sum(case, frame.select(y=identity(col("x"))).to_arrow()["y"])

    return job, {}


def run_daft(case: Case) -> Any:
    import daft
    from daft import DataType, Series, col

    if case.form == "batch":

        @daft.func.batch(return_dtype=DataType.int64(), use_process=False)
        def identity(x: Series) -> Series:
            return x

    else:

        @daft.func(use_process=False)
        def identity(x: int) -> int:
            return x

    def job() -> None:
        frame = daft.read_parquet(str(case.inputs / "rows.parquet"))
        keep_sum(case, frame.select(identity(col("x")).alias("y")).to_arrow()["y"])

    return job, {"use_process": False}


def run_ray(case: Case) -> Any:
    ray = images.start_ray()

    def job() -> None:
        import pyarrow

        rows = ray.data.read_parquet(str(case.inputs / "rows.parquet"))
        if case.form == "batch":
            rows = rows.map_batches(lambda batch: batch, batch_format="pyarrow")
        else:
            rows = rows.map(lambda row: row)
        tables = [ray.get(reference) for reference in rows.to_arrow_refs()]
        keep_sum(case, pyarrow.concat_tables(tables)["x"])

    return job, {"batch_format": "pyarrow" if case.form == "batch" else "rows"}


def check(case: Case) -> str:
    found = json.loads((case.out / "sum.json").read_text())
    assert found == {"rows": case.rows, "sum": case.rows * (case.rows - 1) // 2}, f"found {found}"
    return f"{found['rows']} rows, sum {found['sum']}"


_COMMON: dict[str, Any] = {
    "engines": {"mainstem": run_mainstem, "daft": run_daft, "ray": run_ray},
    "peers": ("daft", "ray"),
    "prepare": prepare,
    "check": check,
    "full": {"rows": 2_000_000},
    "quick": {"rows": 200_000},
}
WORK = Work(
    name="identity",
    title="identity Python function over 2 M rows",
    target="≥ 1 × the best peer on batches, ≥ 1.5 × on rows",
    variants=({"form": "batch"}, {"form": "row", "must_reach": 1.5}),
    **_COMMON,
)
