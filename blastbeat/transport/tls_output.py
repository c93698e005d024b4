"""The way out of a TLS connection: what is written waits here until the operating system takes the records
that it becomes.

Half of `tls_transport`, which knows the other direction and the handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from enum import Enum

from blastbeat.events import Buffer

RECORD = 16 * 1024
"""Bytes of a record at most (RFC 8446 §5.1). OpenSSL's buffers in memory keep the largest size they ever had,
so they are never handed much more."""

MAX_BATCH = 112 * 1024
"""Bytes that are encrypted before the operating system is asked to take them. Below what malloc asks the
system for each time (128 KiB): 256 KiB took twice the time."""


class State(Enum):
    """Of a connection. `DEAF`: after `write_eof`, when what comes is only counted."""

    HANDSHAKE = 0
    OPEN = 1
    DEAF = 2
    CLOSING = 3
    LOST = 4


class TlsOutput(asyncio.Transport):
    """Limits and sizes count both layers: what waits to be encrypted, and what the operating system has not
    taken."""

    __slots__ = (
        "_eof_came",
        "_eof_told",
        "_high",
        "_incoming",
        "_input",
        "_is_eof_asked",
        "_is_paused",
        "_is_raw_full",
        "_is_raw_paused",
        "_loop",
        "_low",
        "_outgoing",
        "_protocol",
        "_raw",
        "_ssl",
        "_state",
        "_unasked",
        "_waiting",
        "_waiting_size",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, raw: asyncio.Transport, context: ssl.SSLContext
    ) -> None:
        self._loop, self._raw = loop, raw
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._protocol: asyncio.Protocol | None = None
        self._state = State.HANDSHAKE
        self._input = b""  # came, and is not decrypted yet
        self._waiting: deque[memoryview] | None = None  # to be encrypted
        self._waiting_size = 0
        self._unasked = 0  # bytes that TLS itself had to say since the client last took everything
        self._is_raw_full = False
        self._is_raw_paused = False  # reading from the socket
        self._eof_came = self._eof_told = False
        self._is_eof_asked = False
        self._is_paused = False  # the protocol is not to write
        self._high, self._low = 64 * 1024, 16 * 1024
        # Full means that anything waits: so `resume_writing` is the time for the next piece, and nothing is
        # encrypted that would only lie there.
        raw.set_write_buffer_limits(high=0)

    # ------------------------------------------------------------ towards the socket

    def pause_writing(self) -> None:
        self._is_raw_full = True

    def resume_writing(self) -> None:
        self._is_raw_full = False
        self._unasked = 0
        self._pump()
        if self._is_paused and self.get_write_buffer_size() <= self._low and self._protocol is not None:
            self._is_paused = False
            self._protocol.resume_writing()

    def _pump(self) -> None:
        """Encrypt what waits, as much as the operating system takes."""
        waiting = self._waiting
        while waiting and not self._is_raw_full:
            batch: list[bytes] = []
            size = 0
            while waiting and size < MAX_BATCH:
                view = waiting[0]
                taken = self._encrypt(view[:RECORD])
                if not taken:
                    break
                self._waiting_size -= taken
                if taken == len(view):
                    waiting.popleft()
                else:
                    waiting[0] = view[taken:]
                size += taken
                batch.append(self._outgoing.read())
            if not batch:
                break
            self._raw.write(b"".join(batch))
        if not waiting:
            self._waiting = None
            self._finish()

    def _encrypt(self, data: Buffer) -> int:
        """How much of it was; 0 while a message of the client about keys is not whole: TLS can't write
        within it."""
        try:
            return self._ssl.write(data)
        except ssl.SSLWantReadError:
            return 0
        except ssl.SSLError:
            self._break()
            return 0

    def _send_records(self) -> None:
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    def _finish(self) -> None:
        """Everything is encrypted: what was to come behind it."""
        if self._state is State.OPEN and self._is_eof_asked:
            self._close_notify()
            self._state = State.DEAF
            with contextlib.suppress(OSError):  # it is gone already, which who reads is told
                self._raw.write_eof()
            self._resume_raw()
            rest, self._input = self._input, b""
            self._loop.call_soon(self._deaf, rest)
        elif self._state is State.CLOSING and not self._raw.is_closing():
            self._close_notify()
            self._raw.close()

    def _close_notify(self) -> None:
        with contextlib.suppress(ssl.SSLError):  # no answer yet, or data before it: the alert is written
            self._ssl.unwrap()
        self._send_records()

    def _drop_output(self) -> None:
        self._waiting = None
        self._waiting_size = 0

    # ------------------------------------------------------------ asyncio.WriteTransport

    def write(self, data: Buffer) -> None:
        size = len(data)
        if self._state is not State.OPEN or self._is_eof_asked or not size:
            return
        if self._waiting or self._is_raw_full or size > RECORD or not self._encrypt(data):
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(memoryview(bytes(data) if isinstance(data, bytearray) else data))
            self._waiting_size += size
            self._pump()
        else:
            self._raw.write(self._outgoing.read())
        self._maybe_pause()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = 64 * 1024 if low is None else 4 * low
        self._high, self._low = high, high // 4 if low is None else low
        self._maybe_pause()

    def _maybe_pause(self) -> None:
        if not self._is_paused and self.get_write_buffer_size() > self._high and self._protocol is not None:
            self._is_paused = True
            self._protocol.pause_writing()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return self._waiting_size + self._raw.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """`close_notify` and FIN behind what was written. What the client still sends is handed on as it
        comes, encrypted: it is only to be counted."""
        if self._state is State.OPEN and not self._is_eof_asked:
            self._is_eof_asked = True
            if not self._waiting:
                self._finish()

    # ------------------------------------------------------------ the other half

    def _deaf(self, rest: bytes) -> None:
        raise NotImplementedError

    def _resume_raw(self) -> None:
        raise NotImplementedError

    def _break(self) -> None:
        raise NotImplementedError
