"""A flame graph as SVG from folded stacks: lines of `outer;inner;innermost COUNT`.

Knows nothing of who took the samples.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, ROW = 1180, 17
NARROWEST = 0.7
"""Frames that would be drawn narrower, in pixels, are left out with all above them."""

STYLE = "font-family:ui-monospace,monospace;font-size:11px"


@dataclass
class Frame:
    """A function as its caller called it, with the samples that were in it or above."""

    name: str
    samples: int = 0
    inner: dict[str, Frame] = field(default_factory=dict)


def read_folded(text: str) -> Frame:
    root = Frame("all")
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if not count.isdigit():
            continue
        frame = root
        frame.samples += int(count)
        for name in stack.split(";"):
            frame = frame.inner.setdefault(name, Frame(name))
            frame.samples += int(count)
    return root


def draw(root: Frame, title: str) -> str:
    """What is outermost at the bottom; wide is what took long. Names and shares are told on hovering."""
    if not root.samples:
        raise ValueError("there are no samples")
    unit = WIDTH / root.samples
    depth = _depth(root, unit)
    height = depth * ROW + 40
    drawn: list[str] = []

    def add(frame: Frame, x: float, level: int) -> None:
        width = frame.samples * unit
        if width < NARROWEST:
            return
        y = height - (level + 1) * ROW - 4
        share = f"{escape(frame.name)}: {frame.samples / root.samples:.1%}"
        drawn.append(
            f'<g><title>{share}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.3):.1f}" '
        )
        drawn.append(f'height="{ROW - 1}" fill="{_colour(frame.name)}"/>')
        if (letters := int((width - 6) / 6.7)) > 2:
            name = frame.name if len(frame.name) <= letters else frame.name[: letters - 1] + "…"
            drawn.append(f'<text x="{x + 3:.1f}" y="{y + 12}" fill="#24292f">{escape(name)}</text>')
        drawn.append("</g>\n")
        for inner in sorted(frame.inner.values(), key=lambda each: each.name):
            add(inner, x, level + 1)
            x += inner.samples * unit

    add(root, 0.0, 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" style="{STYLE}">\n<title>{escape(title)}</title>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="6" y="18" fill="#24292f" style="font-size:13px;font-weight:600">{escape(title)}</text>\n'
        f"{''.join(drawn)}</svg>\n"
    )


def _depth(frame: Frame, unit: float) -> int:
    if frame.samples * unit < NARROWEST:
        return 0
    return 1 + max((_depth(inner, unit) for inner in frame.inner.values()), default=0)


def _colour(name: str) -> str:
    """Ours are warm, others' green, native code and the kernel blue; neighbours differ a little."""
    shade = zlib.crc32(name.encode()) % 40
    if "blastbeat" in name:
        return f"rgb(255,{170 + shade},{90 + shade})"
    if name.endswith(")") and ".py" in name:
        return f"rgb({150 + shade},{215 + shade // 2},{140 + shade})"
    return f"rgb({150 + shade},{190 + shade},240)"
