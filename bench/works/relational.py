"""Parquet scan → filter → project → aggregate → join → sort: three queries over five million rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from works import Case, Work

KEYS = 100_000


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    import numpy
    import pyarrow
    import pyarrow.parquet

    random = numpy.random.default_rng(7)
    rows = parameters["rows"]
    categories = pyarrow.array([f"category-{number:03}" for number in range(500)])
    sales = pyarrow.table(
        {
            "id": numpy.arange(rows),
            "key": random.integers(0, KEYS, rows),
            "category": categories.take(pyarrow.array(random.integers(0, 500, rows))),
            "quantity": random.integers(1, 100, rows).astype("int32"),
            "price": random.integers(1, 100_000, rows) / 100,
        }
    )
    regions = pyarrow.array([f"region-{number:02}" for number in range(40)])
    places = pyarrow.table(
        {"key": numpy.arange(KEYS), "region": regions.take(pyarrow.array(random.integers(0, 40, KEYS)))}
    )
    pyarrow.parquet.write_table(sales, folder / "sales.parquet", row_group_size=500_000)
    pyarrow.parquet.write_table(places, folder / "places.parquet")


Queries = list[Callable[[], Any]]  # each returns an Arrow table


def timed(case: Case, queries: Queries) -> Callable[[], Any]:
    """Runs the queries in turn, keeps their results for the check and their seconds for the report."""

    def job() -> Any:
        import pyarrow.parquet

        seconds = {}
        for number, query in enumerate(queries, 1):
            started = time.monotonic()
            table = query()
            seconds[f"query {number}"] = round(time.monotonic() - started, 3)
            pyarrow.parquet.write_table(table, case.out / f"{number}.parquet")
        return seconds

    return job


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    sales, places = str(case.inputs / "sales.parquet"), str(case.inputs / "places.parquet")

    def by_category() -> Any:
        frame = ms.read_parquet(sales).filter(col("quantity") > 10)
        frame = frame.with_column("value", col("price") * col("quantity"))
        grouped = frame.group_by("category").agg(total=col("value").sum(), lines=col("value").count())
        return grouped.sort("total", descending=True).to_arrow()

    def by_region() -> Any:
        frame = ms.read_parquet(sales).filter(col("price") > 500)
        frame = frame.join(ms.read_parquet(places), on="key")
        return frame.group_by("region").agg(total=col("price").sum()).sort("region").to_arrow()

    def dearest() -> Any:
        frame = ms.read_parquet(sales).filter(col("price") > 990).select("id", "category", "price")
        return frame.sort(["price", "id"], descending=[True, False]).to_arrow()

    return timed(case, [by_category, by_region, dearest]), {}


def run_daft(case: Case) -> Any:
    import daft
    from daft import col

    sales, places = str(case.inputs / "sales.parquet"), str(case.inputs / "places.parquet")

    def by_category() -> Any:
        frame = daft.read_parquet(sales).where(col("quantity") > 10)
        frame = frame.with_column("value", col("price") * col("quantity"))
        grouped = frame.groupby("category").agg(
            col("value").sum().alias("total"), col("value").count().alias("lines")
        )  # fmt: skip
        return grouped.sort("total", desc=True).to_arrow()

    def by_region() -> Any:
        frame = daft.read_parquet(sales).where(col("price") > 500).join(daft.read_parquet(places), on="key")
        return frame.groupby("region").agg(col("price").sum().alias("total")).sort("region").to_arrow()

    def dearest() -> Any:
        frame = daft.read_parquet(sales).where(col("price") > 990).select("id", "category", "price")
        return frame.sort(["price", "id"], desc=[True, False]).to_arrow()

    return timed(case, [by_category, by_region, dearest]), {}


def run_polars(case: Case) -> Any:
    import polars
    from polars import col

    sales, places = case.inputs / "sales.parquet", case.inputs / "places.parquet"

    def by_category() -> Any:
        frame = polars.scan_parquet(sales).filter(col("quantity") > 10)
        frame = frame.with_columns(value=col("price") * col("quantity"))
        grouped = frame.group_by("category").agg(total=col("value").sum(), lines=col("value").count())
        return grouped.sort("total", descending=True).collect().to_arrow()

    def by_region() -> Any:
        frame = polars.scan_parquet(sales).filter(col("price") > 500).join(polars.scan_parquet(places), on="key")
        return frame.group_by("region").agg(total=col("price").sum()).sort("region").collect().to_arrow()

    def dearest() -> Any:
        frame = polars.scan_parquet(sales).filter(col("price") > 990).select("id", "category", "price")
        return frame.sort(["price", "id"], descending=[True, False]).collect().to_arrow()

    return timed(case, [by_category, by_region, dearest]), {}


def run_duckdb(case: Case) -> Any:
    import duckdb

    sales, places = f"'{case.inputs}/sales.parquet'", f"'{case.inputs}/places.parquet'"
    texts = (
        f"""SELECT category, sum(price * quantity) AS total, count(*) AS lines FROM {sales} WHERE quantity > 10
            GROUP BY category ORDER BY total DESC""",
        f"""SELECT region, sum(price) AS total FROM {sales} JOIN {places} USING (key) WHERE price > 500
            GROUP BY region ORDER BY region""",
        f"SELECT id, category, price FROM {sales} WHERE price > 990 ORDER BY price DESC, id",
    )
    return timed(case, [lambda text=text: duckdb.sql(text).to_arrow_table() for text in texts]), {}


def run_acero(case: Case) -> Any:
    import pyarrow.dataset
    from pyarrow.acero import Declaration, HashJoinNodeOptions, ScanNodeOptions
    from pyarrow.compute import field

    sales = pyarrow.dataset.dataset(case.inputs / "sales.parquet")
    places = pyarrow.dataset.dataset(case.inputs / "places.parquet")

    def scan(dataset: Any, predicate: Any, columns: dict[str, Any]) -> Any:
        from pyarrow.acero import FilterNodeOptions, ProjectNodeOptions

        nodes = [Declaration("scan", ScanNodeOptions(dataset, columns=columns, filter=predicate))]
        if predicate is not None:
            nodes.append(Declaration("filter", FilterNodeOptions(predicate)))
        nodes.append(Declaration("project", ProjectNodeOptions(list(columns.values()), list(columns))))
        return Declaration.from_sequence(nodes)

    def by_category() -> Any:
        from pyarrow.acero import AggregateNodeOptions, OrderByNodeOptions

        columns = {"category": field("category"), "value": field("price") * field("quantity").cast("float64")}
        return Declaration.from_sequence(
            [
                scan(sales, field("quantity") > 10, columns),
                Declaration(
                    "aggregate",
                    AggregateNodeOptions(
                        [("value", "hash_sum", None, "total"), ("value", "hash_count", None, "lines")], ["category"]
                    ),
                ),
                Declaration("order_by", OrderByNodeOptions([("total", "descending")])),
            ]
        ).to_table()

    def by_region() -> Any:
        from pyarrow.acero import AggregateNodeOptions, OrderByNodeOptions

        left = scan(sales, field("price") > 500, {"key": field("key"), "price": field("price")})
        right = scan(places, None, {"key": field("key"), "region": field("region")})
        options = HashJoinNodeOptions("inner", ["key"], ["key"], ["price"], ["region"])
        return Declaration.from_sequence(
            [
                Declaration("hashjoin", options, [left, right]),
                Declaration("aggregate", AggregateNodeOptions([("price", "hash_sum", None, "total")], ["region"])),
                Declaration("order_by", OrderByNodeOptions([("region", "ascending")])),
            ]
        ).to_table()

    def dearest() -> Any:
        columns = {name: field(name) for name in ("id", "category", "price")}
        table = scan(sales, field("price") > 990, columns).to_table()
        return table.sort_by([("price", "descending"), ("id", "ascending")])

    return timed(case, [by_category, by_region, dearest]), {"form": "pyarrow.acero declarations"}


def check(case: Case) -> str:
    """Against pandas."""
    import numpy
    import pandas
    import pyarrow.parquet

    sales = pandas.read_parquet(case.inputs / "sales.parquet")
    places = pandas.read_parquet(case.inputs / "places.parquet")
    found = [pyarrow.parquet.read_table(case.out / f"{number}.parquet").to_pandas() for number in (1, 2, 3)]

    some = sales[sales.quantity > 10]
    groups = (some.price * some.quantity).groupby(some.category).agg(["sum", "count"])
    groups = groups.sort_values("sum", ascending=False)
    assert list(found[0].category) == list(groups.index)
    assert numpy.allclose(found[0].total, groups["sum"]) and list(found[0].lines) == list(groups["count"])

    joined = sales[sales.price > 500].merge(places, on="key").groupby("region").price.sum()
    assert list(found[1].region) == list(joined.index) and numpy.allclose(found[1].total, joined)

    dear = sales[sales.price > 990].sort_values(["price", "id"], ascending=[False, True])
    assert list(found[2].id) == list(dear.id)
    return f"three results as pandas has them ({len(groups)}, {len(joined)}, {len(dear)} rows)"


WORK = Work(
    name="relational",
    title="Parquet scan → filter → project → aggregate → join → sort, 5 M rows, three queries",
    target="≥ 0.8 × Daft",
    engines={
        "mainstem": run_mainstem,
        "daft": run_daft,
        "polars": run_polars,
        "duckdb": run_duckdb,
        "acero": run_acero,
    },
    peers=("daft",),
    prepare=prepare,
    check=check,
    full={"rows": 5_000_000},
    quick={"rows": 200_000},
    ratio=0.8,
)
