"""A Sender and its node table between a ROUTER made by hand and a sink that notes what it is told.

Opens no socket. The test says what each peer takes; a read pass happens when the test makes one.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable
from math import inf

import zmq

from blastbeat.counters import Counters
from blastbeat.events import Buffer
from blastbeat.instance import Instance, Outcome
from blastbeat.messages import DRAIN, SERVER_SID, MessageWriter
from blastbeat.nodes import NodeTable
from blastbeat.outbox import Outbox
from blastbeat.transport.sender import Sender
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.transport_fakes import FakeLoop

MORE, LAST = 3, 1
APP = b"app"
BOUND, SHARE = 4000, 1000

Said = tuple[bytes, bytes]  # type and body


class FakeRouterSocket:
    """A ROUTER's sending half: whoever is in `room` has a route and takes so many more messages."""

    def __init__(self) -> None:
        self.room: dict[bytes, float] = {}
        self.messages: list[tuple[bytes, ...]] = []
        self.refusals = 0
        self._frames: list[bytes] = []

    def send(self, frame: Buffer, flags: int) -> None:
        if not self._frames:
            self._check_room(bytes(frame))
        self._frames.append(bytes(frame))
        if flags == LAST:
            self.messages.append(tuple(self._frames))
            self._frames = []

    def _check_room(self, identity: bytes) -> None:
        room = self.room.get(identity)
        if room is None or room < 1:
            self.refusals += 1
            raise zmq.ZMQError(errno.EHOSTUNREACH) if room is None else zmq.Again()
        self.room[identity] = room - 1


class SenderStage:
    """`app` is configured, and further instances of it may come. What `used` announces is `is_pass_due`."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop = FakeLoop(self.clock)
        self.counters = Counters()
        self.socket = FakeRouterSocket()
        self.is_pass_due = False
        self.drains = 0
        self.writable: list[bytes] = []
        self.crowded: list[bytes] = []
        self.gone: list[bytes] = []
        self.ready: list[bytes] = []
        self.on_writable: Callable[[Instance, bytes], None] | None = None
        self.table = NodeTable(self, self.counters, ping_freq=1.0, credit=1024)
        self.table.sink = self
        writer = MessageWriter(self.socket.send, self.socket.send, more=MORE, last=LAST)
        self.sender = Sender(writer, self.table, self.counters, self.clock, used=self._used, due=self._used)
        self.sender.start(self.loop.as_loop())
        self.table.expect("app", 30.0, 8)

    def node(self, identity: bytes = APP, *words: str) -> Instance:
        """An instance that is there, with a route and room; `words` are its capabilities."""
        self.socket.room[identity] = inf
        instance = self.table.heard(identity, self.clock.now)
        assert instance is not None
        instance.capabilities = frozenset(words)
        self.take_sent(identity)
        return instance

    def read_pass(self) -> None:
        """What the router does around reading."""
        self.is_pass_due = False
        self.sender.send_gathered()
        self.sender.maybe_retry(self.clock.now)

    def run(self, seconds: float) -> None:
        """The time passes, with the read passes that were asked for."""
        for _ in range(10):
            self.loop.advance(seconds / 10)
            if self.is_pass_due:
                self.read_pass()
        assert not self.loop.failures, self.loop.failures

    def ping(self, instance: Instance) -> Outcome:
        return self.send_control(instance, b"ping", b"")

    def take_sent(self, identity: bytes = APP) -> dict[bytes, list[Said]]:
        """What this peer was given since the last call: messages by sid, batches unpacked."""
        by_sid: dict[bytes, list[Said]] = defaultdict(list)
        for to, sid, *pairs in self.socket.messages:
            if to == identity and sid != SERVER_SID:
                by_sid[sid] += zip(pairs[::2], pairs[1::2], strict=True)
        self.socket.messages = [message for message in self.socket.messages if message[0] != identity]
        return by_sid

    def _used(self) -> None:
        self.is_pass_due = True

    # ------------------------------------------------------------ the router, for the table

    def send_control(self, instance: Instance, type: bytes, body: bytes) -> Outcome:
        if type == DRAIN:
            self.sender.send_gathered()
        instance.outbox.put_control(type, body)
        return self.sender.flush(instance)

    def new_outbox(self) -> Outbox:
        return Outbox(BOUND, SHARE)

    def offer(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        return self.sender.offer(instance, sid, type, body)

    def hand_over(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        return self.sender.hand_over(instance, sid, type, body)

    def send(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        self.sender.send(instance, sid, type, body)

    def queued(self, instance: Instance, sid: bytes) -> int:
        return instance.outbox.queued(sid)

    def after_drain(self, callback: Callable[[], None]) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ the sink

    def message_received(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        raise NotImplementedError

    def admit(self, instance: Instance, address: str | None) -> None:
        pass

    def instance_up(self, instance: Instance, reason: str) -> None:
        pass

    def instance_ready(self, instance: Instance) -> None:
        self.ready.append(instance.identity)

    def instance_silent(self, instance: Instance, reason: str) -> None:
        pass

    def instance_gone(self, instance: Instance, reason: str) -> None:
        self.gone.append(instance.identity)

    def instance_crowded(self, instance: Instance) -> None:
        self.crowded.append(instance.identity)

    def session_writable(self, instance: Instance, sid: bytes) -> None:
        self.writable.append(sid)
        if self.on_writable is not None:
            self.on_writable(instance, sid)

    def flush(self) -> None:
        raise NotImplementedError
