"""What an application reads from and complains to: `wsgi.input` and `wsgi.errors`.

Knows how to ask for a piece of the body, not where it comes from.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from blastbeat.events import Buffer

INPUT_BUFFER = 64 * 1024
"""Bytes that a `wsgi.input` reads ahead of the application."""

MAX_LINE = 8 * 1024
"""Characters of a line of `wsgi.errors`; a longer one is logged in pieces."""

log = logging.getLogger("blastbeat.node.wsgi.errors")


class _Pieces(io.RawIOBase):
    def __init__(self, read: Callable[[], Buffer]) -> None:
        self._read = read
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if not self._rest:
            self._rest = memoryview(self._read())
        target = memoryview(buffer)
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def body_stream(read: Callable[[], Buffer]) -> BinaryIO:
    """`wsgi.input` over a function that returns the next piece of the body, empty at its end. What it raises
    is what the application's call raises."""
    return cast(BinaryIO, io.BufferedReader(_Pieces(read), INPUT_BUFFER))


class ErrorStream:
    """`wsgi.errors` of one request: its lines are logged."""

    __slots__ = ("_about", "_line")

    def __init__(self, about: str) -> None:
        self._about = about
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        if len(self._line) > MAX_LINE:
            lines.append(self._line)
            self._line = ""
        for line in lines:
            for begin in range(0, len(line), MAX_LINE):
                log.error("%s: %s", self._about, line[begin : begin + MAX_LINE])
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """A line that is not complete yet stays."""

    def close(self) -> None:
        """The request is over."""
        if self._line:
            self.write("\n")
