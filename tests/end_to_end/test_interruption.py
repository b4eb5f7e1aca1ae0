"""Jobs that are stopped: by Ctrl-C, by leaving a loop, by cancel; and several at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from inputs import photo_folder
from traces import children, eventually, files_below, shared_memory

import mainstem as ms
from mainstem import col

PRELUDE = """
import signal
import time
import mainstem as ms
from mainstem import col

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

@ms.udf(batch_size=4)
def slow(x: int) -> int:
    print("running", flush=True)
    time.sleep({pause})
    return x

frame = ms.range(1_000_000).select(y=slow(col("id")))
"""

SCRIPTS = {
    "collect": "frame.collect()",
    "write": "frame.write_parquet({out!r})",
    "iterate": "for row in frame.iter_rows(): pass",
    "stream": "for batch in frame.iter_batches(batch_size=1): pass",
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("pause", [0.01, 1000])
def test_ctrl_c_ends_a_script_at_once(tmp_path: Path, script: str, pause: float) -> None:
    memory = shared_memory()
    path = tmp_path / "script.py"
    path.write_text(PRELUDE.format(pause=pause) + SCRIPTS[script].format(out=str(tmp_path / "out")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(ms.__file__).parents[1]), *sys.path])}
    # A group of its own, as a terminal makes it: Ctrl-C reaches the workers too.
    process = subprocess.Popen(
        [sys.executable, str(path)], stderr=subprocess.PIPE, env=environment,
        process_group=0, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert "running" in process.stderr.readline()
        workers = children(process.pid)
        assert workers
        os.killpg(process.pid, signal.SIGINT)
        started = time.monotonic()
        _, errors = process.communicate(timeout=20)
        took = time.monotonic() - started
    finally:
        process.kill()
    assert took < 2, errors
    assert process.returncode in (130, -signal.SIGINT, 1)
    assert errors.count("Traceback") == 1, errors  # the user's own
    assert "KeyboardInterrupt" in errors
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert [name for name in files_below(tmp_path) if name not in ("script.py", "out")] == []
    assert shared_memory() <= memory


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_script_that_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    memory = shared_memory()
    path = tmp_path / "script.py"
    path.write_text(PRELUDE.format(pause=1000) + "frame.collect()")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(ms.__file__).parents[1]), *sys.path])}
    with subprocess.Popen([sys.executable, str(path)], stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stderr is not None
        assert "running" in process.stderr.readline()
        workers = children(process.pid)
        os.kill(process.pid, how)
        process.wait(10)
    assert workers
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert shared_memory() <= memory


def pause(x: int) -> int:
    time.sleep(0.005)
    return x


def many_numbers() -> ms.DataFrame:
    """More rows than any test waits for, in small batches."""
    return ms.from_arrow(pa.table({"id": pa.chunked_array([range(i * 50, i * 50 + 50) for i in range(2000)])}))


slow = ms.udf(pause, return_dtype=ms.DataType.int64(), batch_size=8)


def test_leaving_a_loop_ends_the_job(profile: str) -> None:
    with many_numbers().select(y=slow(col("id"))).iter_rows() as rows:
        assert next(rows).y == 0
    assert eventually(lambda: not children())


def test_an_iterator_that_is_dropped_ends_its_job() -> None:
    rows = many_numbers().select(y=slow(col("id"))).iter_rows()
    next(rows)
    del rows
    assert eventually(lambda: not children())


def test_a_cancelled_write_leaves_nothing(profile: str, tmp_path: Path) -> None:
    job = many_numbers().select(y=slow(col("id"))).write_parquet(tmp_path / "out", wait=False)
    assert not job.wait(0.5)
    job.cancel()
    with pytest.raises(ms.CancelledError):
        job.wait(5)
    assert [name for name in files_below(tmp_path) if name != "out"] == []


def test_two_jobs_run_side_by_side(profile: str, tmp_path: Path) -> None:
    paths = photo_folder(tmp_path / "in", 9)
    pictures = ms.read_files(tmp_path / "in").select(small=col("file").image.decode().image.resize(8, 8))
    numbers = ms.range(300).select(y=slow(col("id")))
    results: dict[str, list[object]] = {}

    def run(name: str, frame: ms.DataFrame) -> None:
        results[name] = [list(frame.collect()) for _ in range(2)]

    threads = [
        threading.Thread(target=run, args=(name, frame))
        for name, frame in [("pictures", pictures), ("numbers", numbers), ("more", numbers)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(rows) for rows in results["pictures"]] == [len(paths)] * 2  # type: ignore[arg-type]
    assert results["numbers"][0] == results["more"][1] == [{"y": x} for x in range(300)]


def test_a_failing_job_does_not_disturb_another(tmp_path: Path) -> None:
    good = ms.range(600).select(y=slow(col("id"))).write_parquet(tmp_path / "good", wait=False)
    for _ in range(3):
        with pytest.raises(ms.RowError):
            ms.from_dict({"data": [b"junk"]}).select(x=col("data").image.decode()).collect()
    good.wait()
    assert ms.read_parquet(tmp_path / "good").count() == 600


def test_two_writers_append_to_one_folder(tmp_path: Path) -> None:
    jobs = [
        ms.range(start, start + 100).select(y=slow(col("id"))).write_parquet(tmp_path / "out", wait=False)
        for start in (0, 100, 200)
    ]
    for job in jobs:
        job.wait()
    found = ms.read_parquet(tmp_path / "out").sort("y").to_arrow().column("y").to_pylist()
    assert found == list(range(300))


def test_many_small_jobs_leave_no_threads_or_files_open() -> None:
    def opened() -> tuple[int, int]:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    for _ in range(5):
        ms.range(10).select(y=slow(col("id"))).collect()
    before = opened()
    for _ in range(8):
        ms.range(10).select(y=slow(col("id"))).collect()
        ms.range(10).filter(col("id") > 3).sort("id").take(2)
    after = opened()
    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + 2
