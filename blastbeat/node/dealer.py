"""A DEALER socket on the event loop: whole messages in, whole messages out, neither ever waited for.

Knows frames, no message type. Its descriptor is edge-triggered, so it is read empty whenever anything was
sent or received (`design.md` §5).
"""

from __future__ import annotations

import asyncio
import errno
import sys
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import zmq

from blastbeat.events import Buffer
from blastbeat.messages import MAX_PAIRS

READS_PER_TURN = 200
"""Messages read before others have their turn."""

RETRY_SECONDS = 0.005
"""libzmq does not tell when a socket that took nothing would take something: it is tried again so often."""

COPY_BELOW = 32 * 1024
"""Bytes. A smaller frame is copied, which is cheaper than to have libzmq tell when it is done with it."""

LINGER = 500
"""Milliseconds that libzmq may take after `close` to hand over what it was given."""

_NOBLOCK, _MORE = int(zmq.NOBLOCK), int(zmq.SNDMORE)
_NOBLOCK_MORE = _NOBLOCK | _MORE
_MADE = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
_LOST = int(zmq.EVENT_DISCONNECTED) | int(zmq.EVENT_CLOSED)

Frames = Sequence[Buffer]


class Audience(Protocol):
    """Who hears of what a socket does. May send and close within each of these."""

    def message_received(self, sid: bytes, type: bytes, body: zmq.Frame) -> None: ...
    def batch_received(self, sid: bytes, pairs: Sequence[tuple[bytes, zmq.Frame]]) -> None: ...

    def junk_received(self) -> None:
        """A message with a number of frames that no message has."""
        ...

    def connected(self) -> None: ...

    def disconnected(self) -> None:
        """The connection is lost, or could not be made. This socket makes no other."""
        ...

    def gone_out(self) -> None:
        """The queue has become shorter, after having been unable to."""
        ...


class Dealer:
    """Connected by the constructor."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, identity: bytes, audience: Audience
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._audience = audience
        self._queue: deque[Frames] = deque()
        self.queued = 0
        """Bytes of bodies that wait here."""
        self._timer: asyncio.TimerHandle | None = None
        self._is_reading_soon = self._is_closed = False
        self.is_writing_soon = False
        """Something leaves at the end of this turn of the loop."""
        self._socket = socket = context.socket(zmq.DEALER)
        try:
            self._monitor = _open(socket, endpoint, identity)
        except BaseException:
            socket.close(0)
            raise
        self._recv, self._send = socket.recv, socket.send
        self._descriptor = int(socket.getsockopt(zmq.FD))
        self._monitor_descriptor = int(self._monitor.getsockopt(zmq.FD))
        self._loop.add_reader(self._descriptor, self._readable)
        self._loop.add_reader(self._monitor_descriptor, self._look)
        self._loop.call_soon(self._look)
        self._read_soon()

    def close(self) -> None:
        """What libzmq does not take now is dropped; what it has taken may still go. Twice is no harm."""
        if self._is_closed:
            return
        self._write_queued()
        self._is_closed = True
        self._queue.clear()
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_reader(self._monitor_descriptor)
        if self._timer is not None:
            self._timer.cancel()
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(LINGER)

    def _look(self) -> None:
        """The monitor: connections made and lost, in their order."""
        while not self._is_closed and int(self._monitor.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            event = int.from_bytes(self._monitor.recv_multipart(_NOBLOCK)[0][:2], sys.byteorder)
            if event == _MADE:
                self._audience.connected()
            else:
                self._audience.disconnected()

    # ------------------------------------------------------------ reading

    def _read_soon(self) -> None:
        if not self._is_reading_soon:
            self._is_reading_soon = True
            self._loop.call_soon(self._readable)

    def _readable(self) -> None:
        self._is_reading_soon = False
        recv, received = self._recv, self._audience.message_received
        try:
            for _ in range(READS_PER_TURN):
                if self._is_closed:
                    return
                # Bytes are three times cheaper than a Frame, which alone tells whether another one follows.
                # A message of a single frame takes the next one with it, and neither is acted on.
                sid = recv(_NOBLOCK)
                type = recv(_NOBLOCK, False)
                if not type.more:
                    self._audience.junk_received()
                    continue
                body = recv(_NOBLOCK, False)
                if body.more:
                    self._read_batch(sid, type, body)
                else:
                    received(sid, type.bytes, body)
        except zmq.Again:
            return
        except BaseException:
            self._read_soon()  # or the edge is lost
            raise
        self._read_soon()

    def _read_batch(self, sid: bytes, type: zmq.Frame, body: zmq.Frame) -> None:
        recv = self._recv
        pairs = [(type.bytes, body)]
        frame = body
        while frame.more:
            frame = type = recv(_NOBLOCK, False)
            if not frame.more:
                self._audience.junk_received()
                return
            frame = recv(_NOBLOCK, False)
            if len(pairs) <= MAX_PAIRS:  # one too many is enough to know
                pairs.append((type.bytes, frame))
        if len(pairs) > MAX_PAIRS:
            self._audience.junk_received()
        else:
            self._audience.batch_received(sid, pairs)

    # ------------------------------------------------------------ writing

    def send(self, frames: Frames) -> None:
        """Now, or as soon as libzmq takes it."""
        self.send_soon(frames)
        if self._timer is None:
            self._write_queued()

    def send_soon(self, frames: Frames) -> None:
        """At the end of this turn of the loop: messages that leave together wake libzmq's thread once."""
        if self._is_closed:
            return
        self._queue.append(frames)
        self.queued += len(frames[-1])
        if not self.is_writing_soon and self._timer is None:
            self.is_writing_soon = True
            self._loop.call_soon(self._write_queued)

    def _write_queued(self) -> None:
        self.is_writing_soon = False
        queue = self._queue
        if self._is_closed or not queue:
            return
        was_late, self._timer = self._timer, None
        send = self._send
        try:
            while queue:
                frames = queue[0]
                for frame in frames[:-1]:
                    send(frame, _NOBLOCK_MORE)
                last = frames[-1]
                send(last, _NOBLOCK, len(last) < COPY_BELOW)
                del queue[0]
                self.queued -= len(last)
        except zmq.ZMQError as error:
            if error.errno != errno.EAGAIN:
                raise
            self._timer = self._loop.call_later(RETRY_SECONDS, self._write_queued)
        self._read_soon()
        if was_late is not None:
            self._audience.gone_out()


def _open(socket: zmq.Socket[bytes], endpoint: str, identity: bytes) -> zmq.Socket[bytes]:
    """Options and connection; returns the monitor."""
    socket.setsockopt(zmq.IDENTITY, identity)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IPV6, int("[" in endpoint))
    # Never by itself: it would send what it still holds, from behind the gap, before we hear of the loss.
    socket.setsockopt(zmq.RECONNECT_IVL, -1)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 10_000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 30_000)
    monitor = socket.get_monitor_socket(_MADE | _LOST)
    try:
        socket.connect(endpoint)
    except BaseException:
        socket.disable_monitor()
        monitor.close(0)
        raise
    return monitor
