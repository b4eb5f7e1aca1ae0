"""The documentation runs: every Python block of README.md and docs/guide, in order, and prints what stands below it.

A page is one program: its blocks share names and a folder with small inputs. A `text` block right behind a Python block
is what that prints. `<!-- not run: why -->` in the line before keeps a block from running."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "end_to_end"))

from inputs import pdf, photo, sound, tone  # noqa: E402

PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))] if path.exists()]
BLOCK = re.compile(
    r"^(?P<skip><!-- not run: [^\n]+ -->\n)?```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.M | re.S,
)


@dataclass
class Block:
    """A piece of a page's program."""

    line: int
    code: str
    output: str | None


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in BLOCK.finditer(text):
        if not match["skip"]:
            yield Block(text.count("\n", 0, match.start("code")) + 1, match["code"], match["output"])


def write_inputs(folder: Path) -> None:
    """The files that the pages speak of."""
    for name in ("photos", "uploads", "papers", "speech", "clips", "out"):
        (folder / name).mkdir()
    for seed, (name, width, height) in enumerate([("forest", 400, 600), ("harbour", 640, 480), ("street", 320, 320)]):
        photo(width, height, seed).save(folder / "photos" / f"{name}.jpg")
    good = (folder / "photos" / "street.jpg").read_bytes()
    (folder / "uploads" / "cut.jpg").write_bytes(good[: len(good) // 2])
    (folder / "uploads" / "good.jpg").write_bytes(good)
    (folder / "uploads" / "text.jpg").write_text("This is no picture.\n")
    lines = ["Pipelines read files and tables.", "A broken page is set aside.", "Results become visible as a whole."]
    (folder / "papers" / "report.pdf").write_bytes(pdf(lines))
    (folder / "papers" / "note.pdf").write_bytes(pdf(["Only one page."]))
    call = tone(3.0, 48_000)
    call[48_000:96_000] = 0
    (folder / "speech" / "call.wav").write_bytes(sound(call, 48_000))
    (folder / "speech" / "memo.wav").write_bytes(sound(tone(1.5, 16_000, 1), 16_000))
    video = ROOT / "src" / "mainstem" / "media" / "video" / "testdata" / "h264.mp4"
    shutil.copy(video, folder / "clips" / "walk.mp4")


def run(block: Block, page: Path, names: dict[str, object]) -> str:
    """Runs a block where the page has it, so that a failure names the page's line; returns what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)
    return "".join(line.rstrip() + "\n" for line in printed.getvalue().rstrip().splitlines())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_runs_and_prints_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mainstem as ms

    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    program = list(blocks(page))
    assert program, f"{page} has no Python block"
    try:
        for block in program:
            printed = run(block, page, names)
            if block.output is not None:
                assert printed == block.output, f"{page}:{block.line} prints something else"
    finally:
        ms.config.reset()
