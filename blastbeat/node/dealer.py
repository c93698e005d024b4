"""A DEALER socket on the event loop: whole messages in, whole messages out, neither ever waited for.

Knows frames, no message type. Its descriptor is edge-triggered, so it is read empty whenever anything was
sent or received (`design.md` §5).
"""

from __future__ import annotations

import asyncio
import errno
import sys
from collections import deque
from collections.abc import Callable, Sequence

import zmq

from blastbeat.events import Buffer

READS_PER_TURN = 200
"""Messages read before others have their turn."""

RETRY_SECONDS = 0.005
"""libzmq does not tell when a socket that took nothing would take something: it is tried again so often."""

COPY_BELOW = 32 * 1024
"""Bytes. A smaller frame is copied, which is cheaper than to have libzmq tell when it is done with it."""

_NOBLOCK, _MORE = int(zmq.NOBLOCK), int(zmq.SNDMORE)
_NOBLOCK_MORE = _NOBLOCK | _MORE

Frames = Sequence[Buffer]


class Dealer:
    """Connected by the constructor. `received` is called with the frames of each message, the last of them a
    view where it is large; `gone_out` whenever the queue has become shorter."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        identity: bytes,
        received: Callable[[list[zmq.Frame]], None],
        gone_out: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = received
        self._gone_out = gone_out
        self._queue: deque[Frames] = deque()
        self.queued = 0  # bytes
        self._timer: asyncio.TimerHandle | None = None
        self._is_reading_soon = False
        self._socket = socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, identity)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IPV6, int("[" in endpoint))
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.HEARTBEAT_IVL, 10_000)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 30_000)
        self._monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        socket.connect(endpoint)
        self._recv, self._send = socket.recv, socket.send
        self._descriptor = int(socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._descriptor, self._readable)
        self._read_soon()

    def watch_connects(self, connected: Callable[[], None], disconnected: Callable[[], None]) -> None:
        """`connected` is called after each (re)connect, `disconnected` when the connection has gone."""

        def look() -> None:
            while int(self._monitor.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                event = int.from_bytes(self._monitor.recv_multipart(_NOBLOCK)[0][:2], sys.byteorder)
                (disconnected if event == zmq.EVENT_DISCONNECTED else connected)()

        self._loop.add_reader(int(self._monitor.getsockopt(zmq.FD)), look)
        self._loop.call_soon(look)

    def close(self) -> None:
        """What is queued here is dropped; what libzmq has taken may still go."""
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_reader(int(self._monitor.getsockopt(zmq.FD)))
        if self._timer is not None:
            self._timer.cancel()
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(500)

    # ------------------------------------------------------------ reading

    def _read_soon(self) -> None:
        if not self._is_reading_soon:
            self._is_reading_soon = True
            self._loop.call_soon(self._readable)

    def _readable(self) -> None:
        self._is_reading_soon = False
        recv = self._recv
        try:
            for _ in range(READS_PER_TURN):
                frame = recv(_NOBLOCK, False)
                frames = [frame]
                while frame.more:
                    frame = recv(_NOBLOCK, False)
                    frames.append(frame)
                self._received(frames)
        except zmq.Again:
            return
        except zmq.ZMQError as error:
            if error.errno in (zmq.ETERM, zmq.ENOTSOCK):
                return  # closed within a message of its own
            raise
        self._read_soon()

    # ------------------------------------------------------------ writing

    def send(self, frames: Frames) -> None:
        """Now, or as soon as libzmq takes it."""
        if not self._queue:
            try:
                self._write(frames)
                return
            except zmq.ZMQError as error:
                if error.errno != errno.EAGAIN:
                    raise
        self._queue.append(frames)
        self.queued += sum(map(len, frames))
        self._try_later()

    def _write(self, frames: Frames) -> None:
        send, last = self._send, len(frames) - 1
        for index, frame in enumerate(frames):
            flags = _NOBLOCK_MORE if index < last else _NOBLOCK
            send(frame, flags, len(frame) < COPY_BELOW)
        self._read_soon()

    def _try_later(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(RETRY_SECONDS, self._write_queued)

    def _write_queued(self) -> None:
        self._timer = None
        queue = self._queue
        try:
            while queue:
                self._write(queue[0])
                self.queued -= sum(map(len, queue.popleft()))
        except zmq.ZMQError as error:
            if error.errno != errno.EAGAIN:
                raise
            self._try_later()
        self._gone_out()
