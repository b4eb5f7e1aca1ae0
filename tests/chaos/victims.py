"""The script of a job that gets killed: ``victims.py KIND FOLDER``. Each kind is a function below.

What a job makes of a row is simple enough for expected.py to work out again without the engine. User functions note
each call in FOLDER/calls before they answer it and in FOLDER/answers when they do: key, process, monotonic ns."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import mainstem as ms
from mainstem import col

folder = Path(sys.argv[2])
given = json.loads((folder / "given.json").read_text())
rows, pause = given.get("rows", 0), given.get("pause", 0.0)


if given.get("rescaled"):
    ms.config.set("parallelism", int((folder / "parallelism").read_text()))


def note(file: str, key: object) -> None:
    """One line in one write: lines of several processes do not mix."""
    handle = os.open(f"{folder}/{file}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, f"{key} {os.getpid()} {time.monotonic_ns()}\n".encode())
    os.close(handle)


def answered(x: int) -> str:
    """What every user function here returns, with its call noted."""
    note("calls", x)
    time.sleep(pause)
    note("answers", x)
    return f"{x * 7919 % 1_000_003:x}"


def checkpoint() -> ms.Checkpoint:
    return ms.Checkpoint(folder / "state", **{"every": "60ms", "restart_delay": "50ms", **given.get("checkpoint", {})})


def run(frame: ms.DataFrame, writes: str, target: object = None, **options: object) -> None:
    """Says that it begins, runs the job, and leaves its report behind."""
    note("begun", given["kind"])
    write = getattr(frame, f"write_{writes}")
    job = write(target or folder / "out", job_name="victim", checkpoint=checkpoint(), wait=False, **options)
    while True:
        ended = job.wait(0.05)
        (folder / ".report.json").write_text(json.dumps(job.report()))
        (folder / ".report.json").rename(folder / "report.json")
        if ended:
            return


def function(**settings: object):
    return ms.udf(**{"batch_size": 10, "concurrency": 2, **given.get("udf", {}), **settings})


def numbers() -> None:
    """Whole numbers through a slow function: pointwise, bounded."""

    @function()
    def f(x: int) -> str:
        return answered(x)

    run(ms.range(rows).with_column("y", f(col("id"))), "parquet", mode="error")


def journal() -> None:
    """The same with a journal."""

    @function(journal="v1")
    def f(x: int) -> str:
        return answered(x)

    run(ms.range(rows).with_column("y", f(col("id"))), "parquet", mode="error", journal=folder / "journal")


def pictures() -> None:
    """Files, decoded, made smaller, encoded again."""

    @function()
    def name(path: str) -> str:
        time.sleep(pause)
        return path

    frame = ms.read_files(folder / "in" / "*.png").select(name=col("file").file.name(), file=col("file"))
    frame = frame.select(
        id=name(col("name")), y=col("file").image.decode().image.resize(12, 8).image.encode(format="png")
    )
    run(frame, "parquet", mode="error")


def endless() -> None:
    """Made-up rows without end; somebody asks it to stop."""
    frame = ms.read_datagen({"id": {"type": "int64", "kind": "sequence"}}, rows_per_second=rows)
    run(frame.with_column("y", col("id") * col("id")), "json")


def watched() -> None:
    """New files of a folder, each once."""

    @function()
    def f(path: str) -> str:
        time.sleep(pause)
        return path[::-1]

    frame = ms.read_files(folder / "in" / "*.txt", monitor_interval="50ms")
    frame = frame.select(id=col("file").file.name(), size=col("size"))
    run(frame.with_column("y", f(col("id"))), "json")


def letters() -> None:
    """Every seventh row is set aside."""

    @function(on_error="dead_letter")
    def f(x: int) -> str:
        if x % 7 == 0:
            raise ValueError(f"bad {x};")
        return answered(x)

    frame = ms.range(rows).with_column("y", f(col("id")))
    run(frame, "parquet", mode="error", dead_letters=folder / "bad.jsonl")


def tables(read) -> None:
    """Numbers from files of a format."""

    @function()
    def f(x: int) -> str:
        return answered(x)

    frame = read(folder / "in" / f"*.{given['kind']}")
    run(frame.with_column("y", f(col("id"))), "parquet", mode="error")


def parquet() -> None:
    tables(ms.read_parquet)


def csv() -> None:
    tables(ms.read_csv)


def sort() -> None:
    """Everything in one order: all subtasks meet in one."""

    @function()
    def f(x: int) -> str:
        return answered(x)

    run(ms.range(rows).with_column("y", f(col("id"))).sort("id", descending=True), "parquet", mode="error")


def group() -> None:
    """Counts and sums by key."""

    @function()
    def f(x: int) -> str:
        return answered(x)

    frame = ms.range(rows).with_column("y", f(col("id")))
    frame = frame.group_by(key=col("id") % 17).agg(n=ms.count(), total=col("id").sum, y=col("y").max)
    run(frame, "parquet", mode="error")


def keyed() -> None:
    """Rows spread by their keys, each with its number among those of its key."""

    @function()
    def f(x: int) -> str:
        return answered(x)

    window = ms.Window().partition_by(col("id") % 17)
    frame = ms.range(rows).with_columns(y=f(col("id")), n=ms.row_number().over(window))
    run(frame, "parquet", mode="error")


def limit() -> None:
    """The first rows of many."""

    @function()
    def f(x: int) -> str:
        return answered(x)

    run(ms.range(10**9).with_column("y", f(col("id"))).limit(rows), "parquet", mode="error")


def files() -> None:
    """One file a row."""

    @function()
    def f(x: int) -> str:
        return answered(x)

    frame = ms.range(rows).select(name=f(col("id")), content=f(col("id")))
    run(frame, "files", mode="error", name_column="name", content_column="content")


def delta() -> None:
    """The Delta Lake sink of the examples."""
    from delta_sink import DeltaSink

    @function()
    def f(x: int) -> str:
        return answered(x)

    run(ms.range(rows).with_column("y", f(col("id"))), "sink", DeltaSink(folder / "out"))


def region() -> None:
    """A sink that fails for a moment now and then, so that a part of the job is started again."""
    from delta_sink import DeltaSink, DeltaWriter

    class Moody(DeltaWriter):
        def write(self, batch):
            first = batch["id"][0].as_py()
            if first % 100 < 10 and not os.path.exists(f"{folder}/failed-{first // 100}"):
                open(f"{folder}/failed-{first // 100}", "w").close()
                raise ms.RetryError("not now")
            super().write(batch)

    class MoodySink(DeltaSink):
        def open(self, lane, attempt):
            return Moody(self, lane, attempt)

    @function()
    def f(x: int) -> str:
        return answered(x)

    run(ms.range(rows).with_column("y", f(col("id"))), "sink", MoodySink(folder / "out"))


def model() -> None:
    """A built-in model, in a process of its own."""
    texts = ms.range(rows).select(id=col("id"), text=col("id").cast("string"))
    frame = texts.with_column("v", ms.ai.embed_text(col("text")))
    run(frame.select("id", y=col("id") * col("id"), n=col("v")), "parquet", mode="error")


if __name__ == "__main__":
    kinds = {**globals(), "json": lambda: tables(ms.read_json)}
    kinds[sys.argv[1]]()
