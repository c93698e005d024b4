"""Listeners: what they bind, what they say when they can't, and how many connections they let in."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from blastbeat.config.model import Address
from blastbeat.errors import StartError
from blastbeat.transport.activation import PassedSockets
from blastbeat.transport.connection import Connection
from blastbeat.transport.listener import ACCEPTS_PER_TURN, BACKLOG, Listener, Refused
from blastbeat.transport.preface import ProxyPreface
from tests.helpers.proxy import v1
from tests.helpers.transport_fakes import FakeLoop, FakeTransport, Wire

ANY_PORT = Address("127.0.0.1", 0)


class FakeBound:
    def __init__(self, name: tuple[object, ...]) -> None:
        self._name = name
        self.backlog = 0

    def getsockname(self) -> tuple[object, ...]:
        return self._name

    def dup(self) -> FakeBound:
        return self

    def __enter__(self) -> FakeBound:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def listen(self, backlog: int) -> None:
        self.backlog = backlog


class FakeServer:
    """See `asyncio.Server`."""

    def __init__(self, names: list[tuple[object, ...]]) -> None:
        self.sockets = [FakeBound(name) for name in names]
        self.is_serving = False
        self.is_closed = False

    async def start_serving(self) -> None:
        self.is_serving = True

    def close(self) -> None:
        self.is_closed = True


class BindingLoop(FakeLoop):
    """Binds `names`, or raises `error`."""

    names: list[tuple[object, ...]] = [("127.0.0.1", 43210)]
    error: OSError | None = None

    async def create_server(
        self, factory: Callable[[], Any], host: str | None = None, port: int = -1, **options: Any
    ) -> Any:
        if self.error is not None:
            raise self.error
        self.asked = (host, port, options)
        self.factory = factory
        self.server = FakeServer(self.names)
        return self.server


def make(address: Address = ANY_PORT, **settings: Any) -> tuple[Listener, BindingLoop, Wire]:
    wire = Wire(settings)
    loop = BindingLoop(wire.engine.clock)
    object.__setattr__(wire.context, "loop", loop)
    return Listener(address, wire.context, wire.connections), loop, wire


def test_it_binds_first_and_accepts_later() -> None:
    listener, loop, _ = make()
    assert asyncio.run(listener.open()) == [Address("127.0.0.1", 43210)]
    host, port, options = loop.asked
    assert (host, port, options["start_serving"]) == ("127.0.0.1", 0, False)
    assert not loop.server.is_serving
    asyncio.run(listener.start())
    assert loop.server.is_serving and loop.server.sockets[0].backlog == BACKLOG
    listener.close()
    assert loop.server.is_closed


def test_all_interfaces_may_be_several_sockets() -> None:
    listener, loop, _ = make(Address("", 8080))
    loop.names = [("0.0.0.0", 8080), ("::", 8080, 0, 0)]
    assert asyncio.run(listener.open()) == [Address("0.0.0.0", 8080), Address("::", 8080)]
    assert loop.asked[0] is None


class Passed(PassedSockets):
    """Two sockets for any address."""

    def take(self, address: Address) -> list[Any]:
        return ["first", "second"]


def test_what_was_bound_already_is_not_bound_again() -> None:
    _, loop, wire = make()
    listener = Listener(ANY_PORT, wire.context, wire.connections, Passed())
    assert asyncio.run(listener.open()) == [Address("127.0.0.1", 43210)] * 2
    assert loop.asked == (None, -1, {"sock": "second", "backlog": ACCEPTS_PER_TURN, "start_serving": False})
    asyncio.run(listener.start())
    assert loop.server.is_serving and loop.server.sockets[0].backlog == BACKLOG
    listener.close()
    assert loop.server.is_closed


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EADDRINUSE, "in use"),
        (errno.EACCES, "below 1024"),
        (errno.EADDRNOTAVAIL, "no such address"),
        (errno.EAFNOSUPPORT, "not supported"),
    ],
)
def test_why_it_could_not_bind(code: int, words: str) -> None:
    listener, loop, _ = make(Address("::1", 80))
    loop.error = OSError(code, "not supported")
    with pytest.raises(StartError, match=rf"can't listen on \[::1\]:80: .*{words}"):
        asyncio.run(listener.open())
    listener.close()  # nothing was opened, and nothing comes of it


def test_connections_over_the_bound_are_closed_at_once() -> None:
    listener, loop, wire = make(connections=2)
    asyncio.run(listener.open())
    accepted = [loop.factory() for _ in range(3)]
    assert [type(each) for each in accepted] == [Connection, Connection, Refused]
    refused = FakeTransport(loop, accepted[2])
    accepted[2].connection_made(refused)
    assert refused.is_closing() and len(wire.connections) == 2
    assert wire.engine.counters["connections.refused"] == 1
    first = FakeTransport(loop, accepted[0])
    accepted[0].connection_made(first)
    first.lose()
    assert len(wire.connections) == 1 and type(loop.factory()) is Connection


def test_without_a_bound_all_are_let_in() -> None:
    listener, loop, wire = make(connections=0)
    asyncio.run(listener.open())
    for _ in range(100):
        loop.factory()
    assert len(wire.connections) == 100


def test_connections_have_numbers_of_their_own() -> None:
    listener, loop, wire = make()
    asyncio.run(listener.open())
    for _ in range(3):
        connection = cast(Connection, loop.factory())
        connection.connection_made(FakeTransport(loop, connection))
    numbers = [view.id for view in wire.engine.recorder.connections]
    assert len(set(numbers)) == 3 and numbers == sorted(numbers)
    assert {view.listener for view in wire.engine.recorder.connections} == {"127.0.0.1:0"}


def test_a_preface_counts_as_a_connection_until_it_is_one() -> None:
    address = Address("127.0.0.1", 0, proxy_protocol=True)
    listener, loop, wire = make(address, connections=2, trusted_proxies=("192.0.2.0/24",))
    asyncio.run(listener.open())
    accepted = [loop.factory() for _ in range(3)]
    assert [type(each) for each in accepted] == [ProxyPreface, ProxyPreface, Refused]
    transports = [FakeTransport(loop, each) for each in accepted[:2]]
    for protocol, transport in zip(accepted, transports, strict=False):
        protocol.connection_made(transport)
    transports[0].receive(v1("198.51.100.7"))
    assert type(transports[0].protocol) is Connection and len(wire.connections) == 2
    assert wire.engine.recorder.connections[0].remote_addr == "198.51.100.7"
    for transport in transports:
        transport.lose()
    assert not wire.connections


def test_other_settings_hold_for_those_that_come_later() -> None:
    """Who was accepted before keeps what there was."""
    listener, loop, wire = make()
    asyncio.run(listener.open())
    before = loop.factory()
    stricter = replace(wire.context, config=replace(wire.context.config, connections=1))
    proxied = Address(ANY_PORT.host, ANY_PORT.port, proxy_protocol=True)
    listener.adapt(proxied, stricter)
    assert isinstance(loop.factory(), Refused)
    listener.adapt(proxied, wire.context)
    assert isinstance(loop.factory(), ProxyPreface) and isinstance(before, Connection)
    assert listener.addresses == [Address("127.0.0.1", 43210)]
