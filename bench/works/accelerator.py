"""2 ms CPU a row → an emulated accelerator → 1 ms CPU a row, all in user Python.

The accelerator takes one batch of at most 64 rows at a time, for 5 ms and b ms a row, and no CPU. The CPU work is
measured in the thread's own CPU time, so that it is the same work however busy the cores are; with gil=held it never
lets another thread of its process run, with gil=free it does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from works import Case, Work, images

BATCH = 64
BASE_MS = 5.0
BEFORE_MS, AFTER_MS = 2.0, 1.0
BLOCK = bytes(64 * 1024)
TOKEN = Path(tempfile.gettempdir()) / f"mainstem-bench-token-{os.getuid()}"


def work_cpu(milliseconds: float, gil: str) -> None:
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        if gil == "free":
            hashlib.sha256(BLOCK)


def accelerate(rows: int, b: float) -> None:
    """Holds the one token for the time that the batch takes."""
    assert rows <= BATCH
    with TOKEN.open("w") as token:
        fcntl.flock(token, fcntl.LOCK_EX)
        time.sleep((BASE_MS + b * rows) / 1000)


def optimum(case: Case) -> float:
    """Seconds that no schedule can beat."""
    cpu = case.rows * (BEFORE_MS + AFTER_MS) / 1000 / images.CORES
    return float(max(cpu, (-(-case.rows // BATCH) * BASE_MS + case.rows * case.b) / 1000))


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"x": pyarrow.array(range(parameters["rows"]), pyarrow.int64())})
    pyarrow.parquet.write_table(table, folder / "rows.parquet")


def run_mainstem(case: Case) -> Any:
    import pyarrow
    import pyarrow.compute

    import mainstem as ms
    from mainstem import col

    gil, b = case.gil, case.b

    @ms.udf
    def before(x: int) -> int:
        work_cpu(BEFORE_MS, gil)
        return 2 * x

    @ms.udf(func_type="arrow", return_dtype=ms.DataType.int64(), batch_size=BATCH, concurrency=1)
    def model(x: Any) -> Any:
        accelerate(len(x), b)
        return pyarrow.compute.add(x, 1)

    @ms.udf
    def after(x: int) -> int:
        work_cpu(AFTER_MS, gil)
        return x

    def job() -> Any:
        frame = ms.read_parquet(str(case.inputs / "rows.parquet"))
        frame.select(y=after(model(before(col("x"))))).write_parquet(str(case.out))
        return {"optimum": optimum(case)}

    return job, {"batch_size": BATCH, "concurrency": "default, 1, default"}


def run_daft(case: Case) -> Any:
    import daft
    from daft import DataType, Series, col

    gil, b = case.gil, case.b
    processes = gil == "held"

    @daft.cls(use_process=processes, max_concurrency=images.CORES)
    class Before:
        @daft.method(return_dtype=DataType.int64())
        def __call__(self, x: int) -> int:
            work_cpu(BEFORE_MS, gil)
            return 2 * x

    @daft.cls(max_concurrency=1, use_process=processes)
    class Model:
        @daft.method.batch(return_dtype=DataType.int64(), batch_size=BATCH)
        def __call__(self, x: Series) -> Any:
            accelerate(len(x), b)
            return [value + 1 for value in x.to_pylist()]

    @daft.cls(use_process=processes, max_concurrency=images.CORES)
    class After:
        @daft.method(return_dtype=DataType.int64())
        def __call__(self, x: int) -> int:
            work_cpu(AFTER_MS, gil)
            return x

    def job() -> Any:
        frame = daft.read_parquet(str(case.inputs / "rows.parquet")).into_batches(BATCH)
        frame = frame.with_column("a", Before()(col("x"))).with_column("m", Model()(col("a")))
        frame.select(After()(col("m")).alias("y")).write_parquet(str(case.out))
        return {"optimum": optimum(case)}

    settings = {
        "into_batches": BATCH,
        "use_process": processes,
        "max_concurrency": f"{images.CORES}, 1, {images.CORES}",
    }
    return job, settings


def run_ray(case: Case) -> Any:
    ray = images.start_ray()
    gil, b = case.gil, case.b

    def before(batch: dict[str, Any]) -> dict[str, Any]:
        for _ in batch["x"]:
            work_cpu(BEFORE_MS, gil)
        return {"x": 2 * batch["x"]}

    class Model:
        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            accelerate(len(batch["x"]), b)
            return {"x": batch["x"] + 1}

    def after(batch: dict[str, Any]) -> dict[str, Any]:
        for _ in batch["x"]:
            work_cpu(AFTER_MS, gil)
        return {"y": batch["x"]}

    def job() -> Any:
        rows = ray.data.read_parquet(str(case.inputs / "rows.parquet")).repartition(-(-case.rows // BATCH))
        rows = rows.map_batches(before, batch_size=BATCH)
        rows = rows.map_batches(Model, batch_size=BATCH, concurrency=1, num_cpus=0)
        rows.map_batches(after, batch_size=BATCH).write_parquet(str(case.out))
        return {"optimum": optimum(case)}

    return job, {"blocks": f"of {BATCH} rows", "model": "one actor with num_cpus 0"}


def check(case: Case) -> str:
    import pyarrow.dataset

    found = pyarrow.dataset.dataset(case.out, format="parquet", exclude_invalid_files=True).to_table()["y"].to_pylist()
    assert sorted(found) == [2 * x + 1 for x in range(case.rows)], "other values than 2x + 1"
    return f"{len(found)} rows; optimum {optimum(case):.2f} s"


WORK = Work(
    name="accelerator",
    title="2 ms CPU → emulated accelerator → 1 ms CPU, user Python",
    target="≥ 0.95 of the optimum, GIL held or not",
    engines={"mainstem": run_mainstem, "daft": run_daft, "ray": run_ray},
    peers=("daft", "ray"),
    prepare=prepare,
    check=check,
    full={"rows": 3000},
    quick={"rows": 500},
    variants=tuple({"b": b, "gil": gil} for gil in ("free", "held") for b in (0.25, 0.5, 1, 2, 4)),
    ratio=0.0,
    bound=("optimum", 0.95),
)
