"""Runs one job of one engine in this process: worker.py REQUEST.json RESULT.json."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import works


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text())
    work = works.load(request["work"])
    inputs = Path(request["inputs"])
    if request["engine"] == "prepare":
        work.prepare(inputs, request["parameters"])
        return
    case = works.Case(inputs, Path(request["out"]), request["parameters"])
    job, settings = work.engines[request["engine"]](case)
    started = time.monotonic()
    detail = job()
    finished = time.monotonic()
    Path(sys.argv[2]).write_text(
        json.dumps({"started": started, "finished": finished, "settings": settings, "detail": detail}, default=str)
    )


if __name__ == "__main__":
    main()
