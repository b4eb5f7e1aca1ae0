"""Files → decode → resize 224 → one ResNet18-shaped ONNX model in batches of 64 → logits → Parquet."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

from works import Case, Work, images

BATCH = 64
MAKER = Path(__file__).resolve().parents[1] / "models" / "make_resnet18.py"


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    subprocess.run([sys.executable, str(MAKER), str(folder / "resnet18.onnx")], check=True)
    (folder / "images").mkdir()
    images.prepare(folder / "images", parameters)


def good_names(case: Case) -> list[str]:
    return [images.name_of(index) for index in range(case.images) if images.kind_of(index) != "broken"]


def pixels(data: bytes) -> Any:
    """A photo as the model takes it: 3 × 224 × 224, 0 … 1; None for a broken one."""
    import numpy
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data)).convert("RGB")
    except (UnidentifiedImageError, OSError):
        return None
    small = image.resize((images.SIZE, images.SIZE), Image.Resampling.BILINEAR)
    return numpy.asarray(small, "float32").transpose(2, 0, 1) / numpy.float32(255)


class Model:
    """The model in onnxruntime, as a class whose copies live in a worker."""

    def __init__(self, path: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = images.CORES
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, batch: Any) -> Any:
        import numpy

        return self.session.run(None, {self.input: numpy.ascontiguousarray(batch, "float32")})[0]


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    def job() -> None:
        (
            ms.read_files(f"{case.inputs}/images/*")
            .with_column("image", col("file").image.decode(mode="RGB", on_error="dead_letter"))
            .with_column("small", col("image").image.resize(images.SIZE, images.SIZE, method="bilinear"))
            .with_column("tensor", col("small").image.to_tensor(images.SIZE, images.SIZE))
            .select("file", logits=ms.ai.onnx(col("tensor"), model=str(case.inputs / "resnet18.onnx")))
            .write_parquet(str(case.out))
        )

    return job, {"batch": "the service's own"}


def run_daft(case: Case) -> Any:
    import daft
    import numpy
    from daft import DataType, Series, col

    shape = (3, images.SIZE, images.SIZE)

    @daft.func(return_dtype=DataType.tensor(DataType.float32(), shape), use_process=False)
    def to_pixels(path: str) -> Any:
        return pixels(Path(path.removeprefix("file://")).read_bytes())

    @daft.cls(max_concurrency=1, use_process=False)
    class Classifier:
        def __init__(self, path: str) -> None:
            self.model = Model(path)

        @daft.method.batch(return_dtype=DataType.list(DataType.float32()), batch_size=BATCH)
        def classify(self, tensors: Series) -> Any:
            batch = numpy.stack(tensors.to_pylist())
            return list(self.model.run(batch))

    classifier = Classifier(str(case.inputs / "resnet18.onnx"))

    def job() -> None:
        frame = daft.from_glob_path(f"{case.inputs}/images/*").into_batches(BATCH)
        frame = frame.select(col("path").alias("name"), to_pixels(col("path")).alias("tensor"))
        frame = frame.where(~col("tensor").is_null())
        frame.select("name", classifier.classify(col("tensor")).alias("logits")).write_parquet(str(case.out))

    settings = {"model": f"onnxruntime, {images.CORES} threads, batch {BATCH}, one class instance"}
    return job, {**settings, "codecs": "Pillow in a row function"}


def run_ray(case: Case) -> Any:
    import numpy

    ray = images.start_ray()

    def to_pixels(batch: dict[str, Any]) -> dict[str, Any]:
        made = [(path, pixels(data)) for path, data in zip(batch["path"], batch["bytes"], strict=True)]
        kept = [(path, tensor) for path, tensor in made if tensor is not None]
        return {"name": [path for path, _ in kept], "tensor": numpy.stack([tensor for _, tensor in kept])}

    class Classifier:
        def __init__(self, path: str) -> None:
            self.model = Model(path)

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            return {"name": batch["name"], "logits": self.model.run(batch["tensor"])}

    def job() -> None:
        files = ray.data.read_binary_files(str(case.inputs / "images"), include_paths=True)
        tensors = files.map_batches(to_pixels, batch_size=BATCH)
        logits = tensors.map_batches(
            Classifier, fn_constructor_args=(str(case.inputs / "resnet18.onnx"),), batch_size=BATCH, concurrency=1,
            num_cpus=0,
        )  # fmt: skip
        logits.write_parquet(str(case.out))

    return job, {"model": f"onnxruntime, {images.CORES} threads, batch {BATCH}, one actor with num_cpus 0"}


def run_model_alone(case: Case) -> Any:
    """Only the model, on as many images, in the library that Mainstem uses: what no pipeline can beat."""
    import numpy
    import openvino

    core = openvino.Core()
    hints = {"PERFORMANCE_HINT": "THROUGHPUT"}
    model = core.read_model(str(case.inputs / "resnet18.onnx"))
    model.reshape([BATCH, 3, images.SIZE, images.SIZE])
    compiled = core.compile_model(model, "CPU", hints)
    batch = numpy.random.default_rng(1).random((BATCH, 3, images.SIZE, images.SIZE), "float32")

    def job() -> None:
        queue = openvino.AsyncInferQueue(compiled)
        for _ in range(-(-len(good_names(case)) // BATCH)):
            queue.start_async({0: batch})
        queue.wait_all()

    return job, {"form": f"OpenVINO, batch {BATCH}, {hints}"}


def check(case: Case) -> str:
    import numpy

    names = good_names(case)
    if not any(case.out.rglob("*.parquet")):
        return "the model alone writes nothing"
    found = images.names_and_values(case.out, "logits")
    assert set(found) == set(names), f"{len(found)} rows for {len(names)} good images"
    model = Model(str(case.inputs / "resnet18.onnx"))
    some = names[:: max(1, len(names) // 10)]
    expected = model.run(numpy.stack([pixels((case.inputs / "images" / name).read_bytes()) for name in some]))
    values = [found[name]["data"] if isinstance(found[name], dict) else found[name] for name in some]
    logits = numpy.stack([numpy.asarray(value, "float64").ravel() for value in values])
    # A random network answers all photos much alike: what tells them apart is compared.
    ours, theirs = logits - expected.mean(axis=0), expected - expected.mean(axis=0)
    norms = numpy.linalg.norm(ours, axis=1) * numpy.linalg.norm(theirs, axis=1)
    worst = float(((ours * theirs).sum(axis=1) / norms).min())
    assert worst > 0.95, f"cosine {worst:.4f} against onnxruntime"
    return f"{len(found)} rows, cosine at least {worst:.4f} against onnxruntime, the mean taken off"


WORK = Work(
    name="classify",
    title="the same plus one ONNX model (ResNet18-shaped, batch 64)",
    target="≥ 1.3 × the best peer; the model alone ≥ 85 % of the wall time",
    engines={"mainstem": run_mainstem, "daft": run_daft, "ray": run_ray, "model_alone": run_model_alone},
    peers=("daft", "ray"),
    prepare=prepare,
    check=check,
    full={"images": 1500},
    quick={"images": 130},
    ratio=1.3,
    bound=("model_alone", 0.85),
)
