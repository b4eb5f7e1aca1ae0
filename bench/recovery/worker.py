"""A killed worker: from SIGKILL to the first reply of its replacement, and to the replies to the calls it held.

Two workers of a Python function write down each call they begin and end; one is killed in the middle of a call.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from recovery.figures import Figure, seconds
from recovery.processes import Setting, fresh, run

ROWS = 40_000


def job(request: dict[str, Any]) -> dict[str, Any]:
    import threading

    import mainstem as ms
    from mainstem import col

    ms.config.set("progress", False)
    notes = request["notes"]

    @ms.udf(func_type="arrow", return_dtype=ms.DataType.int64(), batch_size=50, concurrency=2)
    class Model:
        def __init__(self) -> None:
            self.file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def __call__(self, ids):
            first = ids[0].as_py()
            os.write(self.file, f"{time.monotonic()} begin {os.getpid()} {first}\n".encode())
            time.sleep(0.02)
            os.write(self.file, f"{time.monotonic()} end {os.getpid()} {first}\n".encode())
            return ids

    killed: list[tuple[float, int]] = []

    def kill() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.05)
            lines = [line.split() for line in Path(notes).read_text().splitlines()] if Path(notes).exists() else []
            if len(lines) < 80:
                continue
            _, kind, process, _ = lines[-1]
            if kind == "begin":  # it is in a call
                killed.append((time.monotonic(), int(process)))
                os.kill(int(process), signal.SIGKILL)
                return

    killer = threading.Thread(target=kill)
    killer.start()
    running = ms.range(ROWS).select("id", answer=Model()(col("id"))).write_parquet(request["out"], wait=False)
    running.wait()
    killer.join()
    service = running.report()["services"][0]
    return {"killed": killed, "lost": service["replicas_lost"], "started": service["replicas_started"]}


def measure(setting: Setting) -> list[Figure]:
    import pyarrow.dataset

    replaced, resent = [], []
    for _ in range(setting.rounds):
        folder = fresh("worker")
        notes = folder / "notes"
        answer, _ = run(setting, "worker", {"notes": str(notes), "out": str(folder / "out")})
        at, victim = answer["killed"][0]
        assert answer["lost"] == 1, f"{answer['lost']} workers were lost"
        ids = pyarrow.dataset.dataset(folder / "out", format="parquet").to_table()["id"].to_pylist()
        assert sorted(ids) == list(range(ROWS)), "rows were lost or repeated"
        calls = [line.split() for line in notes.read_text().splitlines()]
        before = {process for when, _, process, _ in calls if float(when) <= at}
        ends = [(float(when), process, first) for when, kind, process, first in calls if kind == "end"]
        begun = {first for _, kind, process, first in calls if kind == "begin" and process == str(victim)}
        open_calls = begun - {first for _, process, first in ends if process == str(victim)}
        assert open_calls, "the worker was in no call"
        replaced.append(min(when for when, process, _ in ends if process not in before) - at)
        resent.append(max(when for when, _, first in ends if first in open_calls) - at)
        print(f"worker: replaced after {replaced[-1]:.3f} s, its calls answered after {resent[-1]:.3f} s", flush=True)
    detail = f"{ROWS} rows, each once; each call of 50 rows takes 20 ms; one worker of two"
    return [
        Figure("worker", "SIGKILL of a worker to its replacement's first reply", "≤ 1 s", seconds(replaced),
               max(replaced) <= 1, [detail]),
        Figure("worker", "SIGKILL of a worker to the last reply of the calls it held", "≤ 1 s", seconds(resent),
               max(resent) <= 1),
    ]  # fmt: skip
