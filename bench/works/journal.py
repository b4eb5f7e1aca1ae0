"""What the journal costs: a model-like function of 2 ms a row in workers, with the journal on and off.

The journal must keep 97 % of the throughput: `.venv/bin/python bench/works/journal.py [ROWS] [ROUNDS]`. Rounds
alternate; the medians are compared. The next run over the same rows is timed, too: it only reads."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def frame(rows: int, version: str) -> Any:
    """Rows of 384 numbers, as an embedding has, from 2 ms of work each."""
    import mainstem as ms
    from mainstem import col

    @ms.udf(return_dtype=ms.DataType.list(ms.DataType.float32()), journal=version)
    def embed(x):
        import time

        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        return [float((x * k) % 97) for k in range(384)]

    return ms.range(rows).with_column("v", embed(col("id")))


def timed(rows: int, out: Path, version: str, journal: Path | None) -> float:
    start = time.perf_counter()
    frame(rows, version).write_parquet(out, mode="overwrite", journal=journal)
    return time.perf_counter() - start


def main(rows: int, rounds: int) -> int:
    import mainstem as ms

    ms.config.set("progress", False)
    off: list[float] = []
    on: list[float] = []
    again: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed(64, folder / "out", "warm", None)
        for round_number in range(rounds):
            version = f"round {round_number}"
            off.append(timed(rows, folder / "out", version, None))
            on.append(timed(rows, folder / "out", version, folder / "journal"))
            again.append(timed(rows, folder / "out", version, folder / "journal"))
        size = ms.Journal(folder / "journal").stats()
    share = statistics.median(off) / statistics.median(on)
    for label, seconds in (("off", off), ("on", on), ("again", again)):
        middle = statistics.median(seconds)
        print(f"{label:6} {middle:7.2f} s  {rows / middle:9,.0f} rows/s")
    print(f"{size.entries:,} replies, {size.bytes / max(1, size.entries):,.0f} bytes each")
    print(f"throughput with the journal: {share:.1%} (needs 97 %)")
    return 0 if share >= 0.97 else 1


if __name__ == "__main__":
    raise SystemExit(main(*(int(text) for text in (sys.argv[1:] + ["3000", "3"][len(sys.argv) - 1 :])[:2])))
