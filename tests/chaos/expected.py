"""What a job must have made, worked out without the engine, and what its output holds, read without the engine.

This file never imports mainstem."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = tuple[Any, str]


def digest(content: object) -> str:
    data = content if isinstance(content, bytes) else str(content).encode()
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def answer(x: int) -> str:
    return f"{x * 7919 % 1_000_003:x}"


def colour(number: int) -> tuple[int, int, int]:
    return number * 37 % 256, number * 101 % 256, number * 7 % 256


def pixels(size: tuple[int, int], data: bytes) -> bytes:
    return f"{size} ".encode() + data


def write_pictures(folder: Path, count: int) -> None:
    """Pictures of one colour: whatever way they are made smaller, the colour is the same."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (48, 32), colour(number)).save(folder / f"{number:05}.png")


def write_tables(kind: str, folder: Path, count: int) -> None:
    """The numbers from 0, in several files of a format."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, begin in enumerate(range(0, count, 300)):
        ids = range(begin, min(begin + 300, count))
        path = folder / f"{part:03}.{kind}"
        if kind == "parquet":
            pq.write_table(pa.table({"id": list(ids)}), path, row_group_size=70)
        elif kind == "csv":
            path.write_text("\n".join(["id", *map(str, ids)]) + "\n")
        else:
            path.write_text("".join(f'{{"id": {x}}}\n' for x in ids))


def rows_of(kind: str, given: dict[str, Any]) -> Counter[Row]:
    """The rows that a bounded job ends with."""
    rows = given["rows"]
    if kind == "letters":
        return Counter((x, digest(answer(x))) for x in range(rows) if x % 7)
    if kind == "pictures":
        return Counter((f"{n:05}.png", digest(pixels((12, 8), bytes(colour(n)) * 96))) for n in range(rows))
    if kind == "group":
        keys = [[x for x in range(rows) if x % 17 == key] for key in range(17)]
        return Counter((key, digest(f"{len(ids)} {sum(ids)} {max(map(answer, ids))}")) for key, ids in enumerate(keys))
    if kind == "keyed":
        return Counter((x, digest(f"{answer(x)} {x // 17 + 1}")) for x in range(rows))
    if kind == "files":
        return Counter((answer(x), digest(answer(x))) for x in range(rows))
    return Counter((x, digest(answer(x))) for x in range(rows))


def read(kind: str, path: Path) -> list[Row]:
    """The rows of one file. What cannot be read raises."""
    if kind == "files":
        return [(path.name, digest(path.read_bytes()))]
    if path.suffix == ".jsonl":
        text = path.read_text()
        assert text.endswith("\n") or not text, f"{path} is cut short"
        lines = [json.loads(line) for line in text.splitlines()]
        return [(line["id"], digest(line["y"])) for line in lines]
    table = pq.read_table(path).to_pylist()
    if kind == "pictures":
        from PIL import Image

        found = []
        for row in table:
            image = Image.open(io.BytesIO(row["y"])).convert("RGB")
            found.append((row["id"], digest(pixels(image.size, image.tobytes()))))
        return found
    if kind == "group":
        return [(row["key"], digest(f"{row['n']} {row['total']} {row['y']}")) for row in table]
    if kind == "keyed":
        return [(row["id"], digest(f"{row['y']} {row['n']}")) for row in table]
    return [(row["id"], digest(row["y"])) for row in table]


def visible(kind: str, folder: Path) -> list[Path]:
    """The files that readers of the folder see."""
    if not folder.is_dir():
        return []
    if kind in ("delta", "region"):
        import deltalake

        if not deltalake.DeltaTable.is_deltatable(str(folder)):
            return []
        return [Path(str(uri).removeprefix("file://")) for uri in deltalake.DeltaTable(folder).file_uris()]
    found = []
    for above, folders, names in os.walk(folder):  # what goes meanwhile is no error
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        found += [Path(above, name) for name in names if not name.startswith((".", "_"))]
    return found
