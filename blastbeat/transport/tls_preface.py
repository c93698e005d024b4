"""What comes before HTTP on a `bind-ssl` address: the server name, the right context, the handshake.

One bounded step per socket, behind the PROXY header if there is one. Whoever speaks plain HTTP here is told
so; nobody else is answered by anything but TLS.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, cast

from blastbeat.config.model import Address
from blastbeat.facts import TlsFacts
from blastbeat.gates.client_hello import HANDSHAKE, HelloGate
from blastbeat.ratelimit import RateLimit
from blastbeat.transport.context import ConnectionContext
from blastbeat.transport.preface import Peer, plain_peer
from blastbeat.transport.tls_contexts import LoadedContext
from blastbeat.transport.tls_failures import FAILURES
from blastbeat.transport.tls_transport import TlsTransport

log = logging.getLogger(__name__)

HANDSHAKES_PER_TURN = 8
"""Of the loop. One with an RSA key of 2048 bits takes a millisecond; requests have turns between."""

MAX_PLAIN = 4096
"""Bytes of a request without TLS that are waited for, to learn its host."""

LINGER = 5.0  # seconds that a client which spoke plain HTTP has to read the answer

_PLAIN = re.compile(rb"[A-Za-z]+[ ]")
_HOST = re.compile(rb"\r\n[Hh]ost:[ \t]*([A-Za-z0-9.-]{1,253})(?::[0-9]{1,5})?[ \t]*\r\n")
_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\nServer: blastbeat\r\n\r\n%b"
)


class HandshakeTurns:
    """Lets a few handshakes go in each turn of the loop, the others in the next ones, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()  # at most one per connection
        self._left = HANDSHAKES_PER_TURN
        self._is_scheduled = False

    def run(self, step: Callable[[], None]) -> None:
        """Now, or soon."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._next_turn)
        if self._left and not self._waiting:
            self._left -= 1
            step()
        else:
            self._waiting.append(step)

    def _next_turn(self) -> None:
        self._is_scheduled = False
        self._left = HANDSHAKES_PER_TURN
        waiting = self._waiting
        while waiting and self._left:
            self._left -= 1
            waiting.popleft()()
        if waiting and not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._next_turn)


class TlsPreface(asyncio.Protocol):
    """Hands over to what `next_protocol` makes once the handshake is done. Is one of `connections` until
    then; `peer` is who a PROXY header has told of."""

    __slots__ = (
        "_address",
        "_buffer",
        "_connections",
        "_context",
        "_due",
        "_gate",
        "_is_over",
        "_is_waiting",
        "_next_protocol",
        "_peer",
        "_rate_limit",
        "_tls",
        "_transport",
        "is_watched",
    )

    def __init__(
        self,
        context: ConnectionContext,
        address: Address,
        connections: set[Any],
        next_protocol: Callable[[Peer | None, TlsFacts], asyncio.Protocol],
        rate_limit: RateLimit,
        peer: Peer | None = None,
    ) -> None:
        self.is_watched = True
        self._context = context
        self._address = address
        self._connections = connections
        self._next_protocol = next_protocol
        self._rate_limit = rate_limit
        self._peer = peer
        self._buffer = b""
        self._gate = HelloGate()
        self._tls: TlsTransport | None = None
        self._is_over = False
        self._is_waiting = False  # for its turn
        self._due = inf

    # ------------------------------------------------------------ asyncio.Protocol, until the hello is here

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        context = self._context
        self._due = context.clock.monotonic() + (context.config.handshake_timeout or inf)
        context.timers.watch(self)
        if context.dispatcher.is_stopping:
            self._end("left")

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._buffer += data
        if self._buffer[0] != HANDSHAKE:
            self._refuse_plain()
            return
        name = self._gate.receive(data)
        if name is None:
            return
        table = self._context.tls
        loaded = table.choose(self._address, name) if table is not None else None
        if loaded is None:
            self._end("no-certificate")
            return
        hello, self._buffer = self._buffer, b""
        self._is_over = self._is_waiting = True  # as far as these methods are concerned
        self._transport.pause_reading()  # what comes behind the hello waits for its turn
        self._context.handshakes.run(lambda: self._begin(loaded, name, hello))

    def eof_received(self) -> bool:
        if self._is_waiting or not self._is_over:
            self._end("left")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_waiting or not self._is_over:
            self._count("left")
        self._is_waiting = False
        self._gone()

    # ------------------------------------------------------------ the handshake

    def _begin(self, loaded: LoadedContext, name: bytes, hello: bytes) -> None:
        if not self._is_waiting or self._transport.is_closing():
            return
        self._is_waiting = False
        context = self._context
        self._tls = TlsTransport(
            context.loop,
            self._transport,
            loaded.context,
            opened=lambda tls: self._opened(tls, loaded, name),
            failed=self._failed,
            run=context.handshakes.run,
            broke=partial(context.counters.add, "tls.failed.broken"),
        )
        self._transport.resume_reading()
        self._tls.begin(hello)

    def _opened(self, tls: TlsTransport, loaded: LoadedContext, name: bytes) -> asyncio.Protocol:
        self._gone()
        self._context.counters.add("tls.handshakes")
        files = loaded.files
        certificate = tls.get_extra_info("ssl_object").getpeercert() if files.client_ca else None
        subject = format_subject(certificate["subject"]) if certificate else ""
        verified = "SUCCESS" if certificate else "NONE"
        facts = TlsFacts(name, subject, verified, (files.client_ca, files.client_verify))
        return self._next_protocol(self._peer, facts)

    def _failed(self, why: str, detail: str) -> None:
        self._count(why, detail)
        self._gone()

    def _count(self, why: str, detail: str = "") -> None:
        """Not as a warning: whoever scans the internet would fill the log."""
        self._is_over = True
        self._context.counters.add(f"tls.failed.{why}")
        if log.isEnabledFor(logging.INFO):
            addr = (self._peer or plain_peer(self._transport))[0]
            suppressed = self._rate_limit.allow((why, addr), self._context.clock.monotonic())
            if suppressed is not None:
                more = f"; {suppressed} more like it" if suppressed else ""
                text = f"{FAILURES[why]}{f' ({detail})' if detail else ''}"
                log.info("no TLS with %s on %s: %s%s", addr, self._address, text, more)

    def _gone(self) -> None:
        self._is_over, self.is_watched = True, False
        self._connections.discard(self)

    def _end(self, why: str) -> None:
        self._is_waiting = False
        self._count(why)
        self._buffer = b""
        self._transport.abort()

    def _refuse_plain(self) -> None:
        """Plain HTTP is told where to go; for anything else no answer would be understood."""
        if _PLAIN.match(self._buffer) is None:
            if len(self._buffer) > 16 or not self._buffer[:16].isalpha():
                self._end("malformed")
        elif b"\r\n\r\n" in self._buffer or len(self._buffer) >= MAX_PLAIN:
            self._answer_plain()

    def _answer_plain(self) -> None:
        host = _HOST.search(self._buffer)
        where = ""
        if host is not None:
            port = "" if self._address.port == 443 else f":{self._address.port}"
            where = f" Try https://{host[1].decode()}{port}/"
        text = (
            f"400 Bad Request\n\nThis port speaks HTTPS, and the request came without TLS.{where}\n".encode()
        )
        self._count("plain-http")
        self._due = self._context.clock.monotonic() + LINGER
        self._transport.write(_ANSWER % (len(text), text))
        self._transport.write_eof()

    def stop(self, at_once: bool) -> None:
        """See `preface.Accepted`: nobody has asked for anything yet, or was told that it spoke plain HTTP."""
        if self._tls is not None:
            self._tls.give_up("stop", "")
        elif self._is_waiting or not self._is_over:
            self._end("stop")
        elif at_once:
            self._transport.abort()

    # ------------------------------------------------------------ deadline (timers.Watched)

    def deadline(self) -> float:
        return self._due

    def expire(self, now: float) -> None:
        self._due = inf
        if self._tls is not None:
            self._tls.give_up("late", "")
        elif not self._is_over and _PLAIN.match(self._buffer):
            self._answer_plain()
        elif self._is_waiting or not self._is_over:
            self._end("late")
        else:
            self._transport.abort()


_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
_SPECIAL = re.compile(r'([\\,+"<>;=]|^[ #]| $)|([^ -~])')


def format_subject(subject: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """A certificate's subject as RFC 4514 writes it, the last name first: ``CN=alice,O=Acme``."""
    names = []
    for relative in reversed(subject):
        pairs = (f"{_SHORT.get(key, key)}={_SPECIAL.sub(_escape, value)}" for key, value in relative)
        names.append("+".join(pairs))
    return ",".join(names)


def _escape(match: re.Match[str]) -> str:
    """What is not printable ASCII goes as the bytes of its UTF-8, so that it can't end a header line."""
    if match[2] is None:
        return f"\\{match[1]}"
    return "".join(f"\\{byte:02X}" for byte in match[2].encode("utf-8", "surrogatepass"))
