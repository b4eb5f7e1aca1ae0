"""Folders of pictures against Pillow, NumPy and imagehash."""

from __future__ import annotations

import io
import json
from pathlib import Path

import imagehash
import numpy as np
import pyarrow.parquet as pq
import pytest
from inputs import encoded, laplacian_variance, photo, photo_folder
from PIL import Image

import mainstem as ms
from mainstem import col


def pixels(value: ms.Image | None) -> np.ndarray:
    assert value is not None
    return np.asarray(value.to_pil())


def name_of(row: ms.Row) -> str:
    return Path(row.file.uri).name


def test_decoded_pixels_are_pillows(profile: str, tmp_path: Path) -> None:
    paths = photo_folder(tmp_path)
    found = ms.read_files(tmp_path / "*").with_column("image", col("file").image.decode()).collect()
    assert [name_of(row) for row in found] == [path.name for path in paths]
    for row, path in zip(found, paths, strict=True):
        ours, theirs = pixels(row.image).astype(int), np.asarray(Image.open(path)).astype(int)
        assert ours.shape == theirs.shape
        # JPEG and lossy WebP leave rounding to the decoder.
        assert np.abs(ours - theirs).max() <= (0 if path.suffix == ".png" else 3), path


def test_resized_pixels_are_pillows(profile: str, tmp_path: Path) -> None:
    paths = photo_folder(tmp_path, 9)
    small = col("file").image.decode().image.resize(64, 48)
    found = ms.read_files(tmp_path / "*").select("file", small=small).collect()
    for row, path in zip(found, paths, strict=True):
        theirs = np.asarray(Image.open(path).convert("RGB").resize((64, 48), Image.Resampling.LANCZOS)).astype(int)
        difference = np.abs(pixels(row.small).astype(int) - theirs)
        assert difference.max() <= (1 if path.suffix == ".png" else 6), path
        assert difference.mean() < 1, path


def test_quality_figures(profile: str, tmp_path: Path) -> None:
    paths = photo_folder(tmp_path, 12)
    image = col("file").image.decode()
    found = (
        ms.read_files(tmp_path / "*")
        .select("file", sharp=image.image.sharpness(), phash=image.image.hash(), dhash=image.image.hash("dhash"))
        .collect()
    )
    for row, path in zip(found, paths, strict=True):
        theirs = Image.open(path)
        assert row.sharp == pytest.approx(laplacian_variance(theirs), rel=0.02)
        if path.suffix == ".png":
            assert row.phash == str(imagehash.phash(theirs))
            assert row.dhash == str(imagehash.dhash(theirs))


def test_the_main_job_writes_parquet_that_needs_no_mainstem(profile: str, tmp_path: Path) -> None:
    paths = photo_folder(tmp_path / "photos", 12)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    job = (
        ms.read_files(f"{tmp_path}/photos/*.{{jpg,png}}")
        .with_column("image", col("file").image.decode(on_error="dead_letter"))
        .with_columns(sharpness=col("image").image.sharpness(), thumb=col("image").image.resize(32, 32))
        .filter(col("sharpness") > 0)
        .select("file", "sharpness", jpeg=col("thumb").image.encode("JPEG", quality=85))
        .write_parquet(tmp_path / "out")
    )
    table = pq.read_table(tmp_path / "out")
    wanted = [path for path in paths if path.suffix in (".jpg", ".png")]
    assert table.num_rows == len(wanted)
    for data in table.column("jpeg").to_pylist():
        picture = Image.open(io.BytesIO(data))
        assert (picture.format, picture.size) == ("JPEG", (32, 32))
    letters = job.dead_letters().collect()
    assert len(letters) == 1
    assert "broken.jpg" in str(letters[0].as_dict())


def test_on_error_raise_names_the_file(profile: str, tmp_path: Path) -> None:
    photo_folder(tmp_path, 6)
    (tmp_path / "bad one.jpg").write_bytes(b"nothing")
    with pytest.raises(ms.RowError, match=r"bad one\.jpg"):
        ms.read_files(tmp_path / "*").select(x=col("file").image.decode()).collect()


def test_on_error_null_keeps_the_row(profile: str, tmp_path: Path) -> None:
    photo_folder(tmp_path, 6)
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    decoded = col("file").image.decode(on_error="null")
    found = ms.read_files(tmp_path / "*").select("file", x=decoded, small=decoded.image.resize(4, 4)).collect()
    assert len(found) == 7
    assert {name_of(row): (row.x is None, row.small is None) for row in found}["bad.jpg"] == (True, True)
    assert sum(row.x is None for row in found) == 1


