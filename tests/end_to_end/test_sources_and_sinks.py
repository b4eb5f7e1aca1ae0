"""Files in, files out: what is listed, read, written, and what becomes visible."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inputs import encoded, photo
from traces import files_below

import mainstem as ms
from mainstem import col, lit


def names(frame: ms.DataFrame, folder: Path) -> list[str]:
    return [str(Path(row.file.uri.removeprefix("file://")).relative_to(folder)) for row in frame.collect()]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in [
        "a.jpg",
        "b.png",
        "c.txt",
        ".hidden.jpg",
        "x/d.jpg",
        "x/y/e.jpg",
        "x/y/f.jpeg",
        "z/g [1].png",
        "z/ü.jpg",
    ]:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "in"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["a.jpg", "b.png", "c.txt"]),
        ("*.{jpg,png}", ["a.jpg", "b.png"]),
        ("**/*.jpg", ["a.jpg", "x/d.jpg", "x/y/e.jpg", "z/ü.jpg"]),
        ("**/*.{jpg,jpeg}", ["a.jpg", "x/d.jpg", "x/y/e.jpg", "x/y/f.jpeg", "z/ü.jpg"]),
        ("x/**", ["x/d.jpg", "x/y/e.jpg", "x/y/f.jpeg"]),
        ("?/?.jpg", ["x/d.jpg", "z/ü.jpg"]),
        ("[xz]/*.jp*", ["x/d.jpg", "z/ü.jpg"]),
        ("{a,x/d}.jpg", ["a.jpg", "x/d.jpg"]),
        ("x/*/e.jpg", ["x/y/e.jpg"]),
        ("z/g [[]1].png", ["z/g [1].png"]),
    ],
)
def test_patterns_list_what_shells_list(profile: str, tree: Path, pattern: str, expected: list[str]) -> None:
    assert sorted(names(ms.read_files(f"{tree}/{pattern}"), tree)) == sorted(expected)


def test_a_folder_is_everything_below_it(profile: str, tree: Path) -> None:
    found = names(ms.read_files(tree), tree)
    assert sorted(found) == sorted(str(path.relative_to(tree)) for path in tree.rglob("[!.]*") if path.is_file())


def test_names_with_brackets_are_files_first(tree: Path) -> None:
    assert names(ms.read_files(tree / "z" / "g [1].png"), tree) == ["z/g [1].png"]


def test_rows_of_files_say_size_time_and_bytes(profile: str, tree: Path) -> None:
    rows = ms.read_files(tree / "**" / "*.jpg").with_column("data", col("file").file.bytes()).collect()
    for row in rows:
        path = Path(row.file.uri.removeprefix("file://"))
        assert row.size == path.stat().st_size
        assert row.data == path.read_bytes()
        assert row.modified.timestamp() == pytest.approx(path.stat().st_mtime, abs=1e-3)


def test_several_paths_keep_their_order(tree: Path) -> None:
    frame = ms.read_files([tree / "c.txt", f"{tree}/x/*.jpg", tree / "a.jpg"])
    assert names(frame, tree) == ["c.txt", "x/d.jpg", "a.jpg"]


def test_a_pattern_without_a_match_and_a_missing_file_are_told_apart(tree: Path) -> None:
    with pytest.raises(ms.MainstemError, match=r"nowhere\.jpg"):
        ms.read_files(tree / "nowhere.jpg").collect()
    with pytest.raises(ms.MainstemError, match="no_such_folder"):
        ms.read_parquet(tree / "no_such_folder").collect()


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ms.MainstemError, match=tmp_path.name):
        ms.read_files(tmp_path).collect()


@pytest.fixture
def table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(5000), pa.int64()),
            "word": pa.array([None if i % 11 == 0 else f"w{i % 97}" for i in range(5000)]),
            "value": pa.array([i / 7 for i in range(5000)], pa.float64()),
            "items": pa.array([[i, i + 1] if i % 5 else None for i in range(5000)], pa.list_(pa.int32())),
            "time": pa.array([i * 1_000_000 for i in range(5000)], pa.timestamp("us", "UTC")),
            "nested": pa.array([{"a": i, "b": str(i)} for i in range(5000)]),
        }
    )


def test_parquet_is_read_whole_and_in_order(profile: str, tmp_path: Path, table: pa.Table) -> None:
    for part in range(5):
        pq.write_table(table.slice(part * 1000, 1000), tmp_path / f"{part}.parquet", row_group_size=77)
    assert ms.read_parquet(tmp_path).to_arrow().to_pylist() == table.to_pylist()


def test_only_needed_columns_and_row_groups_are_read(tmp_path: Path, table: pa.Table) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=100)
    frame = ms.read_parquet(path).filter(col("id") >= 4900).select("id", "value")
    assert frame.to_arrow().to_pylist() == table.slice(4900).select(["id", "value"]).to_pylist()
    text = frame._explanation("optimized")
    assert "word" not in text
    # A page of every other row group is destroyed: whoever reads it notices.
    meta = pq.ParquetFile(path).metadata
    data = bytearray(path.read_bytes())
    for group in range(49):
        for column in range(meta.num_columns):
            chunk = meta.row_group(group).column(column)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(bytes(data))
    assert frame.count() == 100
    with pytest.raises(ms.MainstemError, match=r"t\.parquet"):
        ms.read_parquet(path).collect()


@pytest.mark.parametrize("kind", ["parquet", "json", "csv"])
def test_what_is_written_is_read_back(profile: str, tmp_path: Path, table: pa.Table, kind: str) -> None:
    flat = table.select(["id", "word", "value"])
    getattr(ms.from_arrow(flat), f"write_{kind}")(tmp_path / "out")
    back = getattr(ms, f"read_{kind}")(tmp_path / "out").sort("id").to_arrow()
    assert back.to_pylist() == flat.to_pylist()


def test_json_is_what_pythons_json_reads(profile: str, tmp_path: Path) -> None:
    rows = [
        {"id": 1, "text": 'quotes " and \\ and\nlines', "items": [1, None, 3], "inner": {"x": 1.5}},
        {"id": 2, "text": "ü 漢 😀", "items": [], "inner": {"x": None}},
        {"id": 3, "text": None, "items": None, "inner": None},
    ]
    ms.from_records(rows).write_json(tmp_path / "out")
    files = [path for path in (tmp_path / "out").iterdir() if path.is_file()]
    found = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert sorted(found, key=lambda row: row["id"]) == rows


def test_json_lines_of_others_are_read(profile: str, tmp_path: Path) -> None:
    rows = [{"id": i, "name": None if i % 3 else f"n{i}", "tags": ["a"] * (i % 4)} for i in range(500)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [row.as_dict() for row in ms.read_json(tmp_path / "a.jsonl").collect()] == rows


def test_csv_is_what_pythons_csv_reads(profile: str, tmp_path: Path) -> None:
    texts = ["plain", "comma, inside", 'quote " inside', "line\nbreak", "", " spaces ", "ü"]
    ms.from_dict({"id": list(range(len(texts))), "text": texts}).write_csv(tmp_path / "out")
    files = [path for path in (tmp_path / "out").iterdir() if path.is_file()]
    with files[0].open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["text"] for row in sorted(found, key=lambda row: int(row["id"]))] == texts
    back = ms.read_csv(tmp_path / "out").sort("id").collect()
    assert [row.text for row in back] == texts


def test_csv_of_others_is_read(profile: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,name,price\n1,"Smith, J.",1.5\n2,,\n3,"a ""b""\nc",-2e3\n')
    found = ms.read_csv(tmp_path / "a.csv").collect()
    assert [(row.id, row.name, row.price) for row in found] == [
        (1, "Smith, J.", 1.5),
        (2, found[1].name, None),
        (3, 'a "b"\nc', -2000.0),
    ]
    assert found[1].name in ("", None)


def test_append_adds_overwrite_replaces_error_refuses(profile: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        ms.range(10).write_parquet(out, mode="append")
    assert sorted(pq.read_table(out).column("id").to_pylist()) == sorted([*range(10)] * 2)
    ms.range(5).write_parquet(out, mode="overwrite")
    assert pq.read_table(out).column("id").to_pylist() == [*range(5)]
    before = files_below(out)
    with pytest.raises(ms.MainstemError, match="out"):
        ms.range(3).write_parquet(out, mode="error")
    assert files_below(out) == before
    ms.range(3).write_parquet(tmp_path / "fresh", mode="error")
    assert pq.read_table(tmp_path / "fresh").num_rows == 3


def test_a_table_is_overwritten_with_what_was_read_from_it(profile: str, tmp_path: Path) -> None:
    ms.range(1000).write_parquet(tmp_path / "out")
    ms.read_parquet(tmp_path / "out").filter(col("id") % 2 == 0).write_parquet(tmp_path / "out", mode="overwrite")
    assert pq.read_table(tmp_path / "out").num_rows == 500


def test_a_job_without_rows_writes_a_readable_table(tmp_path: Path) -> None:
    ms.range(10).filter(lit(False)).write_parquet(tmp_path / "out")
    assert ms.read_parquet(tmp_path / "out").columns == ["id"]
    assert ms.read_parquet(tmp_path / "out").count() == 0


@pytest.mark.parametrize("kind", ["parquet", "json", "csv"])
@pytest.mark.parametrize("there", [False, True])
def test_a_failed_job_leaves_nothing_visible(profile: str, tmp_path: Path, kind: str, there: bool) -> None:
    out = tmp_path / "out"
    if there:
        getattr(ms.range(5), f"write_{kind}")(out)
    before = files_below(tmp_path)
    broken = ms.from_dict({"data": [encoded(photo(9, 9))] * 300 + [b"broken"]})
    frame = broken.select(width=col("data").image.decode().image.sharpness())
    for mode in ("append", "overwrite"):
        with pytest.raises(ms.RowError):
            getattr(frame, f"write_{kind}")(out, mode=mode, target_file_bytes=1 << 20)
        left = [name for name in files_below(tmp_path) if name != "out"]
        assert left == [name for name in before if name != "out"]


def test_files_are_written_by_name(profile: str, tmp_path: Path) -> None:
    names = ["a.txt", "b c.bin", "ü.dat"]
    frame = ms.from_dict({"name": names, "content": [b"one", b"", bytes(1000)]})
    frame.write_files(tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "a.txt": b"one", "b c.bin": b"", "ü.dat": bytes(1000),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["../escape", "/tmp/absolute", "a/../../b", "", ".", "..", "a\0b"])
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    frame = ms.from_dict({"name": ["good", name], "content": [b"1", b"2"]})
    with pytest.raises(ms.MainstemError):
        frame.write_files(tmp_path / "out" / "deep")
    assert [path for path in files_below(tmp_path) if not path.startswith("out")] == []
    assert not Path("/tmp/absolute").exists()
    assert not any((tmp_path / "out" / "deep").glob("*"))


def test_equal_names_are_refused_or_kept_apart(tmp_path: Path) -> None:
    frame = ms.from_dict({"name": ["a", "a"], "content": [b"1", b"2"]})
    with pytest.raises(ms.MainstemError, match="a"):
        frame.write_files(tmp_path / "out")
    assert files_below(tmp_path / "out") == []


def test_media_columns_in_parquet_are_told_by_plain_pyarrow(tmp_path: Path) -> None:
    picture = photo(20, 10)
    frame = ms.from_dict({"data": [encoded(picture, "PNG"), None]})
    frame.select(image=col("data").image.decode()).write_parquet(tmp_path / "out")
    back = ms.read_parquet(tmp_path / "out").collect()
    assert back[0].image == ms.Image.from_pil(picture)
    assert back[1].image is None
    field = pq.read_schema(next((tmp_path / "out").glob("*.parquet"))).field("image")
    said = str(field.type) + str(field.metadata)
    assert "mainstem" in said


def test_wrong_options_and_columns_name_the_nearest(tmp_path: Path) -> None:
    frame = ms.range(3)
    with pytest.raises(ms.PlanError, match="compression"):
        frame.write_parquet(tmp_path / "out", compresion="zstd")
    with pytest.raises(ms.PlanError, match="zstd"):
        frame.write_parquet(tmp_path / "out", compression="zst")
    with pytest.raises(ms.PlanError, match="id"):
        frame.select("idd")
    with pytest.raises(AttributeError, match="resize"):
        frame.select(col("id").image.resise(3, 4))
    assert files_below(tmp_path) == []
