"""Display: tables, cells and reports for terminals and notebooks."""

from __future__ import annotations

import html
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mainstem.progress import progress_view

if TYPE_CHECKING:
    from mainstem.dataframe import DataFrame
    from mainstem.results import Rows

__all__ = ["cell_text", "frame_html", "frame_text", "progress_view", "report_text", "show", "table_html", "table_text"]

#: Rows that a repr shows; the first ones.
MAX_ROWS = 20
_MAX_CELL = 60
_MIN_CELL = 6
_SIZES = ("B", "KB", "MB", "GB", "TB")


def show(rows: Rows) -> None:
    """Prints rows, or displays them in a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import HTML, display

        display(HTML(table_html(rows)))
        return
    print(table_text(rows))


def bytes_text(count: float) -> str:
    """A number of bytes for people: "1.4 MB"."""
    size = float(count)
    for unit in _SIZES:
        if size < 1000 or unit == _SIZES[-1]:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def cell_text(value: Any, limit: int = _MAX_CELL) -> str:
    """One value on one line, cut where it is long."""
    from mainstem import values

    match value:
        case None:
            return "null"
        case values.Image():
            text = f"{value.mode.name} {value.width}×{value.height}"
        case values.File() | values.Audio():
            text = str(value)
        case bytes():
            text = f"<{bytes_text(len(value))}>"
        case str():
            text = value
        case float():
            text = f"{value:.6g}"
        case Mapping():
            text = "{" + ", ".join(f"{key}: {cell_text(item, limit)}" for key, item in value.items()) + "}"
        case list() | tuple():
            text = _items_text(value, len(value), limit)
        case _ if type(value).__module__ == "numpy" and hasattr(value, "shape") and value.ndim:
            shape = "×".join(map(str, value.shape))
            text = f"{value.dtype}[{shape}]" if value.ndim > 1 else _items_text(value[:8].tolist(), len(value), limit)
        case _:
            text = str(value)
    return _cut(_one_line(text), limit)


def _items_text(items: Sequence[Any], count: int, limit: int) -> str:
    shown = [cell_text(item, limit) for item in items[:4]]
    more = f", … {count} in all" if count > len(shown) else ""
    return f"[{', '.join(shown)}{more}]"


def _one_line(text: str) -> str:
    line = text.replace("\n", "⏎").replace("\t", " ")
    return "".join(char if char.isprintable() else "·" for char in line)


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _cut(text: str, limit: int) -> str:
    if _width(text) <= limit:
        return text
    kept, used = [], 0
    for char in text:
        used += _width(char)
        if used > limit - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def table_text(rows: Rows) -> str:
    """Rows as a table that fits the terminal."""
    shown = rows[:MAX_ROWS]
    kinds = {name: str(kind) for name, kind in rows.schema.items()}
    body = [[cell_text(value) for value in row.values()] for row in shown]
    right = [kind.startswith(("int", "uint", "float", "decimal")) for kind in kinds.values()]
    text = _grid([list(kinds), list(kinds.values())], body, right)
    return f"{text}\n{_count_text(len(shown), len(rows))}"


def _count_text(shown: int, count: int) -> str:
    rows = f"{count:,} row{'' if count == 1 else 's'}"
    return f"({rows})" if shown == count else f"({shown} of {rows})"


def _grid(heads: list[list[str]], body: list[list[str]], right: list[bool]) -> str:
    if not right:
        return "(no columns)"
    lines = [*heads, *body]
    natural = [max(_width(line[index]) for line in lines) for index in range(len(right))]
    widths = _fitted(natural, shutil.get_terminal_size((120, 24)).columns)

    def line(cells: Iterable[str]) -> str:
        made = (_padded(_cut(c, w), w, right=r) for c, w, r in zip(cells, widths, right, strict=True))
        return "│ " + " │ ".join(made) + " │"

    def rule(left: str, middle: str, end: str) -> str:
        return left + middle.join("─" * (width + 2) for width in widths) + end

    out = [rule("┌", "┬", "┐"), *(line(head) for head in heads), rule("├", "┼", "┤")]
    out += [line(row) for row in body]
    out.append(rule("└", "┴", "┘"))
    return "\n".join(out)


def _fitted(natural: list[int], columns: int) -> list[int]:
    """Widths that fit; the widest give way first, none below the smallest that can be read."""
    widths = [min(width, _MAX_CELL) for width in natural]
    room = columns - 3 * len(widths) - 1
    while sum(widths) > room and max(widths) > _MIN_CELL:
        widest = max(widths)
        others = [width for width in widths if width < widest]
        count = len(widths) - len(others)
        target = max([_MIN_CELL, (room - sum(others)) // count, *others[:0]])
        lower = max(others, default=0)
        widths = [max(target, min(lower, widest - 1)) if width == widest else width for width in widths]
    return widths


def table_html(rows: Rows) -> str:
    """Rows as an HTML table with pictures."""
    shown = rows[:MAX_ROWS]
    heads = "".join(
        f"<th>{html.escape(name)}<br><small>{html.escape(str(kind))}</small></th>" for name, kind in rows.schema.items()
    )
    lines = "".join(f"<tr>{''.join(f'<td>{cell_html(value)}</td>' for value in row.values())}</tr>" for row in shown)
    count = _count_text(len(shown), len(rows))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table><small>{count}</small>"


def cell_html(value: Any) -> str:
    """One value as HTML: pictures as thumbnails."""
    from mainstem import values

    if isinstance(value, values.Image):
        return value._repr_html_()
    return html.escape(cell_text(value, 200))


def frame_text(frame: DataFrame) -> str:
    """A data frame that has not run: its columns."""
    kinds = [[name, str(kind)] for name, kind in frame.schema.items()]
    heads = [["column", "type"]]
    return f"{_grid(heads, kinds, [False, False])}\n(lazy: .show() runs it)"


def frame_html(frame: DataFrame) -> str:
    """A data frame that has not run, as HTML."""
    lines = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(kind))}</td></tr>" for name, kind in frame.schema.items()
    )
    head = "<thead><tr><th>column</th><th>type</th></tr></thead>"
    return f"<table>{head}<tbody>{lines}</tbody></table><small>lazy: .show() runs it</small>"


def report_text(report: Mapping[str, Any]) -> str:
    """A job's report: its figures, then a table of lists of figures."""
    lines: list[str] = []
    tables: list[str] = []
    figures = {name: value for name, value in report.items() if not _is_table(value)}
    width = max((len(name) for name in figures), default=0)
    for name, value in figures.items():
        lines.append(f"{name.replace('_', ' '):{width}}  {figure_text(name, value)}")
    for name, value in report.items():
        if _is_table(value):
            keys = list(dict.fromkeys(key for entry in value for key in entry))
            body = [[figure_text(key, entry.get(key)) for key in keys] for entry in value]
            right = [all(isinstance(e.get(key), (int, float, type(None))) for e in value) for key in keys]
            tables.append(f"{name.replace('_', ' ')}\n{_grid([keys], body, right)}")
    return "\n".join([*lines, *tables])


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def figure_text(name: str, value: Any) -> str:
    """A figure with its unit, which stands last in its name: ``peak_memory_bytes``, ``wall_ns``, ``seconds``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return cell_text(value)
    if name == "bytes" or name.endswith("_bytes"):
        return bytes_text(value)
    if name.endswith("_ns"):
        return f"{value / 1e9:.3f} s"
    if name.endswith("_ms"):
        return f"{value:,.0f} ms"
    if name in ("seconds",) or name.endswith(("_s", "_seconds")):
        return f"{value:.3f} s"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
