"""Checks an engine's output against the reference; the request comes on standard input."""

import json
import sys
from pathlib import Path

import works

request = json.load(sys.stdin)
case = works.Case(Path(request["inputs"]), Path(request["out"]), request["parameters"])
print(works.load(request["work"]).check(case))
