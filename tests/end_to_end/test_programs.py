"""The programs with which people first meet Mainstem, as written."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from inputs import laplacian_variance, pdf, photo_folder
from PIL import Image

import mainstem as ms
from mainstem import col


def needs_model(task: str, name: str) -> None:
    from mainstem.models.store import resolve

    try:
        resolve(task, name)
    except Exception as error:
        pytest.skip(f"the model {name} is not here: {error}")


def test_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_model("classify_image", "efficientnet-lite0")
    monkeypatch.chdir(tmp_path)
    paths = photo_folder(tmp_path / "photos" / "holiday", 9)
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG")
    photos = (
        ms.read_files("photos/**/*.{jpg,png}")
        .with_column("image", col("file").image.decode(on_error="dead_letter"))
        .with_columns(
            sharpness=col("image").image.sharpness(),
            phash=col("image").image.hash(),
            thumb=col("image").image.resize(224, 224),
        )
        .with_column("label", ms.ai.classify_image(col("thumb"), model="efficientnet-lite0"))
        .filter(col("sharpness") > 50)
        .select("file", "phash", "label", jpeg=col("thumb").image.encode("JPEG", quality=85))
    )
    job = photos.write_parquet("out/photos")
    table = pq.read_table("out/photos")
    assert table.column_names == ["file", "phash", "label", "jpeg"]
    sharp = [path for path in paths if path.suffix in (".jpg", ".png") and laplacian_variance(Image.open(path)) > 50]
    assert table.num_rows == len(sharp) > 0
    assert {Image.open(io.BytesIO(data)).size for data in table.column("jpeg").to_pylist()} == {(224, 224)}
    assert table.column("label").null_count == 0
    assert "broken.png" in str(job.dead_letters().collect()[0].as_dict())


def test_papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    needs_model("embed_text", "all-minilm-l6-v2")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "papers").mkdir()
    texts = ["The cat sits on the mat.", "A kitten rests upon a rug.", "Interest rates were raised again."]
    (tmp_path / "papers" / "a.pdf").write_bytes(pdf(texts))
    pages = (
        ms.read_files("papers/*.pdf")
        .join_lateral(col("file").document.pages())
        .with_column("chunk", col("text").text.chunk(size=2048, overlap=200))
        .explode("chunk")
        .with_column("embedding", ms.ai.embed_text(col("chunk"), model="all-minilm-l6-v2"))
    )
    pages.show(5)
    assert "kitten" in capsys.readouterr().out
    vectors = [np.asarray(row.embedding, dtype=np.float64) for row in pages.collect()]
    assert [len(vector) for vector in vectors] == [384] * 3
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
