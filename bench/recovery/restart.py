"""A killed job that is started again: from the start of the process to its first new row, less the model's loading.

The model's constructor sleeps a second and writes down how long it took. The first new row is the first that the sink
is given beyond those restored.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from recovery.figures import Figure, seconds
from recovery.processes import Setting, fresh, run, run_and_kill

LOAD_S = 1.0


def job(request: dict[str, Any]) -> dict[str, Any]:
    import mainstem as ms
    from mainstem import col

    ms.config.set("progress", False)
    notes = request["notes"]

    @ms.udf(func_type="arrow", return_dtype=ms.DataType.int64(), batch_size=100, concurrency=2)
    class Model:
        def __init__(self) -> None:
            started = time.monotonic()
            time.sleep(LOAD_S)
            with Path(notes).open("a") as file:
                file.write(f"{started} {time.monotonic()}\n")

        def __call__(self, ids):
            time.sleep(0.01)
            return ids

    running = (
        ms.range(request["rows"])
        .select("id", answer=Model()(col("id")))
        .write_parquet(
            request["out"], wait=False, job_name="bench", checkpoint=ms.Checkpoint(request["state"], every="500ms")
        )
    )
    first = 0.0
    while not running.finished:
        report = running.progress()
        if report["rows"] > report["restored_rows"] and not first:
            first = time.monotonic()
        time.sleep(0.005 if not first else 0.1)
    running.wait()
    return {"first": first, "report": running.report()}


def measure(setting: Setting) -> list[Figure]:
    import pyarrow.dataset

    rows = 60_000 if setting.quick else 100_000
    net, gross = [], []
    for _ in range(setting.rounds):
        folder = fresh("restart")
        notes = folder / "notes"
        request = {"rows": rows, "out": str(folder / "out"), "state": str(folder / "state"), "notes": str(notes)}

        def covered(state: Path = folder / "state", notes: Path = notes) -> bool:
            numbers = [int(path.parent.name.split("-")[1]) for path in state.glob("bench/checkpoint-*/manifest")]
            return notes.exists() and max(numbers, default=0) >= 6

        run_and_kill(setting, "restart", request, covered)
        notes.unlink()
        answer, measured = run(setting, "restart", request)
        assert answer["report"]["restored_rows"] > 0, "it began anew"
        ids = pyarrow.dataset.dataset(folder / "out", format="parquet").to_table()["id"].to_pylist()
        assert sorted(ids) == list(range(rows)), "rows were lost or repeated"
        # The model that is loaded first gives the first row.
        load = min(
            (float(end), float(end) - float(start)) for start, end in map(str.split, notes.read_text().splitlines())
        )
        gross.append(answer["first"] - measured.started)
        net.append(gross[-1] - load[1])
        print(f"restart: first new row after {gross[-1]:.3f} s, {load[1]:.3f} s of it the model's loading", flush=True)
    detail = f"{rows} rows, each once; {seconds(gross)} with the loading of {LOAD_S:g} s"
    return [Figure("restart", "start of the process to the first new row, less the model's loading", "≤ 2 s",
                   seconds(net), max(net) <= 2, [detail])]  # fmt: skip
