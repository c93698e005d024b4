"""What comes before HTTP: who may tell, what is told, and every way in which it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.config.model import Address
from blastbeat.ratelimit import RateLimit
from blastbeat.transport.connection import Connection
from blastbeat.transport.preface import Peer, ProxyPreface, plain_peer
from tests.helpers.proxy import v1, v2, v2_raw
from tests.helpers.settings import HOST
from tests.helpers.transport_fakes import FakeTransport, Wire

LISTENER = Address("127.0.0.1", 8080)
GET = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
BALANCER = "192.0.2.1"  # the peer of every FakeTransport


class Scene:
    """One accepted socket on a `proxy-protocol` address."""

    def __init__(self, trusted: tuple[str, ...] = (BALANCER,), header_timeout: float = 30.0) -> None:
        self.wire = Wire({"trusted_proxies": trusted, "header_timeout": header_timeout})
        self.rate_limit = RateLimit()
        self.connection: Connection | None = None
        self.lost: list[ProxyPreface] = []
        self.preface, self.transport = self.accept()

    def accept(self) -> tuple[ProxyPreface, FakeTransport]:
        preface = ProxyPreface(self.wire.context, self.rate_limit, self.follow, self.lost.append)
        transport = FakeTransport(self.wire.loop, preface)
        preface.connection_made(transport)
        self.wire.loop.run()
        return preface, transport

    def follow(self, preface: ProxyPreface, peer: Peer | None) -> Connection:
        assert self.connection is None and preface is self.preface
        self.connection = Connection(self.wire.context, LISTENER, 1, self.wire.connections, peer)
        self.wire.connections.add(self.connection)
        return self.connection

    def counted(self) -> dict[str, int]:
        counters = self.wire.engine.counters
        return {name: n for name, n in counters.items() if name.startswith("connections.refused") and n}

    def assert_refused(self, reason: str) -> None:
        assert self.transport.is_lost and self.transport.output == b""
        assert self.connection is None and self.lost == [self.preface]
        assert self.counted() == {f"connections.refused.{reason}": 1}
        self.wire.loop.advance(3600)
        assert self.wire.loop.timers == 0 and not self.wire.loop.failures

    @property
    def peer(self) -> Peer:
        assert self.connection is not None
        facts, view = self.connection.facts, self.connection.view
        assert (facts.remote_addr, facts.remote_port) == (view.remote_addr, view.remote_port)
        return facts.remote_addr, facts.remote_port


@pytest.mark.parametrize("header", [v1, v2])
def test_the_told_client_is_the_client(header: Callable[[str, int], bytes]) -> None:
    scene = Scene()
    scene.transport.receive(header("198.51.100.7", 4711))
    assert scene.peer == ("198.51.100.7", 4711)
    assert scene.connection is not None and scene.connection.facts.listener_port == 8080
    assert not scene.connection.facts.is_trusted and scene.counted() == {}
    scene.transport.receive(GET)
    assert len(scene.wire.engine.router.sent) == 1
    scene.transport.lose()
    assert scene.lost == [] and not scene.wire.connections


def test_the_told_client_may_be_a_trusted_proxy_itself() -> None:
    scene = Scene(("192.0.2.0/24",))
    scene.transport.receive(v2("192.0.2.77"))
    assert scene.connection is not None and scene.connection.facts.is_trusted
    scene.transport.lose()


@pytest.mark.parametrize(
    "header", [b"PROXY UNKNOWN\r\n", v2_raw(0x20, 0, b""), v2_raw(0x21, 0x31, bytes(216))]
)
def test_where_no_client_is_told_the_peer_is_kept(header: bytes) -> None:
    scene = Scene()
    scene.transport.receive(header + GET)
    assert scene.peer == (BALANCER, 50000)
    assert len(scene.wire.engine.router.sent) == 1
    scene.transport.lose()


@given(st.lists(st.integers(1, 60), max_size=8), st.sampled_from([v1("2001:db8::9"), v2("2001:db8::9")]))
def test_any_split_of_header_and_request(sizes: list[int], header: bytes) -> None:
    scene = Scene()
    data = header + GET + GET.replace(b"/ ", b"/second ")
    while data:
        size = sizes.pop() if sizes else len(data)
        scene.transport.receive(data[:size])
        data = data[size:]
    assert scene.peer == ("2001:db8::9", 50000)
    assert [body for _, _, type, body in scene.wire.engine.router.sent if type == b"uwsgi"] == [b"GET /"]
    scene.transport.lose()


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",)])
def test_who_is_not_trusted_is_closed_before_a_byte_is_read(
    trusted: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(trusted)
    scene.assert_refused("not-trusted")
    assert "192.0.2.1 closed: it is not in trusted-proxies" in caplog.text


@pytest.mark.parametrize("data", [GET, b"PROXY TCP4 nonsense\r\n", v2_raw(0x2F, 0x11, b"")])
def test_what_is_no_header_is_closed(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.preface.data_received(data[:10])
    scene.preface.data_received(data[10:])
    scene.preface.data_received(v1("198.51.100.7"))  # too late
    scene.wire.loop.run()
    scene.assert_refused("proxy-header")
    assert caplog.text.count("192.0.2.1 closed: ") == 1


@pytest.mark.parametrize(("sent", "reason"), [(b"", "proxy-probe"), (b"PROXY TC", "proxy-header")])
@pytest.mark.parametrize("how", ["fin", "reset", "stop", "stop at once"])
def test_an_early_end(sent: bytes, reason: str, how: str) -> None:
    scene = Scene()
    if sent:
        scene.transport.receive(sent)
    if how == "fin":
        scene.transport.receive_fin()
    elif how == "reset":
        scene.transport.lose()
    else:
        scene.preface.stop(how == "stop at once")
        scene.preface.stop(True)
        scene.wire.loop.run()
    scene.assert_refused(reason)


@pytest.mark.parametrize("sent", [b"", b"PROXY TC", v2("192.0.2.9")[:20]])
def test_a_header_that_does_not_come_in_time(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(header_timeout=5)
    scene.wire.loop.advance(4)
    if sent:
        scene.transport.receive(sent)
    assert not scene.transport.is_lost
    scene.wire.loop.advance(1.2)
    scene.assert_refused("proxy-late")
    assert "header-timeout, 5 s" in caplog.text


def test_the_request_has_a_time_of_its_own() -> None:
    scene = Scene(header_timeout=5)
    scene.wire.loop.advance(4)
    scene.transport.receive(v1("198.51.100.7"))
    scene.wire.loop.advance(4)
    assert not scene.transport.is_closing()
    scene.wire.loop.advance(1.2)
    assert scene.transport.is_closing() and scene.counted() == {}


def test_without_a_timeout_it_waits() -> None:
    scene = Scene(header_timeout=0)
    scene.wire.loop.advance(100_000)
    scene.transport.receive(v1("198.51.100.7"))
    assert scene.peer[0] == "198.51.100.7"
    scene.transport.lose()


def test_a_flood_of_strangers_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(())
    for _ in range(50):
        scene.accept()
    assert len(caplog.records) == 1
    assert scene.counted() == {"connections.refused.not-trusted": 51}
    scene.wire.loop.advance(11)
    scene.accept()
    assert "(50 more like it)" in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        (("192.0.2.1", 5), ("192.0.2.1", 5)),
        (("2001:db8::1", 5, 0, 0), ("2001:db8::1", 5)),
        (("::ffff:192.0.2.1", 5, 0, 0), ("192.0.2.1", 5)),
        (("::ffff:1", 5, 0, 0), ("::ffff:1", 5)),
        (None, ("", 0)),
    ],
)
def test_the_peer_as_everybody_writes_it(name: tuple[object, ...] | None, peer: Peer) -> None:
    class Transport(asyncio.BaseTransport):
        def get_extra_info(self, key: str, default: object = None) -> object:
            return {"peername": name}[key]

    assert plain_peer(cast(asyncio.BaseTransport, Transport())) == peer


@pytest.fixture(autouse=True)
def _warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


def test_a_preface_that_begins_as_the_server_stops_ends_when_it_is_made() -> None:
    scene = Scene()
    scene.wire.engine.dispatcher.is_stopping = True
    preface = ProxyPreface(scene.wire.context, scene.rate_limit, scene.follow, scene.lost.append)
    preface.stop(at_once=True)
    transport = FakeTransport(scene.wire.loop, preface)
    preface.connection_made(transport)
    scene.wire.loop.run()
    assert transport.is_lost and scene.lost == [preface]
