"""PDF → text → chunks of 2,048 characters → MiniLM embeddings → Parquet.

The peers run the same model files in OpenVINO and cut with the same rule: at the last sentence end of the window.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from pathlib import Path
from typing import Any

from works import Case, Work, images

CHUNK, OVERLAP = 2048, 200
MODEL = "all-minilm-l6-v2"
BATCH = 32
PAPERS = Path(__file__).resolve().parents[2] / "build" / "samples" / "papers"


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    papers = sorted(PAPERS.glob("*.pdf"))
    for index in range(parameters["papers"]):
        shutil.copy(papers[index % len(papers)], folder / f"{index:04}.pdf")


def model_files(case: Case) -> dict[str, str]:
    """The files of the model as Mainstem's store keeps them, asked of the engine's own environment."""
    import json
    import subprocess

    root = Path(case.root)
    python, package = root / ".venv" / "bin" / "python", root / "python"
    code = f"import json; from mainstem import models; print(json.dumps(models.resolve('embed_text', '{MODEL}')))"
    done = subprocess.run(
        [str(python), "-c", code],
        env={**os.environ, "PYTHONPATH": str(package)},
        check=True,
        capture_output=True,
        text=True,
    )
    files: dict[str, str] = json.loads(done.stdout.splitlines()[-1])["files"]
    return files


#: pdfium is not thread-safe, and Daft calls a function of one process from several threads: without it, it crashes.
PDFIUM = threading.Lock()


def page_texts(data: bytes) -> list[str]:
    import pypdfium2

    with PDFIUM, pypdfium2.PdfDocument(data) as document:
        return [_page_text(page) for page in document]


def _page_text(page: Any) -> str:
    """Closes what it opens: what pypdfium2's finalizers close is closed at any time, in any thread."""
    text = page.get_textpage()
    try:
        found: str = text.get_text_range()
        return found
    finally:
        text.close()
        page.close()


def chunks(text: str) -> list[str]:
    """Windows of at most CHUNK characters that end at a sentence and overlap by OVERLAP."""
    found, start = [], 0
    while start < len(text):
        end = min(start + CHUNK, len(text))
        if end < len(text):
            ends = [match.end() for match in re.finditer(r"[.!?]\s", text[start:end])]
            if ends and ends[-1] > OVERLAP:
                end = start + ends[-1]
        found.append(text[start:end])
        start = end if end == len(text) else end - OVERLAP
    return [chunk for chunk in found if chunk.strip()]


