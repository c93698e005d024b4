"""permessage-deflate (RFC 7692): what is agreed on, and messages through zlib, bounded.

Knows payload, not frames. A kilobyte can inflate to a megabyte, so nothing is inflated beyond what a message
may be.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from blastbeat.events import Buffer

NAME = b"permessage-deflate"
LARGEST_WINDOW = 15
SMALLEST_WINDOW = 9
"""zlib's raw deflate has no window of 2^8 bytes; an offer that asks for one is declined."""

MEMORY_LEVEL = 5
"""Of zlib's 9: with a window of 2^12 bytes a compressor takes 33 KiB rather than 140 (zconf.h)."""

COMPRESS_FROM = 64
"""Bytes. Shorter messages are sent as they are: there is nothing to gain."""

_STEP = 1024
"""Bytes inflated at once. zlib copies all that follows a last block, and a client may send one every two
bytes: with this it costs time as the message's size grows, not as its square."""

_TAIL = b"\x00\x00\xff\xff"  # what ends every message and is not sent (RFC 7692 §7.2.1)
_OFFER = re.compile(rb'[ \t]*([A-Za-z0-9_-]+)(?:[ \t]*=[ \t]*(?:([A-Za-z0-9]+)|"([A-Za-z0-9]+)"))?[ \t]*')
_BITS = re.compile(rb"[89]|1[0-5]")


class TooBig(Exception):
    """A message inflates to more than it may."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The parameters that hold for one connection, from our side."""

    deflate_bits: int
    inflate_bits: int
    forget_sent: bool  # server_no_context_takeover
    forget_received: bool  # client_no_context_takeover
    answer: bytes


def agree(offers: Sequence[bytes], window_bits: int) -> Agreement | None:
    """The first offer that can be met; windows of 2^`window_bits` bytes where the client lets us choose."""
    for offer in (each for value in offers for each in value.split(b",")):
        parameters = _parse(offer)
        if parameters is not None:
            agreement = _accept(parameters, window_bits)
            if agreement is not None:
                return agreement
    return None


def _parse(offer: bytes) -> dict[bytes, bytes] | None:
    """The parameters of an offer of ours, valid each for itself and none twice; else None (§7.1)."""
    name, *rest = offer.split(b";")
    if name.strip(b" \t").lower() != NAME:
        return None
    parameters: dict[bytes, bytes] = {}
    for text in rest:
        match = _OFFER.fullmatch(text)
        if match is None or match[1] in parameters:
            return None
        parameters[match[1]] = match[2] or match[3] or b""
    for key, value in parameters.items():
        if key in (b"server_no_context_takeover", b"client_no_context_takeover"):
            is_valid = not value
        elif key == b"client_max_window_bits":
            is_valid = not value or _BITS.fullmatch(value) is not None
        else:
            is_valid = key == b"server_max_window_bits" and _BITS.fullmatch(value) is not None
        if not is_valid:
            return None
    return parameters


def _accept(parameters: dict[bytes, bytes], window_bits: int) -> Agreement | None:
    answer = [NAME]
    deflate_bits, inflate_bits = window_bits, LARGEST_WINDOW
    asked = parameters.get(b"server_max_window_bits")
    if asked is not None:
        deflate_bits = min(window_bits, int(asked))
        if deflate_bits < SMALLEST_WINDOW:
            return None
        answer.append(b"server_max_window_bits=%d" % deflate_bits)
    offered = parameters.get(b"client_max_window_bits")
    if offered is not None:  # only then we may say anything of it (§7.1.2.2)
        inflate_bits = min(window_bits, int(offered or LARGEST_WINDOW))
        answer.append(b"client_max_window_bits=%d" % inflate_bits)
    forget_sent = b"server_no_context_takeover" in parameters
    forget_received = b"client_no_context_takeover" in parameters
    if forget_sent:
        answer.append(b"server_no_context_takeover")
    if forget_received:
        answer.append(b"client_no_context_takeover")
    return Agreement(deflate_bits, inflate_bits, forget_sent, forget_received, b"; ".join(answer))


class Inflater:
    """The client's messages. `max_message`: bytes of one, inflated."""

    __slots__ = ("_bits", "_forget", "_left", "_max_message", "_zlib")

    def __init__(self, agreement: Agreement, max_message: int) -> None:
        self._bits = agreement.inflate_bits
        self._forget = agreement.forget_received
        self._max_message = max_message
        self._left = max_message
        self._zlib: zlib._Decompress | None = None

    def feed(self, data: bytes) -> bytes:
        """What a piece of a message inflates to. Raises TooBig, and zlib.error for what is not deflated."""
        pieces: list[bytes] = []
        for start in range(0, len(data), _STEP):
            self._inflate(data[start : start + _STEP], pieces)
        return b"".join(pieces)

    def _inflate(self, data: bytes, pieces: list[bytes]) -> None:
        while data:
            if self._zlib is None:
                self._zlib = zlib.decompressobj(-self._bits)
            piece = self._zlib.decompress(data, self._left + 1)
            self._left -= len(piece)
            if self._left < 0:
                raise TooBig
            pieces.append(piece)
            data = self._zlib.unconsumed_tail
            if self._zlib.eof:  # a last block ends the data, not the message (§7.2.3.5)
                data = self._zlib.unused_data
                self._zlib = None

    def finish(self) -> bytes:
        """The message is complete; the rest of it."""
        rest = self.feed(_TAIL)
        self._left = self._max_message
        if self._forget:
            self._zlib = None
        return rest


class Deflater:
    """Our messages."""

    __slots__ = ("_bits", "_forget", "_zlib")

    def __init__(self, agreement: Agreement) -> None:
        self._bits = agreement.deflate_bits
        self._forget = agreement.forget_sent
        self._zlib: zlib._Compress | None = None

    def deflate(self, data: Buffer) -> bytes:
        """One whole message."""
        compressor = self._zlib
        if compressor is None:
            compressor = zlib.compressobj(wbits=-self._bits, memLevel=MEMORY_LEVEL)
        deflated = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
        self._zlib = None if self._forget else compressor
        return deflated[: -len(_TAIL)]
