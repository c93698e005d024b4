"""Stand-ins for what surrounds a session: client, router, owner, clock. They note what they are told.

The client and the router are strict: what would be wrong on the wire is an AssertionError there and then.
Knows no socket; the time is a number the test sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from blastbeat.config.model import NodeRef, VirtualHostConfig
from blastbeat.counters import Counters
from blastbeat.events import Buffer, CloseReason, NodeHead, RequestHead, ResponseHead
from blastbeat.exchange import Exchange
from blastbeat.instance import Instance, Outcome
from blastbeat.interfaces import InstanceView
from blastbeat.outbox import Outbox
from blastbeat.progress import Progress
from blastbeat.session import Session
from blastbeat.virtualhost import VirtualHost
from tests.helpers.node_table import TableStage

SID = b"\0" + b"s" * 15
SHARE = 1000
WINDOW = 100


class FakeClock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + 1_700_000_000.0


class FakeClient:
    """A `ClientSide` that holds its caller to what may follow what on the wire, one response at a time."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.holds = 0
        self.congested = False
        self.on_data: Callable[[], None] | None = None
        self.expect_response()

    def expect_response(self) -> None:
        """A request was read: another response may go."""
        self.head: ResponseHead | None = None
        self.payload = b""
        self.is_complete = False

    def take_sent(self) -> list[tuple[str, Any]]:
        taken, self.sent = self.sent, []
        return taken

    def send_continue(self) -> None:
        self.sent.append(("continue", None))

    def send_head(self, head: ResponseHead) -> None:
        assert self.head is None, "a head after the final head"
        assert head.bodyless or not (head.is_interim or head.status in (204, 304)), "a body that can't be"
        self.sent.append(("head", head.status))
        if not head.is_interim:
            self.head = head

    def send_data(self, data: Buffer) -> None:
        head = self.head
        assert head is not None, "payload before the head"
        assert not self.is_complete, "payload after the response was complete"
        assert not head.bodyless, f"payload after a head without body: {head}"
        assert len(data), "an empty piece of payload"
        self.payload += bytes(data)
        assert head.length is None or len(self.payload) <= head.length, "more than the declared length"
        self.sent.append(("data", bytes(data)))
        if self.on_data is not None:
            self.on_data()

    def send_end(self) -> None:
        head = self.head
        assert head is not None and not self.is_complete, "an end without a response"
        if not head.bodyless and head.length is not None:
            assert len(self.payload) == head.length, "completed before the declared length"
        self.is_complete = True
        self.sent.append(("end", None))

    def hold_reading(self) -> None:
        self.holds += 1

    def release_reading(self) -> None:
        assert self.holds, "released, but not held"
        self.holds -= 1

    def is_congested(self) -> bool:
        return self.congested


