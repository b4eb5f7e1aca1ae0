"""From the start of the process to the first row: one photo decoded and shrunk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from works import Case, Work, images


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    shutil.copy(images.SAMPLES / "rocket.jpg", folder / "rocket.jpg")


def note(case: Case, name: str, shape: Any) -> None:
    (case.out / "row.json").write_text(json.dumps([Path(name).name, [int(number) for number in shape]]))


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    def job() -> None:
        frame = ms.read_files(f"{case.inputs}/*.jpg")
        row = frame.select("file", small=col("file").image.decode().image.resize(224, 224)).take(1)[0]
        note(case, row["file"].uri, row["small"].data.shape)

    return job, {}


def run_daft(case: Case) -> Any:
    import daft
    from daft import col
    from daft.functions import decode_image, download, resize

    def job() -> None:
        frame = daft.from_glob_path(f"{case.inputs}/*.jpg").limit(1)
        frame = frame.select("path", resize(decode_image(download(col("path"))), 224, 224).alias("small"))
        row = next(iter(frame.iter_rows()))
        note(case, row["path"], row["small"].shape)

    return job, {}


def run_ray(case: Case) -> Any:
    ray = images.start_ray(warm=False)

    def job() -> None:
        files = ray.data.read_images(str(case.inputs), include_paths=True, size=(224, 224), mode="RGB")
        row = files.take(1)[0]
        note(case, row["path"], row["image"].shape)

    return job, {}


def check(case: Case) -> str:
    found = json.loads((case.out / "row.json").read_text())
    assert found == ["rocket.jpg", [224, 224, 3]], f"found {found}"
    return "one image of 224 × 224 × 3"


WORK = Work(
    name="first_row",
    title="process start to first row on one file",
    target="≥ 1 × the best peer",
    engines={"mainstem": run_mainstem, "daft": run_daft, "ray": run_ray},
    peers=("daft", "ray"),
    prepare=prepare,
    check=check,
    from_process_start=True,
)
