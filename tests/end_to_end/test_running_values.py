"""Running values of keys, against pandas; and over restarts at another parallelism, where nothing else would do."""

import collections
import io
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import mainstem as ms
from mainstem import Window, col

RUNNING = Window.unbounded_preceding, Window.current_row


@pytest.fixture(scope="module")
def sales(tmp_path_factory):
    """Many row groups, so that several subtasks read them."""
    random = np.random.default_rng(7)
    rows = 20_000
    table = pd.DataFrame(
        {
            "id": np.arange(rows),
            "shop": [f"shop {n}" if n else None for n in random.integers(0, 50, rows)],
            "amount": random.integers(-100, 100, rows),
            "price": np.where(random.random(rows) < 0.1, np.nan, random.random(rows)),
        }
    )
    path = tmp_path_factory.mktemp("sales") / "sales.parquet"
    table.to_parquet(path, row_group_size=500)
    return path, table


def by_id(df: ms.DataFrame) -> pd.DataFrame:
    return df.to_pandas().sort_values("id").reset_index(drop=True)


@pytest.mark.parametrize("parallelism", [1, 2, 3, 7])
def test_running_values_of_a_key_are_those_of_pandas(sales, parallelism):
    path, table = sales
    window = Window().partition_by("shop").rows_between(*RUNNING)
    ms.config.set("parallelism", parallelism)
    found = by_id(
        ms.read_parquet(str(path)).with_columns(
            n=ms.row_number().over(window),
            total=col("amount").sum().over(window),
            smallest=col("amount").min.over(window),
            prices=col("price").count().over(window),
            mean=col("price").mean().over(window),
        )
    )
    groups = table.groupby("shop", dropna=False, sort=False)
    assert found["n"].tolist() == (groups.cumcount() + 1).tolist()
    assert found["total"].tolist() == groups["amount"].cumsum().tolist()
    assert found["smallest"].tolist() == groups["amount"].cummin().tolist()
    counts = table["price"].notna().astype(int).groupby(table["shop"].fillna("")).cumsum()
    assert found["prices"].tolist() == counts.tolist()
    sums = table["price"].fillna(0).groupby(table["shop"].fillna("")).cumsum()
    np.testing.assert_allclose(found["mean"], sums / counts.replace(0, np.nan))


def test_keys_arguments_and_conditions_may_be_expressions(sales):
    path, table = sales
    window = Window().partition_by(col("amount") % 2, "shop").rows_between(*RUNNING)
    found = by_id(
        ms.read_parquet(str(path))
        .with_columns(share=(col("amount") * 2).sum().over(window) / ms.row_number().over(window), shop=col("shop"))
        .filter(ms.count().over(Window().partition_by("id").rows_between(*RUNNING)) <= 3)
    )
    groups = [table["amount"] % 2, table["shop"].fillna("")]
    expected = (table["amount"] * 2).groupby(groups).cumsum() / (table.groupby(groups).cumcount() + 1)
    np.testing.assert_allclose(found["share"], expected)
    assert found.columns.tolist() == ["id", "shop", "amount", "price", "share"]


def test_windows_of_other_keys_follow_one_another(sales):
    """The second one takes rows as they come from the first: what does not depend on their order is the same."""
    path, table = sales
    found = ms.read_parquet(str(path)).with_columns(
        a=ms.row_number().over(Window().partition_by("shop")), b=ms.row_number().over(Window().partition_by("amount"))
    )
    rows = by_id(found)
    assert len(rows) == len(table)
    for key, number in (("shop", "a"), ("amount", "b")):
        for _, of_key in rows.groupby(rows[key].fillna("") if key == "shop" else key):
            assert sorted(of_key[number]) == list(range(1, len(of_key) + 1))


def plan(df: ms.DataFrame, mode: str) -> str:
    text = io.StringIO()
    df.explain(mode, file=text)
    return text.getvalue()


