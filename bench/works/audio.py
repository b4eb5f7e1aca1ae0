"""FLAC 48 kHz stereo → 16 kHz mono → Parquet."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from works import Case, Work, images

RATE = 16000
SPEECH = Path(__file__).resolve().parents[2] / "build" / "samples" / "speech"


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    import numpy
    import soundfile
    import soxr

    spoken = [soundfile.read(path, dtype="float32") for path in sorted(SPEECH.glob("*.wav"))]
    voice = numpy.concatenate([soxr.resample(samples, rate, 48000) for samples, rate in spoken])
    length = int(parameters["seconds"] * 48000)
    for index in range(parameters["clips"]):
        noise = numpy.random.default_rng(index).normal(0, 0.002, (length, 2))
        mono = numpy.resize(numpy.roll(voice, -7919 * index), length)
        stereo = numpy.stack([mono, 0.6 * mono], axis=1) + noise
        soundfile.write(folder / f"{index:05}.flac", stereo.clip(-1, 1), 48000, subtype="PCM_16")


def standardise(data: bytes) -> Any:
    """The job on one clip with soundfile and soxr."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, RATE, quality="HQ")


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    def job() -> None:
        (
            ms.read_files(f"{case.inputs}/*.flac")
            .select("file", samples=col("file").audio.decode().audio.standardize(sample_rate=RATE, channels=1))
            .write_parquet(str(case.out))
        )

    return job, {}


def run_daft(case: Case) -> Any:
    import daft
    from daft import DataType, col

    @daft.func(return_dtype=DataType.list(DataType.float32()), use_process=False)
    def to_samples(path: str) -> Any:
        return standardise(Path(path.removeprefix("file://")).read_bytes())

    def job() -> None:
        frame = daft.from_glob_path(f"{case.inputs}/*.flac")
        frame.select(col("path").alias("name"), to_samples(col("path")).alias("samples")).write_parquet(str(case.out))

    return job, {"codecs": "soundfile and soxr in a row function"}


def run_daft_tensor(case: Case) -> Any:
    import daft
    from daft import DataType, col

    @daft.func(return_dtype=DataType.tensor(DataType.float32()), use_process=False)
    def to_samples(path: str) -> Any:
        return standardise(Path(path.removeprefix("file://")).read_bytes())

    def job() -> None:
        frame = daft.from_glob_path(f"{case.inputs}/*.flac")
        frame.select(col("path").alias("name"), to_samples(col("path")).alias("samples")).write_parquet(str(case.out))

    return job, {"codecs": "soundfile and soxr in a row function, tensor column"}


def run_ray(case: Case) -> Any:
    ray = images.start_ray()

    def to_samples(batch: dict[str, Any]) -> dict[str, Any]:
        return {"name": batch["path"], "samples": [standardise(data) for data in batch["bytes"]]}

    def job() -> None:
        files = ray.data.read_binary_files(str(case.inputs), include_paths=True)
        files.map_batches(to_samples, batch_size=16).write_parquet(str(case.out))

    return job, {"codecs": "soundfile and soxr in map_batches", "batch_size": 16}


def run_loop(case: Case) -> Any:
    import pyarrow
    import pyarrow.parquet

    def job() -> None:
        paths = sorted(case.inputs.iterdir())
        samples = [standardise(path.read_bytes()) for path in paths]
        table = pyarrow.table(
            {"name": [path.name for path in paths], "samples": pyarrow.array(samples, pyarrow.list_(pyarrow.float32()))}
        )
        pyarrow.parquet.write_table(table, case.out / "part.parquet")

    return job, {"form": "a plain loop in one process"}


def waveform(value: Any) -> Any:
    """The samples of one row, in whichever form the engine wrote them: a list, a tensor or a waveform."""
    import numpy

    while isinstance(value, dict):
        value = value["data"]
    if isinstance(value, bytes):
        return numpy.frombuffer(value, "float32")
    return numpy.asarray(value, "float32").ravel()


def check(case: Case) -> str:
    import numpy

    found = images.names_and_values(case.out, "samples")
    assert len(found) == case.clips, f"{len(found)} rows for {case.clips} clips"
    worst = 99.0
    for name in sorted(found)[:: max(1, len(found) // 10)]:
        expected = standardise((case.inputs / name).read_bytes())
        samples = waveform(found[name])
        assert abs(len(samples) - len(expected)) <= 1, f"{name}: {len(samples)} samples, not {len(expected)}"
        length = min(len(samples), len(expected))
        error = numpy.mean((samples[:length] - expected[:length]) ** 2)
        worst = min(worst, float(10 * numpy.log10(numpy.mean(expected**2) / max(error, 1e-12))))
    assert worst > 40, f"{worst:.0f} dB against soxr"
    return f"{len(found)} clips, at least {worst:.0f} dB against soxr"


WORK = Work(
    name="audio",
    title="FLAC 48 kHz → 16 kHz mono → Parquet",
    target="≥ 1.5 × the best peer",
    engines={
        "mainstem": run_mainstem,
        "daft": run_daft,
        "daft_tensor": run_daft_tensor,
        "ray": run_ray,
        "loop": run_loop,
    },
    peers=("daft", "daft_tensor", "ray"),
    prepare=prepare,
    check=check,
    full={"clips": 200, "seconds": 30},
    quick={"clips": 20, "seconds": 10},
    ratio=1.5,
)
