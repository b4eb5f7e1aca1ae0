"""Gallery: one self-contained HTML page of what the demo found. No scripts, no outside resources."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import PurePosixPath
from typing import Any

import numpy as np

STYLE = """
:root { --paper: #faf9f7; --ink: #22252a; --soft: #70757d; --line: #e3e0da; --card: #fff; --accent: #0b6e6e; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #17191c; --ink: #e8e6e3; --soft: #9aa0a8; --line: #2c3036; --card: #1f2226; --accent: #58c1bd; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 2.5rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 2rem; margin: 0; letter-spacing: -.02em; } h2 { margin: 3rem 0 .2rem; font-size: 1.35rem; }
p, .soft { color: var(--soft); } p { margin: .2rem 0 1rem; max-width: 70ch; }
.figures { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1.4rem 0; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .6rem 1rem; }
.figure b { display: block; font-size: 1.35rem; color: var(--accent); font-variant-numeric: tabular-nums; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.card > img { width: 100%; display: block; aspect-ratio: 1; object-fit: cover; }
.wide > img { aspect-ratio: 16/9; }
.card div { padding: .55rem .8rem .75rem; } .card h3 { margin: 0; font-size: .98rem; }
.near { display: flex; gap: 5px; align-items: center; margin-top: .45rem; font-size: .78rem; color: var(--soft); }
.near img { width: 38px; height: 38px; border-radius: 6px; object-fit: cover; }
.small { font-size: .8rem; color: var(--soft); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line); }
td, th { text-align: left; padding: .45rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-size: .8rem; color: var(--soft); font-weight: 600; }
.track { position: relative; height: 18px; border-radius: 9px; background: var(--line); min-width: 320px; }
.track i { position: absolute; top: 0; bottom: 0; border-radius: 9px; background: var(--accent); min-width: 2px; }
blockquote { margin: 0; } .chunk { display: grid; gap: 1rem; grid-template-columns: 1fr 1fr; padding: .9rem 1rem;
  margin-bottom: .8rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
@media (max-width: 700px) { .chunk { grid-template-columns: 1fr; } }
"""


def picture(data: bytes, title: str = "") -> str:
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img loading="lazy" alt="{escape(title)}" title="{escape(title)}" src="data:image/jpeg;base64,{encoded}">'


def file_name(file: Any) -> str:
    """The base name of a file reference, whichever form it comes in."""
    uri = file["uri"] if isinstance(file, Mapping) else getattr(file, "uri", file)
    return PurePosixPath(str(uri)).name


def label_text(label: Any) -> str:
    """A class and its score, from whichever form the model answers in."""
    if isinstance(label, (list, tuple)) and label:
        label = label[0]
    if isinstance(label, Mapping):
        name = next((str(value) for key, value in label.items() if key in ("label", "category", "class", "name")), "?")
        score = next((value for key, value in label.items() if key in ("score", "confidence", "probability")), None)
        return f"{name}, {score:.0%}" if isinstance(score, float) else name
    return str(label)


def neighbours(vectors: Sequence[Any], count: int) -> list[list[tuple[int, float]]]:
    """For each vector the nearest others by cosine."""
    if len(vectors) < 2:
        return [[] for _ in vectors]
    matrix = np.stack([np.asarray(vector, "float64").ravel() for vector in vectors])
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    cosines = matrix @ matrix.T
    np.fill_diagonal(cosines, -2)
    order = np.argsort(-cosines, axis=1)[:, :count]
    return [[(int(other), float(cosines[row, other])) for other in order[row]] for row in range(len(matrix))]


class Gallery:
    """Collects the results of the demo's steps and writes the page."""

    def __init__(self) -> None:
        self._sections: list[str] = []
        self._figures: list[tuple[str, str]] = []
        self._reports: list[str] = []
        self._dead: list[str] = []

    def add(self, name: str, rows: Sequence[Mapping[str, Any]], job: Any) -> None:
        """Adds the rows that a step wrote, its report and its dead letters."""
        self._sections.append(getattr(self, f"_{name}")(list(rows)))
        self._reports.append(f"<h3>{escape(name)}</h3><pre class=small>{escape(str(job.report()))}</pre>")
        for letter in job.dead_letters().collect():
            cells = "".join(f"<td class=small>{escape(str(value))[:300]}</td>" for value in letter.values())
            self._dead.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")

    def html(self) -> str:
        figures = "".join(f"<div class=figure><b>{value}</b>{escape(what)}</div>" for value, what in self._figures)
        dead = ""
        if self._dead:
            dead = (
                "<h2>Dead letters</h2><p>Rows that failed were set aside with the reason; everything else went on.</p>"
                f"<table>{''.join(self._dead)}</table>"
            )
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>Mainstem: quality demo</title>'
            f"<style>{STYLE}</style><h1>What Mainstem found</h1>"
            "<p>Real photos, papers, speech and clips, decoded natively, measured, classified and embedded on this "
            "machine. Everything below was read back from the Parquet files that the demo wrote.</p>"
            f"<div class=figures>{figures}</div>{''.join(self._sections)}{dead}"
            f"<h2>Job reports</h2>{''.join(self._reports)}</html>\n"
        )

    def _photos(self, rows: list[Mapping[str, Any]]) -> str:
        self._figures.append((str(len(rows)), "photos classified"))
        near = neighbours([row["embedding"] for row in rows], 3)
        cards = []
        for row, others in zip(rows, near, strict=True):
            name = file_name(row["file"])
            like = "".join(picture(rows[other]["jpeg"], f"cosine {cosine:.2f}") for other, cosine in others)
            cards.append(
                f"<div class=card>{picture(row['jpeg'], name)}<div><h3>{escape(label_text(row['label']))}</h3>"
                f"<span class=small>{escape(name)} · sharpness {row['sharpness']:.0f}<br>{escape(str(row['phash']))}"
                f"</span><div class=near style='padding:0'>like {like}</div></div></div>"
            )
        return (
            "<h2>Photos</h2><p>The label is EfficientNet-Lite0's; below it the sharpness (variance of the Laplacian), "
            f"the perceptual hash, and the nearest photos by embedding.</p><div class=grid>{''.join(cards)}</div>"
        )

    def _clips(self, rows: list[Mapping[str, Any]]) -> str:
        self._figures.append((str(len(rows)), "frames of video"))
        rows = sorted(rows, key=lambda row: (file_name(row["file"]), row["time_ms"]))
        near = neighbours([row["embedding"] for row in rows], 1)
        cards = []
        for row, others in zip(rows, near, strict=True):
            like = "".join(
                picture(rows[other]["jpeg"]) + f"{escape(file_name(rows[other]['file']))} "
                f"{rows[other]['time_ms'] / 1000:.0f} s, {cosine:.2f}"
                for other, cosine in others
            )
            cards.append(
                f'<div class="card wide">{picture(row["jpeg"])}<div><h3>{escape(label_text(row["label"]))}</h3>'
                f"<span class=small>{escape(file_name(row['file']))} at {row['time_ms'] / 1000:.1f} s</span>"
                f"<div class=near style='padding:0'>nearest {like}</div></div></div>"
            )
        return f"<h2>Clips</h2><p>One frame a second.</p><div class=grid>{''.join(cards)}</div>"

    def _speech(self, rows: list[Mapping[str, Any]]) -> str:
        spoken = 0.0
        lines = []
        for row in sorted(rows, key=lambda row: file_name(row["file"])):
            ranges = [(part["start_ms"], part["end_ms"]) for part in row["speech"] or []]
            length = max(row["seconds"] * 1000, 1)
            spoken += sum(end - start for start, end in ranges) / 1000
            bars = "".join(
                f"<i style='left:{start / length:.2%};width:{(end - start) / length:.2%}' "
                f"title='{start / 1000:.2f} … {end / 1000:.2f} s'></i>"
                for start, end in ranges
            )
            lines.append(
                f"<tr><td>{escape(file_name(row['file']))}</td><td>{row['seconds']:.1f} s</td>"
                f"<td>{len(ranges)}</td><td><div class=track>{bars}</div></td></tr>"
            )
        self._figures.append((f"{spoken:.0f} s", "of speech found"))
        return (
            "<h2>Speech</h2><p>Where somebody speaks, found by Silero's voice activity model at 16 kHz.</p>"
            f"<table><tr><th>recording<th>length<th>segments<th>speech</tr>{''.join(lines)}</table>"
        )

    def _papers(self, rows: list[Mapping[str, Any]]) -> str:
        self._figures.append((str(len(rows)), "text chunks embedded"))
        near = neighbours([row["embedding"] for row in rows], 1)
        best = sorted(range(len(rows)), key=lambda row: -near[row][0][1] if near[row] else 0)
        shown: list[str] = []
        used: set[int] = set()
        for row in best:
            if not near[row] or row in used or len(shown) == 6:
                continue
            other, cosine = near[row][0]
            if cosine > 0.97 or other in used:  # the same text twice says little
                continue
            used |= {row, other}
            shown.append(
                f"<div class=chunk>{self._chunk(rows[row], '')}{self._chunk(rows[other], f'cosine {cosine:.2f}')}</div>"
            )
        return (
            "<h2>Papers</h2><p>Chunks of the PDFs' text beside the nearest other chunk by MiniLM embedding.</p>"
            + "".join(shown)
        )

    def _chunk(self, row: Mapping[str, Any], note: str) -> str:
        text = " ".join(str(row["chunk"]).split())
        short = text if len(text) <= 420 else text[:420] + " …"
        place = " · ".join(_filled([file_name(row["file"]), f"page {row['page_no']}", note]))
        return f"<blockquote>{escape(short)}<br><span class=small>{escape(place)}</span></blockquote>"


def _filled(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if text]
