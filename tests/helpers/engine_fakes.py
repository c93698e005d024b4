"""What surrounds the engine, made by hand: client, ROUTER, clock, task group, and who listens to notices.

Opens no socket; the time is a number the test sets, and nothing happens but what the test makes happen.
`tests.helpers.engine` puts the engine between them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Hashable, Sequence
from typing import Any

from blastbeat.client import Upgrade
from blastbeat.config.model import Address
from blastbeat.events import Buffer, Request, ResponseHead
from blastbeat.facts import ConnectionFacts
from blastbeat.instance import Instance, Outcome
from blastbeat.interfaces import (
    Allow,
    Answer,
    ConnectionView,
    ExchangeView,
    InstanceView,
    NodeView,
    Pace,
    RequestView,
    SessionView,
)
from blastbeat.lifecycle import Lifecycle
from blastbeat.outbox import Outbox

LISTENER = Address("127.0.0.1", 8080)
START = 1000.0


class FakeClock:
    """See `interfaces.Clock`; the test sets `now`."""

    def __init__(self) -> None:
        self.now = START

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + 1_700_000_000


class FakeClient:
    """See `client.Client`. What reached the client is in `heads`, `body` and `ends`; how it was treated in
    the rest."""

    def __init__(self, view: ConnectionView | None = None, listener: Hashable = LISTENER) -> None:
        self.view = view or ConnectionView(1, "192.0.2.1", 50000, str(LISTENER), START)
        self.facts = ConnectionFacts("192.0.2.1", 50000, b"http", LISTENER.port)
        self.listener = listener
        self.default_port = 80
        self.heads: list[ResponseHead] = []
        self.body = b""
        self.ends = 0
        self.continues = 0
        self.holds = 0
        self.is_slow = False
        self.closes_after_response = False
        self.next_exchanges = 0
        self.closings: list[tuple[int, float]] = []
        self.cuts = 0
        self.input_pauses: list[float] = []
        self.output_pauses: list[float] = []
        self.pace: Pace | None = None
        self.on_send_data: Callable[[], None] = lambda: None

    def upgrade(self, upgrade: Upgrade) -> FakeWebSocket:
        self.websocket = FakeWebSocket(self, upgrade)
        return self.websocket

    @property
    def statuses(self) -> list[int]:
        return [head.status for head in self.heads]

    @property
    def is_over(self) -> bool:
        """Nothing may be sent to it any more."""
        return bool(self.closings or self.cuts)

    def send_continue(self) -> None:
        self._sent()
        self.continues += 1

    def send_head(self, head: ResponseHead) -> None:
        self._sent()
        self.heads.append(head)

    def send_data(self, data: Buffer) -> None:
        self._sent()
        self.body += bytes(data)
        self.on_send_data()

    def send_end(self) -> None:
        self.ends += 1

    def _sent(self) -> None:
        assert not self.is_over, "sent to a client whose connection is closing"

    def hold_reading(self) -> None:
        self.holds += 1

    def release_reading(self) -> None:
        self.holds -= 1
        assert self.holds >= 0, "released more often than held"

    def is_congested(self) -> bool:
        return self.is_slow

    def must_close(self) -> bool:
        return self.closes_after_response

    def next_exchange(self) -> None:
        self.next_exchanges += 1

    def close_gracefully(self, linger: int, linger_time: float) -> None:
        self.closings.append((linger, linger_time))

    def cut(self) -> None:
        self.cuts += 1

    def pause_input(self, seconds: float) -> None:
        self.input_pauses.append(seconds)

    def pause_output(self, seconds: float) -> None:
        self.output_pauses.append(seconds)

    def pace_output(self, pace: Pace) -> None:
        self.pace = pace


class FakeRouter:
    """See `instance.ControlSender`. `sent` holds what instances were sent: routing id, sid, type, body."""

    def __init__(self) -> None:
        self.drains = 0
        self.sent: list[tuple[bytes, bytes, bytes, bytes]] = []
        self.control: list[tuple[bytes, bytes, bytes]] = []
        self.full: set[bytes] = set()  # routing ids that take no new session
        self.sizes: dict[bytes, int] = {}  # queued by sid
        self._after_drain: list[Callable[[], None]] = []

    def offer(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        if instance.identity in self.full:
            return False
        self.send(instance, sid, type, body)
        return True

    def hand_over(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        return self.offer(instance, sid, type, body)

    def send(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        if not instance.is_gone:
            self.sent.append((instance.identity, sid, type, bytes(body)))

    def queued(self, instance: Instance, sid: bytes) -> int:
        return self.sizes.get(sid, 0)

    def after_drain(self, callback: Callable[[], None]) -> None:
        self._after_drain.append(callback)

    def drain(self) -> None:
        """Everything that nodes had sent was read."""
        self.drains += 1
        callbacks, self._after_drain = self._after_drain, []
        for callback in callbacks:
            callback()

    def send_control(self, instance: Instance, type: bytes, body: bytes) -> Outcome:
        self.control.append((instance.identity, type, body))
        return Outcome.TAKEN

    def new_outbox(self) -> Outbox:
        return Outbox(1 << 20, 1 << 16)


class Suspended:
    """Awaited by an authenticator that is still thinking."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class FakeTasks:
    """A task group driven by hand: `run` advances each coroutine to its next `await Suspended()`."""

    def __init__(self) -> None:
        self.waiting: list[Coroutine[Any, Any, None]] = []
        self.cancelled = 0

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], None]:
        self.waiting.append(work)

        def cancel() -> None:
            if work in self.waiting:
                self.waiting.remove(work)
                work.close()
                self.cancelled += 1

        return cancel

    def run(self) -> None:
        waiting, self.waiting = self.waiting, []
        for work in waiting:
            try:
                work.send(None)
            except StopIteration:
                continue
            self.waiting.append(work)

    def close(self) -> None:
        for work in self.waiting:
            work.close()


