"""The ROUTER socket on the event loop: reads it fairly, sends without ever waiting, queues what can't go yet.

Knows who is there from its NodeTable and hands every message to the sink; knows no session and no type's
meaning. ZeroMQ's descriptor tells of news only once, so EVENTS is looked at again after every burst of sends
and receives (`design.md` §5).
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence

import zmq

from blastbeat.config.model import ServerConfig
from blastbeat.counters import Counters
from blastbeat.events import Buffer
from blastbeat.instance import Instance, NodeSink, Outcome
from blastbeat.interfaces import Clock
from blastbeat.messages import (
    BATCH,
    END,
    Frame,
    MessageReader,
    send_batch,
    send_message,
    until_end,
)
from blastbeat.nodes import NodeTable, Peer
from blastbeat.outbox import Outbox
from blastbeat.transport.heartbeat import Heartbeat
from blastbeat.transport.monitor import Monitor
from blastbeat.transport.zmq_socket import bind_endpoints, make_router_socket

MAX_MESSAGES_PER_PASS = 256
MAX_BYTES_PER_PASS = 1024 * 1024
MAX_SENDS_PER_FLUSH = 256
RETRY_INTERVAL = 0.005  # seconds: ZeroMQ has no event for one peer that takes messages again
CLOSE_FLUSH_MS = 250

# Plain integers: a `|` or a look-up of enum flags costs more than sending a frame.
_DONTWAIT = int(zmq.DONTWAIT)
_SNDMORE = int(zmq.DONTWAIT) + int(zmq.SNDMORE)
_EVENTS = int(zmq.EVENTS)
_POLLIN = int(zmq.POLLIN)
_SRCFD = int(zmq.SRCFD)


class Router:
    """One ROUTER with all endpoints of a `zmq` list. `table` says who its nodes are, `sink` hears from them.

    Life: construct, set `sink`, `open`, `start`, `close`. Sizes and times are those of `settings`.
    """

    def __init__(
        self, name: str, endpoints: Sequence[str], settings: ServerConfig, counters: Counters, clock: Clock
    ) -> None:
        self.name = name
        self.drains = 0
        self.table = NodeTable(
            self, counters, ping_freq=settings.ping_freq, credit=settings.credit, endpoint=name
        )
        self._endpoints = tuple(endpoints)
        self._settings = settings
        self._counters = counters
        self._clock = clock
        self._waiting: dict[Instance, None] = {}  # have something in their outbox and a route
        self._after_drain: list[Callable[[], None]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._retry_timer: asyncio.TimerHandle | None = None
        self._is_pass_due = False

    @property
    def sink(self) -> NodeSink:
        return self.table.sink

    @sink.setter
    def sink(self, sink: NodeSink) -> None:
        self.table.sink = sink

    # ------------------------------------------------------------ life

    def open(self) -> list[str]:
        """Binds all endpoints; returns what they really are. Raises StartError."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context = context
        self._socket = make_router_socket(context, self._settings)
        try:
            endpoints = bind_endpoints(self._socket, self._endpoints)
        except BaseException:
            self._context = None
            context.destroy(linger=0)
            raise
        self._send_frame = self._socket.send
        self._reader = MessageReader(self._receive_bytes, self._receive_frame)
        self._monitor = Monitor(self._socket, self._counters, self._route_lost)
        period = min(self._settings.ping_freq, self.table.shortest_grace or self._settings.ping_freq)
        self._heartbeat = Heartbeat(self._tick, period)
        return endpoints

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Reads, pings and retries from now on."""
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._read_pass)
        self._monitor.start(loop)
        self._heartbeat.start(loop)
        self._make_pass_due()

    def close(self) -> None:
        """Gives what is queued a last chance (at most CLOSE_FLUSH_MS), then closes. May be called twice."""
        if self._context is None:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._heartbeat.stop()
        if self._retry_timer is not None:
            self._retry_timer.cancel()
        for instance in list(self._waiting):
            self._flush(instance)
        self._monitor.close()
        self._socket.close(linger=CLOSE_FLUSH_MS)
        self._context.term()
        self._context = self._loop = None

    # ------------------------------------------------------------ sending

    def offer(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        """The first head of a session. False, and nothing is queued, when there is no route to the instance
        or its queue is full."""
        if not instance.is_blocked:
            outcome = self._transmit(instance, sid, type, body)
            if outcome is Outcome.TAKEN:
                return True
            if outcome is Outcome.NO_ROUTE:
                return False
        elif instance.is_gone or instance.draining or instance.unreachable_since is not None:
            return False
        if instance.outbox.is_full():
            return False
        self._queue(instance, sid, type, body, opens_session=True)
        return True

    def send(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        """Sends, or queues behind what waits already. To an instance that is gone nothing goes."""
        if not instance.is_blocked and self._transmit(instance, sid, type, body) is Outcome.TAKEN:
            return
        if instance.is_gone:
            self._counters.add("messages.dropped.no-route")
        elif type == END:
            self._block(instance)
            self._tell_writable(instance, instance.outbox.put_end(sid, body))
        else:
            self._queue(instance, sid, type, body)

    def send_control(self, instance: Instance, type: bytes, body: bytes) -> Outcome:
        """Sends or queues a message without a sid, before all others. TAKEN: something went."""
        instance.outbox.put_control(type, body)
        return self._flush(instance)

    def queued(self, instance: Instance, sid: bytes) -> int:
        """Bytes that wait and count against this session's share: its own; all, while the instance's queue
        is over its bound."""
        return instance.outbox.queued(sid)

    def after_drain(self, callback: Callable[[], None]) -> None:
        """Calls back once, when the ROUTER has next been read empty; never from within this call."""
        self._after_drain.append(callback)
        self._make_pass_due()

    def new_outbox(self) -> Outbox:
        return Outbox(self._settings.node_queue, self._settings.session_share)

    def _transmit(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> Outcome:
        try:
            send_message(self._send_frame, _SNDMORE, _DONTWAIT, instance.identity, sid, type, body)
        except zmq.ZMQError as error:
            return self._not_taken(instance, error)
        self._counters.add("messages.sent")
        if not self._is_pass_due:
            self._make_pass_due()
        return Outcome.TAKEN

    def _not_taken(self, instance: Instance, error: zmq.ZMQError) -> Outcome:
        self._make_pass_due()
        if error.errno == errno.EAGAIN:
            return Outcome.FULL
        # EHOSTUNREACH; whatever else it may be, the message did not go and the grace decides.
        self.table.unreachable(instance, self._clock.monotonic())
        instance.is_blocked = True
        return Outcome.NO_ROUTE

    def _queue(
        self, instance: Instance, sid: bytes, type: bytes, body: Buffer, *, opens_session: bool = False
    ) -> None:
        self._counters.add("messages.queued")
        self._block(instance)
        instance.outbox.put(sid, type, body, opens_session=opens_session)

    def _block(self, instance: Instance) -> None:
        """Something waits from now on: it is tried again after every drain and by the timer."""
        instance.is_blocked = True
        if instance.unreachable_since is None:
            self._waiting[instance] = None
            self._arm_retry()

    def _flush(self, instance: Instance) -> Outcome:
        """Sends what waits, as far as ZeroMQ takes it. TAKEN when at least one message went."""
        outbox = instance.outbox
        batches = BATCH in instance.capabilities
        outcome = Outcome.FULL
        for _ in range(MAX_SENDS_PER_FLUSH):
            if not outbox:
                break
            sid, pairs = outbox.next(batches)
            try:
                send_batch(self._send_frame, _SNDMORE, _DONTWAIT, instance.identity, sid, pairs)
            except zmq.ZMQError as error:
                refusal = self._not_taken(instance, error)
                if refusal is Outcome.NO_ROUTE:
                    self._waiting.pop(instance, None)
                    return refusal
                break
            self._counters.add("messages.sent", len(pairs))
            outcome = Outcome.TAKEN
            if instance.unreachable_since is not None:
                self.table.reachable(instance)
            self._tell_writable(instance, outbox.sent(sid, len(pairs)))
        self._make_pass_due()
        if outbox:
            self._block(instance)
        else:
            self._waiting.pop(instance, None)
            instance.is_blocked = instance.is_gone
        return outcome

    def _tell_writable(self, instance: Instance, sids: Sequence[bytes]) -> None:
        for sid in sids:
            self.sink.session_writable(instance, sid)

    # ------------------------------------------------------------ reading

    def _make_pass_due(self) -> None:
        """A read pass in the next turn of the loop: after sends ZeroMQ may have news it won't announce."""
        if not self._is_pass_due and self._loop is not None:
            self._is_pass_due = True
            self._loop.call_soon(self._read_pass)

    def _read_pass(self) -> None:
        if self._loop is None:
            return
        self._is_pass_due = True  # whatever is sent in here is looked after at the end
        is_empty = False
        try:
            is_empty = self._read_burst(self._clock.monotonic())
            if is_empty:
                self.drains += 1
                self._run_after_drain()
                self._retry_waiting()
            self.sink.flush()
        finally:  # also after a fault in the sink: a ROUTER that nobody reads is the end of every session
            self._is_pass_due = False
            if not is_empty or self._after_drain or self._has_news():
                self._make_pass_due()

    def _has_news(self) -> bool:
        """Asking is what makes ZeroMQ announce the next news."""
        return bool(int(self._socket.getsockopt(_EVENTS)) & _POLLIN)

    def _read_burst(self, now: float) -> bool:
        """Up to a fair share of what nodes sent. True when nothing is left."""
        size = 0
        read = self._reader.read
        message_received = self.sink.message_received
        find = self.table.find
        for _ in range(MAX_MESSAGES_PER_PASS):
            try:
                identity, sid, pairs = read()
            except zmq.Again:
                return True
            if not pairs:
                if identity:
                    self._counters.add("messages.dropped.frames")
                continue
            instance = find(identity)
            if instance is not None and instance.is_steady:
                instance.heard_at = now
            else:
                instance = self.table.heard(identity, now, self._peer)
                if instance is None:
                    continue
            if len(pairs) > 1:
                pairs = until_end(pairs)
            for message_type, body in pairs:
                message_received(instance, sid, message_type, body)
                size += len(body)
            if size >= MAX_BYTES_PER_PASS:
                break
        return False

    def _run_after_drain(self) -> None:
        callbacks, self._after_drain = self._after_drain, []
        for callback in callbacks:
            callback()

    def _receive_bytes(self) -> bytes:
        return self._socket.recv(_DONTWAIT)

    def _receive_frame(self) -> Frame:
        return self._socket.recv(_DONTWAIT, False)

    def _peer(self) -> Peer:
        """Where the message just read came from."""
        frame = self._reader.first_frame
        if frame is None:
            return "", 0
        address = str(frame.get("Peer-Address")).removeprefix("::ffff:")
        return address, int(str(frame.get(_SRCFD)))

    # ------------------------------------------------------------ timers

    def _retry_waiting(self) -> None:
        for instance in list(self._waiting):
            self._flush(instance)

    def _arm_retry(self) -> None:
        if self._retry_timer is None and self._loop is not None:
            self._retry_timer = self._loop.call_later(RETRY_INTERVAL, self._retry)

    def _retry(self) -> None:
        self._retry_timer = None
        self._retry_waiting()
        if self._waiting:
            self._arm_retry()

    def _tick(self) -> None:
        self.table.tick(self._clock.monotonic())

    def _route_lost(self, descriptors: frozenset[int] | None) -> None:
        self.table.route_lost(self._clock.monotonic(), descriptors)
