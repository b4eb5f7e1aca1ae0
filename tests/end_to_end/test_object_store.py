"""Reading, writing and surviving on an S3 server: what is there is read back with pyarrow, not with the engine."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("moto")
from object_store import BUCKET, Kill, ObjectStore

import mainstem as ms
from mainstem import checkpoint, col

ROWS = 4_000

SCRIPT = f"""
import sys
import mainstem as ms

state, out = sys.argv[1:]
rows = ms.read_datagen({{"n": {{"type": "int64", "kind": "sequence"}}}}, number_of_rows={ROWS}, rows_per_second=4000)
job = rows.write_parquet(out, job_name="numbers", checkpoint=ms.Checkpoint(state, every=0.1, retained=2))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = ObjectStore()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in store.environment.items():
            patch.setenv(name, value)
        yield store
    store.close()


@pytest.fixture
def bucket(server: ObjectStore) -> Iterator[ObjectStore]:
    yield server
    server.kill = server.refuse = None
    server.requests.clear()
    server.client.delete_dir_contents(BUCKET)


def put(bucket: ObjectStore, key: str, content: bytes) -> None:
    with bucket.client.open_output_stream(f"{BUCKET}/{key}") as stream:
        stream.write(content)


def numbers(bucket: ObjectStore, below: str) -> list[int]:
    """What a reader sees who leaves hidden keys alone."""
    found: list[int] = []
    for key in bucket.files(below):
        if "/." not in key:
            found += pq.read_table(f"{BUCKET}/{key}", filesystem=bucket.client)["n"].to_pylist()
    return sorted(found)


def test_tables_are_written_and_read(bucket: ObjectStore) -> None:
    frame = ms.range(1000).select(n=col("id"))
    frame.write_parquet("s3://bucket/tables/parquet")
    assert numbers(bucket, "tables/parquet") == list(range(1000))
    frame.limit(10).write_json("s3://bucket/tables/json")
    frame.limit(10).write_csv("s3://bucket/tables/csv")
    assert sorted(ms.read_parquet("s3://bucket/tables/parquet").to_arrow()["n"].to_pylist()) == list(range(1000))
    assert sorted(ms.read_json("s3://bucket/tables/json/*").to_arrow()["n"].to_pylist()) == list(range(10))
    assert sorted(ms.read_csv("s3://bucket/tables/csv/*").to_arrow()["n"].to_pylist()) == list(range(10))
    assert not [key for key in bucket.files("tables") if "/." in key]  # nothing staged is left


def test_a_foreign_table_is_read_with_filters(bucket: ObjectStore) -> None:
    table = pa.table({"n": list(range(5000)), "text": [str(i) for i in range(5000)]})
    pq.write_table(table, f"{BUCKET}/foreign/one.parquet", row_group_size=1000, filesystem=bucket.client)
    few = ms.read_parquet("s3://bucket/foreign/*.parquet").filter(col("n") >= 4990).select("text")
    assert sorted(few.to_arrow()["text"].to_pylist()) == [str(i) for i in range(4990, 5000)]


def test_a_second_write_adds_and_overwrite_replaces(bucket: ObjectStore) -> None:
    frame = ms.range(10).select(n=col("id"))
    frame.write_parquet("s3://bucket/modes")
    frame.write_parquet("s3://bucket/modes")
    assert numbers(bucket, "modes") == sorted([*range(10)] * 2)
    with pytest.raises(ms.MainstemError, match="s3://bucket/modes"):
        frame.write_parquet("s3://bucket/modes", mode="error")
    frame.write_parquet("s3://bucket/modes", mode="overwrite")
    assert numbers(bucket, "modes") == list(range(10))


def test_files_are_listed_by_patterns_and_read(bucket: ObjectStore) -> None:
    for key in ("media/a.txt", "media/deep/b.txt", "media/deep/c.bin", "media/.hidden.txt"):
        put(bucket, key, key.encode())
    found = ms.read_files("s3://bucket/media/**/*.txt").select("size", text=col("file").file.bytes())
    rows = {row["text"]: row["size"] for row in found.collect()}
    assert rows == {b"media/a.txt": 11, b"media/deep/b.txt": 16}


def test_files_are_written_under_their_names(bucket: ObjectStore) -> None:
    notes = ms.from_dict({"name": ["a.txt", "deep/b.txt"], "content": [b"one", b"three"]})
    notes.write_files("s3://bucket/notes", mode="overwrite")
    assert bucket.files("notes") == {"notes/a.txt": 3, "notes/deep/b.txt": 5}


def test_what_is_missing_is_named(bucket: ObjectStore) -> None:
    with pytest.raises(ms.MainstemError, match="s3://bucket/none"):
        ms.read_parquet("s3://bucket/none/*.parquet").collect()


