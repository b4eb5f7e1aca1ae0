"""The Delta Lake sink of the examples, read with Delta's own library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mainstem as ms

deltalake = pytest.importorskip("deltalake")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
from delta_sink import DeltaSink  # noqa: E402

JOB = ms.SinkJob("job", "state")


def visible(folder: Path) -> list[int]:
    """The ids that the table's log names, read without the engine."""
    ids: list[int] = []
    for uri in deltalake.DeltaTable(folder).file_uris():
        ids += pq.read_table(str(uri).removeprefix("file://"))["id"].to_pylist()
    return sorted(ids)


def stage(sink: DeltaSink, lane: int, attempt: str, *ids: int) -> list[dict[str, object]]:
    writer = sink.open(lane, attempt)
    writer.write(pa.record_batch({"id": pa.array(ids, pa.int64())}))
    return writer.prepare()


def test_a_job_is_one_delta_transaction(tmp_path: Path) -> None:
    ms.range(50_000).write_sink(DeltaSink(tmp_path / "t"))
    assert visible(tmp_path / "t") == list(range(50_000))
    assert deltalake.DeltaTable(tmp_path / "t").version() == 1  # made, then one commit
    ms.range(50_000, 50_010).write_sink(DeltaSink(tmp_path / "t"))
    assert visible(tmp_path / "t") == list(range(50_010))


def test_nothing_is_visible_before_the_commit_and_a_repeated_one_adds_nothing(tmp_path: Path) -> None:
    sink = DeltaSink(tmp_path / "t")
    sink.begin(JOB)
    staged = [*stage(sink, 0, "job.1", 1, 2), *stage(sink, 1, "job.1", 3)]
    sink.make_durable(staged)
    assert visible(tmp_path / "t") == []
    sink.commit(staged)
    after = deltalake.DeltaTable(tmp_path / "t").version()
    assert visible(tmp_path / "t") == [1, 2, 3]
    sink.commit(staged)
    again = DeltaSink(tmp_path / "t")  # another process
    again.restore(JOB, staged)
    again.commit(staged)
    assert visible(tmp_path / "t") == [1, 2, 3]
    assert deltalake.DeltaTable(tmp_path / "t").version() == after


def test_a_restart_commits_what_was_pending_and_sweeps_the_rest(tmp_path: Path) -> None:
    sink = DeltaSink(tmp_path / "t")
    sink.begin(JOB)
    first = stage(sink, 0, "job.1", 1)
    sink.commit(first)
    pending = stage(sink, 0, "job.1", 2)
    stage(sink, 0, "job.1", 3)  # of no checkpoint: it will come again
    stage(sink, 0, "other.1", 9)
    again = DeltaSink(tmp_path / "t")
    again.restore(JOB, [*first, *pending])
    again.commit([*first, *pending])
    later = stage(again, 0, "job.2", 3)
    again.commit(later)
    again.commit([*pending, *later])
    assert visible(tmp_path / "t") == [1, 2, 3]
    left = sorted(file.name for file in (tmp_path / "t").glob("part-*"))
    assert [name.split("-")[1] for name in left] == ["job.1", "job.1", "job.2", "other.1"]


def test_a_job_that_begins_anew_under_its_old_name_adds_its_rows(tmp_path: Path) -> None:
    for _ in range(2):  # the checkpoints were removed: the attempts are counted from the start
        sink = DeltaSink(tmp_path / "t")
        sink.begin(JOB)
        sink.commit(stage(sink, 0, "job.1", 1, 2))
    assert visible(tmp_path / "t") == [1, 1, 2, 2]


def test_a_failed_job_leaves_the_table_alone(tmp_path: Path) -> None:
    ms.range(3).write_sink(DeltaSink(tmp_path / "t"))

    class FailsLate(DeltaSink):
        def commit(self, committables: object) -> None:
            raise OSError("the disk is gone")

    with pytest.raises(ms.JobError, match=r"FailsLate.*commit.*the disk is gone"):
        ms.range(3, 9).write_sink(FailsLate(tmp_path / "t"))
    assert visible(tmp_path / "t") == [0, 1, 2]
    assert len(list((tmp_path / "t").glob("part-*"))) == len(deltalake.DeltaTable(tmp_path / "t").file_uris())


def test_the_example_runs(tmp_path: Path) -> None:
    example = Path(__file__).resolve().parent.parent / "examples" / "delta_sink.py"
    run = subprocess.run(
        [sys.executable, str(example), str(tmp_path / "squares")], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert "version 1, 1,000,000 rows" in run.stdout
