"""Runs `job` of one bench in this process: child.py MODULE REQUEST.json ANSWER.json."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    module, request, answer = sys.argv[1:4]
    found = importlib.import_module(f"recovery.{module}").job(json.loads(Path(request).read_text()))
    Path(answer).write_text(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
