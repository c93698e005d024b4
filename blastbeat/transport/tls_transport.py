"""TLS between a socket's transport and the protocol above it: a transport of its own, over memory buffers.

Knows records and no requests. asyncio's own layer takes a buffer of 256 KiB for each connection, can't be
handed bytes that were read already, and has no half-close.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, cast

MAX_HANDSHAKE = 128 * 1024
"""Bytes a client may send before the handshake is done: a hello, and a chain of certificates."""

RECORDS_PER_TURN = 16
"""Records that are read before others have their turn: 256 KiB at most."""

WRITE_PIECE = 256 * 1024
"""Bytes encrypted before they are handed on: what is in between is memory twice."""

READ_SIZE = 16 * 1024  # of a record (RFC 8446 §5.1)


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """`opened` is called when the handshake is done, and says who is above; `failed` with a word of
    FAILURES, once, when it does not come to that."""

    def __init__(
        self,
        transport: asyncio.Transport,
        context: ssl.SSLContext,
        opened: Callable[[TlsTransport], asyncio.Protocol],
        failed: Callable[[TlsTransport, str, str], None],
    ) -> None:
        super().__init__()
        self._raw = transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._opened = opened
        self._failed: Callable[[TlsTransport, str, str], None] | None = failed
        self._protocol: asyncio.Protocol | None = None
        self._received = 0
        self._is_paused = False
        self._has_ended = False  # nothing more comes from the peer
        self._is_shut = False  # our close_notify is sent
        self._is_reading_soon = False

    # ------------------------------------------------------------ the socket's side (asyncio.Protocol)

    def begin(self, data: bytes) -> None:
        """Take the socket over; `data` is what was read of it already."""
        self._raw.set_protocol(self)
        self.data_received(data)

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._protocol is not None:
            self._read()
            return
        self._received += len(data)
        if self._received > MAX_HANDSHAKE:
            self._fail("too-long", f"more than {MAX_HANDSHAKE} bytes before it was done")
        elif self._failed is not None:
            self._shake_hands()

    def eof_received(self) -> bool:
        """A FIN: behind a close_notify, or cut off. Neither completes anything that has a length."""
        if self._protocol is None:
            self._fail("left", "the client left")
            return False
        self._incoming.write_eof()
        if not self._is_paused:
            self._read()
        return True  # whether the socket closes is for those above to say

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        protocol = self._protocol
        if protocol is not None:
            protocol.connection_lost(exc)
        else:
            self._fail("left", "the client left")

    # ------------------------------------------------------------ handshake

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._pass_on()
        except ssl.SSLError as error:
            self._pass_on()  # the alert
            self._fail(_why(error), error.reason or str(error))
        else:
            self._pass_on()
            self._failed = None
            protocol = self._protocol = self._opened(self)
            protocol.connection_made(self)
            self._read()

    def give_up(self, why: str, detail: str) -> None:
        """The handshake takes too long, or nobody waits for it any more."""
        if self._protocol is None:
            self._fail(why, detail)

    def _fail(self, why: str, detail: str) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            failed(self, why, detail)
            self._raw.close() if self._raw.get_write_buffer_size() < READ_SIZE else self._raw.abort()

    # ------------------------------------------------------------ reading

    def _read(self) -> None:
        self._is_reading_soon = False
        if self._is_paused or self._has_ended:
            return
        pieces = []
        has_ended = False
        try:
            for _ in range(RECORDS_PER_TURN):
                piece = self._tls.read(READ_SIZE)
                if not piece:
                    has_ended = True
                    break
                pieces.append(piece)
            else:
                self._read_soon()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            has_ended = True  # cut off, or no TLS any more
        self._pass_on()
        protocol = cast(asyncio.Protocol, self._protocol)
        if pieces:
            protocol.data_received(b"".join(pieces))
        if has_ended and not self._has_ended:
            self._has_ended = True
            if not protocol.eof_received():
                self.close()

    def _read_soon(self) -> None:
        if not self._is_reading_soon:
            self._is_reading_soon = True
            asyncio.get_running_loop().call_soon(self._read)

    def pause_reading(self) -> None:
        self._is_paused = True
        if not self._raw.is_closing():
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._raw.is_closing():
                self._raw.resume_reading()
            self._read_soon()

    def is_reading(self) -> bool:
        return not self._is_paused and not self._raw.is_closing()

    # ------------------------------------------------------------ writing

    def write(self, data: Any) -> None:
        if self._is_shut or self._raw.is_closing():
            return
        view = memoryview(data)
        try:
            while len(view):
                end = min(len(view), WRITE_PIECE)
                position = 0
                while position < end:
                    position += self._tls.write(view[position:end])
                self._pass_on()
                view = view[end:]
        except ssl.SSLError:
            self.abort()

    def _pass_on(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """close_notify, then a FIN (RFC 8446 §6.1). What comes from the peer is still read."""
        self._shut()
        if not self._raw.is_closing():
            self._raw.write_eof()

    def _shut(self) -> None:
        if not self._is_shut:
            self._is_shut = True
            with contextlib.suppress(ssl.SSLError):  # it waits for the peer's, which may never come
                self._tls.unwrap()
            self._pass_on()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high=high, low=low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._raw.get_write_buffer_limits()

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    # ------------------------------------------------------------ the rest

    def close(self) -> None:
        if not self._raw.is_closing():
            self._shut()
            self._raw.close()

    def abort(self) -> None:
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._raw.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return cast(asyncio.Protocol, self._protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._tls if name == "ssl_object" else self._raw.get_extra_info(name, default)


FAILURES = {
    "left": "the client left before the handshake was done",
    "too-long": "the client sent too much before it was done",
    "late": "it was not done within `handshake-timeout`",
    "version": "the client speaks neither TLS 1.2 nor 1.3",
    "no-common": "the client offers nothing that is spoken here",
    "client-certificate": "the client's certificate was missing or not accepted",
    "alert": "the client did not accept it, e.g. our certificate",
    "malformed": "what came was no TLS",
    "stop": "the server stopped",
}
"""Why a handshake fails, by the word it is counted under."""


def _why(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError) or "PEER_DID_NOT_RETURN" in reason:
        return "client-certificate"
    if "UNSUPPORTED_PROTOCOL" in reason or "VERSION" in reason:
        return "version"
    if "NO_SHARED" in reason or "NO_SUITABLE" in reason:
        return "no-common"
    return "alert" if "ALERT" in reason else "malformed"
