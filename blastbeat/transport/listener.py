"""Accepts client connections on one address, and keeps the account of those that are open.

Knows addresses and connections; not what is said on them.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
from functools import partial
from typing import Any

from blastbeat.config.model import Address
from blastbeat.errors import StartError
from blastbeat.facts import TlsFacts
from blastbeat.ratelimit import RateLimit
from blastbeat.transport.activation import PassedSockets
from blastbeat.transport.connection import Connection
from blastbeat.transport.context import ConnectionContext
from blastbeat.transport.preface import Accepted, Peer, ProxyPreface
from blastbeat.transport.tls_preface import TlsPreface

BACKLOG = 2048  # connections the kernel keeps for us during a burst; it caps this by net.core.somaxconn

ACCEPTS_PER_TURN = 128
"""What asyncio is told the backlog were: it accepts so many at once. When descriptors run out it fails, and
logs, as many times (CPython 3.11)."""


class Listener:
    """One `bind` address. `connections` are the open ones of the whole server, at most as many as the
    configuration's `connections`; one more is closed as soon as it is accepted. Sockets in `passed` that are
    this address are used instead of binding it; `addresses` are those that were really bound."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        address: Address,
        context: ConnectionContext,
        connections: set[Accepted],
        passed: PassedSockets | None = None,
    ) -> None:
        self.configured = address
        self.connections = connections
        self.addresses: list[Address] = []
        self._context = context
        self._rate_limit = RateLimit()
        self._passed = passed
        self._servers: list[asyncio.Server] = []

    async def open(self) -> list[Address]:
        """Bind, without accepting yet. Returns the real addresses; raises StartError."""
        address = self.configured
        create = partial(
            self._context.loop.create_server, self._accept, backlog=ACCEPTS_PER_TURN, start_serving=False
        )
        passed = self._passed.take(address) if self._passed is not None else []
        try:
            for sock in passed:
                self._servers.append(await create(sock=sock))
            if not passed:
                self._servers.append(await create(address.host or None, address.port))
        except OSError as error:
            raise StartError(f"can't listen on {address}: {_why(error)}") from error
        self._note_addresses()
        return self.addresses

    def _note_addresses(self) -> None:
        names = [sock.getsockname() for sock in self._sockets()]
        self.addresses = [Address(name[0], name[1], tls=self.configured.tls) for name in names]

    async def start(self) -> None:
        """Accept from here on."""
        for server in self._servers:
            await server.start_serving()
        for sock in self._sockets():
            with sock.dup() as same:
                same.listen(BACKLOG)

    def adapt(self, address: Address, context: ConnectionContext) -> None:
        """Connections accepted from now on share this context; `address` is the same, clients perhaps speak
        otherwise there."""
        self.configured = address
        self._context = context
        self._note_addresses()

    def close(self) -> None:
        """Accept no more; open connections go on."""
        for server in self._servers:
            server.close()

    def _sockets(self) -> list[Any]:
        return [sock for server in self._servers for sock in server.sockets]

    def _accept(self) -> asyncio.Protocol:
        limit = self._context.config.connections
        if limit and len(self.connections) >= limit:
            self._context.counters.add("connections.refused")
            return Refused()
        if self.configured.proxy_protocol:
            preface = ProxyPreface(
                self._context, self._rate_limit, self._follow_preface, self.connections.discard
            )
            self.connections.add(preface)
            return preface
        return self._begin(None)

    def _follow_preface(self, preface: ProxyPreface, peer: Peer | None) -> asyncio.Protocol:
        self.connections.discard(preface)
        return self._begin(peer)

    def _begin(self, peer: Peer | None) -> asyncio.Protocol:
        if not self.configured.tls:
            return self._new_connection(peer)
        preface = TlsPreface(
            self._context, self.configured, self.connections, self._new_connection, self._rate_limit, peer
        )
        self.connections.add(preface)
        return preface

    def _new_connection(self, peer: Peer | None, tls: TlsFacts | None = None) -> Connection:
        number = next(self._numbers)
        connection = Connection(self._context, self.configured, number, self.connections, peer, tls)
        self.connections.add(connection)
        return connection


class Refused(asyncio.Protocol):
    """Closes what it is given."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the address is in use; another server runs there, or choose another port"
    if error.errno == errno.EACCES:
        return "permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or str(error)
