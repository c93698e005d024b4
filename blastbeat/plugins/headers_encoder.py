"""The message type `headers`: HTTP/1 heads as text, requests towards nodes and responses back.

The request head is written anew from the parsed request, never with the client's bytes. Which fields it has
is decided before (`blastbeat.forwarding`); authenticators' CGI variables have no place in this format.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.errors import PluginError
from blastbeat.events import Buffer, NodeHead, Request
from blastbeat.headers import NameTable, parse_response_head
from blastbeat.interfaces import Options, Register
from blastbeat.paths import cut_prefix, format_path

MAX_KNOWN = 256
MAX_KNOWN_SIZE = 1024
"""Heads that are remembered, and bytes of one. Where much is to do they repeat themselves, within the second
that their Date says, or within the page that is asked for most."""


def _spelling(name: bytes) -> bytes:
    """In the usual capitals, which simple nodes compare with, and with the colon."""
    return name.title() + b": "


def _shown_target(request: Request) -> bytes:
    """The target without what stands in `X-Forwarded-Prefix`."""
    path, mark, query = request.target.partition(b"?")
    if request.path_info is not None:
        path = format_path(request.path_info)
    else:
        path = cut_prefix(path, request.script_name)
    return (path or b"/") + mark + query


_HEAD_END = b"\r\n\r\n"


class HeadersEncoder:
    """Encodes requests as HTTP/1.1 heads and decodes response heads."""

    def __init__(self) -> None:
        self._spellings = NameTable(_spelling)
        self._known: dict[bytes, NodeHead] = {}

    def encode_request(self, request: Request) -> bytes:
        """Request line, fields and empty line, every line ended by CRLF.

        Raises PluginError for a line break within target or value. The gate lets none in; a filter that
        rewrites a request could.
        """
        target = request.target
        if request.script_name or request.path_info is not None:
            target = _shown_target(request)
        parts = [request.method, b" ", target, b" HTTP/1.1\r\n"]
        spellings = self._spellings
        for name, value in request.headers:
            parts += (spellings[name], value, b"\r\n")
        parts.append(b"\r\n")
        text = b"".join(parts)
        lines = len(request.headers) + 2
        if text.count(b"\n") != lines or text.count(b"\r") != lines:
            raise PluginError("headers", "a rewritten request holds a line break in its target or a field")
        return text

    def decode(self, body: Buffer) -> NodeHead:
        """Nobody may change what is returned: it is returned again for the same bytes."""
        if not isinstance(body, bytes):
            return parse_response_head(body)
        known = self._known.get(body)
        if known is not None:
            return known
        end = body.find(_HEAD_END) + len(_HEAD_END)
        known = self._known.get(body[:end])
        if known is not None:  # a head that ended there ends there whatever follows
            return NodeHead(known.status, known.reason, known.headers, body[end:])
        head = parse_response_head(body)
        if head.body:
            self._remember(body[: -len(head.body)], NodeHead(head.status, head.reason, head.headers))
        else:
            self._remember(body, head)
        return head

    def _remember(self, text: bytes, head: NodeHead) -> None:
        if len(text) <= MAX_KNOWN_SIZE:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[text] = head


def make_encoder(options: Options) -> HeadersEncoder:
    return HeadersEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("headers", make_encoder)
