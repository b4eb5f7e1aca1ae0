"""Video → every fifth frame at 640 × 640 → Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from works import Case, Work, images

SIZE = 640
EVERY = 5
FPS = 25


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    """H.264 720p clips that pan over real photos, with grain."""
    import av
    import numpy
    from PIL import Image

    photos = sorted(images.SAMPLES.glob("*.*g"))
    for index in range(parameters["clips"]):
        photo = Image.open(photos[index % len(photos)]).convert("RGB").resize((1600, 1000), Image.Resampling.BICUBIC)
        pixels = numpy.asarray(photo)
        random = numpy.random.default_rng(index)
        with av.open(str(folder / f"{index:03}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23"})
            stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
            stream.gop_size = 50
            for number in range(int(parameters["seconds"] * FPS)):
                left, top = number * 320 // 500 % 320, number * 280 // 500 % 280
                part = pixels[top : top + 720, left : left + 1280].astype("int16")
                part = part + random.integers(-4, 5, (720, 1280, 1), dtype="int16")
                frame = av.VideoFrame.from_ndarray(part.clip(0, 255).astype("uint8"), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())


def frames(path: str) -> Iterator[tuple[int, Any]]:
    """The job on one clip with PyAV: numbers and pixels of every fifth frame."""
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for number, frame in enumerate(container.decode(stream)):
            if number % EVERY == 0:
                yield number, frame.reformat(SIZE, SIZE, format="rgb24").to_ndarray()


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    def job() -> None:
        call = col("file").video.explode_frames(every_nth=EVERY, image_height=SIZE, image_width=SIZE)
        ms.read_files(f"{case.inputs}/*.mp4").join_lateral(call).write_parquet(str(case.out))

    return job, {"every_nth": EVERY}


def run_daft(case: Case) -> Any:
    import daft
    from daft import DataType, col

    kind = DataType.struct({"number": DataType.int64(), "frame": DataType.binary()})

    @daft.func(return_dtype=kind, use_process=False)
    def to_frames(path: str) -> Iterator[dict[str, Any]]:
        for number, pixels in frames(path.removeprefix("file://")):
            yield {"number": number, "frame": pixels.tobytes()}

    def job() -> None:
        frame = daft.from_glob_path(f"{case.inputs}/*.mp4").into_batches(1)
        frame = frame.select(col("path").alias("name"), to_frames(col("path")).alias("made"))
        frame.select("name", col("made").get("number").alias("number"), col("made").get("frame").alias("frame")
                     ).write_parquet(str(case.out))  # fmt: skip

    return job, {"codecs": "PyAV in a generator function, threads AUTO", "into_batches": 1}


def run_ray(case: Case) -> Any:
    ray = images.start_ray()

    def to_frames(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for number, pixels in frames(row["item"]):
            yield {"name": row["item"], "number": number, "frame": pixels.tobytes()}

    def job() -> None:
        paths = [str(path) for path in sorted(case.inputs.iterdir())]
        ray.data.from_items(paths, override_num_blocks=len(paths)).flat_map(to_frames).write_parquet(str(case.out))

    return job, {"codecs": "PyAV in flat_map, threads AUTO", "blocks": "one a clip"}


def check(case: Case) -> str:
    """Rows by clip; the first clip's frames against PyAV's, in order of time."""
    import os

    import numpy
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(case.out, format="parquet", exclude_invalid_files=True).to_table()
    expected_rows = case.clips * -(-int(case.seconds * FPS) // EVERY)
    assert table.num_rows == expected_rows, f"{table.num_rows} frames, not {expected_rows}"
    if "name" in table.column_names:
        names = table["name"].to_pylist()
        order = table["number"].to_pylist()
    else:
        names = [row["uri"] for row in table["file"].to_pylist()]
        order = [row["frame_index"] for row in table["metadata"].to_pylist()]
    rows = sorted((number, row) for row, (name, number) in enumerate(zip(names, order, strict=True))
                  if os.path.basename(name) == "000.mp4")  # fmt: skip
    reference = list(frames(str(case.inputs / "000.mp4")))
    assert len(rows) == len(reference)
    worst = 99.0
    for (_, row), (_, pixels) in list(zip(rows, reference, strict=True))[::10]:
        value = table["frame"][row].as_py()
        data = value["data"] if isinstance(value, dict) else value
        found = numpy.frombuffer(data, "uint8") if isinstance(data, bytes) else numpy.asarray(data, "uint8")
        worst = min(worst, images.similarity(found.reshape(SIZE, SIZE, 3), pixels))
    assert worst > 30, f"{worst:.1f} dB against PyAV"
    return f"{table.num_rows} frames, at least {worst:.1f} dB against PyAV"


WORK = Work(
    name="video",
    title="video → every 5th frame 640×640 → Parquet",
    target="≥ 1.5 × the best peer",
    engines={"mainstem": run_mainstem, "daft": run_daft, "ray": run_ray},
    peers=("daft", "ray"),
    prepare=prepare,
    check=check,
    full={"clips": 8, "seconds": 10},
    quick={"clips": 2, "seconds": 2},
    ratio=1.5,
)