def test_dead_letters_say_which_row_and_why(profile: str, tmp_path: Path) -> None:
    good = encoded(photo(40, 30))
    frame = ms.from_dict({"id": [1, 2, 3, 4], "data": [good, b"junk", None, good[:100]]})
    rows = frame.with_column("image", col("data").image.decode(on_error="dead_letter")).collect()
    assert [(row.id, row.image is None) for row in rows] == [(1, False), (3, True)]
    assert rows.job is not None
    letters = rows.job.dead_letters().to_arrow()
    assert letters.num_rows == 2
    text = str(letters.to_pylist())
    assert "decode" in text
    report = rows.job.report()
    assert report["dead_letters"] == 2


def test_dead_letters_go_to_a_file(tmp_path: Path) -> None:
    frame = ms.from_dict({"id": [1, 2], "data": [encoded(photo(40, 30)), b"junk"]})
    frame.with_column("image", col("data").image.decode(on_error="dead_letter")).write_parquet(
        tmp_path / "out", dead_letters=tmp_path / "letters.jsonl"
    )
    assert pq.read_table(tmp_path / "out").num_rows == 1
    letters = [json.loads(line) for line in (tmp_path / "letters.jsonl").read_text().splitlines()]
    assert len(letters) == 1


def test_a_null_picture_stays_null_through_all_steps(profile: str) -> None:
    frame = ms.from_dict({"data": [None, encoded(photo(20, 20)), None]})
    image = col("data").image.decode()
    found = frame.select(
        small=image.image.resize(5, 5),
        sharp=image.image.sharpness(),
        code=image.image.hash(),
        jpeg=image.image.flip().image.encode("PNG"),
        tensor=image.image.to_tensor(20, 20),
        valid=col("data").image.is_valid(),
    ).collect()
    assert [value is None for value in found[0].values()] == [True, True, True, True, True, False]
    assert found[0].valid is False
    assert all(value is not None for value in found[1].values())


def test_crop_flip_mode_and_tensor_in_one_row_program(profile: str) -> None:
    picture = photo(50, 40, 3)
    frame = ms.from_dict({"data": [encoded(picture, "PNG")] * 3})
    image = col("data").image.decode()
    cut = image.image.crop(crop_coords=[10, 5, 40, 35], crop_type="coordinate").image.flip()
    found = frame.select(
        cut=cut, grey=cut.image.convert_mode("L"), tensor=cut.image.to_tensor(30, 30, mean=[0.5] * 3, std=[0.25] * 3)
    ).collect()
    theirs = picture.crop((10, 5, 40, 35)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for row in found:
        assert np.array_equal(pixels(row.cut), np.asarray(theirs))
        assert np.abs(pixels(row.grey).astype(int) - np.asarray(theirs.convert("L"))).max() <= 1
        expected = (np.asarray(theirs).transpose(2, 0, 1) / 255 - 0.5) / 0.25
        assert np.allclose(np.asarray(row.tensor), expected, atol=1e-5)


def test_pictures_survive_sort_join_and_distinct(profile: str) -> None:
    pictures = [photo(30 + index, 20, index) for index in range(6)]
    frame = ms.from_dict({"id": list(range(6)), "data": [encoded(picture, "PNG") for picture in pictures]})
    frame = frame.select("id", image=col("data").image.decode())
    other = ms.from_dict({"id": [5, 3, 3, 9], "word": ["five", "three", "drei", "nine"]})
    found = frame.join(other, on="id", how="inner").sort("word").collect()
    assert [(row.id, row.word) for row in found] == [(3, "drei"), (5, "five"), (3, "three")]
    for row in found:
        assert np.array_equal(pixels(row.image), np.asarray(pictures[row.id]))
    outer = frame.join(other, on="id", how="outer").sort(["id", "word"]).collect()
    assert [row.image is None for row in outer] == [False] * 7 + [True]
    down = frame.union_all(frame).drop_duplicates("id").sort("id", descending=True).collect()
    for row, index in zip(down, reversed(range(6)), strict=True):
        assert np.array_equal(pixels(row.image), np.asarray(pictures[index]))


def test_pil_images_and_arrays_go_in_and_come_back(profile: str) -> None:
    picture = photo(33, 21)
    found = ms.from_dict({"image": [picture, None]}).with_column("w", col("image").image.aspect_ratio()).collect()
    assert np.array_equal(pixels(found[0].image), np.asarray(picture))
    assert found[0].w == pytest.approx(33 / 21)
    assert found[1].image is None


def test_pictures_larger_than_the_budget_in_all_pass_one_by_one(tmp_path: Path) -> None:
    # 40 pictures of 12 MB decoded: 480 MB flow through 64 MB.
    data = encoded(photo(2000, 2000))
    for index in range(40):
        (tmp_path / f"{index:02}.jpg").write_bytes(data)
    ms.config.set("memory_budget", "64MB")
    image = col("file").image.decode()
    frame = ms.read_files(tmp_path / "*").with_column("image", image)
    found = frame.with_column("turned", col("image").image.flip()).select(
        "file", a=col("turned").image.encode("JPEG").image.metadata()
    )
    assert len(found.collect()) == 40