def start(tmp_path: Path, bucket: ObjectStore, code: str = SCRIPT, *, state: str, out: str) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = {**os.environ, **bucket.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), state, out]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "kill",
    [
        Kill("PUT", r"/state/numbers/epoch$", 1, done_first=True),
        Kill("PUT", r"\.snapshot$", 4, done_first=True),
        Kill("PUT", r"\.partial$", 4, done_first=True),
        Kill("PUT", r"/manifest$", 4, done_first=False, copies=True),
        Kill("PUT", r"/manifest$", 4, done_first=True, copies=True),
        Kill("DELETE", r"\.partial$", 4, done_first=False),
        Kill("PUT", r"/out/[^.]", 4, done_first=False, copies=True),
        Kill("PUT", r"/out/[^.]", 4, done_first=True, copies=True),
        Kill("DELETE", r"/out/\.", 2, done_first=False),
        Kill("DELETE", r"/manifest$", 2, done_first=True),
        *(Kill("PUT|POST|DELETE", ".", number, done_first=number % 2 == 0, copies=None) for number in (12, 33)),
    ],
    ids=lambda kill: f"{kill.method} {kill.path} {kill.number} {'done' if kill.done_first else 'asked'}",
)
def test_a_job_killed_at_a_request_goes_on_at_once(tmp_path: Path, bucket: ObjectStore, kill: Kill) -> None:
    bucket.kill = kill
    job = start(tmp_path, bucket, state="s3://bucket/state", out="s3://bucket/out")
    kill.process = job.pid
    _, errors = job.communicate(timeout=50)
    assert kill.seen >= kill.number, bucket.requests
    assert job.returncode == -signal.SIGKILL, errors
    between = numbers(bucket, "out")
    assert len(between) == len(set(between))
    bucket.kill = None

    again = start(tmp_path, bucket, state="s3://bucket/state", out="s3://bucket/out")
    _, errors = again.communicate(timeout=50)
    assert again.returncode == 0, errors
    counts = Counter(numbers(bucket, "out"))
    assert counts == Counter(range(ROWS))
    assert not [key for key in bucket.files("out") if "/." in key]  # nothing staged is left
    manifests = [key for key in bucket.files("state") if key.endswith("/manifest")]
    assert 1 <= len(manifests) <= 2
    assert not [key for key in bucket.files("state") if key.endswith(".partial")]


def test_checkpoints_in_a_store_are_listed_and_explained(tmp_path: Path, bucket: ObjectStore) -> None:
    job = start(tmp_path, bucket, state="s3://bucket/state", out=str(tmp_path / "out"))
    _, errors = job.communicate(timeout=50)
    assert job.returncode == 0, errors
    (found,) = checkpoint.jobs("s3://bucket/state", verify=True)
    assert found["name"] == "numbers"
    assert not found["running"]
    newest = found["checkpoints"][0]
    assert newest["path"].startswith("s3://bucket/state/numbers/checkpoint-")
    assert newest["kind"] == "final"
    assert "damage" not in checkpoint.show(newest["path"])
    assert json.dumps(found)
    with pytest.raises(ms.MainstemError, match="s3://bucket/none"):
        checkpoint.jobs("s3://bucket/none")


def test_two_processes_do_not_share_a_job(tmp_path: Path, bucket: ObjectStore) -> None:
    held = Kill("PUT", r"\.snapshot$", 1, done_first=True)  # a signal that it runs: there is nobody to kill yet
    bucket.kill = held
    first = start(tmp_path, bucket, state="s3://bucket/state", out=str(tmp_path / "out"))
    assert held.done.wait(timeout=50)
    second = start(tmp_path, bucket, state="s3://bucket/state", out=str(tmp_path / "other"))
    _, errors = second.communicate(timeout=50)
    first.kill()
    first.communicate(timeout=50)
    assert second.returncode == 1
    assert f"another process (pid {first.pid}) runs the job 'numbers'" in errors


ENDLESS = SCRIPT.replace(f"number_of_rows={ROWS}, rows_per_second=4000", "rows_per_second=100").replace(
    "state, out", "ms.config.set('parallelism', 1)  # so that what is there has no gaps\nstate, out"
)


@pytest.mark.parametrize(
    "kill",
    [
        Kill("PUT", r"/manifest$", 4, done_first=False, copies=True),
        Kill("PUT", r"/manifest$", 4, done_first=True, copies=True),
        Kill("PUT", r"/out/[^.]", 3, done_first=False, copies=True),
        Kill("PUT", r"/out/[^.]", 3, done_first=True, copies=True),
    ],
    ids=lambda kill: f"{kill.path} {'done' if kill.done_first else 'asked'}",
)
def test_a_job_without_end_is_killed_stopped_and_goes_on(tmp_path: Path, bucket: ObjectStore, kill: Kill) -> None:
    bucket.kill = kill
    job = start(tmp_path, bucket, ENDLESS, state="s3://bucket/state", out="s3://bucket/out")
    kill.process = job.pid
    _, errors = job.communicate(timeout=50)
    assert job.returncode == -signal.SIGKILL, errors
    killed = numbers(bucket, "out")
    assert killed
    assert killed == list(range(len(killed)))

    runs = Kill("PUT", r"/manifest$", 2, done_first=True, copies=True)  # a sign of life: there is nobody to kill
    bucket.kill = runs
    job = start(tmp_path, bucket, ENDLESS, state="s3://bucket/state", out="s3://bucket/out")
    assert runs.done.wait(timeout=50)
    checkpoint.ask_to_stop("s3://bucket/state", "numbers")
    _, errors = job.communicate(timeout=50)
    assert job.returncode == 0, errors
    stopped = numbers(bucket, "out")
    assert len(stopped) > len(killed)
    assert stopped == list(range(len(stopped)))
    (found,) = checkpoint.jobs("s3://bucket/state")
    assert "savepoint" in {each["kind"] for each in found["checkpoints"]}


def test_a_store_that_refuses_checkpoints_does_not_end_the_job(tmp_path: Path, bucket: ObjectStore) -> None:
    bucket.refuse = r"PUT .*/checkpoint-[1-3]/.*\.snapshot$"
    job = start(tmp_path, bucket, state="s3://bucket/state", out="s3://bucket/out")
    _, errors = job.communicate(timeout=50)
    assert job.returncode == 0, errors
    assert Counter(numbers(bucket, "out")) == Counter(range(ROWS))
    assert len([request for request in bucket.requests if request.endswith(".snapshot")]) > 3
