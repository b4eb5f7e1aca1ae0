"""Sources without end: made-up rows, against their definition written a second time in Python, and new files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import mainstem as ms
from mainstem import col

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15


def _mix(z: int) -> int:
    z &= _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _word(seed: int, position: int, row: int, k: int) -> int:
    key = _mix(_mix(seed + _STEP) + (position + 1) * _STEP)
    return _mix(_mix(key + (row + 1) * _STEP) + (k + 1) * _STEP)


def _fraction(*place: int) -> float:
    return float(_word(*place) >> 11) / 2**53


def _rows(frame: ms.DataFrame) -> list[dict[str, Any]]:
    return sorted(frame.to_arrow().to_pylist(), key=lambda row: row["n"])


def test_mixing_is_splitmix64() -> None:
    assert _mix(_STEP) == 0xE220A8397B1DCDAF  # the published first output for seed 0


def test_rows_are_those_of_the_definition() -> None:
    frame = ms.read_datagen(
        {
            "n": {"type": "int64", "kind": "sequence", "start": 100},
            "price": {"type": "float64", "min": 5, "max": 25, "null_rate": 0.2},
            "item": {"type": ms.DataType.int16(), "min": -3, "max": 3},
            "word": {"type": "string", "length": 21},
            "raw": {"type": "binary", "length": 10},
            "yes": "bool",
        },
        number_of_rows=5_000,
        seed=-9,
    )
    expected = [
        {
            "n": 100 + i,
            "price": None if _fraction(-9, 1, i, 0) < 0.2 else 5 + _fraction(-9, 1, i, 1) * 20,
            "item": -3 + (_word(-9, 2, i, 1) * 7 >> 64),
            "word": "".join(f"{_word(-9, 3, i, 1 + j // 16) >> 4 * (j % 16) & 15:x}" for j in range(21)),
            "raw": bytes(_word(-9, 4, i, 1 + j // 8) >> 8 * (j % 8) & 255 for j in range(10)),
            "yes": bool(_word(-9, 5, i, 1) >> 63),
        }
        for i in range(5_000)
    ]
    assert _rows(frame) == expected


def test_columns_and_filters_do_not_change_the_rows() -> None:
    fields = {"n": {"type": "int32", "kind": "sequence", "end": 200_000}, "die": {"type": "uint8", "min": 1, "max": 6}}
    frame = ms.read_datagen(fields)
    assert frame.count() == 200_001
    sixes = frame.filter(col("die") == 6).select("n")
    assert [row["n"] for row in _rows(sixes)] == [i for i in range(200_001) if _word(0, 1, i, 1) * 6 >> 64 == 5]


def test_a_limit_ends_what_has_no_end() -> None:
    assert len(ms.read_datagen({"n": "int64"}).limit(10).collect()) == 10


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"a": "int65"}, "int65"),
        ({"a": {"min": 3}}, "has no type"),
        ({"a": {"type": "int8", "max": 128}}, "from -128 to 127"),
        ({"a": {"type": "string", "lenght": 3}}, "length"),
        ({}, "must be JSON"),
    ],
)
def test_settings_are_checked(fields: Any, message: str) -> None:
    with pytest.raises((ms.MainstemError, ValueError), match=message):
        ms.read_datagen(fields, number_of_rows=1).collect()


def test_a_rate_holds_the_rows_back() -> None:
    begin = time.monotonic()
    # A tenth of a second's rows come at once, the last ones half a second later.
    assert ms.read_datagen({"n": "int64"}, rows_per_second=200, number_of_rows=120).count() == 120
    assert time.monotonic() - begin >= 0.5


def test_new_files_are_read_as_they_appear(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("x")
    found = []
    for row in ms.read_files(tmp_path, monitor_interval="10ms").limit(5).iter_rows():
        found.append(Path(row["file"].uri).name)
        hidden = tmp_path / ".part"
        hidden.write_text("x")
        hidden.rename(tmp_path / str(len(found)))
    assert found == ["0", "1", "2", "3", "4"]
