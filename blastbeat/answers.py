"""The responses the server gives itself: errors (`protocol.md` §6) and the answers of filters and
authenticators.

Pure: makes head and body, sends nothing. Knows neither why a request failed nor the client's protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from blastbeat.events import Headers, ResponseHead
from blastbeat.headers import is_field, without
from blastbeat.interfaces import Answer
from blastbeat.pages import Page

RETRY_AFTER = 5
"""Seconds a 503 asks the client to wait, unless the caller knows better."""

MAX_REASON_LENGTH = 300
"""Characters of the text body's explanation; longer ones are cut."""

REASONS: dict[int, bytes] = {status.value: status.phrase.encode() for status in HTTPStatus}
# RFC 9110 renamed these; HTTPStatus learned the new names only in Python 3.13.
REASONS |= {413: b"Content Too Large", 414: b"URI Too Long", 422: b"Unprocessable Content"}

_BODYLESS = frozenset({204, 205, 304})
_TYPE = frozenset({b"content-type"})
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_UNPRINTABLE = dict.fromkeys((*range(32), *range(127, 160)), " ")


def reason_phrase(status: int) -> bytes:
    """The standard reason phrase, empty for a status nobody registered."""
    return REASONS.get(status, b"")


ALLOW = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
"""What a 405, and an OPTIONS that goes no further, say; which an application takes is for it to say."""


def error_answer(
    stream_id: int,
    status: int,
    reason: str,
    *,
    bodyless: bool = False,
    close: bool = True,
    retry_after: int = RETRY_AFTER,
    page: Page | None = None,
    extra: Sequence[tuple[bytes, bytes]] = (),
) -> tuple[ResponseHead, bytes]:
    """Head and body of an error: `page`, or a text with the status line and `reason` in one line.

    `bodyless`: the request was HEAD, so only the length is shown and the body returned is empty.
    `retry_after`: seconds, for 503 only. `extra` fields take the place of those of their names.
    """
    phrase = reason_phrase(status)
    explanation = reason[:MAX_REASON_LENGTH].translate(_UNPRINTABLE)
    body = b"%d %b\n\n%b\n" % (status, phrase, explanation.encode("utf-8", "replace"))
    content_type = b"text/plain; charset=utf-8"
    if page is not None:
        body, content_type = page.body, page.content_type
    # An error tells of this moment: without no-store, caches may keep 404, 414 and 501 (RFC 9110 §15.1).
    headers: Headers = [(b"Content-Type", content_type), (b"Cache-Control", b"no-store")]
    if status == 503:
        headers.append((b"Retry-After", b"%d" % retry_after))
    elif status == 405:
        headers.append((b"Allow", ALLOW))
    elif status == 426:
        # RFC 6455 §4.4: names the version we speak. The Upgrade field beside it is the driver's.
        headers.append((b"Sec-WebSocket-Version", b"13"))
    if extra:
        extra = without(extra, _FRAMING | _TYPE)
        headers = [*without(headers, frozenset(name.lower() for name, _ in extra)), *extra]
    head = ResponseHead(stream_id, status, phrase, headers, length=len(body), bodyless=bodyless, close=close)
    return head, b"" if bodyless else body


def plugin_answer(
    stream_id: int, answer: Answer, *, bodyless: bool = False, close: bool = False, page: Page | None = None
) -> tuple[ResponseHead, bytes]:
    """Head and body of what a filter or an authenticator answered, framing fields of its own ignored. An
    error without a body gets `page`, or a line of text.

    A plugin that copies a client's bytes into a field must not let it split the response: an answer that is
    not HTTP becomes a 500.
    """
    if not 200 <= answer.status <= 599 or not all(is_field(*field) for field in answer.headers):
        return error_answer(stream_id, 500, "a plugin's answer was malformed", bodyless=bodyless)
    status, body = answer.status, b"" if answer.status in _BODYLESS else answer.body
    headers = without(answer.headers, _FRAMING)
    if status >= 400 and not len(body):
        body = page.body if page is not None else b"%d %b\n" % (status, reason_phrase(status))
        content_type = page.content_type if page is not None else b"text/plain; charset=utf-8"
        headers = [*without(headers, _TYPE), (b"Content-Type", content_type)]
    head = ResponseHead(
        stream_id,
        status,
        reason_phrase(status),
        headers,
        # RFC 9110 §8.6: none in a 204, and a 304's would speak of another response. A 205 shows 0.
        length=None if status in (204, 304) else len(body),
        bodyless=bodyless or status in _BODYLESS,
        close=close,
    )
    return head, b"" if bodyless else body