class FakeRouter:
    """Takes every message and notes it; nothing may follow a session's `end`. `stuck` sends nothing: what
    comes counts as queued."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes, bytes]] = []
        self.ended: set[bytes] = set()
        self.is_stuck = False
        self.drains = 0

    def take_sent(self) -> list[tuple[bytes, bytes]]:
        """Types and bodies since the last call."""
        taken, self.sent = self.sent, []
        return [(type, body) for _, type, body in taken]

    def offer(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        self.send(instance, sid, type, body)
        return True

    def send(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        assert sid not in self.ended, f"{type!r} after `end`"
        if type == b"end":
            self.ended.add(sid)
            instance.outbox.put_end(sid, body)
        elif self.is_stuck:
            instance.outbox.put(sid, type, body)
        self.sent.append((sid, type, bytes(body)))

    def hand_over(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        return self.offer(instance, sid, type, body)

    def queued(self, instance: Instance, sid: bytes) -> int:
        return instance.outbox.queued(sid)

    def after_drain(self, callback: Callable[[], None]) -> None:
        callback()

    def send_control(self, instance: Instance, type: bytes, body: bytes) -> Outcome:
        self.sent.append((b"", type, body))
        return Outcome.TAKEN

    def new_outbox(self) -> Outbox:
        return Outbox(100 * SHARE, SHARE)


class FakeOwner:
    """A `SessionOwner` that notes what it is told, and ends its session where a stream would."""

    def __init__(self, client: FakeClient) -> None:
        self.client = client
        self.exchange: Exchange | None = None
        self.progress = Progress()
        self.session: Session | None = None
        self.told: list[tuple[str, CloseReason | None]] = []
        self.details: list[str] = []
        self.passed = 0
        self.websocket_closings: list[tuple[int, bytes]] = []
        self.change_head: Callable[[ResponseHead], ResponseHead] = lambda head: head

    def take_told(self) -> list[tuple[str, CloseReason | None]]:
        taken, self.told = self.told, []
        return taken

    def response_begins(self, head: ResponseHead) -> ResponseHead:
        return self.change_head(head)

    def data_passed(self, size: int) -> None:
        self.passed += size

    def response_complete(self) -> None:
        exchange = self.exchange
        assert exchange is not None and exchange.response_done
        self.told.append(("complete", None))
        if exchange.request_read and exchange.close_after:
            self._close(exchange.reason)

    def response_failed(self, reason: CloseReason, detail: str) -> None:
        self._over("failed", reason, detail)

    def response_cut(self, reason: CloseReason, detail: str) -> None:
        self._over("cut", reason, detail)

    def node_ended(self, reason: CloseReason, detail: str) -> None:
        self._over("ended", reason, detail)

    def stale_end(self) -> None:
        self._over("stale", CloseReason.NODE_END)

    def upgrade_accepted(self, head: NodeHead) -> None:
        self._over("failed", CloseReason.NODE_ERROR, "101 from the node, but nobody asked for an upgrade")

    def message_passed(self, size: int) -> None:
        self.passed += size

    def close_websocket(self, reason: CloseReason, code: int, text: bytes, detail: str) -> None:
        self.websocket_closings.append((code, text))
        self._over("closed", reason, detail)

    def retry_asked(self) -> None:
        self._over("retry", CloseReason.NODE_RETRY)

    def fail(self, status: int, reason: CloseReason, detail: str = "") -> None:
        self._over("failed", reason, detail)

    def abandon(self, reason: CloseReason, detail: str) -> None:
        self._over("ended", reason, detail)

    def drop_idle_session(self, reason: CloseReason) -> None:
        self._over("dropped", reason)

    def node_gone(self, reason: CloseReason, detail: str) -> None:
        self._over("gone", reason, detail)

    def _over(self, what: str, reason: CloseReason, detail: str = "") -> None:
        self.told.append((what, reason))
        self.details.append(detail)
        self._close(reason)

    def _close(self, reason: CloseReason) -> None:
        if self.session is not None:
            self.session.close(reason)


def make_head(method: bytes = b"GET", **changes: Any) -> RequestHead:
    """A small request as a driver reads it; `changes` are attributes of `RequestHead`."""
    values: dict[str, Any] = {
        "stream_id": 1,
        "target": b"/",
        "path": b"/",
        "version": b"1.1",
        "authority": b"app.test",
        "headers": [],
    }
    return RequestHead(method=method, **values | changes)


def node_head(status: int = 200, body: bytes = b"", **fields: str) -> NodeHead:
    """`fields` like ``content_length="5"``."""
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return NodeHead(status, b"", headers, body)


def make_exchange(method: bytes = b"GET", *, is_read: bool = True, **changes: Any) -> Exchange:
    """An exchange that began at 1000 s; `is_read`: the request was read to its end."""
    exchange = Exchange(make_head(method, **changes), 1000.0, 1_700_001_000.0)
    exchange.request_read = is_read
    return exchange


def make_peer(
    router: FakeRouter,
    identity: str = "app",
    *,
    credit: int = 0,
    capabilities: Iterable[str] = (),
) -> Instance:
    """An instance that `router` leads to."""
    node = identity.partition("/")[0]
    instance = Instance(identity.encode(), node, router, InstanceView(node, identity, "main"))
    instance.credit = credit
    instance.capabilities = frozenset(capabilities)
    instance.is_available = True
    instance.is_gone = False
    return instance


def make_virtualhost(
    stage: TableStage | None = None, nodes: Iterable[str] = ("app",), **parts: Any
) -> VirtualHost:
    """The virtualhost `app.test`; `parts` are options of its configuration, or arguments of `VirtualHost`."""
    resolved = {
        "select": lambda candidates, request: candidates[0],
        "request_type": b"uwsgi",
        "encode_request": lambda request: b"encoded",
    }
    lists = ("filters", "bandwidth", "node_authenticators", "request_authenticators", "implied")
    arguments = (*lists, "whole", *resolved)
    resolved |= {name: parts.pop(name) for name in arguments if name in parts}
    config = VirtualHostConfig("app.test", nodes=tuple(NodeRef(name) for name in nodes), **parts)
    return VirtualHost(config, (stage or TableStage()).table, **resolved)  # type: ignore[arg-type]


class SessionStage:
    """A session between a fake client, owner and router. `begin` forwards a request."""

    def __init__(self, *, credit: int = 0, capabilities: Iterable[str] = ()) -> None:
        self.client = FakeClient()
        self.router = FakeRouter()
        self.counters = Counters()
        self.instance = make_peer(self.router, credit=credit, capabilities=capabilities)
        self.owner = FakeOwner(self.client)
        self.session = self.owner.session = Session(
            SID,
            None,
            self.instance,
            self.client,
            self.owner,
            self.counters,
            share=SHARE,
            window=WINDOW,
        )

    def begin(self, method: bytes = b"GET", **changes: Any) -> Exchange:
        exchange = self.owner.exchange = make_exchange(method, **changes)
        self.client.expect_response()
        self.session.begin(exchange)
        return exchange

    def counted(self) -> dict[str, int]:
        """The counters that are not 0."""
        return {name: value for name, value in self.counters.snapshot().items() if value}
