"""How long a checkpoint takes under a model 100 times slower, unaligned against aligned.

Two sources of 5,000 rows a second, of 1 KiB each, come together (a union) in front of a function that sleeps 1 ms or
100 ms a batch of 64 rows: the one keeps up (64,000 rows/s), the other (640 rows/s) has full channels in front of it.
Durations are those in the checkpoints' manifests, without each run's first: the channels are empty then. A checkpoint
that is under way when the run ends counts with the time it has taken so far.
"""

from __future__ import annotations

import contextlib
import statistics
from typing import Any

from recovery.figures import Figure
from recovery.processes import Setting, fresh, run

SECONDS = 12
KINDS = {"unaligned": 0, "aligned": None}


def job(request: dict[str, Any]) -> dict[str, Any]:
    import time

    import mainstem as ms
    from mainstem import col

    ms.config.set("progress", False)
    pause = request["sleep_ms"] / 1000

    @ms.udf(func_type="arrow", return_dtype=ms.DataType.int64(), batch_size=64, concurrency=1)
    def model(ids, texts):
        time.sleep(pause)
        return ids

    def source(start: int) -> Any:
        columns = {
            "id": {"type": "int64", "kind": "sequence", "start": start},
            "text": {"type": "string", "length": 1024},
        }
        return ms.read_datagen(columns, number_of_rows=10**7, rows_per_second=5000)  # more than there is time for

    checkpoint = ms.Checkpoint(
        request["state"], every="500ms", retained=10_000, unaligned_after=KINDS[request["kind"]], timeout="5min"
    )
    running = (
        source(0)
        .union_all(source(10**7))
        .select("id", answer=model(col("id"), col("text")))
        .write_parquet(request["out"], wait=False, job_name="bench", checkpoint=checkpoint)
    )
    running.wait(request["seconds"])
    ended = time.time_ns()
    report = running.report()
    running.cancel()
    with contextlib.suppress(ms.CancelledError):
        running.wait(60)
    listed = ms.checkpoint.jobs(request["state"], verify=True)[0]["checkpoints"]
    tasks = 1 + max(one["task"] for one in report["operators"])
    return {"report": report, "tasks": tasks, "checkpoints": listed, "ended_ns": ended}


def measure(setting: Setting) -> list[Figure]:
    length = 5 if setting.quick else SECONDS
    figures: list[Figure] = []
    ratios = {}
    for kind in KINDS:
        durations: dict[int, list[float]] = {1: [], 100: []}
        sizes: dict[int, list[int]] = {1: [], 100: []}
        unfinished: dict[int, list[float]] = {1: [], 100: []}
        for _ in range(setting.rounds):
            for sleep_ms in durations:
                folder = fresh("duration")
                request = {"kind": kind, "sleep_ms": sleep_ms, "seconds": length, "out": str(folder / "out"),
                           "state": str(folder / "state")}  # fmt: skip
                answer, _ = run(setting, "duration", request)
                assert answer["tasks"] > 1, "one task has no channels to align"
                taken = [one for one in answer["checkpoints"] if "damage" not in one]
                assert len(taken) == len(answer["checkpoints"]), "a checkpoint is damaged"
                taken = [one for one in taken if one["started_ns"] < answer["ended_ns"] and one["checkpoint"] > 1]
                durations[sleep_ms] += [one["duration_s"] for one in taken]
                sizes[sleep_ms] += [one["bytes"] for one in taken]
                after = max((one["started_ns"] / 1e9 + max(0.5, one["duration_s"]) for one in taken), default=0.0)
                waited = answer["ended_ns"] / 1e9 - max(after, answer["ended_ns"] / 1e9 - length + 1)
                if waited > 1:
                    unfinished[sleep_ms].append(waited)
                print(f"duration {kind}, {sleep_ms} ms a batch: {len(taken)} checkpoints, "
                      f"{[round(one['duration_s'], 3) for one in taken][:8]}", flush=True)  # fmt: skip
        texts = []
        for sleep_ms, found in durations.items():
            text = f"{sleep_ms} ms a batch: "
            if found:
                text += f"{len(found)} checkpoints, {statistics.median(found) * 1e3:.0f} ms"
                text += f" (longest {max(found) * 1e3:.0f}), {statistics.median(sizes[sleep_ms]) / 2**20:.1f} MiB"
            if unfinished[sleep_ms]:
                text += f"{' and ' if found else ''}{len(unfinished[sleep_ms])} not complete after "
                text += f"{statistics.median(unfinished[sleep_ms]):.1f} s, when the run ended"
            texts.append(text)
        under_load = durations[100] + unfinished[100]
        ratios[kind] = statistics.median(under_load) / statistics.median(durations[1])
        more = "≥ " if unfinished[100] else ""
        met = ratios[kind] <= 1.5 if kind == "unaligned" else None
        figures.append(
            Figure("duration", f"{kind} checkpoint under a model 100 times slower", "≤ 1.5 × the unloaded one"
                   if kind == "unaligned" else "(side by side)", f"{more}{ratios[kind]:.2f} ×", met, ["; ".join(texts)])
        )  # fmt: skip
    return figures
