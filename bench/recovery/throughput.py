"""What a checkpoint every second, and the journal, cost the image job and the embedding job.

The images are those of works/images.py, twice; the papers those of works/documents.py, each chunk made the paper's own
(the journal would answer equal chunks once). A job without calls has nothing for a journal.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Any

from recovery.figures import Figure, seconds
from recovery.processes import FOLDER, Setting, fresh, run
from works import images

PAPERS = Path(__file__).resolve().parents[2] / "build" / "samples" / "papers"


def job(request: dict[str, Any]) -> dict[str, Any]:
    import time

    import mainstem as ms

    ms.config.set("progress", False)
    arguments: dict[str, Any] = {"job_name": "bench", "wait": False}
    if "checkpoints" in request["kind"]:
        arguments["checkpoint"] = ms.Checkpoint(request["state"], every="1s", retained=1000)
    if "journal" in request["kind"]:
        arguments["journal"] = request["journal"]
    frame = _images(request["inputs"]) if request["work"] == "images" else _documents(request["inputs"])
    started = time.perf_counter()
    running = frame.write_parquet(request["out"], **arguments)
    running.wait()
    took = time.perf_counter() - started
    report = running.report()
    return {
        "seconds": took,
        "rows": report["rows"],
        "checkpoints": report.get("checkpoints", {}),
        "journal_writes": report.get("journal_writes", 0),
    }


def _images(inputs: str) -> Any:
    import mainstem as ms
    from mainstem import col

    frame = ms.read_files(f"{inputs}/*/*")
    frame = frame.with_column("image", col("file").image.decode(mode="RGB", on_error="dead_letter"))
    size = images.SIZE
    return frame.select("file", jpeg=col("image").image.resize(size, size, method="bilinear").image.encode("JPEG"))


def _documents(inputs: str) -> Any:
    import mainstem as ms
    from mainstem import col

    return (
        ms.read_files(f"{inputs}/*.pdf")
        .join_lateral(col("file").document.pages())
        .with_column("chunk", col("text").text.chunk(size=2048, overlap=200))
        .explode("chunk")
        .with_column("chunk", col("file").file.name().text.concat(col("chunk")))
        .select("file", "chunk", embedding=ms.ai.embed_text(col("chunk"), model="all-minilm-l6-v2"))
    )


def _inputs(work: str, setting: Setting) -> Path:
    """Hard links to inputs that the other benches have made, or make now."""
    folder = FOLDER / f"inputs-{work}-{'quick' if setting.quick else 'full'}"
    if folder.exists():
        return folder
    partial = fresh(f"{folder.name}.partial")
    if work == "documents":
        papers = sorted(PAPERS.glob("*.pdf"))
        for index in range(1 if setting.quick else 4):
            os.link(papers[index % len(papers)], partial / f"{index:04}.pdf")
    else:
        for copy in range(2):
            (partial / str(copy)).mkdir()
            for index in range(100 if setting.quick else 6000):
                made = FOLDER.parent / "inputs" / "images-full" / images.name_of(index)
                if not made.exists():
                    made.parent.mkdir(parents=True, exist_ok=True)
                    images.make_photo((made.parent, index))
                os.link(made, partial / str(copy) / made.name)
    partial.rename(folder)
    return folder


def _check(work: str, inputs: Path, out: Path) -> list[Any]:
    """The rows' names, sorted; of the images the oracle's, of the papers the chunks that each run must have alike."""
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(out, format="parquet", exclude_invalid_files=True).to_table()
    if work == "documents":
        assert table.num_rows > 0 and all(len(vector) == 384 for vector in table["embedding"].to_pylist())
        return sorted(table["chunk"].to_pylist())
    uris = [row["uri"].removeprefix("file://") for row in table["file"].to_pylist()]
    count = sum(1 for _ in (inputs / "0").iterdir())
    good = [f"{inputs}/{copy}/{images.name_of(i)}" for copy in range(2) for i in range(count)
            if images.kind_of(i) != "broken"]  # fmt: skip
    assert sorted(uris) == sorted(good), f"{len(uris)} rows for {len(good)} good images"
    assert all(jpeg[:2] == b"\xff\xd8" for jpeg in table["jpeg"].to_pylist())
    return sorted(uris)


def measure(setting: Setting) -> list[Figure]:
    figures = []
    kinds = {"images": ("none", "checkpoints"), "documents": ("none", "checkpoints", "journal", "checkpoints+journal")}
    for work in setting.parameters.get("works", ("images", "documents")):
        inputs = _inputs(work, setting)
        times: dict[str, list[float]] = {kind: [] for kind in kinds[work]}
        work_s: dict[str, list[float]] = {kind: [] for kind in kinds[work]}
        notes: dict[str, Any] = {}
        rows: list[Any] | None = None
        for number in range(setting.rounds):
            turn = number % len(kinds[work])
            for kind in kinds[work][turn:] + kinds[work][:turn]:
                folder = fresh("throughput")
                request = {"work": work, "kind": kind, "inputs": str(inputs), "out": str(folder / "out"),
                           "state": str(folder / "state"), "journal": str(folder / "journal")}  # fmt: skip
                answer, measured = run(setting, "throughput", request)
                found = _check(work, inputs, folder / "out")
                assert rows is None or found == rows, f"{kind}: other rows than the run before"
                rows = found
                times[kind].append(answer["seconds"])
                work_s[kind].append(measured.cpu_seconds)
                notes[kind] = answer
                print(f"throughput {work} {kind}: {answer['seconds']:.2f} s, {len(found)} rows checked", flush=True)
        for kind in kinds[work][1:]:
            share = statistics.median(times["none"]) / statistics.median(times[kind])
            demanded = {"checkpoints": 0.95, "journal": 0.97}.get(kind)
            taken = notes[kind]["checkpoints"]
            details = [f"without {seconds(times['none'])}, with {seconds(times[kind])}, {len(rows or [])} rows"]
            cpu = statistics.median(work_s["none"]), statistics.median(work_s[kind])
            details[0] += f"; {cpu[0]:.1f} and {cpu[1]:.1f} CPU-s ({cpu[0] / cpu[1]:.1%})"
            if taken:
                details[0] += (
                    f"; {taken['completed']} checkpoints, the last took {taken['last_duration_s'] * 1e3:.0f} ms"
                )
            if notes[kind]["journal_writes"]:
                details[0] += f"; {notes[kind]['journal_writes']} replies in the journal"
            name = (
                kind.replace("checkpoints", "a checkpoint every second")
                .replace("+", " and ")
                .replace("journal", "the journal")
            )
            figures.append(
                Figure("throughput", f"{work} with {name}", f"≥ {demanded:.0%} of none" if demanded else "",
                       f"{share:.1%}", share >= demanded if demanded else None, details)
            )  # fmt: skip
    return figures
