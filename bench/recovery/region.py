"""One lane of a pointwise job fails and restarts; the others' throughput meanwhile against before.

The failure is an `ms.RetryError` of a sink's writer: what a store that is away for a moment looks like to the engine.
The work of a lane is its own thread's (text functions in the lane), so that lanes share nothing but the machine.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from recovery.figures import Figure
from recovery.processes import Setting, fresh, run

LANES = 2
DOWN_S = 2.0  # delay before a region's restart


def job(request: dict[str, Any]) -> dict[str, Any]:
    import mainstem as ms

    ms.config.set("progress", False)
    ms.config.set("parallelism", LANES)
    out = Path(request["out"])
    out.mkdir()
    begun = time.monotonic()
    seen: list[tuple[float, int, int]] = []  # when, lane, rows
    failed: list[float] = []
    opened: list[tuple[float, int]] = []
    lane_that_fails = LANES - 1

    class Writer(ms.SinkWriter):
        def __init__(self, lane: int, stem: str) -> None:
            self.lane, self.stem, self.ids, self.number = lane, stem, [], 0

        def write(self, batch):
            now = time.monotonic()
            if self.lane == lane_that_fails and not failed and now - begun > request["fail_after"]:
                failed.append(now)
                raise ms.RetryError("the store is away")
            seen.append((now, self.lane, batch.num_rows))
            self.ids.append(batch.column("id"))

        def prepare(self):
            import pyarrow as pa

            if not self.ids:
                return []
            name = f"{self.stem}-{self.number}"
            (out / f".{name}").write_bytes(pa.concat_arrays(self.ids).to_numpy().tobytes())
            self.ids, self.number = [], self.number + 1
            return [name]

    class Files(ms.Sink):
        def open(self, lane, attempt):
            opened.append((time.monotonic(), lane))
            return Writer(lane, f"{attempt}-{lane}-{len(opened)}")

        def commit(self, names):
            for name in names:
                if not (out / name).exists():
                    (out / f".{name}").rename(out / name)

    columns = {"id": {"type": "int64", "kind": "sequence"}, "text": {"type": "string", "length": 2000}}
    frame = ms.read_datagen(columns, number_of_rows=request["rows"])
    work = ms.col("text").text.upper()
    for _ in range(request["weight"]):
        work = work.text.lower().text.upper()
    frame = frame.select("id", length=work.text.length())
    checkpoint = ms.Checkpoint(request["state"], every="500ms", restart_delay=DOWN_S)
    running = frame.write_sink(Files(), wait=False, job_name="bench", checkpoint=checkpoint)
    running.wait()
    return {"seen": seen, "failed": failed, "opened": opened, "report": running.report(), "ended": time.monotonic()}


def measure(setting: Setting) -> list[Figure]:
    import numpy

    rows = 1_000_000 if setting.quick else 3_000_000
    shares, downs = [], []
    for _ in range(setting.rounds):
        folder = fresh("region")
        request = {
            "rows": rows,
            "weight": 1,
            "fail_after": 3.0,
            "out": str(folder / "out"),
            "state": str(folder / "state"),
        }
        answer, _ = run(setting, "region", request)
        (failed,) = answer["failed"]
        found = numpy.concatenate([numpy.fromfile(path, "int64") for path in (folder / "out").glob("bench-*")])
        assert len(found) == rows and (numpy.sort(found) == numpy.arange(rows)).all(), "rows were lost or repeated"
        assert answer["report"]["restarts"] == 1
        # The lane is opened again; the other one is not.
        again = [when for when, lane in answer["opened"] if when > failed]
        assert len(again) == 1 and len(answer["opened"]) == LANES + 1, "more than the region was started again"
        window = again[0] - failed
        others = [(when, count) for when, lane, count in answer["seen"] if lane != LANES - 1]
        assert others[-1][0] > again[0], "the other lane had ended: take more rows"
        before = _rate(others, failed - window, failed)
        during = _rate(others, failed, again[0])
        shares.append(during / before)
        downs.append(window)
        print(
            f"region: {before:,.0f} rows/s before, {during:,.0f} while the other lane was down for {window:.2f} s",
            flush=True,
        )
    middle = statistics.median(shares)
    detail = (
        f"{rows} rows, each once; the lane was down for {statistics.median(downs):.2f} s (restart_delay {DOWN_S:g} s); "
        f"shares {', '.join(f'{share:.1%}' for share in shares)}"
    )
    return [Figure("region", "throughput of the other lane while one restarts, against before", "≥ 90 %",
                   f"{middle:.1%}", middle >= 0.9, [detail])]  # fmt: skip


def _rate(batches: list[tuple[float, int]], start: float, end: float) -> float:
    """Rows a second between the first and the last batch inside."""
    inside = [(when, count) for when, count in batches if start <= when < end]
    assert len(inside) > 10, "too few batches to tell"
    return sum(count for _, count in inside[1:]) / (inside[-1][0] - inside[0][0])