def test_columns_that_nobody_reads_are_not_computed(sales):
    df = ms.read_parquet(str(sales[0])).with_column("n", ms.row_number().over(Window().partition_by("shop")))
    assert "price" not in plan(df.select("id", "n"), "optimized")
    assert "over" not in plan(df.select("id"), "optimized")
    assert "takes its keys of" in plan(df, "physical")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: col("n").sum().over(Window().partition_by("k")), "rows_between"),
        (lambda: ms.row_number().over(Window()), "no keys"),
        (lambda: Window().order_by("k"), "order in which they come"),
        (lambda: Window().rows_between(-1, 0), "the only frame"),
        (lambda: ms.row_number().over("k"), "takes a Window"),
    ],
)
def test_what_there_is_not_is_refused(make, said):
    with pytest.raises((TypeError, ValueError, NotImplementedError), match=said):
        make()


def test_functions_and_types_that_do_not_run_are_refused_at_their_line(sales):
    df = ms.read_parquet(str(sales[0]))
    window = Window().partition_by("shop").rows_between(*RUNNING)
    with pytest.raises(ms.MainstemError, match="no running form"):
        df.with_column("x", col("amount").stddev_pop().over(window)).schema  # noqa: B018
    with pytest.raises(ms.MainstemError, match="numbers"):
        df.with_column("x", col("shop").sum().over(window)).schema  # noqa: B018


def endless(rows: int | None = None) -> ms.DataFrame:
    columns = {
        "id": {"type": "int64", "kind": "sequence"},
        "key": {"type": "int16", "min": 0, "max": 30},
    }
    return ms.read_datagen(columns, number_of_rows=rows, seed=3, rows_per_second=None if rows else 20_000)


def test_steps_that_need_all_rows_are_refused_where_there_is_no_end():
    df = endless()
    for step in (
        lambda: df.sort("id"),
        lambda: df.group_by("key").agg(col("id").sum()),
        lambda: df.drop_duplicates("key", keep="last"),
        lambda: df.join(endless().rename(("id", "other")), on="key"),
        lambda: df.union_all(df),
    ):
        with pytest.raises(ms.MainstemError, match="no end"):
            step().schema  # noqa: B018
    assert df.limit(5).sort("id").count() == 5


def test_duplicates_are_dropped_of_rows_without_end():
    rows = endless().drop_duplicates("key").limit(31).collect()
    assert sorted(row["key"] for row in rows) == list(range(31))


def read(folder: Path) -> list[dict]:
    return [row for path in folder.glob("*.parquet") for row in pq.read_table(path).to_pylist()]


def wait_for_more(job: ms.Job, folder: Path) -> None:
    """Until two more checkpoints have shown something."""
    before = len(list(folder.glob("*.parquet")))
    while len(list(folder.glob("*.parquet"))) < before + 2:
        assert not job.finished
        time.sleep(0.01)


def test_counts_go_on_over_stops_and_rescaling(tmp_path):
    """Whatever the parallelism was when: every row of a key has its number, once."""
    out = tmp_path / "out"
    for parallelism, rescaled in ((2, 3), (5, 1), (1, 4), (3, 2)):
        ms.config.set("parallelism", parallelism)
        job = (
            endless()
            .with_column("n", ms.row_number().over(Window().partition_by("key")))
            .write_parquet(
                str(out),
                mode="append",
                job_name="counts",
                checkpoint=ms.Checkpoint(str(tmp_path / "state"), every="50ms", unaligned_after="0s"),
                wait=False,
            )
        )
        wait_for_more(job, out)
        job.rescale("over", rescaled)
        job.rescale(0, parallelism + 1)
        wait_for_more(job, out)
        job.stop()
    rows = read(out)
    shown = collections.defaultdict(dict)
    for row in rows:
        shown[row["key"]][row["n"]] = row["id"]
    assert sum(len(of_key) for of_key in shown.values()) == len(rows)
    # The n-th row of a key is the n-th of the source, none is missing and none is there twice.
    in_order = collections.defaultdict(list)
    for row in endless(max(row["id"] for row in rows) + 1).collect():
        in_order[row["key"]].append(row["id"])
    for key, of_key in shown.items():
        assert sorted(of_key) == list(range(1, len(of_key) + 1)), key
        assert [of_key[n] for n in sorted(of_key)] == in_order[key][: len(of_key)], key
