"""Reads a client's bytes as the server does with the reference driver, piece by piece, and tells what came of
it."""

from __future__ import annotations

from collections.abc import Iterable

from blastbeat.interfaces import HttpLimits
from blastbeat.plugins.http1_h11 import H11Driver
from blastbeat.testing import driver_reading
from blastbeat.testing.driver_reading import Reading, each_byte

__all__ = ["Reading", "each_byte", "read_requests"]


def read_requests(pieces: Iterable[bytes], limits: HttpLimits | None = None) -> Reading:
    """Every request as soon as the one before is complete, as if each were answered at once."""
    return driver_reading.read_requests(pieces, H11Driver, limits)