class Recorder:
    """Keeps every notice; `lifecycle` tells it."""

    def __init__(self) -> None:
        self.opened: list[SessionView] = []
        self.upgraded: list[SessionView] = []
        self.retried: list[SessionView] = []
        self.closed: list[SessionView] = []
        self.exchanges: list[ExchangeView] = []
        self.nodes: list[NodeView] = []
        self.connections: list[ConnectionView] = []
        self.connections_closed: list[ConnectionView] = []

    def lifecycle(self) -> Lifecycle:
        return Lifecycle(
            session_opened=self.opened.append,
            session_upgraded=self.upgraded.append,
            session_retried=self.retried.append,
            session_closed=self.closed.append,
            exchange_closed=self.exchanges.append,
            node_up=self.nodes.append,
            node_down=self.nodes.append,
            connection_opened=self.connections.append,
            connection_closed=self.connections_closed.append,
        )

    @property
    def exchange(self) -> ExchangeView:
        """The one exchange that is over."""
        assert len(self.exchanges) == 1, self.exchanges
        return self.exchanges[0]


class GatedAuthenticator:
    """Thinks until `open`, then gives `verdict`, or raises it."""

    def __init__(self, verdict: Any = None) -> None:
        self.verdict = Allow() if verdict is None else verdict
        self.is_open = False
        self.asked = 0

    async def authenticate(self, view: RequestView) -> Allow | Answer:
        self.asked += 1
        while not self.is_open:
            await Suspended()
        if isinstance(self.verdict, Exception):
            raise self.verdict
        verdict: Allow | Answer = self.verdict
        return verdict


def take_first(candidates: Sequence[InstanceView], request: Request) -> InstanceView | None:
    """A selector."""
    return candidates[0]


def encode_plainly(request: Request) -> bytes:
    """A request encoder."""
    return b"%b %b" % (request.method, request.target)


class FakeWebSocket:
    """See `client.WebSocketClient`: the fake client, upgraded."""

    def __init__(self, client: FakeClient, upgrade: Upgrade) -> None:
        self.view, self.facts = client.view, client.facts
        self.listener, self.default_port = client.listener, client.default_port
        self.upgrade = upgrade
        self.holds = client.holds
        self.is_slow = False
        self.messages: list[tuple[bytes, bool]] = []
        self.closings: list[tuple[int, bytes]] = []
        self.pauses: list[tuple[str, float]] = []

    def send_message(self, data: Buffer, is_text: bool) -> None:
        assert not self.closings, "a message behind a close frame"
        self.messages.append((bytes(data), is_text))

    def close_websocket(self, code: int, reason: bytes = b"") -> None:
        self.closings.append((code, reason))

    def hold_reading(self) -> None:
        self.holds += 1

    def release_reading(self) -> None:
        self.holds -= 1
        assert self.holds >= 0

    def is_congested(self) -> bool:
        return self.is_slow

    def close_gracefully(self, linger: int, linger_time: float) -> None:
        raise AssertionError("closed as if it spoke HTTP")

    def cut(self) -> None:
        raise AssertionError("cut as if it spoke HTTP")

    def pause_input(self, seconds: float) -> None:
        self.pauses.append(("in", seconds))

    def pause_output(self, seconds: float) -> None:
        self.pauses.append(("out", seconds))

    def pace_output(self, pace: Pace) -> None:
        raise AssertionError("paced after its head went")
