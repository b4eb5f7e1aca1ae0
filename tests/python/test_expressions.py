"""Expressions become the JSON of docs/plan.md."""

from __future__ import annotations

import datetime as dt
import decimal
import inspect
import pickle

import numpy as np
import pytest

import mainstem as ms
from mainstem import col, lit

A, B = {"column": "a"}, {"column": "b"}


def test_operators_become_calls() -> None:
    a, b = col("a"), col("b")
    cases = {
        "add": a + b,
        "subtract": a - b,
        "multiply": a * b,
        "divide": a / b,
        "floor_divide": a // b,
        "modulo": a % b,
        "power": a**b,
        "equal": a == b,
        "not_equal": a != b,
        "less": a < b,
        "less_equal": a <= b,
        "greater": a > b,
        "greater_equal": a >= b,
        "and": a & b,
        "or": a | b,
    }
    for name, expression in cases.items():
        assert expression.to_json() == {"call": name, "args": [A, B]}
    for name, unary in {"negate": -a, "abs": abs(a), "not": ~a, "is_null": a.is_null(), "hash": a.hash()}.items():
        assert unary.to_json() == {"call": name, "args": [A]}


def test_a_value_on_the_left_stays_on_the_left() -> None:
    assert (10 - col("a")).to_json() == {"call": "subtract", "args": [{"literal": 10}, A]}
    assert (True & col("a")).to_json() == {"call": "and", "args": [{"literal": True}, A]}


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, {"literal": None}),
        (True, {"literal": True}),
        (3, {"literal": 3}),
        ("x", {"literal": "x"}),
        (0.5, {"literal": 0.5}),
        (float("inf"), {"literal": "Infinity", "type": "float64"}),
        (b"\x00\xff", {"literal": {"base64": "AP8="}, "type": "binary"}),
        (dt.date(2024, 2, 29), {"literal": "2024-02-29", "type": "date"}),
        (
            dt.datetime(2024, 1, 2, 3, 4, 5),
            {
                "literal": "2024-01-02T03:04:05.000000",
                "type": {"type": "timestamp", "unit": "us", "timezone": None},
            },
        ),
        (
            dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            {
                "literal": "2024-01-02T01:04:05.000000Z",
                "type": {"type": "timestamp", "unit": "us", "timezone": "UTC"},
            },
        ),
        (dt.time(1, 2, 3), {"literal": 3_723_000_000, "type": {"type": "time", "unit": "us"}}),
        (decimal.Decimal("12.50"), {"literal": "12.50", "type": {"type": "decimal", "precision": 4, "scale": 2}}),
        (decimal.Decimal("0.005"), {"literal": "0.005", "type": {"type": "decimal", "precision": 3, "scale": 3}}),
        ([1, None, 2], {"literal": [1, None, 2], "type": {"type": "list", "item": "int64"}}),
        ([1, 2.5], {"literal": [1, 2.5], "type": {"type": "list", "item": "float64"}}),
        ([], {"literal": [], "type": {"type": "list", "item": "null"}}),
        (np.int16(7), {"literal": 7}),
        (
            np.array([1, 2], "float32"),
            {"literal": [1.0, 2.0], "type": {"type": "list", "item": "float32"}},
        ),
    ],
)
def test_literals(value: object, form: object) -> None:
    assert lit(value).to_json() == form


def test_a_literal_of_a_given_type() -> None:
    assert lit(1, ms.DataType.int8()).to_json() == {"literal": 1, "type": "int8"}


def test_values_that_are_no_literals_are_refused() -> None:
    with pytest.raises(TypeError, match="object cannot stand in a plan"):
        lit(object())
    with pytest.raises(TypeError, match="one type"):
        lit([1, "x"])
    for value in ({"a": 1}, [[1]], np.zeros((2, 2)), 2**63):
        with pytest.raises(TypeError):
            lit(value)


def test_is_in_takes_values_of_any_type() -> None:
    assert col("a").is_in([1, 2]).to_json() == {"call": "is_in", "args": [A, {"literal": 1}, {"literal": 2}]}
    assert col("a").in_("x").to_json() == {"call": "is_in", "args": [A, {"literal": "x"}]}
    with pytest.raises(TypeError, match="is_null"):
        col("a").is_in([1, None])
    with pytest.raises(TypeError, match="list of values"):
        col("a").is_in("abc")


def test_when_is_a_case_whose_end_is_null_unless_said() -> None:
    condition = {"call": "greater", "args": [A, {"literal": 1}]}
    chosen = ms.when(col("a") > 1, "big")
    assert chosen.to_json() == {"call": "case_when", "args": [condition, {"literal": "big"}, {"literal": None}]}
    both = chosen.when(col("a") > 0, "small").otherwise("none").to_json()
    assert [argument.get("literal") for argument in both["args"]] == [None, "big", None, "small", "none"]


