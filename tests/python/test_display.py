"""What people see: tables, pictures in HTML, reports and progress."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mainstem.display import bytes_text, cell_text, report_text, table_html, table_text
from mainstem.progress import progress_text
from mainstem.python_values import arrow_array
from mainstem.results import Rows
from mainstem.values import File, Image


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (Image(np.zeros((224, 320, 3), "uint8")), "RGB 320×224"),
        (b"x" * 1_400_000, "<1.4 MB>"),
        (b"", "<0 B>"),
        ("a\nb\x1b[31m", "a⏎b·[31m"),
        ("x" * 100, "x" * 59 + "…"),
        (0.123456789, "0.123457"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, 4, … 5 in all]"),
        ({"a": 1, "b": [None]}, "{a: 1, b: [null]}"),
        (np.zeros((3, 224, 224), "float32"), "float32[3×224×224]"),
        (np.array([0.5, 1], "float32"), "[0.5, 1]"),
        (File("photos/a.jpg"), "photos/a.jpg"),
    ],
)
def test_cells_are_one_short_line(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rows = Rows(pa.table({"name": ["日本語" * 20, "b"], "size": [1, 1000], "other": ["y" * 80, None]}))
    lines = table_text(rows).splitlines()
    from mainstem.display import _width

    assert len({_width(line) for line in lines[:-1]}) == 1
    assert _width(lines[0]) <= 40
    assert lines[-1] == "(2 rows)"
    assert "null" in lines[5]


def test_numbers_stand_on_the_right_and_long_tables_are_cut() -> None:
    lines = table_text(Rows(pa.table({"n": list(range(30))}))).splitlines()
    assert lines[4] == "│     0 │"
    assert lines[-1] == "(20 of 30 rows)"


def test_html_shows_pictures_and_escapes_text() -> None:
    images = arrow_array([Image(np.zeros((4, 4, 3), "uint8"))])
    page = table_html(Rows(pa.table({"<b>": ["<script>"], "image": images})))
    assert "<script>" not in page and "&lt;b&gt;" in page
    assert 'src="data:image/png;base64,iVBOR' in page


def test_sizes_have_units() -> None:
    assert [bytes_text(n) for n in (0, 999, 1000, 123_456, 5_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 KB",
        "123 KB",
        "5.0 GB",
    ]


def test_a_report_shows_figures_with_units_and_tables() -> None:
    text = report_text({"rows": 12345, "wall_ns": 1_500_000_000, "operators": [{"name": "decode", "rows": 12}]})
    assert "rows     12,345" in text
    assert "wall ns  1.500 s" in text
    assert "│ decode │   12 │" in text


def test_progress_names_what_holds_the_job_up() -> None:
    figures = {
        "rows": 5000,
        "bytes": 2_000_000,
        "bottleneck": "classify: waits for a replica",
        "operators": [{"name": "decode", "rows": 7000, "waiting": "channel full"}],
    }
    assert progress_text(figures, 2.0, "photos").splitlines() == [
        "photos · 2.0 s · 5,000 rows · 2,500 rows/s · 2.0 MB",
        "  decode  7,000 rows · 3,500 rows/s · waits: channel full",
        "  slowest: classify: waits for a replica",
    ]
