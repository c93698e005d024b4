"""TLS between a socket's transport and a protocol, over two buffers in memory (`ssl.MemoryBIO`).

A transport towards the protocol, a protocol towards the socket. Knows no HTTP and no virtualhost. asyncio's
own takes 256 KiB per connection, can't be handed bytes that were read before, and has no `write_eof`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

from blastbeat.transport.tls_failures import why_failed
from blastbeat.transport.tls_output import RECORD, State, TlsOutput

PIECE, MAX_PIECES = 8, 16
"""Records that are handed on together, and how often per turn of the loop: small ones cost as much as large
ones."""

MAX_HANDSHAKE = 128 * 1024
"""Bytes of a client before the handshake is done; a chain of certificates may be long."""

MAX_UNASKED = 16 * 1024
"""Bytes that TLS itself has to say (alerts, new keys) to a client that takes nothing."""


Opened = Callable[["TlsTransport"], asyncio.Protocol]
Failed = Callable[[str, str], None]


class TlsTransport(TlsOutput):
    """Takes over `raw`, on which nothing was written yet; `begin` with what was read of it. `opened` is
    called when the handshake is done, and says who is above; `failed` with a word of FAILURES and a detail,
    once, when it does not come to that. `run` does steps of handshakes, some per turn; `broke` is called
    where TLS fails behind the handshake."""

    __slots__ = ("_broke", "_failed", "_handshake_size", "_is_due", "_is_held", "_opened", "_run")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        raw: asyncio.Transport,
        context: ssl.SSLContext,
        *,
        opened: Opened,
        failed: Failed,
        run: Callable[[Callable[[], None]], None],
        broke: Callable[[], None],
    ) -> None:
        super().__init__(loop, raw, context)
        # The first two are dropped with the handshake, and what they know with them.
        self._opened: Opened | None = opened
        self._failed: Failed | None = failed
        self._run, self._broke = run, broke
        self._handshake_size = 0
        self._is_held = False  # the protocol wants no input
        self._is_due = False  # the next step is scheduled
        raw.set_protocol(cast(asyncio.Protocol, self))

    # ------------------------------------------------------------ towards the socket: asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._state is State.OPEN:
            self._input = self._input + data if self._input else data
            if not self._is_held and not self._is_due:
                self._read()
        elif self._state is State.HANDSHAKE:
            self._input = self._input + data if self._input else data
            self._handshake_size += len(data)
            self._pause_raw()  # what more there is comes when this was looked at
            if not self._is_due:
                self._is_due = True
                self._run(self._shake_hands)
        elif self._state is State.DEAF and self._protocol is not None:
            self._protocol.data_received(data)

    def eof_received(self) -> bool:
        """A FIN. Without a `close_notify` before it something may be missing: no message is complete by it
        (RFC 9112 §9.8)."""
        self._eof_came = True
        if self._state is State.HANDSHAKE:
            if not self._is_due:
                self.give_up("left", "")
        elif self._state is State.DEAF or (self._state is State.OPEN and not self._input):
            self._tell_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        before, self._state = self._state, State.LOST
        self._input = b""
        self._drop_output()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(exc)
        elif before is State.HANDSHAKE:
            self._tell_failed("left", "")

    # ------------------------------------------------------------ handshake

    def begin(self, data: bytes) -> None:
        """The first step, now; `data` is what was read of the socket already."""
        self._input = data
        self._handshake_size = len(data)
        self._shake_hands()

    def _shake_hands(self) -> None:
        self._is_due = False
        if self._state is not State.HANDSHAKE:
            return
        self._incoming.write(self._input)
        self._input = b""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._send_records()
            if self._eof_came:
                self.give_up("left", "")
            elif self._handshake_size > MAX_HANDSHAKE:
                self.give_up("too-long", f"more than {MAX_HANDSHAKE} bytes before it was done")
            else:
                self._resume_raw()
        except ssl.SSLError as error:
            self.give_up(why_failed(error), getattr(error, "reason", None) or str(error))
        else:
            self._send_records()
            self._begin_protocol()

    def _begin_protocol(self) -> None:
        opened, self._opened, self._failed = self._opened, None, None
        assert opened is not None
        self._state = State.OPEN
        protocol = self._protocol = opened(self)
        protocol.connection_made(self)
        if self._state is State.OPEN and not self._is_held:
            self._read()

    def give_up(self, why: str, detail: str) -> None:
        """The handshake fails, takes too long, or nobody waits for it any more."""
        if self._state is State.HANDSHAKE:
            self._end()
            self._tell_failed(why, detail)

    def _tell_failed(self, why: str, detail: str) -> None:
        failed, self._failed, self._opened = self._failed, None, None
        if failed is not None:
            failed(why, detail)

    def _break(self) -> None:
        """TLS failed behind the handshake."""
        if self._state in (State.OPEN, State.CLOSING):
            self._end()
            self._broke()

    def _end(self) -> None:
        """The client gets the alert that OpenSSL has written, where it takes it."""
        self._state = State.CLOSING
        self._input = b""
        self._drop_output()
        self._send_records()
        if self._is_raw_full:
            self._raw.abort()
        else:
            self._raw.close()

    # ------------------------------------------------------------ reading

    def _read(self) -> None:
        """Decrypts what came, some records at a time, while the protocol takes it."""
        for _ in range(MAX_PIECES):
            if self._state is not State.OPEN or self._is_held:
                break
            pieces: list[bytes] = []
            has_more, failure = False, None
            try:
                has_more = self._decrypt(pieces)
            except ssl.SSLError as error:
                failure = error
            if pieces and self._protocol is not None:
                self._protocol.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            if failure is not None:
                self._read_failed(failure)
            if not has_more:
                break
        else:
            self._continue_later()
        if self._state is State.OPEN:
            self._after_read()

    def _decrypt(self, pieces: list[bytes]) -> bool:
        """Records, PIECE at most, until there is no whole one: then False. Raises SSLZeroReturnError for a
        `close_notify`, other SSLErrors for what ends the connection."""
        while len(pieces) < PIECE:
            try:
                data = self._ssl.read(RECORD)
            except ssl.SSLWantReadError:
                if not self._input:
                    return False
                self._incoming.write(self._input[:RECORD])
                self._input = self._input[RECORD:]
                continue
            if not data:
                raise ssl.SSLZeroReturnError
            pieces.append(data)
        return True

    def _read_failed(self, error: ssl.SSLError) -> None:
        if self._state is not State.OPEN:
            return  # the protocol was faster
        if not isinstance(error, ssl.SSLZeroReturnError):
            self._break()
        elif not self._is_held:  # else it is read once more
            self._input = b""
            self._tell_eof()

    def _after_read(self) -> None:
        if self._outgoing.pending:  # new keys, a refusal to negotiate anew
            self._unasked += self._outgoing.pending
            self._send_records()
            if self._is_raw_full and self._unasked > MAX_UNASKED:
                self._break()  # it asks for ever new keys, and takes none
                return
        if self._waiting:
            self._pump()
        if self._is_held or self._is_due:
            self._pause_raw()
        elif self._eof_came:
            self._tell_eof()
        else:
            self._resume_raw()

    def _continue_later(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._continue)

    def _continue(self) -> None:
        self._is_due = False
        if self._state is State.OPEN and not self._is_held:
            self._read()

    def _tell_eof(self) -> None:
        if self._eof_told or self._protocol is None:
            return
        self._eof_told = True
        self._pause_raw()
        if not self._protocol.eof_received():
            self.close()

    def _deaf(self, rest: bytes) -> None:
        """Nothing is decrypted any more; `rest` was not yet."""
        if self._state is not State.DEAF or self._protocol is None:
            return
        if rest:
            self._protocol.data_received(rest)
        if self._eof_came:
            self._tell_eof()

    def _pause_raw(self) -> None:
        if not (self._is_raw_paused or self._eof_came or self._raw.is_closing()):
            self._is_raw_paused = True
            self._raw.pause_reading()

    def _resume_raw(self) -> None:
        """Not behind an end: nothing comes after it that anybody wants."""
        if not self._is_raw_paused or self._eof_came or self._raw.is_closing():
            return
        if self._state is State.DEAF or not self._eof_told:
            self._is_raw_paused = False
            self._raw.resume_reading()

    # ------------------------------------------------------------ asyncio.ReadTransport, BaseTransport

    def is_reading(self) -> bool:
        return not self._is_held and not self.is_closing()

    def pause_reading(self) -> None:
        self._is_held = True
        self._pause_raw()

    def resume_reading(self) -> None:
        """What is here already is handed on in a later turn: who resumes is not called before it returns."""
        if not self._is_held:
            return
        self._is_held = False
        if self._state is State.OPEN:
            self._continue_later()
        else:
            self._resume_raw()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`ssl_object`, `cipher`, and what the socket's transport knows."""
        if name == "ssl_object":
            return self._ssl
        if name == "cipher":
            return self._ssl.cipher()
        return self._raw.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._state in (State.CLOSING, State.LOST) or self._raw.is_closing()

    def close(self) -> None:
        """When what was written is taken."""
        if self._state is State.OPEN:
            self._state = State.CLOSING
            self._pause_raw()
            self._input = b""
            if not self._waiting:
                self._finish()
        elif self._state is State.HANDSHAKE:
            self.abort()
        elif self._state is State.DEAF:
            self._state = State.CLOSING
            self._raw.close()

    def abort(self) -> None:
        if self._state is not State.LOST:
            self._state = State.CLOSING
            self._drop_output()
            self._raw.abort()
