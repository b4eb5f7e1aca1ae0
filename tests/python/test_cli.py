"""The command mainstem, and what is written from the registry."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from fake_core import FUNCTIONS, FakeCore

import mainstem as ms
from mainstem import col
from mainstem._stubs import reference_pages, stub_text
from mainstem.cli import main
from mainstem.registry import parse


def test_a_saved_plan_runs_again(core: FakeCore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    path.write_text(ms.range(5).filter(col("id") > 2).to_plan(indent=2))
    core.batches = [pa.record_batch({"id": [3, 4]})]
    assert main(["run", "--report", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "│     3 │" in out and "2 rows" in err and "peak memory" in err
    assert core.started[0][0] == json.loads(path.read_text())
    assert main(["explain", str(path), "--mode", "physical"]) == 0
    assert capsys.readouterr().out == "physical of 2 nodes\n"


def test_a_script_runs_as_main(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "neighbour.py").write_text("ANSWER = 42")
    script = tmp_path / "script.py"
    script.write_text("import sys, neighbour; print(__name__, sys.argv[1:], neighbour.ANSWER)")
    assert main(["run", str(script), "--fast"]) == 0
    assert capsys.readouterr().out == "__main__ ['--fast'] 42\n"


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nowhere.json"]) == 2
    broken = tmp_path / "broken.json"
    for text in ("{", "[]", '{"nodes": []}', '{"nodes": [1]}'):
        broken.write_text(text)
        assert main(["explain", str(broken)]) == 1
    assert main(["functions", "image.resise"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("mainstem: ") for line in lines)
    assert "Did you mean 'image.resize'" in lines[-1]


def test_functions_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["functions"]) == 0
    assert capsys.readouterr().out.count("\n") == len(FUNCTIONS)
    assert main(["functions", "image.resize"]) == 0
    assert capsys.readouterr().out.startswith("image.resize(image, width, height, method='lanczos')")
    assert main(["version"]) == 0
    assert capsys.readouterr().out.strip() == ms.__version__


def test_stubs_are_python_and_pages_name_every_function() -> None:
    known = parse(json.dumps(FUNCTIONS))
    text = stub_text(known)
    compile(text, "_functions.pyi", "exec")
    assert 'def resize(self, width: int, height: int, method: str = "lanczos") -> Expression:' in text
    assert "def concat(self, *text: Any) -> Expression:" in text
    assert "def pages(self, dpi: int = 150) -> TableCall:" in text
    assert "def embed_text(self, text: Any, model: str) -> Expression:" in text
    pages = reference_pages(known)
    assert all(any(f"## {name}\n" in page for page in pages.values()) for name in known)
    assert "resolved" not in pages["ai.md"]
