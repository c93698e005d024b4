"""One request and its response: the record that every part of the engine adds its figures to.

Holds data and small bookkeeping (what may still be sent once more), decides nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any

from blastbeat.events import Buffer, CloseReason, Request, RequestHead
from blastbeat.facts import shown_fields
from blastbeat.interfaces import ConnectionView, ExchangeView, Filter, RequestView
from blastbeat.shared_values import SharedValues

NO_HEAD = RequestHead(0, b"", b"", b"", b"", b"", [])
"""Stands in for the head of a request that never became one (malformed, too slow)."""

NONE_TRIED: frozenset[Any] = frozenset()
TOLD_FIELDS = frozenset((b"user-agent", b"referer"))
"""The fields of a request that `exchange_closed` tells of."""

_COMPLETE = CloseReason.COMPLETE
SHARED = SharedValues()
"""What requests that stay for long have in common: methods, targets, hosts, browsers."""


class Exchange:
    """Figures and state of one request. Seconds; `started` is monotonic, `started_at` wall clock."""

    __slots__ = (
        "answered_at",
        "awaits_upgrade",
        "bytes_in",
        "bytes_out",
        "cancel",
        "close_after",
        "close_code",
        "detail",
        "filtered",
        "head",
        "hops",
        "identity",
        "kept",
        "kept_bytes",
        "messages_in",
        "messages_out",
        "node_names",
        "passed",
        "pinned_node",
        "none_left",
        "reason",
        "replayed",
        "request",
        "request_read",
        "response_done",
        "route",
        "started",
        "started_at",
        "shown",
        "status",
        "tried",
        "view",
        "virtualhost",
    )

    def __init__(self, head: RequestHead, started: float, started_at: float) -> None:
        self.head = head
        self.started = started
        self.started_at = started_at
        self.answered_at = 0.0  # monotonic; the node's first head
        self.request: Request | None = None
        self.view: RequestView | None = None  # only where filters or authenticators look at requests
        self.shown: tuple[str, int, bytes, bytes] | None = None  # what logs show of its client and fields
        self.filtered: tuple[Filter, ...] = ()  # those that were asked, to be told when it is over
        self.passed: tuple[Filter, ...] = ()  # of these, who let the request pass and sees the response
        self.virtualhost = ""
        self.route = ""
        self.identity = ""
        self.node_names: tuple[str, ...] = ()
        self.pinned_node = ""  # whose session it would go on in; only where there is a view
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.messages_in = 0
        self.messages_out = 0
        self.awaits_upgrade = False  # a handshake that its node has to accept
        self.close_code = 0  # of a WebSocket that is over
        self.hops = 0
        self.none_left = 503  # what the client is answered where no instance can be had
        self.tried: Set[Any] = NONE_TRIED  # instances that were asked already
        self.kept: Sequence[Buffer] | None = ()  # forwarded body, None once it outgrew the retry buffer
        self.kept_bytes = 0
        self.request_read = False
        self.response_done = False
        self.close_after = not head.keep_alive
        self.cancel: Callable[[], None] | None = None  # ends what is still awaited on its behalf
        self.replayed = False  # went once more because a stale `end` met it
        self.reason = _COMPLETE
        self.detail = ""

    def keep(self, data: Buffer, limit: int) -> None:
        """Remember a forwarded piece of body, up to `limit` bytes in all; beyond that remember nothing."""
        kept = self.kept
        if kept is None:
            return
        self.kept_bytes += len(data)
        if self.kept_bytes > limit:
            self.kept = None
        elif isinstance(kept, list):
            kept.append(data)
        else:
            self.kept = [data]

    def may_repeat(self, methods: tuple[bytes, ...]) -> bool:
        """True when the request is safe to send once more and all of it is still here."""
        return self.kept is not None and self.head.method in methods

    def forget_details(self) -> None:
        """From here on it is only kept to be told of: a WebSocket may be open for days. Where filters look
        at it nothing is forgotten."""
        if self.view is None and self.request is not None:
            head, request, self.shown = self.head, self.request, None  # which both say, too
            told = [field for field in head.headers if field[0] in TOLD_FIELDS]
            head.headers = request.headers = SHARED.of_fields(told)
            head.method = request.method = SHARED.of(head.method)
            head.version = request.version = SHARED.of(head.version)
            head.authority = SHARED.of(head.authority)
            request.server_port = SHARED.of(request.server_port)
            if head.target is head.path is request.target:
                head.target = head.path = request.target = SHARED.of(head.target)

    def log_fields(self) -> dict[str, str]:
        """Which request a log record is about, to be given as its `extra`."""
        return {
            "virtualhost": self.virtualhost,
            "route": self.route,
            "node": self.identity,
            "request_id": self.request.request_id.decode("latin-1") if self.request is not None else "",
        }

    def figures(self, connection: ConnectionView, now: float) -> ExchangeView:
        """What `exchange_closed` tells."""
        head, request = self.head, self.request
        if self.shown is not None:
            addr, port, referer, user_agent = self.shown
        else:  # it got to no virtualhost
            addr, port = connection.remote_addr, connection.remote_port
            if request is not None:
                addr, port = request.remote_addr.decode(), int(request.remote_port)
            referer, user_agent = shown_fields(head.headers)
        # As ExchangeView(...) makes it, without the two calls in between.
        figures = (
            self.started_at,
            addr,
            port,
            self.virtualhost,
            head.authority,
            head.method,
            head.target,
            head.version,
            self.status,
            self.bytes_in,
            self.bytes_out,
            now - self.started,
            self.answered_at - self.started if self.answered_at else 0.0,
            self.identity,
            self.reason,
            self.detail,
            request.request_id if request is not None else b"",
            referer,
            user_agent,
            self.hops,
            self.route,
            _user_of(request) if request is not None and request.variables else b"",
            self.close_code,
            self.messages_in,
            self.messages_out,
        )
        return tuple.__new__(ExchangeView, figures)


def _user_of(request: Request) -> bytes:
    """Who the client is, where an authenticator told."""
    return next((value for name, value in request.variables if name == b"REMOTE_USER"), b"")
