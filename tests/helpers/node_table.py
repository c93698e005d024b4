"""A NodeTable between a router that only notes what would be sent, and a sink that notes what it is told.

Knows no socket; the time is a number the test sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from blastbeat.counters import Counters
from blastbeat.events import Buffer
from blastbeat.instance import Instance, Outcome
from blastbeat.nodes import NodeTable, Peer
from blastbeat.outbox import Outbox

PERIOD = 1.0


class TableStage:
    """`routes` are the routing ids ZeroMQ has a way to, `full` those of them that take nothing now."""

    def __init__(self, *, grace: float = PERIOD, max_instances: int = 4, node: str = "app") -> None:
        self.now = 1000.0
        self.routes: set[bytes] = set()
        self.full: set[bytes] = set()
        self.sent: list[tuple[bytes, bytes, bytes]] = []
        self.told: list[tuple[str, bytes, str]] = []
        self.admitted: list[tuple[bytes, str | None]] = []
        self.let_in: set[str] | None = None  # the addresses that are, where somebody looks at them
        self.drains = 0
        self.counters = Counters()
        self.table = NodeTable(self, self.counters, ping_freq=PERIOD, credit=1024, endpoint="main")
        self.table.sink = self
        self.table.expect(node, grace, max_instances)

    # ------------------------------------------------------------ what a test does

    def connect(self, identity: bytes) -> None:
        self.routes.add(identity)

    def disconnect(self, identity: bytes) -> None:
        self.routes.discard(identity)

    def say(
        self, identity: bytes, words: bytes | None = None, peer: Peer = ("1.2.3.4", 7)
    ) -> Instance | None:
        """A message comes; with `words` it is a `pong`."""
        instance = self.table.heard(identity, self.now, lambda: peer, lambda: peer[0])
        if instance is not None and words is not None:
            self.table.pong(instance, words.split(), self.now)
        return instance

    def wait(self, seconds: float, answering: Iterable[bytes] = ()) -> None:
        """The time passes, with four ticks per second; these answer every ping."""
        answering = set(answering)
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            seen = len(self.sent)
            self.table.tick(self.now)
            for identity in [to for to, type, _ in self.sent[seen:] if type == b"ping" and to in answering]:
                self.say(identity, b"")

    def tick(self) -> None:
        self.table.tick(self.now)

    def take_sent(self, identity: bytes) -> list[tuple[bytes, bytes]]:
        """What this instance was sent since the last call: types and bodies."""
        taken = [(type, body) for to, type, body in self.sent if to == identity]
        self.sent = [each for each in self.sent if each[0] != identity]
        return taken

    def take_told(self) -> list[tuple[str, bytes, str]]:
        told, self.told = self.told, []
        return told

    def states(self) -> list[str]:
        return [state for state, _, _ in self.take_told()]

    def instance(self, identity: bytes = b"app") -> Instance:
        instance = self.table.find(identity)
        assert instance is not None
        return instance

    # ------------------------------------------------------------ the router

    def send_control(self, instance: Instance, type: bytes, body: bytes) -> Outcome:
        if instance.identity not in self.routes:
            self.table.unreachable(instance, self.now)
            return Outcome.NO_ROUTE
        if instance.identity in self.full:
            return Outcome.FULL
        self.sent.append((instance.identity, type, body))
        if instance.unreachable_since is not None:
            self.table.reachable(instance)
        return Outcome.TAKEN

    def new_outbox(self) -> Outbox:
        return Outbox(1 << 20, 1 << 16)

    def offer(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        raise NotImplementedError

    def send(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        raise NotImplementedError

    def hand_over(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        raise NotImplementedError

    def queued(self, instance: Instance, sid: bytes) -> int:
        return instance.outbox.queued(sid)

    def after_drain(self, callback: Callable[[], None]) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ the sink

    def message_received(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        raise NotImplementedError

    def admit(self, instance: Instance, address: str | None) -> None:
        self.admitted.append((instance.identity, address))
        if self.let_in is not None:
            instance.is_watched = True
            instance.allowed = {("main", "")} if address in self.let_in else set()

    def instance_up(self, instance: Instance, reason: str) -> None:
        assert instance.is_available and not instance.is_gone
        self.told.append(("up", instance.identity, reason))

    def instance_ready(self, instance: Instance) -> None: ...

    def instance_silent(self, instance: Instance, reason: str) -> None:
        assert not instance.is_available and not instance.is_gone
        self.told.append(("silent", instance.identity, reason))

    def instance_gone(self, instance: Instance, reason: str) -> None:
        assert not instance.is_available and instance.is_gone
        instance.sessions.clear()
        self.told.append(("gone", instance.identity, reason))

    def session_writable(self, instance: Instance, sid: bytes) -> None:
        raise NotImplementedError

    def flush(self) -> None:
        raise NotImplementedError
