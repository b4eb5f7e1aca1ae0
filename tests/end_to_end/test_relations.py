"""Filters, joins, groups, sorts and their neighbours against DuckDB."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from oracle import bag, rows, sql

import mainstem as ms
from mainstem import col, lit, when

WORDS = ["red", "green", "blue", "Grün", "", "a longer word of many letters", None]


def people(count: int, seed: int, keys: int = 40) -> pa.Table:
    """Rows with nulls in every column but ``n``, NaN and repeated keys."""
    chance = random.Random(seed)

    def maybe(value: object, share: float = 0.15) -> object:
        return None if chance.random() < share else value

    return pa.table(
        {
            "n": pa.array(range(count), pa.int64()),
            "key": pa.array([maybe(chance.randrange(keys)) for _ in range(count)], pa.int64()),
            "word": pa.array([chance.choice(WORDS) for _ in range(count)], pa.string()),
            "x": pa.array(
                [maybe(chance.choice([chance.uniform(-5, 5), 0.0, -1.5])) for _ in range(count)], pa.float64()
            ),
            "flag": pa.array([maybe(chance.random() < 0.5) for _ in range(count)], pa.bool_()),
        }
    )


LEFT = people(2000, 1)
RIGHT = people(300, 2, keys=60).rename_columns(["m", "other_key", "word_2", "y", "flag_2"])


@pytest.fixture
def left() -> ms.DataFrame:
    return ms.from_arrow(LEFT)


@pytest.fixture
def right() -> ms.DataFrame:
    return ms.from_arrow(RIGHT)


@pytest.mark.parametrize(
    ("condition", "where"),
    [
        (lambda: col("x") > 0, "x > 0"),
        (lambda: ~(col("x") > 0), "NOT (x > 0)"),
        (lambda: (col("x") > 0) | (col("key") == 3), "x > 0 OR key = 3"),
        (lambda: (col("x") > 0) & col("flag"), "x > 0 AND flag"),
        (lambda: col("flag"), "flag"),
        (lambda: col("x").is_null(), "x IS NULL"),
        (lambda: col("x").is_not_null() & col("word").is_null(), "x IS NOT NULL AND word IS NULL"),
        (lambda: col("word") == "", "word = ''"),
        (lambda: col("word").text.contains("re"), "contains(word, 're')"),
        (lambda: col("key").is_in([1, 2, 3]), "key IN (1, 2, 3)"),
        (lambda: col("n") % 7 == 3, "n % 7 = 3"),
        (lambda: lit(False), "false"),
    ],
)
def test_filters_keep_what_is_true(profile: str, left: ms.DataFrame, condition: object, where: str) -> None:
    found = left.filter(condition()).to_arrow()  # type: ignore[operator]
    assert rows(found) == rows(sql(f"SELECT * FROM t WHERE {where} ORDER BY n", t=LEFT))


def test_expressions_compute_what_sql_computes(profile: str, left: ms.DataFrame) -> None:
    found = left.select(
        "n",
        double=col("x") * 2 + 1,
        named=when(col("key") > 20, lit("high")).when(col("key") > 10, lit("middle")).otherwise(lit("low")),
        filled=col("x").fill_null(-100.0),
        upper=col("word").text.upper(),
        whole=col("key").cast(ms.DataType.string()),
    ).to_arrow()
    expected = sql(
        """SELECT n, x * 2 + 1, CASE WHEN key > 20 THEN 'high' WHEN key > 10 THEN 'middle' ELSE 'low' END,
           coalesce(x, -100.0), upper(word), key::VARCHAR FROM t ORDER BY n""",
        t=LEFT,
    )
    assert rows(found) == rows(expected)


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
def test_joins_pair_rows_of_equal_keys(profile: str, left: ms.DataFrame, right: ms.DataFrame, how: str) -> None:
    found = left.join(right, left_on="key", right_on="other_key", how=how).select("n", "m", "word", "y").to_arrow()
    kind = {"outer": "FULL OUTER"}.get(how, how.upper())
    assert bag(found) == bag(sql(f"SELECT n, m, word, y FROM a {kind} JOIN b ON key = other_key", a=LEFT, b=RIGHT))


@pytest.mark.parametrize(("how", "kind"), [("semi", "SEMI"), ("anti", "ANTI")])
def test_semi_and_anti_joins_keep_left_rows(
    profile: str, left: ms.DataFrame, right: ms.DataFrame, how: str, kind: str
) -> None:
    found = left.join(right, left_on="key", right_on="other_key", how=how).to_arrow()
    assert bag(found) == bag(sql(f"SELECT * FROM a {kind} JOIN b ON key = other_key", a=LEFT, b=RIGHT))


def test_a_cross_join_pairs_every_row(profile: str, left: ms.DataFrame, right: ms.DataFrame) -> None:
    found = left.limit(50).join(right.limit(70), how="cross").select("n", "m").to_arrow()
    assert sorted(rows(found)) == [(n, m) for n in range(50) for m in range(70)]


def test_a_join_on_two_keys(profile: str, left: ms.DataFrame, right: ms.DataFrame) -> None:
    found = left.join(right, left_on=["key", "word"], right_on=["other_key", "word_2"]).select("n", "m").to_arrow()
    assert bag(found) == bag(sql("SELECT n, m FROM a JOIN b ON key = other_key AND word = word_2", a=LEFT, b=RIGHT))


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer", "semi", "anti"])
def test_a_join_with_no_rows_on_one_side(left: ms.DataFrame, right: ms.DataFrame, how: str) -> None:
    none = right.filter(lit(False))
    found = left.join(none, left_on="key", right_on="other_key", how=how)
    assert found.count() == {"inner": 0, "right": 0, "semi": 0}.get(how, LEFT.num_rows)
    found = none.join(left, left_on="other_key", right_on="key", how=how)
    assert found.count() == {"right": LEFT.num_rows, "outer": LEFT.num_rows}.get(how, 0)


def test_a_shared_key_of_an_outer_join_is_filled_from_both_sides(profile: str) -> None:
    a = ms.from_dict({"id": [1, 2], "a": ["x", "y"]})
    b = ms.from_dict({"id": [2, 3], "b": ["p", "q"]})
    found = a.join(b, on="id", how="outer").sort("id").to_arrow()
    assert found.column_names == ["id", "a", "b"]
    assert rows(found) == [(1, "x", None), (2, "y", "p"), (3, None, "q")]
    assert rows(a.join(b, on="id", how="right").sort("id").to_arrow()) == [(2, "y", "p"), (3, None, "q")]


@pytest.mark.parametrize("keys", [["key"], ["word"], ["key", "flag"], ["word", "flag"]])
def test_groups_are_aggregated(profile: str, left: ms.DataFrame, keys: list[str]) -> None:
    found = left.group_by(*keys).agg(
        ms.count().alias("rows"),
        col("x").count.alias("values"),
        col("x").sum.alias("total"),
        col("x").avg.alias("mean"),
        col("x").min.alias("least"),
        col("n").max.alias("most"),
        col("word").count_distinct.alias("words"),
        col("x").stddev_samp.alias("spread"),
        col("flag").any.alias("some"),
        col("flag").all.alias("every"),
    )
    names = ", ".join(keys)
    expected = sql(
        f"""SELECT {names}, count(*), count(x), sum(x), avg(x), min(x), max(n), count(DISTINCT word), stddev_samp(x),
            bool_or(flag), bool_and(flag) FROM t GROUP BY {names}""",
        t=LEFT,
    )
    assert bag(found.to_arrow()) == bag(expected)


def test_everything_is_one_group_without_keys(profile: str, left: ms.DataFrame) -> None:
    found = left.agg(ms.count().alias("c"), col("x").sum.alias("s"), col("word").max.alias("m")).to_arrow()
    assert rows(found) == rows(sql("SELECT count(*), sum(x), max(word) FROM t", t=LEFT))


def test_an_aggregate_of_no_rows_is_one_row(left: ms.DataFrame) -> None:
    none = left.filter(lit(False))
    assert rows(none.agg(ms.count().alias("c"), col("x").sum.alias("s"), col("x").min.alias("m")).to_arrow()) == [
        (0, None, None)
    ]
    assert none.group_by("key").agg(ms.count()).count() == 0
    assert none.count() == 0


def test_lists_of_a_group_hold_its_values(profile: str, left: ms.DataFrame) -> None:
    found = left.group_by("flag").agg(items=col("n").array_agg).to_arrow()
    expected = sql("SELECT flag, list(n ORDER BY n) FROM t GROUP BY flag", t=LEFT)
    assert sorted(((f, tuple(sorted(items))) for f, items in rows(found)), key=repr) == bag(expected)


def test_first_and_last_follow_the_order_of_the_rows(profile: str, left: ms.DataFrame) -> None:
    found = left.group_by("flag").agg(a=col("n").first_value, b=col("n").last_value).to_arrow()
    assert bag(found) == bag(sql("SELECT flag, min(n), max(n) FROM t GROUP BY flag", t=LEFT))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls_first", [False, True])
def test_sorts_place_nulls_where_asked(profile: str, left: ms.DataFrame, descending: bool, nulls_first: bool) -> None:
    found = left.sort(["word", "x", "n"], descending=descending, nulls_first=nulls_first).to_arrow()
    way = f"{'DESC' if descending else 'ASC'} NULLS {'FIRST' if nulls_first else 'LAST'}"
    assert rows(found) == rows(sql(f"SELECT * FROM t ORDER BY word {way}, x {way}, n {way}", t=LEFT))


def test_nulls_sort_as_the_smallest_unless_said(profile: str) -> None:
    frame = ms.from_dict({"a": [2, None, 1, 3]})
    assert [row.a for row in frame.sort("a").collect()] == [None, 1, 2, 3]
    assert [row.a for row in frame.sort("a", descending=True).collect()] == [3, 2, 1, None]


def test_each_key_of_a_sort_has_its_own_direction(profile: str, left: ms.DataFrame) -> None:
    found = left.sort(["key", "x", "n"], descending=[True, False, True], nulls_first=[False, True, False]).to_arrow()
    order = "key DESC NULLS LAST, x ASC NULLS FIRST, n DESC"
    assert rows(found) == rows(sql(f"SELECT * FROM t ORDER BY {order}", t=LEFT))


def test_equal_keys_keep_their_order_in_a_sort(profile: str, left: ms.DataFrame) -> None:
    found = left.sort("flag").select("n").to_arrow()
    assert rows(found) == rows(sql("SELECT n FROM t ORDER BY flag NULLS FIRST, n", t=LEFT))


def test_distinct_rows(profile: str, left: ms.DataFrame) -> None:
    found = left.select("word", "flag").distinct().to_arrow()
    assert bag(found) == bag(sql("SELECT DISTINCT word, flag FROM t", t=LEFT))


@pytest.mark.parametrize(("keep", "which"), [("first", "min"), ("last", "max")])
def test_of_duplicates_the_first_or_last_is_kept(profile: str, left: ms.DataFrame, keep: str, which: str) -> None:
    found = left.drop_duplicates("key", keep=keep).to_arrow()
    expected = sql(f"SELECT * FROM t WHERE n IN (SELECT {which}(n) FROM t GROUP BY key)", t=LEFT)
    assert bag(found) == bag(expected)


def test_a_union_matches_columns_by_position(profile: str, left: ms.DataFrame, right: ms.DataFrame) -> None:
    found = left.select("n", "word").union_all(right.select("m", "word_2"), left.select("n", "word")).to_arrow()
    assert found.column_names == ["n", "word"]
    expected = "SELECT n, word FROM a UNION ALL SELECT m, word_2 FROM b UNION ALL SELECT n, word FROM a"
    assert bag(found) == bag(sql(expected, a=LEFT, b=RIGHT))


def test_explode_gives_a_row_for_each_item(profile: str) -> None:
    frame = ms.from_dict({"id": [1, 2, 3, 4], "items": [["a", "b"], [], None, ["c", None]]})
    assert rows(frame.explode("items").to_arrow()) == [
        (1, "a"), (1, "b"), (2, None), (3, None), (4, "c"), (4, None),
    ]  # fmt: skip
    assert rows(frame.explode("items", ignore_empty_and_null=True).to_arrow()) == [
        (1, "a"), (1, "b"), (4, "c"), (4, None),
    ]  # fmt: skip


def test_one_row_explodes_into_very_many(profile: str) -> None:
    frame = ms.from_dict({"id": [1, 2], "items": [list(range(200_000)), list(range(100_000))]})
    found = frame.explode("items").to_arrow()
    assert found.column("items").to_pylist() == [*range(200_000), *range(100_000)]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 100_000])
def test_limits_take_the_first_rows_in_order(profile: str, tmp_path: Path, count: int) -> None:
    table = pa.table({"id": pa.array(range(20_000), pa.int64())})
    for part in range(4):
        pq.write_table(table.slice(part * 5000, 5000), tmp_path / f"part-{part}.parquet", row_group_size=300)
    sources = {
        "memory": ms.from_arrow(table),
        "range": ms.range(20_000),
        "parquet": ms.read_parquet(tmp_path),
    }
    for name, frame in sources.items():
        expected = list(range(20_000))[:count]
        assert frame.limit(count).to_arrow().column("id").to_pylist() == expected, name
        assert frame.offset(count).to_arrow().column("id").to_pylist() == list(range(20_000))[count:], name
        kept = frame.filter(col("id") % 3 == 0).limit(count).to_arrow().column("id").to_pylist()
        assert kept == list(range(0, 20_000, 3))[:count], name


def test_limit_after_offset_and_offset_after_limit(profile: str) -> None:
    numbers = ms.range(1000)
    assert [row.id for row in numbers.offset(10).limit(5).collect()] == [10, 11, 12, 13, 14]
    assert [row.id for row in numbers.limit(15).offset(10).collect()] == [10, 11, 12, 13, 14]
    assert [row.id for row in numbers.limit(5).offset(10).collect()] == []
    assert [row.id for row in numbers.limit(20).limit(5).offset(2).head(2).collect()] == [2, 3]


def test_ranges_count_as_pythons_do(profile: str) -> None:
    for bounds in [(0,), (5,), (3, 9), (9, 3), (0, 10, 3), (10, 0, -3), (-4, 4, 2)]:
        assert [row.id for row in ms.range(*bounds).collect()] == list(range(*bounds)), bounds


def test_a_pipeline_of_many_steps(profile: str, left: ms.DataFrame, right: ms.DataFrame) -> None:
    found = (
        left.filter(col("x").is_not_null())
        .with_column("bucket", col("n") % 10)
        .join(right.filter(col("y") > 0), left_on="key", right_on="other_key")
        .group_by("bucket")
        .agg(pairs=ms.count(), total=(col("x") + col("y")).sum)
        .filter(col("pairs") > 1)
        .sort("total", descending=True)
        .limit(5)
    )
    expected = sql(
        """SELECT n % 10 AS bucket, count(*) AS pairs, sum(x + y) AS total FROM a JOIN b ON key = other_key
           WHERE x IS NOT NULL AND y > 0 GROUP BY 1 HAVING count(*) > 1 ORDER BY total DESC LIMIT 5""",
        a=LEFT,
        b=RIGHT,
    )
    assert rows(found.to_arrow()) == rows(expected)
