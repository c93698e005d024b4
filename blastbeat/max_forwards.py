"""TRACE, and how far TRACE and OPTIONS go (RFC 9110 §7.6.2): what the server answers itself of them.

Pure: a request in, an answer out where it goes no further.
"""

from __future__ import annotations

import re

from blastbeat.answers import ALLOW
from blastbeat.errors import ClientError
from blastbeat.events import Headers, Request
from blastbeat.headers import field_value
from blastbeat.verdicts import Answer

METHODS = frozenset({b"TRACE", b"OPTIONS"})
"""Requests with any other method are none of this module's business."""

_MAX_FORWARDS = b"max-forwards"
_NUMBER = re.compile(rb"[0-9]{1,9}")
_SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization"})


def check_method(request: Request, may_trace: bool) -> Answer | None:
    """The answer to a request that goes no further; None where it does, with its `Max-Forwards` one less.

    Raises ClientError: 405 for TRACE unless `may_trace`, 400 for one with a body (RFC 9110 §9.3.8) or a
    `Max-Forwards` that is no number.
    """
    is_trace = request.method == b"TRACE"
    if is_trace and not may_trace:
        raise ClientError(405, "TRACE is not answered here")
    if is_trace and (request.chunked or request.content_length):
        raise ClientError(400, "a TRACE request with a body")
    text = field_value(request.headers, _MAX_FORWARDS)
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise ClientError(400, "a Max-Forwards that is no number")
    left = int(text)
    if left:
        request.headers[:] = [
            (name, b"%d" % (left - 1)) if name == _MAX_FORWARDS else (name, value)
            for name, value in request.headers
        ]
        return None
    if is_trace:
        return Answer(200, _reflect(request), [(b"Content-Type", b"message/http")])
    return Answer(204, b"", [(b"Allow", ALLOW)])


def _reflect(request: Request) -> bytes:
    """The request as it came here, without what may be secret (§9.3.8)."""
    shown: Headers = [field for field in request.headers if field[0] not in _SECRET]
    lines = [b"%b %b HTTP/%b" % (request.method, request.target, request.version)]
    lines += (b"%b: %b" % field for field in shown)
    return b"\r\n".join(lines) + b"\r\n\r\n"
