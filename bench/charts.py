"""Charts as SVG: plain text that is readable on a light and on a dark page, without a library.

Knows no workload.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABEL, ROW, GAP = 860, 250, 22, 16
OURS, PEER, BAR = "#2f6fab", "#9aa5b1", "#c0392b"
STYLE = "font-family:system-ui,sans-serif;font-size:13px"


@dataclass(frozen=True)
class Column:
    """One horizontal bar: `mark` is where it may end at most, None for no such limit."""

    label: str
    value: float
    text: str
    is_ours: bool = True
    mark: float | None = None


def bars(title: str, groups: Sequence[tuple[str, Sequence[Column]]], scale_each: bool = False) -> str:
    """Groups of horizontal bars. With `scale_each` every group has a scale of its own."""
    most = max(_most(columns) for _, columns in groups)
    parts: list[str] = []
    y = 44
    for heading, columns in groups:
        if heading:
            parts.append(_text(8, y + 14, heading, "font-weight:600"))
            y += ROW
        top = _most(columns) if scale_each else most
        for column in columns:
            parts += _bar(y, column, (WIDTH - LABEL - 150) / (top or 1.0))
            y += ROW
        y += GAP
    return _document(title, y, parts)


def _most(columns: Sequence[Column]) -> float:
    return max(max(column.value, column.mark or 0.0) for column in columns)


def _bar(y: int, column: Column, unit: float) -> list[str]:
    width = max(1.0, column.value * unit)
    colour = OURS if column.is_ours else PEER
    drawn = [
        _text(LABEL - 10, y + 14, column.label, "text-anchor:end"),
        f'<rect x="{LABEL}" y="{y + 2}" width="{width:.1f}" height="{ROW - 6}" fill="{colour}"/>',
    ]
    end = LABEL + width
    if column.mark is not None:
        x = LABEL + column.mark * unit
        end = max(end, x)
        place = f'x1="{x:.1f}" x2="{x:.1f}" y1="{y - 1}" y2="{y + ROW - 2}"'
        drawn.append(f'<line {place} stroke="{BAR}" stroke-width="2"/>')
    return [*drawn, _text(end + 8, y + 14, column.text)]


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#24292f" style="{style}">{escape(text)}</text>'


def _document(title: str, height: int, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" style="{STYLE}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            _text(8, 24, title, "font-weight:600;font-size:15px"),
            *parts,
            "</svg>\n",
        ]
    )
