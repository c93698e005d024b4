"""Whether an address could be bound: free, in use, not ours; and that nobody notices the question."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from blastbeat.transport import probing
from blastbeat.transport.probing import Prober, is_interface


def listener(family: int = socket.AF_INET, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_server((host, 0), family=family)


def test_an_address_that_is_free() -> None:
    with listener() as taken:
        port = taken.getsockname()[1]
    assert Prober().tcp("127.0.0.1", port) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "", "localhost"])
def test_the_system_may_choose_the_port(host: str) -> None:
    assert Prober().tcp(host, 0) is None


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_one_in_use_is_a_note_that_names_the_process(host: str) -> None:
    with listener() as taken:
        found = Prober().tcp(host, taken.getsockname()[1])
    assert found is not None
    assert found.severity == "note"
    assert found.message.startswith("in use by ")
    assert found.message.endswith(f"(process {os.getpid()})")


def test_who_listens_notices_nothing() -> None:
    with listener() as taken:
        taken.setblocking(False)
        Prober().tcp("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(BlockingIOError):
            taken.accept()


def test_an_address_can_be_used_at_once_afterwards() -> None:
    with listener() as taken:
        port = taken.getsockname()[1]
    assert Prober().tcp("127.0.0.1", port) is None
    socket.create_server(("127.0.0.1", port)).close()


def test_an_address_of_another_machine() -> None:
    found = Prober().tcp("192.0.2.7", 80)  # RFC 5737: nobody's
    assert found is not None and found.severity == "error"
    assert "no such address" in found.message


@pytest.mark.parametrize(
    ("number", "severity", "said"),
    [
        (errno.EACCES, "warning", "may not bind port 80"),
        (errno.EPERM, "warning", "may not bind port 80"),
        (errno.ENOBUFS, "error", "can't be bound"),
    ],
)
def test_other_reasons(monkeypatch: pytest.MonkeyPatch, number: int, severity: str, said: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(probing, "_bind_and_let_go", refuse)
    found = Prober().tcp("127.0.0.1", 80)
    assert found is not None and found.severity == severity and said in found.message


def test_a_machine_without_ipv6_listens_on_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "no such family")

    monkeypatch.setattr(probing, "_bind_and_let_go", refuse)
    assert Prober().tcp("", 80) is None
    assert Prober().tcp("::1", 80) is not None


def test_interfaces() -> None:
    assert is_interface("lo")
    assert not is_interface("127.0.0.1")
    assert not is_interface("")


def test_a_path_somebody_listens_on(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        assert Prober().unix(path) is None  # bound, but nobody accepts
        server.listen()
        found = Prober().unix(path)
        assert found is not None and found.severity == "note"
        assert found.message.endswith(f"(process {os.getpid()})")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert os.path.exists(path)
    assert Prober().unix(path) is None  # what a killed server left behind


def test_without_proc_it_is_not_told_who(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_lines", lambda path: [])
    with listener() as taken:
        found = Prober().tcp("127.0.0.1", taken.getsockname()[1])
    assert found is not None and found.message == "in use"