class Embedder:
    """Tokenizer and model, as a class whose copies live in a worker."""

    def __init__(self, files: dict[str, str]) -> None:
        import openvino
        from tokenizers import BertWordPieceTokenizer

        self.tokenizer = BertWordPieceTokenizer(files["vocabulary"], lowercase=True)
        self.tokenizer.enable_truncation(256)
        self.tokenizer.enable_padding()
        self.request = openvino.Core().compile_model(files["model"], "CPU").create_infer_request()

    def run(self, texts: list[str]) -> Any:
        import numpy

        encoded = self.tokenizer.encode_batch(texts)
        rows = {
            "ids": numpy.array([one.ids for one in encoded]),
            "mask": numpy.array([one.attention_mask for one in encoded]),
            "type": numpy.array([one.type_ids for one in encoded]),
        }
        inputs = {}
        for number, port in enumerate(self.request.model_inputs):
            name = port.get_any_name()
            key = next((key for key in rows if key in name), "ids")
            inputs[number] = rows[key].astype("int64" if "64" in str(port.element_type) else "int32")
        self.request.infer(inputs)
        return self.request.get_output_tensor(0).data.copy()

    def run_sorted(self, texts: list[str]) -> list[Any]:
        """Batches of like length, so that padding costs little."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        found: list[Any] = [None] * len(texts)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            for row, vector in zip(rows, self.run([texts[row] for row in rows]), strict=True):
                found[row] = vector
        return found


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    model_files(case)  # converted once, before the clock starts

    def job() -> None:
        (
            ms.read_files(f"{case.inputs}/*.pdf")
            .join_lateral(col("file").document.pages())
            .with_column("chunk", col("text").text.chunk(size=CHUNK, overlap=OVERLAP))
            .explode("chunk")
            .select("file", "chunk", embedding=ms.ai.embed_text(col("chunk"), model=MODEL))
            .write_parquet(str(case.out))
        )

    return job, {"batch": "the service's own"}


def run_daft(case: Case) -> Any:
    import daft
    from daft import DataType, Series, col

    files = model_files(case)

    @daft.func(return_dtype=DataType.string(), use_process=False)
    def to_chunks(path: str) -> Any:
        for text in page_texts(Path(path.removeprefix("file://")).read_bytes()):
            yield from chunks(text)

    @daft.cls(max_concurrency=1, use_process=False)
    class Model:
        def __init__(self) -> None:
            self.embedder = Embedder(files)

        @daft.method.batch(return_dtype=DataType.embedding(DataType.float32(), 384), batch_size=256)
        def embed(self, texts: Series) -> Any:
            return self.embedder.run_sorted(texts.to_pylist())

    model = Model()

    def job() -> None:
        frame = daft.from_glob_path(f"{case.inputs}/*.pdf").into_batches(1)
        frame = frame.select(col("path").alias("name"), to_chunks(col("path")).alias("chunk"))
        frame.with_column("embedding", model.embed(col("chunk"))).write_parquet(str(case.out))

    return job, {
        "model": f"OpenVINO, one class instance, batches of {BATCH} of like length",
        "text": "pypdfium2, one call at a time",
    }


def run_ray(case: Case) -> Any:
    ray = images.start_ray()
    files = model_files(case)

    def to_chunks(row: dict[str, Any]) -> Any:
        for text in page_texts(row["bytes"]):
            for chunk in chunks(text):
                yield {"name": row["path"], "chunk": chunk}

    class Model:
        def __init__(self) -> None:
            self.embedder = Embedder(files)

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            return {**batch, "embedding": self.embedder.run_sorted(list(batch["chunk"]))}

    def job() -> None:
        papers = ray.data.read_binary_files(str(case.inputs), include_paths=True)
        rows = papers.flat_map(to_chunks)
        rows.map_batches(Model, batch_size=256, concurrency=1, num_cpus=0).write_parquet(str(case.out))

    return job, {"model": f"OpenVINO, one actor with num_cpus 0, batches of {BATCH} of like length"}


def check(case: Case) -> str:
    """All text is there, chunks are bounded, and each vector is the model's for its chunk."""
    import numpy
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(case.out, format="parquet", exclude_invalid_files=True).to_table()
    found = table["chunk"].to_pylist()
    assert max(map(len, found)) <= CHUNK
    expected = sum(
        len(chunk)
        for path in sorted(case.inputs.iterdir())
        for text in page_texts(path.read_bytes())
        for chunk in chunks(text)
    )
    share = sum(map(len, found)) / expected
    assert 0.85 < share < 1.15, f"{share:.2f} of the reference's characters"
    rows = range(0, len(found), max(1, len(found) // 50))
    vectors = Embedder(model_files(case)).run_sorted([found[row] for row in rows])
    worst = 1.0
    for row, vector in zip(rows, vectors, strict=True):
        value = numpy.asarray(table["embedding"][row].as_py(), "float64")
        worst = min(worst, value @ vector / numpy.linalg.norm(value) / numpy.linalg.norm(vector))
    assert worst > 0.99, f"cosine {worst:.4f} against the model itself"
    return f"{len(found)} chunks, {share:.2f} of the reference's characters, cosine at least {worst:.4f}"


WORK = Work(
    name="documents",
    title="PDF → text → chunks → MiniLM embeddings",
    target="≥ 1.3 × the best peer",
    engines={"mainstem": run_mainstem, "daft": run_daft, "ray": run_ray},
    peers=("daft", "ray"),
    prepare=prepare,
    check=check,
    full={"papers": 8},
    quick={"papers": 2},
    ratio=1.3,
)
