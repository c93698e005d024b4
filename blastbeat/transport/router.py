"""The ROUTER socket on the event loop: reads it fairly, sends without ever waiting, queues what can't go yet.

Knows who is there from its NodeTable and hands every message to the sink; knows no session and no type's
meaning. ZeroMQ's descriptor tells of news only once, so EVENTS is looked at again after every burst of sends
and receives (`design.md` §5).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import zmq

from blastbeat.config.model import ServerConfig
from blastbeat.counters import Counters
from blastbeat.drain_round import DrainRound
from blastbeat.errors import StartError
from blastbeat.events import Buffer
from blastbeat.instance import Instance, NodeSink, Outcome
from blastbeat.interfaces import Clock
from blastbeat.messages import DRAIN, MessageReader, MessageWriter, ReceiveFrame, until_end
from blastbeat.nodes import NodeTable, Peer
from blastbeat.outbox import Outbox
from blastbeat.ratelimit import RateLimit
from blastbeat.transport.heartbeat import Heartbeat
from blastbeat.transport.monitor import Monitor
from blastbeat.transport.sender import Sender
from blastbeat.transport.zmq_socket import bind_endpoints, make_router_socket, unbind_endpoint

logger = logging.getLogger(__name__)

MAX_MESSAGES_PER_PASS = 256
MAX_BYTES_PER_PASS = 1024 * 1024
CLOSE_FLUSH_MS = 250
CLOSE_PAUSE = 0.001  # seconds

# Plain integers: a `|` or a look-up of enum flags costs more than sending a frame.
_DONTWAIT = int(zmq.DONTWAIT)
_SNDMORE = int(zmq.DONTWAIT) + int(zmq.SNDMORE)
_EVENTS = int(zmq.EVENTS)
# ZeroMQ's thread, woken by the first message of a burst, must not preempt the sender of the others on its
# CPU: it would wake up, and call the kernel, once per message instead of once per burst (measured on one busy
# CPU: 11.6 µs of its time per request, or 7.7).
_NO_PREEMPTION = getattr(os, "SCHED_BATCH", -1)  # -1: ZeroMQ's own default
_POLLIN = int(zmq.POLLIN)
_SRCFD = int(zmq.SRCFD)


class Router:
    """One ROUTER with all endpoints of a `zmq` list. `table` says who its nodes are, `sink` hears from them,
    `drains` counts how often everything they had sent was read.

    Life: construct, set `sink`, `open`, `start`, `close`. Sizes and times are those of `settings`. `bound`
    are the endpoints it is bound to: as configured, and what they really are.
    """

    def __init__(
        self, name: str, endpoints: Sequence[str], settings: ServerConfig, counters: Counters, clock: Clock
    ) -> None:
        self.name = name
        self.drains = 0
        self.table = NodeTable(
            self, counters, ping_freq=settings.ping_freq, credit=settings.credit, endpoint=name
        )
        self.endpoints = tuple(endpoints)
        self.bound: dict[str, str] = {}
        self._settings = settings
        self._counters = counters
        self._clock = clock
        self._after_drain: list[Callable[[], None]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_pass_due = False
        self._must_look = True
        self._round = DrainRound(settings.high_water_mark)
        self._rate_limit = RateLimit()

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
        context.set(zmq.THREAD_SCHED_POLICY, _NO_PREEMPTION)
        self._context = context
        self._socket = make_router_socket(context, self._settings)
        try:
            self.extend(self.endpoints)
        except BaseException:
            self._context = None
            context.destroy(linger=0)
            raise
        # The method of pyzmq's own subclass costs as much again per frame, for options we don't use.
        self._send_frame = super(zmq.Socket, self._socket).send
        writer = MessageWriter(self._send_frame, self._send_large, more=_SNDMORE, last=_DONTWAIT)
        self._sender = Sender(
            writer, self.table, self._counters, self._clock, used=self._used, due=self._make_pass_due
        )
        receive = super(zmq.Socket, self._socket).recv
        receive_frame = cast("ReceiveFrame", partial(receive, _DONTWAIT, False))
        self._reader = MessageReader(partial(receive, _DONTWAIT), receive_frame)
        self._monitor = Monitor(self._socket, self._counters, self._route_lost, self._peer_came)
        self._heartbeat = Heartbeat(self._tick, self._heartbeat_period())
        return list(self.bound.values())

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Reads, pings and retries from now on."""
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._read_pass, True)
        self._sender.start(loop)
        self._monitor.start(loop)
        self._heartbeat.start(loop)
        self._make_pass_due()

    def extend(self, endpoints: Sequence[str]) -> None:
        """Binds these as well, while it runs. Raises StartError: then none of them is bound."""
        done: list[str] = []
        for endpoint in endpoints:
            try:
                (self.bound[endpoint],) = bind_endpoints(self._socket, (endpoint,))
            except StartError:
                self.shrink(done)
                raise
            done.append(endpoint)
        self._used()

    def shrink(self, endpoints: Sequence[str]) -> None:
        """Gives these up; whoever came by them is disconnected."""
        for endpoint in endpoints:
            unbind_endpoint(self._socket, self.bound.pop(endpoint))
        self._used()

    def rename(self, endpoints: Sequence[str]) -> None:
        """These are the ones it was given now; its name is made of them."""
        self.endpoints = tuple(endpoints)
        self.name = ", ".join(endpoints)
        self.table.rename(self.name)

    def adapt(self, settings: ServerConfig) -> None:
        """Takes other settings while it runs. Those of the socket itself stay as they were."""
        self._settings = settings
        self.table.ping_freq = settings.ping_freq
        for instance in self.table:
            instance.outbox.resize(settings.node_queue, settings.session_share)
        self._heartbeat.set_period(self._heartbeat_period())

    def _heartbeat_period(self) -> float:
        return min(self._settings.ping_freq, self.table.shortest_grace or self._settings.ping_freq)

    def close(self) -> None:
        """Gives what is queued and what ZeroMQ holds a last chance (CLOSE_FLUSH_MS each at most, and only
        while a node does not read), then closes. May be called twice."""
        self.detach()()

    def detach(self) -> Callable[[], object]:
        """The same in two steps: it is over with this call, and what is returned waits for ZeroMQ, in any
        thread."""
        context = self._context
        if context is None:
            return int
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._heartbeat.stop()
        self._sender.send_gathered()
        deadline = self._clock.monotonic() + CLOSE_FLUSH_MS / 1000
        while self._sender.retry() and self._clock.monotonic() < deadline:
            time.sleep(CLOSE_PAUSE)  # nobody is served any more; nodes still get their `end`s
        self._sender.close()
        self._monitor.close()
        self._socket.close(linger=CLOSE_FLUSH_MS)
        self.bound.clear()
        self._context = self._loop = None
        return context.term

    # ------------------------------------------------------------ sending

    def offer(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        """The first head of a session. False, and nothing is queued, when there is no route to the instance
        or its queue is full."""
        return self._sender.offer(instance, sid, type, body)

    def hand_over(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool:
        """Send a message now or not at all."""
        return self._sender.hand_over(instance, sid, type, body)

    def send(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        """Sends, or queues behind what waits already. To an instance that is gone nothing goes."""
        self._sender.send(instance, sid, type, body)

    def send_control(self, instance: Instance, type: bytes, body: bytes) -> Outcome:
        """Sends or queues a message without a sid, before all others. TAKEN: something went."""
        if type == DRAIN:
            self._sender.send_gathered()  # nothing may follow it
        instance.outbox.put_control(type, body)
        return self._sender.flush(instance)

    def queued(self, instance: Instance, sid: bytes) -> int:
        """Bytes that wait and count against this session's share: its own; all, while the instance's queue
        is over its bound."""
        return instance.outbox.queued(sid)

    def new_outbox(self) -> Outbox:
        return Outbox(self._settings.node_queue, self._settings.session_share)

    def after_drain(self, callback: Callable[[], None]) -> None:
        """Calls back once, when the ROUTER has next been read empty; never from within this call."""
        self._after_drain.append(callback)
        self._must_look = True  # what came since the last look counts
        if not self._round.waiting:
            self._round.begin(1)
        self._make_pass_due()

    # ------------------------------------------------------------ reading

    def _make_pass_due(self) -> None:
        """A read pass in the next turn of the loop."""
        if not self._is_pass_due and self._loop is not None:
            self._is_pass_due = True
            self._loop.call_soon(self._read_pass)

    def _used(self) -> None:
        """ZeroMQ was called, and may have news that it won't announce."""
        self._must_look = True
        self._make_pass_due()

    def _read_pass(self, is_announced: bool = False) -> None:
        if self._loop is None:
            return
        self._is_pass_due = True  # whatever is sent in here is looked after at the end
        is_empty = False
        try:
            self._sender.send_gathered()
            now = self._clock.monotonic()
            # Asking first costs half of what it costs to find nothing.
            is_empty = not (is_announced or self._has_news()) or self._read_burst(now)
            if is_empty:
                self.drains += 1
                self._run_after_drain()
                self._sender.maybe_retry(now)
            elif self._round.is_over():
                self._run_after_drain(self._round.waiting)
            self.sink.flush()
        finally:  # also after a fault in the sink: a ROUTER that nobody reads is the end of every session
            self._sender.send_gathered()
            self._is_pass_due = False
            if not is_empty or self._after_drain or self._sender.has_gathered() or self._has_news():
                self._make_pass_due()

    def _has_news(self) -> bool:
        """Asking is what makes ZeroMQ announce the next news; so does reading until nothing is left, after
        which nobody need ask before something is sent again."""
        if self._must_look:
            self._must_look = bool(int(self._socket.getsockopt(_EVENTS)) & _POLLIN)
        return self._must_look

    def _read_burst(self, now: float) -> bool:
        """Up to a fair share of what nodes sent. True when nothing is left."""
        size = 0
        self._must_look = True  # but after the last message
        read = self._reader.read
        message_received = self.sink.message_received
        find = self.table.find
        progress = self._round
        for _ in range(MAX_MESSAGES_PER_PASS):
            try:
                identity, sid, pairs = read()
            except zmq.Again:
                self._must_look = False
                return True
            if progress.waiting:
                progress.count(identity)
            if not pairs:
                if identity:
                    self._refuse_frames(identity, now)
                continue
            instance = find(identity)
            if instance is not None and instance.is_steady:
                instance.heard_at = now
            else:
                instance = self.table.heard(identity, now, self._peer, self._peer_address)
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

    def _refuse_frames(self, identity: bytes, now: float) -> None:
        self._counters.add("messages.dropped.frames")
        suppressed = self._rate_limit.allow(identity, now)
        if suppressed is not None:
            text = "%s: a message of %r with a wrong number of frames dropped (%d more like it)"
            logger.warning(text, self.name, identity, suppressed)

    def _run_after_drain(self, count: int | None = None) -> None:
        """The first `count` of those who wait, or all."""
        callbacks = self._after_drain[:count]
        del self._after_drain[:count]
        self._round.begin(len(self._after_drain))
        for callback in callbacks:
            callback()

    def _send_large(self, body: Buffer, flags: int) -> object:
        if body.__class__ is bytes:
            return self._send_frame(body, flags, copy=False)
        return self._send_frame(body, flags)  # it could change under ZeroMQ's hands

    def _peer(self) -> Peer:
        """Where the message just read came from."""
        frame = self._reader.first_frame
        return (self._peer_address(), int(str(frame.get(_SRCFD)))) if frame is not None else ("", 0)

    def _peer_address(self) -> str:
        """Its address alone: a fifth of what the descriptor costs."""
        frame = self._reader.first_frame
        if frame is None:
            return ""
        address = str(frame.get("Peer-Address")).removeprefix("::ffff:")
        return "" if address.startswith("localhost:") else address  # ipc: then uid, gid and pid

    # ------------------------------------------------------------ the table's time and news

    def _tick(self) -> None:
        self.table.tick(self._clock.monotonic())

    def _peer_came(self) -> None:
        self.table.peer_came(self._clock.monotonic())

    def _route_lost(self, descriptors: frozenset[int] | None) -> None:
        self.table.route_lost(self._clock.monotonic(), descriptors)
