"""A data frame's methods become the plans of docs/plan.md."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "python"))
if importlib.util.find_spec("mainstem") is None:  # nothing is built: these tests need no native module
    sys.path.insert(0, str(HERE.parent / "python"))

from fake_core import Error, FakeCore  # noqa: E402

import mainstem as ms  # noqa: E402
from mainstem import col  # noqa: E402


@pytest.fixture(autouse=True)
def core() -> Iterator[FakeCore]:
    """A native module that only binds names."""
    from mainstem import _engine
    from mainstem.settings import config

    fake = FakeCore()
    before = _engine.use(fake)
    yield fake
    _engine.use(before)
    config.reset()


@pytest.fixture
def files() -> ms.DataFrame:
    return ms.read_files("photos/*.jpg")


@pytest.fixture
def table() -> ms.DataFrame:
    return ms.from_arrow(pa.table({"a": [1, 2], "b": ["x", None], "c": [0.5, None]}))


def nodes(frame: ms.DataFrame) -> list[dict[str, Any]]:
    from mainstem import plan

    document = json.loads(plan.write(frame._node).json)
    assert document["version"] == 1
    return document["nodes"]


def last(frame: ms.DataFrame) -> dict[str, Any]:
    return nodes(frame)[-1]


def test_the_first_program_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = (
        ms.read_files("photos/**/*.{jpg,png}")
        .with_column("image", col("file").image.decode(on_error="dead_letter"))
        .with_columns(thumb=col("image").image.resize(224, 224))
        .filter(col("size") > 50)
        .select("file", "size", jpeg=col("thumb").image.encode("JPEG", quality=85))
    )
    assert photos.columns == ["file", "size", "jpeg"]
    assert [node["op"] for node in nodes(photos)] == ["source", "with_columns", "with_columns", "filter", "select"]
    assert nodes(photos)[0]["options"] == {"path": ["photos/**/*.{jpg,png}"]}
    assert [node.get("input") for node in nodes(photos)] == [None, 0, 1, 2, 3]
    assert nodes(photos)[1]["columns"] == [
        {
            "name": "image",
            "expr": {"call": "image.decode", "args": [{"column": "file"}], "options": {"on_error": "dead_letter"}},
        }
    ]


def test_select_takes_names_expressions_and_keywords(files: ms.DataFrame) -> None:
    frame = files.select("file", col("size") * 2, bytes=col("size"), mean=lambda df: df["size"] / 2)
    assert [column["name"] for column in last(frame)["columns"]] == ["file", "size", "bytes", "mean"]
    with pytest.raises(ms.PlanError, match="'size' occurs twice"):
        files.select("size", col("size") + 1)
    with pytest.raises(TypeError, match=r"col\('file'\).*lit\('file'\)"):
        files.select(name="file")


def test_drop_and_rename(files: ms.DataFrame) -> None:
    assert last(files.drop("size", strict=False)) == {"op": "drop", "input": 0, "names": ["size"], "strict": False}
    assert last(files.rename(("size", "bytes")))["names"] == {"size": "bytes"}
    assert files.rename_columns({"file": "f"}, mapping={"size": "s"}).columns == ["f", "s", "modified"]
    assert last(files.rename(str.upper))["names"] == {"file": "FILE", "size": "SIZE", "modified": "MODIFIED"}
    assert files.rename(("size", "size")) is files


def test_filter_joins_its_conditions(files: ms.DataFrame) -> None:
    predicate = last(files.where(col("size") > 1, lambda df: df["size"] < 9, file="a", modified=None))["predicate"]
    calls = []
    while predicate["call"] == "and":
        calls.append(predicate["args"][1]["call"])
        predicate = predicate["args"][0]
    assert [predicate["call"], *reversed(calls)] == ["greater", "less", "equal", "is_null"]
    assert last(files[files["size"] > 1])["op"] == "filter"
    with pytest.raises(ms.NotSupportedError, match="SQL"):
        files.filter("size > 1")


def test_limits(files: ms.DataFrame) -> None:
    assert last(files.limit(3)) == {"op": "limit", "input": 0, "count": 3, "offset": 0}
    assert last(files.offset(3)) == {"op": "limit", "input": 0, "count": None, "offset": 3}
    assert last(files.head())["count"] == 5
    for wrong in (-1, 1.5, True):
        with pytest.raises(ValueError, match="limit"):
            files.limit(wrong)  # type: ignore[arg-type]


def test_explode(files: ms.DataFrame) -> None:
    node = last(files.explode("file", output_column="part", ignore_empty_and_null=True))
    assert node == {
        "op": "explode",
        "input": 0,
        "column": "file",
        "output_column": "part",
        "ignore_empty_and_null": True,
    }
    computed = nodes(files.explode(col("file").text.chunk(size=10), output_column="chunk"))
    assert [node["op"] for node in computed] == ["source", "with_columns", "explode"]
    assert computed[-1]["column"] == "chunk" and computed[-1]["output_column"] is None
    assert len(nodes(files.explode(col("file")))) == 2


def test_join_lateral(files: ms.DataFrame) -> None:
    node = last(files.join_lateral(col("file").document.pages(), ignore_empty=False))
    assert node["call"] == {"call": "document.pages", "args": [{"column": "file"}]}
    assert (node["names"], node["ignore_empty"]) == (None, False)
    with pytest.raises(ms.NotSupportedError, match="filter"):
        files.join_lateral(col("file").document.pages(), on=col("size") > 1)
    with pytest.raises(TypeError, match="table function"):
        files.join_lateral(col("file"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="join_lateral"):
        files.with_column("page", col("file").document.pages())  # type: ignore[arg-type]
    frames = last(ms.read_video_frames("a.mp4", frame_selector="keyframe"))
    assert frames["call"]["options"] == {"frame_selector": "keyframe", "on_error": "raise"}


def test_a_shared_step_is_written_once(files: ms.DataFrame) -> None:
    small = files.filter(col("size") < 10)
    both = nodes(small.union_all(small.limit(1)))
    assert [node["op"] for node in both] == ["source", "filter", "limit", "union_all"]
    assert both[-1]["inputs"] == [1, 2]


def test_duplicates(files: ms.DataFrame) -> None:
    assert last(files.distinct()) == {"op": "distinct", "input": 0, "subset": None, "keep": "first"}
    assert last(files.unique("size", keep="last"))["subset"] == ["size"]
    with pytest.raises(ValueError, match="keep"):
        files.drop_duplicates(keep="any")


def test_nulls_are_smallest_unless_said(files: ms.DataFrame) -> None:
    order = last(files.sort(["size", "file"], descending=[True, False]))["by"]
    assert [(key["descending"], key["nulls_first"]) for key in order] == [(True, False), (False, True)]
    assert last(files.sort("size", nulls_first=False))["by"][0]["nulls_first"] is False
    assert [node["op"] for node in nodes(files.top_n(3, order_by=col("size") % 7))] == ["source", "sort", "limit"]
    with pytest.raises(ValueError, match="1 entries for 2"):
        files.sort(["size", "file"], descending=[True])
    with pytest.raises(ms.NotSupportedError, match="partition_by"):
        files.top_n(1, partition_by="file", order_by="size")


def test_groups(files: ms.DataFrame) -> None:
    node = last(files.group_by("file", big=col("size") > 9).agg(col("size").sum, n=ms.count()))
    assert [key["name"] for key in node["keys"]] == ["file", "big"]
    assert [(a["name"], a["function"]) for a in node["aggregates"]] == [("size_sum", "sum"), ("n", "count_all")]
    assert last(files.agg(col("size").max))["keys"] == []
    with pytest.raises(TypeError, match="aggregate"):
        files.agg(col("size"))  # type: ignore[arg-type]
    with pytest.raises(ms.PlanError, match="'file' occurs twice"):
        files.group_by("file").agg(file=ms.count())


def test_joins(table: ms.DataFrame) -> None:
    other = ms.from_dict({"a": [1], "d": ["y"]})
    node = last(table.join(other, on="a", how="full"))
    assert node == {"op": "join", "left": 0, "right": 1, "how": "outer", "left_on": ["a"], "right_on": ["a"]}
    assert table.join(other, "a").columns == ["a", "b", "c", "d"]
    with pytest.raises(ms.PlanError, match="both sides have a column 'a'; rename"):
        table.join(other, left_on="b", right_on="d")
    with pytest.raises(ms.PlanError, match="no column 'e'"):
        table.join(other, on="e")
    with pytest.raises(ValueError, match="Did you mean 'inner'"):
        table.join(other, on="a", how="iner")
    with pytest.raises(TypeError, match="keys"):
        table.join(other)
    with pytest.raises(ms.NotSupportedError, match="condition"):
        table.join(other, on=col("a") == col("d"))  # type: ignore[arg-type]


def test_missing_values(table: ms.DataFrame) -> None:
    def called(frame: ms.DataFrame) -> list[str]:
        return [column["name"] for column in last(frame)["columns"]]

    assert last(table.drop_null(["a"]))["predicate"] == {"call": "is_not_null", "args": [{"column": "a"}]}
    assert last(table.drop_nan())["predicate"]["call"] == "not"
    assert called(table.fill_null(0)) == ["a", "c"]
    assert called(table.fill_null("x")) == ["b"]
    assert called(table.fill_null({"b": "y", "c": 1.0})) == ["b", "c"]
    assert called(table.fill_nan(0.0)) == ["c"]


def test_tables_of_this_process_stand_beside_the_plan(core: FakeCore) -> None:
    first, second = pa.table({"a": [1]}), pa.table({"a": [2]})
    frame = ms.from_arrow(first).union_all(ms.from_arrow(second))
    frame.collect()
    ((plan, tables, _),) = core.started
    assert [node["options"]["table"] for node in plan["nodes"][:2]] == ["table-0", "table-1"]
    assert tables == {"table-0": first, "table-1": second}
    with pytest.raises(TypeError, match="table of this process"):
        frame.to_plan()


def test_sources() -> None:
    assert last(ms.range(5)) == {
        "op": "source",
        "connector": "range",
        "options": {"start": 0, "end": 5, "step": 1},
    }
    assert last(ms.read_parquet(["a", Path("b")], batch_rows=3))["options"] == {"path": ["a", "b"], "batch_rows": 3}
    assert ms.from_records([{"a": 1}, {"b": 2}]).columns == ["a", "b"]
    assert ms.from_records([(1, 2)], schema=["x", "y"]).columns == ["x", "y"]
    assert ms.from_dict({"a": [1], "b": [2]}, schema=["b"]).columns == ["b"]
    import pandas as pd

    frame = ms.from_pandas(pd.DataFrame({"a": [1, 2], "b": ["x", None]}), schema=["p", "q"])
    assert {name: str(kind) for name, kind in frame.schema.items()} == {"p": "int64", "q": "string"}
    with pytest.raises(ValueError, match="different lengths"):
        ms.from_dict({"a": [1], "b": []})


def test_writes_start_a_job(core: FakeCore, files: ms.DataFrame) -> None:
    job = files.write_parquet("out", compression="zstd", job_name="nightly", dead_letters="bad.parquet")
    ((plan, _, options),) = core.started
    assert plan["nodes"][-1] == {
        "op": "write",
        "input": 0,
        "connector": "parquet",
        "options": {"path": "out", "mode": "append", "compression": "zstd"},
    }
    assert options == {"name": "nightly", "dead_letters": "bad.parquet"}
    assert job.report()["rows"] == 10
    assert "peak memory bytes  1.4 MB" in repr(job.report())
    assert job.dead_letters().columns == ["reason"]
    with pytest.raises(ValueError, match="mode"):
        files.write_csv("out", mode="replace")


def test_columns_are_reached_in_three_ways(files: ms.DataFrame) -> None:
    assert files["size"].to_json() == files.size.to_json() == {"column": "size"}
    assert files[["size"]].columns == ["size"]
    with pytest.raises(KeyError, match="Did you mean 'size'"):
        files["sise"]
    with pytest.raises(AttributeError, match="Did you mean 'select'"):
        files.selct  # noqa: B018
    assert files.pipe(lambda df, n: df.limit(n), 3).columns == files.columns


def test_the_engines_errors_are_ours(core: FakeCore, files: ms.DataFrame) -> None:
    with pytest.raises(ms.PlanError, match="no column 'sise'"):
        files.filter(col("sise") > 1)
    core.failure = Error("a.jpg: truncated", "row")
    with pytest.raises(ms.RowError, match="truncated") as caught:
        files.collect()
    assert caught.value.job is not None and caught.value.error_class == "row"
    core.failure = Error("out of space", "job")
    with pytest.raises(ms.JobError, match="space"):
        files.write_json("out")


def test_ctrl_c_cancels_the_job(core: FakeCore, files: ms.DataFrame) -> None:
    core.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        files.write_json("out")
    with pytest.raises(KeyboardInterrupt):
        files.collect()
    assert [job.cancelled for job in core.jobs] == [True, True]


def test_rows_come_back_in_every_form(core: FakeCore, files: ms.DataFrame) -> None:
    core.batches = [pa.record_batch({"a": [1, 2], "b": ["x", None]}), pa.record_batch({"a": [3], "b": ["z"]})]
    rows = files.collect()
    assert rows == [{"a": 1, "b": "x"}, {"a": 2, "b": None}, {"a": 3, "b": "z"}]
    assert (rows[0].a, rows[0][1], rows[-1]["b"], len(rows[1:])) == (1, "x", "z", 2)
    with pytest.raises(KeyError, match="no column 'c'"):
        rows[0]["c"]
    assert files.to_pandas()["a"].tolist() == [1, 2, 3]
    assert files.to_arrow().num_rows == 3
    assert [len(batch) for batch in files.iter_batches(batch_size=2)] == [2, 1]
    assert [batch["a"].to_pylist() for batch in files.iter_batches(batch_size=2, batch_format="pyarrow")] == [
        [1, 2],
        [3],
    ]
    assert files.take_batch(3, batch_format="pyarrow").num_rows == 3
    with files.iter_rows() as iterator:
        assert next(iterator) == {"a": 1, "b": "x"}
    assert core.jobs[-1].cancelled
    started = len(core.jobs)
    files.iter_rows().close()
    assert len(core.jobs) == started
    core.batches = []
    assert files.to_arrow().column_names == ["file", "size", "modified"]


def test_count_and_explain(core: FakeCore, files: ms.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    core.batches = [pa.record_batch({"rows": [7]})]
    assert files.count() == 7
    assert core.started[0][0]["nodes"][-1]["aggregates"][0]["function"] == "count_all"
    files.explain("optimized")
    assert capsys.readouterr().out == "optimized of 1 nodes\n"
    with pytest.raises(ValueError, match="Did you mean 'physical'"):
        files.explain("phisical")


def test_a_plan_of_many_steps_is_no_problem() -> None:
    from mainstem.plan import Node, write

    node = Node("source", {"connector": "range", "options": {}})
    for _ in range(5000):
        node = Node("limit", {"count": 1, "offset": 0}, input=node)
    assert len(json.loads(write(node).json)["nodes"]) == 5001


def test_settings_make_the_engine(core: FakeCore) -> None:
    ms.config.set("memory_budget", "512MB")
    ms.config.set("fetch.allow_private_addresses", True)
    ms.range(1)
    options = core.engines[-1].options
    assert (options["memory_budget"], options["fetch"]) == ("512MB", {"allow_private_addresses": True})
    assert options["python"] == sys.executable and Path(options["python_host"]).name == "host.py"
    ((name, _, folders),) = [entry.partition("=") for entry in options["environment"]]
    assert name == "PYTHONPATH" and str(HERE / "python") in folders.split(os.pathsep)
    with pytest.raises(KeyError, match="Did you mean 'memory_budget'"):
        ms.config.set("memory_bugdet", 1)
    with pytest.raises(TypeError, match="parallelism"):
        ms.config.set("parallelism", True)
