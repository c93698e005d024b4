"""The message type `headers`: HTTP/1 heads as text, requests towards nodes and responses back.

The request head is written anew from the parsed request, never with the client's bytes. Which fields it has
is decided before (`blastbeat.forwarding`); authenticators' CGI variables have no place in this format.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeHead, Request
from blastbeat.headers import parse_response_head
from blastbeat.interfaces import Options, Register

MAX_CACHED_NAMES = 1024
"""Field names whose spelling is remembered; names beyond are spelled anew each time."""


class _Spellings(dict[bytes, bytes]):
    """Field names in the usual capitals, which simple nodes compare with, and the colon."""

    def __missing__(self, name: bytes) -> bytes:
        spelling = name.title() + b": "
        if len(self) < MAX_CACHED_NAMES:
            self[name] = spelling
        return spelling


class HeadersEncoder:
    """Encodes requests as HTTP/1.1 heads and decodes response heads."""

    def __init__(self) -> None:
        self._spellings = _Spellings()

    def encode_request(self, request: Request) -> bytes:
        """Request line, fields and empty line, every line ended by CRLF."""
        parts = [request.method, b" ", request.target, b" HTTP/1.1\r\n"]
        spellings = self._spellings
        for name, value in request.headers:
            parts += (spellings[name], value, b"\r\n")
        parts.append(b"\r\n")
        return b"".join(parts)

    def decode(self, body: Buffer) -> NodeHead:
        return parse_response_head(body)


def make_encoder(options: Options) -> HeadersEncoder:
    return HeadersEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("headers", make_encoder)
