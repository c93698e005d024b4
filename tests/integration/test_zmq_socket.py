"""The ROUTER's options as libzmq has taken them, and what they do; endpoints that it would get wrong."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from blastbeat.config.model import ServerConfig
from blastbeat.errors import StartError
from blastbeat.transport.zmq_socket import DEAD_LINK_PERIODS, bind_endpoints, make_router_socket
from tests.helpers.router_stage import PATIENCE

PATIENCE_MS = int(PATIENCE * 1000)
LOCAL = "tcp://127.0.0.1:*"


class Sockets:
    """ROUTERs and peers of one context."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []

    def router(self, **settings: Any) -> zmq.Socket[bytes]:
        """`settings` are attributes of `ServerConfig`."""
        self._sockets.append(make_router_socket(self._context, ServerConfig(**settings)))
        return self._sockets[-1]

    def dealer(self, endpoint: str, name: bytes) -> zmq.Socket[bytes]:
        """A peer that has said something, and reads nothing."""
        dealer = self._context.socket(zmq.DEALER)
        self._sockets.append(dealer)
        dealer.setsockopt(zmq.IDENTITY, name)
        dealer.setsockopt(zmq.IPV6, int("[" in endpoint))
        dealer.setsockopt(zmq.RCVHWM, 1)
        dealer.connect(endpoint)
        dealer.send(b"")
        return dealer

    def close(self) -> None:
        for each in self._sockets:
            each.close(linger=0)
        self._context.term()


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    sockets = Sockets()
    yield sockets
    sockets.close()


@pytest.fixture
def router(sockets: Sockets) -> zmq.Socket[bytes]:
    return sockets.router()


# ---------------------------------------------------------------- options


def test_options_are_those_of_the_settings(sockets: Sockets) -> None:
    router = sockets.router(ping_freq=2.5, high_water_mark=77, max_message=12345)
    expected = {
        zmq.TYPE: zmq.ROUTER,
        zmq.SNDHWM: 77,
        zmq.RCVHWM: 77,
        zmq.MAXMSGSIZE: 12345,
        zmq.LINGER: 0,
        zmq.HEARTBEAT_IVL: 2500,
        zmq.HEARTBEAT_TIMEOUT: 2500 * DEAD_LINK_PERIODS,
        zmq.HEARTBEAT_TTL: 2500 * DEAD_LINK_PERIODS,
        zmq.TCP_KEEPALIVE: 1,
    }
    assert {option: router.getsockopt(option) for option in expected} == expected


@pytest.mark.parametrize("ping_freq", [0.0001, 0.01, 3600.0, 1e6])
def test_any_ping_period_is_one_libzmq_accepts(sockets: Sockets, ping_freq: float) -> None:
    router = sockets.router(ping_freq=ping_freq)
    interval = int(router.getsockopt(zmq.HEARTBEAT_IVL))
    assert interval >= 1
    assert router.getsockopt(zmq.HEARTBEAT_TIMEOUT) == DEAD_LINK_PERIODS * interval


def test_who_is_not_there_is_reported(router: zmq.Socket[bytes]) -> None:
    bind_endpoints(router, [LOCAL])
    with pytest.raises(zmq.ZMQError) as error:
        router.send_multipart([b"nobody", b""], zmq.DONTWAIT)
    assert error.value.errno == errno.EHOSTUNREACH


def test_who_takes_nothing_is_reported(sockets: Sockets) -> None:
    router = sockets.router(high_water_mark=1)
    (endpoint,) = bind_endpoints(router, [LOCAL])
    sockets.dealer(endpoint, b"app")
    assert router.poll(PATIENCE_MS)
    with pytest.raises(zmq.Again):
        for _ in range(1000):
            router.send_multipart([b"app", b"x" * 100_000], zmq.DONTWAIT)


# ---------------------------------------------------------------- endpoints


def test_what_was_bound_is_what_a_peer_can_connect_to(
    sockets: Sockets, router: zmq.Socket[bytes], tmp_path: Path
) -> None:
    asked = [LOCAL, "tcp://127.0.0.1:0", f"ipc://{tmp_path}/nodes", "tcp://[::1]:*", "ipc://*"]
    bound = bind_endpoints(router, asked)
    assert len(set(bound)) == len(asked)
    assert bound[2] == asked[2]
    for number, endpoint in enumerate(bound):
        sockets.dealer(endpoint, b"%d" % number)
        assert router.poll(PATIENCE_MS), f"nobody can reach {endpoint}"
        assert router.recv_multipart() == [b"%d" % number, b""]


def test_an_abstract_name(router: zmq.Socket[bytes]) -> None:
    endpoint = f"ipc://@blastbeat-test-{os.getpid()}"
    assert bind_endpoints(router, [endpoint]) == [endpoint]


def test_a_host_name_after_an_ipv6_endpoint_is_ipv4_again(router: zmq.Socket[bytes]) -> None:
    _, endpoint = bind_endpoints(router, ["tcp://[::1]:*", "tcp://localhost:*"])
    assert endpoint.startswith("tcp://127.0.0.1:")


@pytest.mark.parametrize("port", ["65536", "99999", "4294967296", "-1"])
def test_a_port_that_libzmq_would_take_for_another(router: zmq.Socket[bytes], port: str) -> None:
    with pytest.raises(StartError, match=rf"zmq tcp://127\.0\.0\.1:{port}: .* no port {port}; .* 65535"):
        bind_endpoints(router, [f"tcp://127.0.0.1:{port}"])


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("", "not an endpoint; say tcp://ADDRESS:PORT or ipc://PATH"),
        ("tcp:/127.0.0.1:5000", "not an endpoint"),
        ("tcp://", "not a valid endpoint"),
        ("tcp://127.0.0.1:--1", "not a valid endpoint"),
        ("tcp://127.0.0.1:http", "not a valid endpoint"),
        ("tcp://nointerface0:5000", "no such interface"),
        ("tcp://192.0.2.1:5000", "no such"),
        ("ipc://" + "x" * 200, "longer than 107"),
    ],
)
def test_what_cannot_be_bound_is_said_with_its_reason(
    router: zmq.Socket[bytes], endpoint: str, why: str
) -> None:
    with pytest.raises(StartError, match=why) as error:
        bind_endpoints(router, [endpoint])
    assert str(error.value).startswith(f"zmq {endpoint}: ")


def test_an_endpoint_given_twice(router: zmq.Socket[bytes], tmp_path: Path) -> None:
    """ZeroMQ itself would bind the path anew, and the first one was reachable no more."""
    endpoint = f"ipc://{tmp_path}/nodes"
    with pytest.raises(StartError, match="another server listens there"):
        bind_endpoints(router, [endpoint, endpoint])


def test_a_path_whose_server_takes_nobody_just_now(router: zmq.Socket[bytes], tmp_path: Path) -> None:
    """Its backlog is full: it listens, and its path is not to be had."""
    path = f"{tmp_path}/nodes"
    waiting = []
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(path)
        busy.listen(0)
        for _ in range(2):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            client.connect_ex(path)
            waiting.append(client)
        with pytest.raises(StartError, match="another server listens there"):
            bind_endpoints(router, [f"ipc://{path}"])
        for client in waiting:
            client.close()
