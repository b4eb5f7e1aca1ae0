"""Files → decode → resize to 224 × 224 → JPEG → Parquet."""

from __future__ import annotations

import ctypes
import io
import os
import random
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from works import Case, Work

SIZE = 224
QUALITY = 85
CORES = os.cpu_count() or 1
SAMPLES = Path(__file__).resolve().parents[2] / "build" / "samples" / "photos"


# Inputs: 500 × 375 JPEG cut from real photos, 2 % of 12 megapixels, 3 % PNG, 1 % broken.


def kind_of(index: int) -> str:
    if index % 100 == 7:
        return "broken"
    if index % 50 == 3:
        return "large"
    return "png" if index % 33 == 5 else "small"


def name_of(index: int) -> str:
    return f"{index:06}.{'png' if kind_of(index) == 'png' else 'jpg'}"


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(make_photo, [(folder, index) for index in range(parameters["images"])], chunksize=50))


def make_photo(task: tuple[Path, int]) -> None:
    import numpy
    from PIL import Image

    folder, index = task
    path = folder / name_of(index)
    if path.exists():
        return
    kind = kind_of(index)
    if kind == "broken":
        path.write_bytes([b"", b"not an image", bytes.fromhex("ffd8ffe000104a46")][index // 100 % 3])
        return
    choice = random.Random(index)
    photo = Image.open(choice.choice(sorted(SAMPLES.glob("*.*g")))).convert("RGB")
    share = choice.uniform(0.5, 1.0)
    width, height = int(photo.width * share), int(photo.height * share)
    left, top = choice.randint(0, photo.width - width), choice.randint(0, photo.height - height)
    size = (4000, 3000) if kind == "large" else (500, 375)
    pixels = numpy.asarray(photo.crop((left, top, left + width, top + height)).resize(size, Image.Resampling.BICUBIC))
    grain = numpy.random.default_rng(index).normal(0, 3, (size[1], size[0], 1)).astype("float32")
    grained = Image.fromarray((pixels + grain).clip(0, 255).astype("uint8"))
    grained.save(path, "PNG" if kind == "png" else "JPEG", **({} if kind == "png" else {"quality": 88}))


# The job.


def thumbnail(data: bytes, draft: bool = False) -> bytes | None:
    """The job on one image with Pillow; None for a broken one."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
        if draft:
            image.draft("RGB", (2 * SIZE, 2 * SIZE))
        small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError):
        return None
    written = io.BytesIO()
    small.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    def job() -> None:
        (
            ms.read_files(f"{case.inputs}/*")
            .with_column("image", col("file").image.decode(mode="RGB", on_error="dead_letter"))
            .select("file", jpeg=col("image").image.resize(SIZE, SIZE, method="bilinear").image.encode("JPEG"))
            .write_parquet(str(case.out))
        )

    return job, {"resize": "bilinear", "quality": QUALITY}


def run_daft(case: Case) -> Any:
    import daft
    from daft import col
    from daft.functions import decode_image, download, encode_image, resize

    def job() -> None:
        frame = daft.from_glob_path(f"{case.inputs}/*")
        frame = frame.with_column(
            "image", decode_image(download(col("path"), on_error="null"), on_error="null", mode="RGB")
        ).where(~col("image").is_null())
        frame.select(
            col("path").alias("name"), encode_image(resize(col("image"), SIZE, SIZE), "JPEG").alias("jpeg")
        ).write_parquet(str(case.out))

    return job, {"codecs": "Daft's own"}


def daft_pillow(case: Case, draft: bool) -> Any:
    import daft
    from daft import DataType, col

    @daft.func(return_dtype=DataType.binary(), use_process=False)
    def to_thumbnail(path: str) -> bytes | None:
        return thumbnail(Path(path.removeprefix("file://")).read_bytes(), draft)

    def job() -> None:
        frame = daft.from_glob_path(f"{case.inputs}/*")
        frame = frame.select(col("path").alias("name"), to_thumbnail(col("path")).alias("jpeg"))
        frame.where(~col("jpeg").is_null()).write_parquet(str(case.out))

    return job, {"codecs": "Pillow in a row function", "draft": draft, "use_process": False}


def start_ray(warm: bool = True) -> Any:
    """Starts Ray; warm: its worker processes too, which a long session would have."""
    import logging

    import ray

    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    if warm:
        ray.data.range(1000, override_num_blocks=4 * CORES).map_batches(lambda batch: batch).materialize()
    return ray


def run_ray(case: Case, draft: bool = False) -> Any:
    ray = start_ray()

    def to_thumbnails(batch: dict[str, Any]) -> dict[str, Any]:
        made = [(path, thumbnail(data, draft)) for path, data in zip(batch["path"], batch["bytes"], strict=True)]
        return {"name": [path for path, jpeg in made if jpeg], "jpeg": [jpeg for _, jpeg in made if jpeg]}

    def job() -> None:
        files = ray.data.read_binary_files(str(case.inputs), include_paths=True)
        files.map_batches(to_thumbnails, batch_size=64).write_parquet(str(case.out))

    return job, {"codecs": "Pillow in map_batches", "batch_size": 64, "num_cpus": CORES, "draft": draft}


def write_parquet(rows: Iterable[tuple[str, bytes]], out: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    names, jpegs = zip(*rows, strict=True)
    table = pyarrow.table({"name": pyarrow.array(names), "jpeg": pyarrow.array(jpegs, pyarrow.large_binary())})
    out.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, out / "part.parquet")


def run_pillow(case: Case) -> Any:
    def job() -> None:
        made = ((path.name, thumbnail(path.read_bytes())) for path in sorted(case.inputs.iterdir()))
        write_parquet([(name, jpeg) for name, jpeg in made if jpeg], case.out)

    return job, {"form": "a plain loop in one process"}


class TurboJpeg:
    """The library's C interface; its calls let other Python threads run."""

    RGB, FAST_DCT = 0, 2048

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libturbojpeg.so.0")
        self.library.tjInitDecompress.restype = self.library.tjInitCompress.restype = ctypes.c_void_p
        self.reader = ctypes.c_void_p(self.library.tjInitDecompress())
        self.writer = ctypes.c_void_p(self.library.tjInitCompress())

    def decode(self, data: bytes) -> Any:
        """The smallest eighth-step scale that is at least twice the target."""
        from PIL import Image

        length = ctypes.c_ulong(len(data))
        numbers = [ctypes.c_int() for _ in range(4)]
        if self.library.tjDecompressHeader3(self.reader, data, length, *map(ctypes.byref, numbers)) != 0:
            return None
        width, height = numbers[0].value, numbers[1].value
        scales = [eighths for eighths in (1, 2, 4, 8) if min(width, height) * eighths // 8 >= 2 * SIZE]
        eighths = scales[0] if scales else 8
        width, height = -(-width * eighths // 8), -(-height * eighths // 8)
        pixels = ctypes.create_string_buffer(width * height * 3)
        arguments = (self.reader, data, length, pixels, width, 0, height, self.RGB, 0)
        if self.library.tjDecompress2(*arguments) != 0:
            return None
        return Image.frombuffer("RGB", (width, height), pixels, "raw", "RGB", 0, 1)

    def encode(self, image: Any) -> bytes:
        buffer, length = ctypes.c_void_p(), ctypes.c_ulong()
        self.library.tjCompress2(
            self.writer, image.tobytes(), image.width, 0, image.height, self.RGB,
            ctypes.byref(buffer), ctypes.byref(length), 2, QUALITY, 0,
        )  # fmt: skip
        data = ctypes.string_at(buffer, length.value)
        self.library.tjFree(buffer)
        return data


def run_turbojpeg(case: Case) -> Any:
    import threading

    from PIL import Image

    local = threading.local()

    def one(path: Path) -> tuple[str, bytes | None]:
        if not hasattr(local, "codec"):
            local.codec = TurboJpeg()
        data = path.read_bytes()
        if data[:2] != b"\xff\xd8":
            return path.name, thumbnail(data)
        image = local.codec.decode(data)
        if image is None:
            return path.name, None
        return path.name, local.codec.encode(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))

    def job() -> None:
        with ThreadPoolExecutor(CORES) as pool:
            rows = [(name, jpeg) for name, jpeg in pool.map(one, sorted(case.inputs.iterdir())) if jpeg]
        write_parquet(rows, case.out)

    return job, {"form": f"libturbojpeg scaled while decoding, {CORES} threads"}


# What counts as right.


def names_and_values(out: Path, column: str) -> dict[str, Any]:
    """Reads an engine's output; keys are base names."""
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(out, format="parquet", exclude_invalid_files=True).to_table()
    if "name" in table.column_names:
        names = table["name"].to_pylist()
    else:
        names = [row["uri"] for row in table["file"].to_pylist()]
    values = table[column].to_pylist()
    found = {os.path.basename(name): value for name, value in zip(names, values, strict=True)}
    assert len(found) == len(names), "an input appears twice"
    return found


def similarity(left: Any, right: Any) -> float:
    """Peak signal-to-noise ratio in dB."""
    import numpy

    error = numpy.mean((numpy.asarray(left, "float64") - numpy.asarray(right, "float64")) ** 2)
    return float(10 * numpy.log10(255**2 / max(error, 1e-9)))


def check(case: Case) -> str:
    from PIL import Image

    found = names_and_values(case.out, "jpeg")
    good = {name_of(index) for index in range(case.images) if kind_of(index) != "broken"}
    assert set(found) == good, f"{len(found)} rows for {len(good)} good images"
    worst = 99.0
    for name in sorted(good)[:: max(1, len(good) // 40)]:
        expected = Image.open(case.inputs / name).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        image = Image.open(io.BytesIO(found[name]))
        assert image.size == (SIZE, SIZE)
        worst = min(worst, similarity(image.convert("RGB"), expected))
    assert worst > 25, f"{worst:.1f} dB against Pillow"
    return f"{len(found)} rows, at least {worst:.1f} dB against Pillow"


WORK = Work(
    name="images",
    title="files → decode → resize 224 → JPEG → Parquet",
    target="≥ 2.5 × the best peer; ≥ 0.85 × turbojpeg on all cores",
    engines={
        "mainstem": run_mainstem,
        "daft": run_daft,
        "daft_pillow": lambda case: daft_pillow(case, draft=False),
        "ray": run_ray,
        "pillow": run_pillow,
        "daft_draft": lambda case: daft_pillow(case, draft=True),
        "turbojpeg": run_turbojpeg,
    },
    peers=("daft", "daft_pillow", "ray", "pillow"),
    prepare=prepare,
    check=check,
    full={"images": 6000},
    quick={"images": 200},
    ratio=2.5,
    bound=("turbojpeg", 0.85),
)
