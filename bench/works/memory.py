"""Twelve-megapixel photos under a budget of 512 MB: does it run, and what is the peak?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from works import Case, Work, images

BUDGET = "512MB"


def prepare(folder: Path, parameters: dict[str, Any]) -> None:
    """Only the large photos of images, renamed so that its check holds."""
    for index in range(parameters["images"]):
        images.make_photo((folder, index * 50 + 3))


def run_mainstem(case: Case) -> Any:
    import mainstem as ms

    ms.config.set("memory_budget", BUDGET)
    job, settings = images.run_mainstem(case)
    return job, {**settings, "memory_budget": BUDGET}


def check(case: Case) -> str:
    import io

    from PIL import Image

    found = images.names_and_values(case.out, "jpeg")
    assert set(found) == {path.name for path in case.inputs.iterdir()}, f"{len(found)} rows"
    assert all(Image.open(io.BytesIO(data)).size == (images.SIZE, images.SIZE) for data in found.values())
    return f"{len(found)} rows of 224 × 224"


WORK = Work(
    name="memory",
    title="12-megapixel photos under a 512 MB budget",
    target="it runs; peak below the budget and below the best peer's",
    engines={
        "mainstem": run_mainstem,
        "daft_pillow": lambda case: images.daft_pillow(case, draft=False),
        "ray": images.run_ray,
    },
    peers=("daft_pillow", "ray"),
    prepare=prepare,
    check=check,
    full={"images": 100},
    quick={"images": 10},
    ratio=0.0,
)
