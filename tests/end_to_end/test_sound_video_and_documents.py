"""Sound against soundfile and soxr, video against ffprobe's figures, documents against pypdfium2."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
import soundfile
import soxr
from inputs import pdf, sound, tone
from traces import MEDIA

import mainstem as ms
from mainstem import col

VIDEO = MEDIA / "video" / "testdata"
PROBED = json.loads((VIDEO / "expected.json").read_text())


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_24"), ("OGG", None)])
def test_sound_is_decoded_as_libsndfile_does(profile: str, kind: str, subtype: str | None) -> None:
    data = sound(tone(0.3), 48_000, kind, subtype)
    expected, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    found = ms.from_dict({"data": [data, None]}).select(a=col("data").audio.decode()).collect()
    assert found[1].a is None
    ours = found[0].a
    assert ours.sample_rate == rate
    assert np.allclose(np.asarray(ours.data).reshape(expected.shape), expected, atol=1e-6)


def test_sound_is_standardized_as_soxr_does(profile: str, tmp_path: Path) -> None:
    for index in range(4):
        (tmp_path / f"{index}.flac").write_bytes(sound(tone(0.2 + 0.1 * index), 48_000, "FLAC"))
    found = (
        ms.read_files(tmp_path / "*.flac")
        .select("file", a=col("file").audio.decode().audio.standardize(16_000, 1), d=col("file").audio.duration())
        .collect()
    )
    assert len(found) == 4
    for row in found:
        original, rate = soundfile.read(row.file.uri.removeprefix("file://"), dtype="float32")
        assert row.d == pytest.approx(len(original) / rate)
        expected = soxr.resample(original.mean(axis=1), rate, 16_000, quality="HQ")
        ours = np.asarray(row.a.data).ravel()
        assert row.a.sample_rate == 16_000
        assert abs(len(ours) - len(expected)) <= 1
        n = min(len(ours), len(expected))
        assert np.allclose(ours[:n], expected[:n], atol=1e-3)


def test_sound_written_as_flac_is_read_by_libsndfile(profile: str) -> None:
    samples = tone(0.2, 16_000, 1)
    frame = ms.from_dict({"data": [sound(samples, 16_000, "WAV", "FLOAT")]})
    found = frame.select(flac=col("data").audio.decode().audio.encode("flac")).collect()
    ours, rate = soundfile.read(io.BytesIO(found[0].flac), dtype="float32", always_2d=True)
    assert rate == 16_000
    assert np.abs(ours - samples).max() < 2 / 32768


def test_segments_tile_the_sound(profile: str) -> None:
    samples = tone(1.05, 16_000, 1)
    frame = ms.from_dict({"id": [7], "data": [sound(samples, 16_000, "WAV", "FLOAT")]})
    parts = (
        frame.select("id", audio=col("data").audio.decode())
        .join_lateral(col("audio").audio.split_by_duration(segment_duration_ms=500))
        .select("id", "segment")
        .collect()
    )
    lengths = [np.asarray(row.segment.data).size for row in parts]
    assert lengths == [8000, 8000, 800]
    assert np.array_equal(np.concatenate([np.asarray(row.segment.data).ravel() for row in parts]), samples.ravel())


def test_references_to_segments_decode_to_the_same_samples(profile: str, tmp_path: Path) -> None:
    samples = tone(1.05, 16_000, 1)
    (tmp_path / "a.wav").write_bytes(sound(samples, 16_000, "WAV", "FLOAT"))
    parts = (
        ms.read_files(tmp_path / "a.wav")
        .join_lateral(col("file").audio.split_by_duration(segment_duration_ms=500, segment_type="ref"))
        .select("segment", audio=col("segment").audio.decode())
        .collect()
    )
    assert [(row.segment.start_time_ms, row.segment.end_time_ms) for row in parts] == [
        (0, 500),
        (500, 1000),
        (1000, 1050),
    ]
    assert np.array_equal(np.concatenate([np.asarray(row.audio.data).ravel() for row in parts]), samples.ravel())


@pytest.mark.parametrize("name", sorted(PROBED))
def test_frames_of_a_video(profile: str, name: str) -> None:
    probed = PROBED[name]
    found = ms.read_files(VIDEO / name).join_lateral(col("file").video.explode_frames()).collect()
    assert len(found) == len(probed["pts"])
    unit = Fraction(probed["time_base"])
    first = probed["pts"][0]
    for row, pts, key in zip(found, probed["pts"], probed["key"], strict=True):
        assert (row.frame.width, row.frame.height) == (probed["width"], probed["height"])
        assert row.metadata["pts"] == pts - first
        assert row.metadata["time_ms"] == int((pts - first) * unit * 1000)
        assert row.metadata["key_frame"] == bool(key)
    mean = np.asarray(found[0].frame.to_pil()).reshape(-1, 3).mean()
    assert mean == pytest.approx(np.mean(probed["mean"]), abs=4)


def test_sampled_and_scaled_frames(profile: str) -> None:
    frames = ms.read_video_frames(
        VIDEO / "h264.mp4", frame_selector="sample", sample_interval_ms=500, image_height=24, image_width=32
    ).collect()
    assert [row.metadata["time_ms"] for row in frames] == [0, 500, 1000, 1500, 2000, 2500]
    assert {(row.frame.width, row.frame.height) for row in frames} == {(32, 24)}
    keys = ms.read_video_frames(VIDEO / "h264.mp4", frame_selector="keyframe").collect()
    assert [row.metadata["time_ms"] for row in keys] == [0, 1000, 2000]


def test_a_limit_ends_a_long_expansion(profile: str) -> None:
    frames = (
        ms.read_files([VIDEO / "h264.mp4"] * 50).join_lateral(col("file").video.explode_frames()).limit(3).collect()
    )
    assert [row.metadata["time_ms"] for row in frames] == [0, 100, 200]


def test_clips_of_a_video_tile_it(profile: str) -> None:
    clips = ms.read_files(VIDEO / "h264.mp4").join_lateral(col("file").video.split(segment_duration_ms=1000))
    frames = clips.select("clip").join_lateral(col("clip").video.explode_frames()).collect()
    times = [row.metadata["time_ms"] for row in frames]
    assert sorted(set(times)) == list(range(0, 3000, 100))


def test_pages_of_a_document_are_pdfiums(profile: str, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.pdf").write_bytes(pdf(f"Paper {number} page {page}" for page in range(number * 4 + 1)))
    pages = ms.read_files(tmp_path / "*.pdf").join_lateral(col("file").document.pages(image=True, dpi=72)).collect()
    expected = []
    for number in range(3):
        document = pypdfium2.PdfDocument(tmp_path / f"{number}.pdf")
        for page in document:
            expected.append((page.get_textpage().get_text_bounded().strip(), page.render(scale=1).to_pil()))
        document.close()
    assert len(pages) == len(expected) == 15
    for row, (text, picture) in zip(pages, expected, strict=True):
        assert row.text.strip() == text
        ours = np.asarray(row.image.to_pil()).astype(int)
        assert ours.shape[:2] == (792, 612)
        assert np.abs(ours - np.asarray(picture.convert("RGB")).astype(int)).mean() < 1


def test_pages_are_chunked_and_exploded(profile: str, tmp_path: Path) -> None:
    words = " ".join(f"Sentence number {index} ends here." for index in range(40))
    (tmp_path / "a.pdf").write_bytes(pdf([words, "Short."]))
    chunks = (
        ms.read_files(tmp_path / "*.pdf")
        .join_lateral(col("file").document.pages())
        .with_column("chunk", col("text").text.chunk(size=200, overlap=0))
        .explode("chunk")
        .select("page_no", "chunk")
        .collect()
    )
    first = [row.chunk for row in chunks if row.page_no == 1]
    assert all(len(chunk) <= 200 for chunk in first)
    assert " ".join(first).split() == words.split()
    assert [row.chunk for row in chunks if row.page_no == 2] == ["Short."]
