"""The filter `forward-auth-cookies`: cookies that the service sets when it lets a client in reach the client.

A session that is renewed while it is used needs it. The authenticator puts them aside; this adds them to
whatever is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blastbeat.events import ResponseHead
from blastbeat.interfaces import Filter, RequestView
from blastbeat_forward_auth.authenticator import NOTE


class CookiesFilter(Filter):
    """Adds those named, or all."""

    def __init__(self, names: Sequence[bytes] = ()) -> None:
        self._names = frozenset(names)

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        cookies: Sequence[bytes] = view.notes.get(NOTE, ())
        if not cookies:
            return head
        chosen = [cookie for cookie in cookies if not self._names or _name_of(cookie) in self._names]
        return replace(head, headers=[*head.headers, *((b"Set-Cookie", cookie) for cookie in chosen)])


def _name_of(cookie: bytes) -> bytes:
    return cookie.partition(b"=")[0].strip(b" \t")
