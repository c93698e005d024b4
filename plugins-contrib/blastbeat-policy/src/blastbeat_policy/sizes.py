"""Bytes as people read them. Pure."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def format_size(count: int) -> str:
    """Three digits or four, in the units that traffic is sold in: ``"1.23 GB"``."""
    amount = float(count)
    unit = _UNITS[0]
    for unit in _UNITS:
        if abs(amount) < 999.5 or unit == _UNITS[-1]:
            break
        amount /= 1000
    return f"{count} B" if unit == "B" else f"{amount:.3g} {unit}"
