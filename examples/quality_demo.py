"""The quality demo: real photos, papers, speech and clips, decoded, measured, classified and embedded.

    make demo

Writes Parquet and one page, build/demo/index.html, that shows what was found.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gallery import Gallery

import mainstem as ms
from mainstem import col

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "build" / "samples"
OUT = ROOT / "build" / "demo"
SPEECH_MODEL = "silero-vad"


def photos(source: Path, out: Path) -> Any:
    """Quality figures, a label and an embedding for each photo; a broken one becomes a dead letter."""
    return (
        ms.read_files(f"{source}/*.{{jpg,png}}")
        .with_column("image", col("file").image.decode(mode="RGB", on_error="dead_letter"))
        .with_columns(
            sharpness=col("image").image.sharpness(),
            phash=col("image").image.hash(),
            thumb=col("image").image.resize(224, 224),
        )
        .with_columns(
            label=ms.ai.classify_image(col("thumb"), model="efficientnet-lite0"),
            embedding=ms.ai.embed_image(col("thumb"), model="efficientnet-lite0"),
        )
        .filter(col("sharpness") > 5)
        .select("file", "sharpness", "phash", "label", "embedding", jpeg=col("thumb").image.encode("JPEG", quality=85))
        .write_parquet(str(out), mode="overwrite")
    )


def papers(source: Path, out: Path) -> Any:
    """The text of each page, cut into chunks that end at sentences, with embeddings."""
    return (
        ms.read_files(f"{source}/*.pdf")
        .join_lateral(col("file").document.pages(pages=12))
        .with_column("chunk", col("text").text.chunk(size=1024, overlap=100))
        .explode("chunk")
        .with_column("embedding", ms.ai.embed_text(col("chunk"), model="all-minilm-l6-v2"))
        .select("file", "page_no", "chunk", "embedding")
        .write_parquet(str(out), mode="overwrite")
    )


def speech(source: Path, out: Path) -> Any:
    """Where somebody speaks: one row a recording, with a list of ranges."""
    return (
        ms.read_files(f"{source}/*.wav")
        .with_column("sound", col("file").audio.decode())
        .with_columns(
            seconds=col("sound").audio.duration(),
            speech=col("sound").audio.standardize(sample_rate=16000, channels=1).audio.detect_speech(),
        )
        .select("file", "seconds", "speech")
        .write_parquet(str(out), mode="overwrite")
    )


def clips(source: Path, out: Path) -> Any:
    """A picture of each second of video, with what it shows."""
    frames = col("file").video.explode_frames(
        frame_selector="sample", sample_interval_ms=1000, image_height=180, image_width=320
    )
    return (
        ms.read_files(f"{source}/*.mp4")
        .join_lateral(frames)
        .with_column("small", col("frame").image.resize(224, 224))
        .with_columns(
            label=ms.ai.classify_image(col("small"), model="efficientnet-lite0"),
            embedding=ms.ai.embed_image(col("small"), model="efficientnet-lite0"),
            time_ms=col("metadata").get("time_ms"),
        )
        .select("file", "time_ms", "label", "embedding", jpeg=col("frame").image.encode("JPEG", quality=80))
        .write_parquet(str(out), mode="overwrite")
    )


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    photo_folder = OUT / "input" / "photos"
    shutil.copytree(SAMPLES / "photos", photo_folder)
    whole = (SAMPLES / "photos" / "rocket.jpg").read_bytes()
    (photo_folder / "broken.jpg").write_bytes(b"\xff\xd8" + whole[:600][::-1])  # shows what happens to bad input

    steps = {
        "photos": (photos, photo_folder, ["file", "sharpness", "phash", "label"]),
        "papers": (papers, SAMPLES / "papers", ["file", "page_no", "chunk"]),
        "speech": (speech, SAMPLES / "speech", ["file", "seconds", "speech"]),
        "clips": (clips, SAMPLES / "clips", ["file", "time_ms", "label"]),
    }
    gallery = Gallery()
    for name, (step, source, shown) in steps.items():
        print(f"\n── {name} " + "─" * (72 - len(name)))
        job = step(source, OUT / name)
        written = ms.read_parquet(str(OUT / name))
        written.select(*shown).show(5)
        print(job.report())
        gallery.add(name, written.collect(), job)
    page = OUT / "index.html"
    page.write_text(gallery.html(), encoding="utf-8")
    print(
        f"\nParquet is in {OUT.relative_to(Path.cwd()) if OUT.is_relative_to(Path.cwd()) else OUT}, the page is {page}"
    )


if __name__ == "__main__":
    main()
