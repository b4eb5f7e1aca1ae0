"""Resuming a job of N finished rows: time and memory against N, for Mainstem and for its peers' own resume.

The work: Parquet files of ids → a function (id → 2 · id) → Parquet. Mainstem is killed by SIGKILL when a checkpoint
covers the N rows; the peers have run to the end on the N rows with what they document for resuming (Daft: a
CheckpointStore with keys "id", on its Ray runner, the only one that has it; Ray Data: its checkpoint_config with
the id column). Then the same job runs with 1,000 more rows. Timed from the start of the process to the function's first
new row, and to the end.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from recovery.figures import Figure
from recovery.processes import FOLDER, Setting, fresh, run, run_and_kill

EXTRA = 1000
FILE_ROWS = 100_000


def job(request: dict[str, Any]) -> dict[str, Any]:
    return {"mainstem": _mainstem, "daft": _daft, "ray": _ray}[request["engine"]](request)


def _mainstem(request: dict[str, Any]) -> dict[str, Any]:
    import mainstem as ms
    from mainstem import col

    ms.config.set("progress", False)
    ms.config.set("parallelism", 1)  # files one after the other: the new rows are then in a call of their own
    noted, new, gate = request["note"], request["rows"], request["gate"]

    @ms.udf(func_type="numpy", return_dtype=ms.DataType.int64(), batch_size=EXTRA)
    def twice(ids):
        if ids[-1] >= new:
            while not os.path.exists(gate):  # in the run that is killed, the new rows never come
                time.sleep(0.02)
            if not os.path.exists(noted):
                Path(noted).write_text(str(time.monotonic()))
        return 2 * ids

    running = (
        ms.read_parquet(f"{request['inputs']}/*.parquet")
        .select("id", twice=twice(col("id")))
        .write_parquet(
            request["out"], wait=False, job_name="bench", checkpoint=ms.Checkpoint(request["state"], every="500ms")
        )
    )
    running.wait()
    return {"restored": running.report()["restored_rows"]}


def _daft(request: dict[str, Any]) -> dict[str, Any]:
    import daft

    daft.set_runner_ray()
    noted, new = request["note"], request["rows"]

    @daft.func.batch(return_dtype=daft.DataType.int64())
    def twice(ids: daft.Series) -> daft.Series:
        values = ids.to_arrow().to_numpy()
        if len(values) and values.max() >= new and not os.path.exists(noted):
            Path(noted).write_text(str(time.monotonic()))
        return daft.Series.from_numpy(2 * values)

    config = daft.CheckpointConfig(store=daft.CheckpointStore(f"file://{request['state']}"), on="id")
    frame = daft.read_parquet(f"{request['inputs']}/*.parquet", checkpoint=config)
    frame.with_column("twice", twice(daft.col("id"))).write_parquet(request["out"])
    return {}


def _ray(request: dict[str, Any]) -> dict[str, Any]:
    import logging

    import ray
    from ray.data.checkpoint import CheckpointConfig

    ray.init(num_cpus=os.cpu_count(), include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.checkpoint_config = CheckpointConfig("id", request["state"], delete_checkpoint_on_success=False)
    noted, new = request["note"], request["rows"]

    def twice(batch: dict[str, Any]) -> dict[str, Any]:
        if len(batch["id"]) and batch["id"].max() >= new and not os.path.exists(noted):
            Path(noted).write_text(str(time.monotonic()))
        return {"id": batch["id"], "twice": 2 * batch["id"]}

    ray.data.read_parquet(request["inputs"]).map_batches(twice).write_parquet(request["out"])
    return {}


def _write(folder: Path, start: int, end: int) -> None:
    import pyarrow
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    for first in range(start, end, FILE_ROWS):
        table = pyarrow.table({"id": pyarrow.array(range(first, min(end, first + FILE_ROWS)), pyarrow.int64())})
        pyarrow.parquet.write_table(table, folder / f"{first:010}.parquet")


def _check(out: Path, rows: int) -> None:
    import numpy
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(out, format="parquet", exclude_invalid_files=True).to_table()
    ids = table["id"].to_numpy()
    assert len(ids) == rows, f"{len(ids)} rows of {rows}"
    assert (numpy.sort(ids) == numpy.arange(rows)).all() and (table["twice"].to_numpy() == 2 * ids).all(), "wrong rows"


def _finish_rows(setting: Setting, request: dict[str, Any], folder: Path) -> None:
    """Leaves the engine where N rows are finished."""
    engine, rows = request["engine"], request["rows"]
    if engine != "mainstem":
        run(setting, "resume", request, peer=True)
        _write(folder / "in", rows, rows + EXTRA)
        return
    import mainstem as ms

    _write(folder / "in", rows, rows + EXTRA)

    def covered() -> bool:
        if not (folder / "state" / "bench").exists():
            return False
        (found,) = ms.checkpoint.jobs(folder / "state")
        return any(one.get("counters", {}).get("rows_written", 0) == rows for one in found["checkpoints"])

    run_and_kill(setting, "resume", request, covered)


def measure(setting: Setting) -> list[Figure]:
    counts = setting.parameters.get("counts") or ([10**4, 10**5] if setting.quick else [10**4, 10**5, 10**6, 10**7])
    engines = setting.parameters.get("engines", ("mainstem", "daft", "ray"))
    figures = []
    for engine in engines:
        firsts: dict[int, float] = {}
        texts, peaks = [], {}
        for rows in counts:
            times, ends, memory, error = [], [], [], ""
            for _ in range(setting.rounds if engine == "mainstem" else 1):
                try:
                    first, end, peak = _one(setting, engine, rows)
                except (RuntimeError, AssertionError) as failure:
                    error = str(failure)
                    print(f"resume {engine} {rows}: {error}", flush=True)
                    break
                times.append(first)
                ends.append(end)
                memory.append(peak / 2**20)
                print(
                    f"resume {engine} {rows}: first new row {first:.2f} s, end {end:.2f} s, {memory[-1]:.0f} MiB",
                    flush=True,
                )
            if error:
                texts.append(f"{rows:,} rows: failed ({error})")
                continue
            firsts[rows], peaks[rows] = statistics.median(times), statistics.median(memory)
            texts.append(f"{rows:,} rows: first new row {firsts[rows]:.2f} s, end {statistics.median(ends):.2f} s, "
                         f"{peaks[rows]:.0f} MiB")  # fmt: skip
        if len(firsts) < 2:
            figures.append(Figure("resume", f"{engine}", "", "–", None, texts))
            continue
        least, most = min(firsts), max(firsts)
        slower, larger = firsts[most] / firsts[least], peaks[most] / peaks[least]
        ours = engine == "mainstem"
        figures.append(
            Figure("resume", f"{engine}: {most:,} finished rows against {least:,}",
                   "flat: ≤ 1.25 × time and memory" if ours else "(side by side)",
                   f"{slower:.2f} × time ({firsts[most]:.2f} s), {larger:.2f} × memory ({peaks[most]:.0f} MiB)",
                   slower <= 1.25 and larger <= 1.25 if ours else None, texts)
        )  # fmt: skip
    return figures


def _one(setting: Setting, engine: str, rows: int) -> tuple[float, float, int]:
    folder = fresh("resume")
    ready = FOLDER / f"ids-{rows}"
    if not ready.exists():
        _write(fresh(f"ids-{rows}.partial"), 0, rows)
        (FOLDER / f"ids-{rows}.partial").rename(ready)
    shutil.copytree(ready, folder / "in", copy_function=os.link)
    request = {"engine": engine, "rows": rows, "inputs": str(folder / "in"), "out": str(folder / "out"),
               "state": str(folder / "state"), "note": str(folder / "note"), "gate": str(folder / "gate")}  # fmt: skip
    _finish_rows(setting, request, folder)
    (folder / "note").unlink(missing_ok=True)
    (folder / "gate").touch()
    answer, measured = run(setting, "resume", request, peer=engine != "mainstem")
    if engine == "mainstem":
        assert answer["restored"] == rows, f"{answer['restored']} rows restored"
    _check(folder / "out", rows + EXTRA)
    return float((folder / "note").read_text()) - measured.started, measured.seconds, measured.peak_bytes
