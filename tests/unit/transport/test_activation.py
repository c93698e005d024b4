"""Sockets passed by a service manager: whose they are, which `bind` each is, and what is no such socket.

The sockets are real, since that is what is judged; nobody connects to them. What a real manager passes to a
real server is in tests/integration/test_systemd.py."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from blastbeat.config.model import Address
from blastbeat.errors import StartError
from blastbeat.transport import activation
from blastbeat.transport.activation import PassedSockets


class Bench:
    """Sockets at consecutive descriptors, as a manager leaves them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._descriptors: list[int] = []

    def pass_on(self, *sockets: socket.socket) -> dict[str, str]:
        """The environment that tells of them; they themselves are closed."""
        first = 200
        for number, sock in enumerate(sockets):
            os.dup2(sock.fileno(), first + number)
            self._descriptors.append(first + number)
            sock.close()
        self._monkeypatch.setattr(activation, "FIRST", first)
        return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": "a:b"}

    def close(self) -> None:
        for descriptor in self._descriptors:
            try:
                os.close(descriptor)
            except OSError:
                pass  # as it should be: whoever adopted it has closed it


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(monkeypatch)
    yield bench
    bench.close()


def listening(host: str = "127.0.0.1", family: int = socket.AF_INET) -> socket.socket:
    sock = socket.socket(family)
    sock.bind((host, 0))
    sock.listen()
    return sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def test_each_is_found_by_its_address(bench: Bench) -> None:
    first, second, any_ = listening(), listening("::1", socket.AF_INET6), listening("0.0.0.0")
    ports = [port_of(each) for each in (first, second, any_)]
    environ = bench.pass_on(first, second, any_) | {"HOME": "/"}
    passed = PassedSockets.from_environment(environ)
    assert environ == {"HOME": "/"} and passed
    assert str(passed) == f"127.0.0.1:{ports[0]}, [::1]:{ports[1]}, 0.0.0.0:{ports[2]}"
    addresses = [Address("127.0.0.1", ports[0]), Address("::1", ports[1]), Address("", ports[2])]
    passed.check([*addresses, Address("127.0.0.1", 1)])
    for address in addresses:
        (taken,) = passed.take(address)
        assert port_of(taken) == address.port and not taken.get_inheritable()
        taken.close()
        (again,) = passed.take(address)  # for a reload
        again.close()
    for other in (Address("127.0.0.1", ports[1]), Address("", ports[0]), Address("127.0.0.1", 0)):
        assert passed.take(other) == []
    passed.close()
    passed.close()


def test_a_host_name_means_its_addresses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sock = listening()
    port = port_of(sock)

    def look_up(host: str, port: int, **_: object) -> list[object]:
        if host == "nowhere.test":
            raise socket.gaierror(-2, "Name or service not known")
        return [
            (socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, 1, 6, "", ("127.0.0.1", port)),
        ]

    passed = PassedSockets.from_environment(bench.pass_on(sock))
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for taken in passed.take(Address("somewhere.test", port)):
        taken.close()
        break
    else:
        pytest.fail("not found by its name")
    assert passed.take(Address("nowhere.test", port)) == []
    passed.close()


def test_a_socket_that_no_bind_names(bench: Bench) -> None:
    first, second = listening(), listening()
    ports = port_of(first), port_of(second)
    passed = PassedSockets.from_environment(bench.pass_on(first, second))
    with pytest.raises(StartError) as caught:
        passed.check([Address("127.0.0.1", ports[0]), Address("", 80)])
    for part in (
        f"for 127.0.0.1:{ports[1]}, which no bind",
        f"bind: 127.0.0.1:{ports[0]}, :80",
        "ListenStream",
    ):
        assert part in str(caught.value)
    passed.close()
    PassedSockets().check([])


@pytest.mark.parametrize(
    "changes",
    [
        {"LISTEN_PID": "1"},
        {"LISTEN_PID": ""},
        {"LISTEN_FDS": ""},
        {"LISTEN_FDS": "many"},
        {"LISTEN_FDS": "0"},
    ],
)
def test_what_is_for_others(changes: dict[str, str]) -> None:
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", **changes}
    assert not PassedSockets.from_environment(environ)
    assert environ == {}


def bound_only() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


@pytest.mark.parametrize(
    "make",
    [
        bound_only,
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: socket.socket(socket.AF_UNIX),
    ],
)
def test_what_is_no_listening_tcp_socket(bench: Bench, make: Callable[[], socket.socket]) -> None:
    environ = bench.pass_on(listening(), make())
    with pytest.raises(StartError, match="no listening TCP socket"):
        PassedSockets.from_environment(environ)


def test_what_is_no_socket(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = bench.pass_on(listening())
    environ["LISTEN_FDS"] = "2"
    with pytest.raises(StartError, match="descriptor 201, which is no socket"):
        PassedSockets.from_environment(environ)
