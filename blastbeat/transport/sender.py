"""Sends to the instances of one ROUTER without ever waiting: what ZeroMQ does not take now waits in the
instance's outbox and is tried again.

Knows no socket but through a MessageWriter, and no sessions but by sid.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Sequence

import zmq

from blastbeat.counters import Counters
from blastbeat.events import Buffer
from blastbeat.instance import NEVER, CrowdSink, Instance, Outcome
from blastbeat.interfaces import Clock
from blastbeat.messages import BATCH, END, MAX_PAIRS, MessageWriter, Pair
from blastbeat.nodes import NodeTable
from blastbeat.outbox import MAX_BATCH_SIZE, MESSAGE_OVERHEAD

RETRY_INTERVAL = 0.005  # seconds: ZeroMQ has no event for one peer that takes messages again
RETRY_PAUSE = 0.001  # seconds
MAX_SENDS_PER_FLUSH = 256
MAX_GATHERED = 256 * 1024  # bytes, overhead included: one read of a client may bring thousands of messages


class Sender:
    """`used` is called after ZeroMQ was given something: it may have news it does not announce. `due` asks
    for `send_gathered` in the next turn of the loop."""

    def __init__(
        self,
        writer: MessageWriter,
        table: NodeTable,
        counters: Counters,
        clock: Clock,
        used: Callable[[], None],
        due: Callable[[], None],
    ) -> None:
        self._write = writer.write
        self._write_batch = writer.write_batch
        self._table = table
        self._counters = counters
        self._clock = clock
        self._used = used
        self._due = due
        self._waiting: dict[Instance, None] = {}  # something in their outbox, and a route
        self._retried_at = NEVER
        self._gathered: deque[tuple[Instance, bytes, bytes, Buffer]] = deque()
        self._gathered_size = 0  # bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None

    def offer(self, instance: Instance, sid: bytes, message_type: bytes, body: Buffer) -> bool:
        """The first head of a session: taken or queued, else False."""
        if self._gathered:
            self.send_gathered()  # the order in which things were said, `end` of the session before included
        if not instance.is_blocked:
            outcome = self._transmit(instance, sid, message_type, body)
            if outcome is not Outcome.FULL:
                return outcome is Outcome.TAKEN
        elif instance.is_gone or instance.unreachable_since is not None:
            return False
        if instance.draining or instance.outbox.is_full():
            return False
        self._queue(instance, sid, message_type, body, opens_session=True)
        return True

    def send(self, instance: Instance, sid: bytes, message_type: bytes, body: Buffer) -> None:
        """Any other message of a session: it goes with the others of this turn of the loop."""
        gathered = self._gathered
        gathered.append((instance, sid, message_type, body))
        self._gathered_size += len(body) + MESSAGE_OVERHEAD
        if self._gathered_size > MAX_GATHERED:
            self.send_gathered()
        elif len(gathered) == 1:
            self._due()

    def hand_over(self, instance: Instance, sid: bytes, message_type: bytes, body: Buffer) -> bool:
        """A message that goes now or not at all: False when ZeroMQ does not take it."""
        if self._gathered:
            self.send_gathered()
        return not instance.is_blocked and (
            self._transmit(instance, sid, message_type, body) is Outcome.TAKEN
        )

    def has_gathered(self) -> bool:
        """Whether `send_gathered` has something to do."""
        return bool(self._gathered)

    def send_gathered(self) -> None:
        """Sends what came together since the last call: ZeroMQ's thread is woken once for all of it, rather
        than once for each message."""
        gathered = self._gathered
        if not gathered:
            return
        self._gathered_size = sent = 0
        write = self._write
        while gathered:  # one by one: what a session adds meanwhile comes after what it had sent before
            instance, sid, message_type, body = gathered.popleft()
            if instance.is_blocked:
                self._wait(instance, sid, message_type, body)
                continue
            pairs: Sequence[Pair] | None = None
            if gathered and BATCH in instance.capabilities:
                pairs = self._batch(instance, sid, (message_type, body))
            try:
                if pairs is None:
                    write(instance.identity, sid, message_type, body)
                else:
                    self._write_batch(instance.identity, sid, pairs)
            except zmq.ZMQError as error:
                self._refused(instance, error)
                for one in pairs or ((message_type, body),):
                    self._wait(instance, sid, *one)
            else:
                sent += 1 if pairs is None else len(pairs)
        self._counters["messages.sent"] += sent
        self._used()

    def _batch(self, instance: Instance, sid: bytes, pair: Pair) -> Sequence[Pair] | None:
        """`pair` and what directly follows it of the same session; None where nothing does."""
        gathered = self._gathered
        pairs, size = [pair], len(pair[1])
        while gathered and len(pairs) < MAX_PAIRS:
            follower, its_sid, message_type, body = gathered[0]
            size += len(body)
            if follower is not instance or its_sid != sid or size > MAX_BATCH_SIZE:
                break
            del gathered[0]
            pairs.append((message_type, body))
        return pairs if len(pairs) > 1 else None

    def _wait(self, instance: Instance, sid: bytes, message_type: bytes, body: Buffer) -> None:
        """ZeroMQ does not take it now: queued, or dropped when the instance is gone."""
        if instance.is_gone:
            self._counters.add("messages.dropped.no-route")
            return
        if message_type == END:
            was_full = instance.outbox.is_full()
            writable = instance.outbox.put_end(sid, body)
            self._block(instance)
            self._tell_writable(instance, writable)
            if was_full and not instance.outbox.is_full():
                self._table.sink.instance_ready(instance)
        else:
            self._queue(instance, sid, message_type, body)

    def flush(self, instance: Instance) -> Outcome:
        """Sends what waits, as far as ZeroMQ takes it. TAKEN when at least one message went."""
        outbox = instance.outbox
        batches = BATCH in instance.capabilities
        was_full = outbox.is_full()
        outcome = Outcome.FULL
        for _ in range(MAX_SENDS_PER_FLUSH):
            if not outbox:
                break
            sid, pairs = outbox.next(batches)
            try:
                self._write_batch(instance.identity, sid, pairs)
            except zmq.ZMQError as error:
                if self._refused(instance, error) is Outcome.NO_ROUTE:
                    self._waiting.pop(instance, None)
                    return Outcome.NO_ROUTE
                break
            self._counters.add("messages.sent", len(pairs))
            outcome = Outcome.TAKEN
            if instance.unreachable_since is not None:
                self._table.reachable(instance)
            self._tell_writable(instance, outbox.sent(sid, len(pairs)))
        self._used()
        self._block(instance)
        if was_full and not outbox.is_full():
            self._table.sink.instance_ready(instance)
        return outcome

    def retry(self) -> bool:
        """Tries everybody who has something waiting. True when something still does."""
        self._retried_at = self._clock.monotonic()
        for instance in list(self._waiting):
            self.flush(instance)
        return bool(self._waiting)

    def maybe_retry(self, now: float) -> None:
        """The same, unless it was just done: each refusal costs 5 µs, and there may be many."""
        if self._waiting and now - self._retried_at >= RETRY_PAUSE:
            self.retry()

    def _transmit(self, instance: Instance, sid: bytes, message_type: bytes, body: Buffer) -> Outcome:
        try:
            self._write(instance.identity, sid, message_type, body)
        except zmq.ZMQError as error:
            return self._refused(instance, error)
        self._counters["messages.sent"] += 1
        self._used()
        return Outcome.TAKEN

    def _refused(self, instance: Instance, error: zmq.ZMQError) -> Outcome:
        self._used()
        if error.errno == errno.EAGAIN:
            return Outcome.FULL
        # EHOSTUNREACH; whatever else it may be, the message did not go, and the grace decides.
        instance.is_blocked = True
        self._table.unreachable(instance, self._clock.monotonic())
        return Outcome.NO_ROUTE

    def _queue(
        self,
        instance: Instance,
        sid: bytes,
        message_type: bytes,
        body: Buffer,
        *,
        opens_session: bool = False,
    ) -> None:
        outbox = instance.outbox
        was_crowded = outbox.crowded
        outbox.put(sid, message_type, body, opens_session=opens_session)
        self._counters.add("messages.queued")
        self._block(instance)
        sink = self._table.sink
        if outbox.crowded and not was_crowded and isinstance(sink, CrowdSink):
            outbox.hold(instance.sessions)
            sink.instance_crowded(instance)

    def _block(self, instance: Instance) -> None:
        """While something waits, nothing goes past it; drains and the timer try it again."""
        waits = bool(instance.outbox)
        instance.is_blocked = waits or instance.is_gone or instance.unreachable_since is not None
        if not waits:
            self._waiting.pop(instance, None)
        elif instance.unreachable_since is None:
            self._waiting[instance] = None
            if self._timer is None and self._loop is not None:
                self._timer = self._loop.call_later(RETRY_INTERVAL, self._retry_later)

    def _retry_later(self) -> None:
        self._timer = None
        self.retry()

    def _tell_writable(self, instance: Instance, sids: Sequence[bytes]) -> None:
        for sid in sids:
            self._table.sink.session_writable(instance, sid)