def test_parts_names_and_types() -> None:
    assert col("a")[0].to_json() == {"call": "list.get", "args": [A], "options": {"index": 0}}
    field = col("a")["image"]
    assert field.to_json() == {"call": "struct.field", "args": [A], "options": {"name": "image"}}
    assert field.name == "image"
    assert (col("a") + col("b")).name == "a"
    assert (col("a") + 1).alias("c").name == "c"
    cast = col("a").cast(ms.DataType.list(ms.DataType.int8())).to_json()
    assert cast["options"] == {"type": '{"type": "list", "item": "int8"}'}
    assert col("a").cast("int32").to_json()["options"] == {"type": '"int32"'}


def test_mistakes_are_explained() -> None:
    with pytest.raises(TypeError, match="for and, or, not"):
        bool(col("a") > 1)
    with pytest.raises(TypeError, match="explode"):
        list(col("a"))
    with pytest.raises(TypeError, match="is_in"):
        1 in col("a")  # noqa: B015
    with pytest.raises(AttributeError, match="Did you mean 'is_null'"):
        col("a").is_nul  # noqa: B018
    with pytest.raises(AttributeError, match="cannot be changed"):
        col("a").x = 1
    with pytest.raises(TypeError, match="agg"):
        col("a") + col("b").sum


def test_an_expression_survives_pickling() -> None:
    expression = (col("a") + 1).alias("c")
    copy = pickle.loads(pickle.dumps(expression))
    assert (copy.to_json(), copy.name) == (expression.to_json(), "c")


def test_accessors_come_from_the_registry() -> None:
    resized = col("a").image.resize(224, height=128)
    assert resized.to_json() == {"call": "image.resize", "args": [A], "options": {"width": 224, "height": 128}}
    signature = inspect.signature(type(col("a").image).resize)
    assert list(signature.parameters) == ["self", "width", "height", "method"]
    assert "width (at least 1): The width." in type(col("a").image).resize.__doc__
    assert col("a").image.encode("JPEG", quality=85).to_json()["options"] == {"format": "JPEG", "quality": 85}
    assert col("a").image.crop(crop_ratio=(0.5, 0.5)).to_json()["options"] == {"crop_ratio": [0.5, 0.5]}
    assert col("a").str.upper().to_json() == {"call": "text.upper", "args": [A]}
    assert col("a").vector.cosine(col("b")).to_json() == {"call": "vector.cosine", "args": [A, B]}
    assert col("a").text.concat(col("b"), "!").to_json()["args"] == [A, B, {"literal": "!"}]


def test_wrong_accessor_calls_name_the_nearest() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'resize'"):
        col("a").image.resise  # noqa: B018
    with pytest.raises(TypeError, match=r"no option 'widht'. Did you mean 'width'"):
        col("a").image.resize(widht=1, height=1)
    with pytest.raises(
        TypeError, match=r"missing a required argument: 'height'.*resize\(width, height, method='lanczos'\)"
    ):
        col("a").image.resize(1)
    with pytest.raises(TypeError, match="an option is the same for all rows"):
        col("a").image.resize(col("b"), 1)


def test_table_functions_are_no_columns() -> None:
    call = col("a").document.pages(dpi=72)
    assert call.to_json() == {"call": "document.pages", "args": [A], "options": {"dpi": 72}}
    assert call.alias("page", "text").names == ("page", "text")
    with pytest.raises(TypeError, match="join_lateral"):
        call == 1  # noqa: B015
        col("b") + call


def test_models_are_looked_up_when_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mainstem import models

    monkeypatch.setattr(models, "resolve", lambda task, name: {"task": task, "name": name})
    expression = ms.ai.embed_text(col("a"), model="mini")
    assert expression.to_json()["options"] == {"model": "mini", "resolved": '{"task": "embed_text", "name": "mini"}'}
    assert "resolved" not in inspect.signature(ms.ai.embed_text).parameters
    with pytest.raises(TypeError, match=r"col\('a'\)"):
        ms.ai.embed_text("a", model="mini")

    def refuse(task: str, name: str) -> object:
        raise models.ModelError(f"the model {name!r} is not known")

    monkeypatch.setattr(models, "resolve", refuse)
    with pytest.raises(ms.PlanError, match="'maxi' is not known"):
        ms.ai.embed_text(col("a"), model="maxi")


def test_aggregates() -> None:
    assert col("a").sum.to_json() == {"name": "a_sum", "function": "sum", "expr": A, "options": {}}
    assert col("a").avg().alias("m").to_json()["name"] == "m"
    assert ms.count().to_json() == {"name": "count", "function": "count_all", "expr": None, "options": {}}
    names = {
        "avg": "mean",
        "first_value": "first",
        "last_value": "last",
        "array_agg": "list",
        "count_distinct": "count_distinct",
        "stddev_samp": "stddev_samp",
        "var_pop": "var_pop",
        "any": "any",
        "all": "all",
    }
    for method, function in names.items():
        assert getattr(col("a"), method).to_json()["function"] == function
