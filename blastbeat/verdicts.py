"""What filters and request authenticators say of a request: it may go on, it goes elsewhere, or this is its
answer.

Values only; plugins take them from `blastbeat.interfaces`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blastbeat.events import CloseReason


@dataclass(frozen=True, slots=True)
class Allow:
    """The request may go on, and this is what its node is told of the client.

    `variables` (e.g. REMOTE_USER) reach nodes with `request-encoder = uwsgi`; `headers` reach all, as fields
    of the request, in place of all the client sent of their names (in any case): no client can forge one.
    `remove_headers` drops the client's own: what nodes believe, but the authenticator does not say this time,
    or what they have no business with, like Authorization. A field that the server tells itself (Host,
    X-Forwarded-For, X-Request-Id), that frames the message or is meant for one connection, or that has an
    underscore in its name denies the request.
    """

    variables: Sequence[tuple[bytes, bytes]] = ()
    headers: Sequence[tuple[bytes, bytes]] = ()
    remove_headers: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response given by the server itself, instead of a node. An error (400 and above) without a body gets
    the virtualhost's page for it, or a line of text.

    `reason` and `detail` are for the logs: how the exchange ended (`COMPLETE` for an answer that is no
    refusal, `LIMIT` over a limit), and more in words; without them the class of who answered. `limit` names
    the limit that was hit, for the figures of the virtualhost: one of a few words, never a client's.
    """

    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    reason: CloseReason = CloseReason.REFUSED
    detail: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes instead. None keeps what the virtualhost says.

    `nodes` are node names the virtualhost knows; `target` replaces path and query; `set_headers` replace
    fields of the forwarded request, `remove_headers` drop them, `add_headers` come behind those there are
    (names in lower case).
    """

    nodes: Sequence[str] | None = None
    target: bytes | None = None
    script_name: bytes | None = None
    set_headers: Sequence[tuple[bytes, bytes]] = ()
    remove_headers: Sequence[bytes] = ()
    add_headers: Sequence[tuple[bytes, bytes]] = ()
