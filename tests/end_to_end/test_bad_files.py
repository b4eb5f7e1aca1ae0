"""Damaged, lying and hostile files of every format: a clear error, or a dead letter that names the file."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inputs import damaged, encoded, huge_png, huge_wav, pdf, photo, sound, tone
from traces import MEDIA, files_below

import mainstem as ms
from mainstem import col

VIDEO = MEDIA / "video" / "testdata"
DOCUMENT = MEDIA / "document" / "testdata"

Step = Callable[[ms.DataFrame, str], ms.DataFrame]


def decode_image(frame: ms.DataFrame, on_error: str) -> ms.DataFrame:
    return frame.with_column("out", col("file").image.decode(on_error=on_error))


def decode_audio(frame: ms.DataFrame, on_error: str) -> ms.DataFrame:
    return frame.with_column("out", col("file").audio.decode(on_error=on_error))


def video_metadata(frame: ms.DataFrame, on_error: str) -> ms.DataFrame:
    return frame.with_column("out", col("file").video.metadata(on_error=on_error))


GOOD: dict[str, tuple[bytes, Step]] = {
    "jpg": (encoded(photo(80, 60)), decode_image),
    "png": (encoded(photo(80, 60), "PNG"), decode_image),
    "webp": (encoded(photo(80, 60), "WEBP"), decode_image),
    "wav": (sound(tone(0.1), 48_000, "WAV"), decode_audio),
    "flac": (sound(tone(0.1), 48_000, "FLAC"), decode_audio),
    "ogg": (sound(tone(0.3), 48_000, "OGG"), decode_audio),
    "mp3": (sound(tone(0.3), 48_000, "MP3"), decode_audio),
    "mp4": ((VIDEO / "h264.mp4").read_bytes(), video_metadata),
    "webm": ((VIDEO / "vp9.webm").read_bytes(), video_metadata),
}
#: Damage that a decoder need not notice.
FORGIVEN = {"flipped", "cut", "wrong_magic", "header_only", "one_byte"}


def damaged_folder(folder: Path, kind: str, good: bytes) -> list[str]:
    folder.mkdir()
    (folder / f"good.{kind}").write_bytes(good)
    bad = damaged(good)
    for name, data in bad.items():
        (folder / f"{name}.{kind}").write_bytes(data)
    return sorted(bad)


def stem(row: ms.Row) -> str:
    return Path(row.file.uri).stem


def test_count_is_what_collect_gives_though_nobody_reads_what_fails(profile: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(encoded(photo(20, 10)))
    (tmp_path / "in" / "b.jpg").write_bytes(b"no picture")

    @ms.udf(on_error="dead_letter")
    def small(size: int) -> int:
        if size > 10:
            raise ValueError("too large")
        return size

    files = ms.read_files(tmp_path / "in")
    decoded = files.with_column("out", col("file").image.decode(on_error="dead_letter"))
    called = files.with_column("out", small(col("size")))
    for frame, kept in [(decoded, "a"), (called, "b")]:
        for form in (frame, frame.drop("out"), frame.select("out"), frame.select("size").sort("size")):
            assert form.count() == len(form.collect()) == 1
        assert [stem(row) for row in frame.select("file").collect()] == [kept]


def test_what_nobody_reads_does_not_fail(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    decoded = ms.read_files(tmp_path).select(out=col("file").image.decode(), size=col("size"))
    assert decoded.count() == 1
    assert decoded.select("size").collect()[0]["size"] == 10
    with pytest.raises(ms.RowError, match=r"b\.jpg"):
        decoded.collect()


@pytest.mark.parametrize("kind", GOOD)
def test_every_damaged_file_is_a_dead_letter_that_names_it(profile: str, tmp_path: Path, kind: str) -> None:
    good, step = GOOD[kind]
    bad = damaged_folder(tmp_path / "in", kind, good)
    found = step(ms.read_files(tmp_path / "in"), "dead_letter").collect()
    assert found.job is not None
    letters = [str(row.as_dict()) for row in found.job.dead_letters().collect()]
    passed = {stem(row) for row in found}
    assert "good" in passed
    assert len(found) + len(letters) == len(bad) + 1
    for name in bad:
        if name in passed:
            assert name in FORGIVEN, name
        else:
            assert any(f"{name}.{kind}" in letter for letter in letters), (name, letters)


@pytest.mark.parametrize("kind", GOOD)
def test_every_damaged_file_alone_raises_a_row_error(tmp_path: Path, kind: str) -> None:
    good, step = GOOD[kind]
    for name in damaged_folder(tmp_path / "in", kind, good):
        path = tmp_path / "in" / f"{name}.{kind}"
        try:
            assert len(step(ms.read_files(path), "raise").collect()) == 1
            assert name in FORGIVEN
        except ms.RowError as error:
            assert path.name in str(error)
            assert len(str(error)) < 1000


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_damaged_videos_end_their_frames(profile: str, tmp_path: Path, kind: str) -> None:
    damaged_folder(tmp_path / "in", kind, GOOD[kind][0])
    frames = ms.read_files(tmp_path / "in").join_lateral(col("file").video.explode_frames(on_error="skip")).collect()
    assert sum(stem(row) == "good" for row in frames) == 30


def test_damaged_documents_end_their_pages(profile: str, tmp_path: Path) -> None:
    damaged_folder(tmp_path / "in", "pdf", pdf(["one", "two"]))
    for name in ("loop", "count_lies", "no_pages", "huge_page", "encrypted"):
        (tmp_path / "in" / f"{name}.pdf").write_bytes((DOCUMENT / f"{name}.pdf").read_bytes())
    pages = (
        ms.read_files(tmp_path / "in").join_lateral(col("file").document.pages(image=True, on_error="skip")).collect()
    )
    texts = {(stem(row), row.text.strip()) for row in pages}
    assert {("good", "one"), ("good", "two")} <= texts
    assert sum(stem(row) == "good" for row in pages) == 2


@pytest.mark.parametrize("name", ["loop", "huge_page", "encrypted"])
def test_a_hostile_document_is_named(name: str) -> None:
    with pytest.raises(ms.RowError, match=name):
        ms.read_files(DOCUMENT / f"{name}.pdf").join_lateral(col("file").document.pages(image=True)).collect()


def test_a_picture_of_900_million_pixels_in_few_kilobytes(profile: str, tmp_path: Path) -> None:
    data = huge_png()
    assert len(data) < 200_000
    (tmp_path / "bomb.png").write_bytes(data)
    frame = ms.read_files(tmp_path / "bomb.png")
    with pytest.raises(ms.RowError, match=r"bomb\.png.*pixel_limit"):
        decode_image(frame, "raise").collect()
    found = frame.select(size=col("file").image.metadata(), ok=col("file").image.is_valid()).collect()
    assert found[0].size["width"] == 30_000
    assert found[0].ok is False


def test_a_sound_that_claims_four_gigabytes(profile: str, tmp_path: Path) -> None:
    (tmp_path / "huge.wav").write_bytes(huge_wav())
    try:
        found = decode_audio(ms.read_files(tmp_path / "huge.wav"), "raise").collect()
        assert found[0].out.frames <= 1000
    except ms.RowError as error:
        assert "huge.wav" in str(error)


def test_a_video_whose_duration_lies(profile: str, tmp_path: Path) -> None:
    data = bytearray((VIDEO / "h264.mp4").read_bytes())
    for box, places in ((b"mvhd", (16,)), (b"mdhd", (16,)), (b"tkhd", (20,))):
        at = data.find(box) + 4
        assert at > 4
        for place in places:
            struct.pack_into(">I", data, at + place, 0x7FFFFFFF)
    (tmp_path / "liar.mp4").write_bytes(bytes(data))
    frame = ms.read_files(tmp_path / "liar.mp4")
    assert len(frame.join_lateral(col("file").video.explode_frames()).select("metadata").collect()) == 30
    # 24 days in segments of a second are a matter of milliseconds: the option's limit ends them.
    assert frame.join_lateral(col("file").video.split(segment_duration_ms=1000, max_segments=50)).count() <= 50
    sampled = frame.join_lateral(col("file").video.explode_frames(frame_selector="sample", sample_interval_ms=1000))
    assert sampled.count() == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile '{secret}'\n"),
        ("list.mp4", "#EXTM3U\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n"),
        ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
    ],
)
def test_a_playlist_that_names_another_file_opens_nothing(tmp_path: Path, name: str, content: str) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes((VIDEO / "h264.mp4").read_bytes())
    (tmp_path / name).write_text(content.format(secret=secret))
    frame = ms.read_files(tmp_path / name)
    with pytest.raises(ms.RowError, match=name):
        frame.join_lateral(col("file").video.explode_frames()).collect()
    with pytest.raises(ms.RowError, match=name):
        video_metadata(frame, "raise").collect()


@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "text", "wrong_magic", "flipped"])
def test_damaged_tables_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(2000)), "b": [str(i) for i in range(2000)]}), path)
    path.write_bytes(damaged(path.read_bytes())[damage])
    try:
        ms.read_parquet(path).collect()
        assert damage in ("flipped", "wrong_magic")  # the magic at the end is what counts
    except ms.MainstemError as error:
        assert "t.parquet" in str(error)


@pytest.mark.parametrize("text", ['{"a": 1}\n{"a": \n', '{"a": 1}\n[1, 2]\n', "no json\n", '{"a": 1}\n{"a": "text"}\n'])
def test_broken_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(ms.MainstemError, match=r"bad\.jsonl"):
        ms.read_json(tmp_path / "bad.jsonl").collect()


def test_broken_csv_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3\n4,5,6\n")
    with pytest.raises(ms.MainstemError, match=r"bad\.csv"):
        ms.read_csv(tmp_path / "bad.csv").collect()


def test_a_file_that_vanishes_or_changes_is_named(tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"{index}.bin").write_bytes(b"12345")
    references = [row.file for row in ms.read_files(tmp_path).collect()]
    (tmp_path / "1.bin").unlink()
    frame = ms.from_dict({"file": references})
    with pytest.raises(ms.MainstemError, match=r"1\.bin"):
        frame.select(data=col("file").file.bytes()).collect()
    (tmp_path / "1.bin").write_bytes(b"another content")
    with pytest.raises(ms.RowError, match=r"1\.bin.*chang"):
        frame.select(data=col("file").file.bytes()).collect()


def test_names_with_odd_characters_are_escaped_in_messages(tmp_path: Path) -> None:
    name = "line\nbreak\x1b[31m.jpg"
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ms.RowError) as caught:
        decode_image(ms.read_files(tmp_path), "raise").collect()
    assert "\x1b" not in str(caught.value)
    assert "line\nbreak" not in str(caught.value)


def test_a_loop_of_links_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.bin").write_bytes(b"1")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "dangling").symlink_to(tmp_path / "nowhere")
    assert ms.read_files(f"{tmp_path}/**/*.bin").count() == 1


def test_pipes_and_sockets_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "x.jpg").write_bytes(encoded(photo(5, 5)))
    assert decode_image(ms.read_files(tmp_path), "dead_letter").count() == 1


def test_an_unreadable_folder_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads every folder")
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    with pytest.raises(ms.MainstemError, match="closed"):
        ms.read_files(folder).collect()


@pytest.fixture
def small_disk(tmp_path: Path) -> object:
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk takes more rights")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", ["parquet", "json", "csv"])
def test_a_full_disk_ends_the_job_clearly(small_disk: Path, kind: str) -> None:
    frame = ms.from_dict({"data": [os.urandom(1000).hex() for _ in range(3000)]})
    with pytest.raises(ms.MainstemError, match=r"(?i)no space|full"):
        getattr(frame, f"write_{kind}")(small_disk / "out")
    assert [name for name in files_below(small_disk) if name != "out"] == []


def test_output_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ms.MainstemError, match="file"):
        ms.range(3).write_parquet(tmp_path / "file" / "out")
    with pytest.raises(ms.MainstemError, match="file"):
        ms.range(3).write_parquet(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"
