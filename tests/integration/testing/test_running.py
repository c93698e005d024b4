"""Tests of `blastbeat.testing.running`: a server in a thread, its reload and its end."""

from __future__ import annotations

import pytest

from blastbeat.errors import ConfigError
from blastbeat.testing.pytest_plugin import OpenClient, StartNode, StartServer

TWO = '[vhost."*"]\nnode = "app"\n[vhost."b.test"]\nnode = "b"\n'


def test_where_it_is(blastbeat_server: StartServer) -> None:
    server = blastbeat_server()
    assert server.address == (server.host, server.port) == ("127.0.0.1", server.port)
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.endpoint.startswith("tcp://127.0.0.1:")


def test_a_reload_changes_it(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    server = blastbeat_server()
    blastbeat_node("first")
    server.reload(TWO)
    blastbeat_node("second", name="b")
    assert blastbeat_client(virtualhost="b.test").get().text == "second"
    assert blastbeat_client().get().text == "first"
    with pytest.raises(ConfigError):
        server.reload("[vhost.x]\nnode = 3.5\n")
    assert blastbeat_client(virtualhost="b.test").get().text == "second"


def test_the_lines_of_an_error_are_the_tests_own(blastbeat_server: StartServer) -> None:
    with pytest.raises(ConfigError, match=r":3:"):
        blastbeat_server(toml='[vhost."*"]\nnode = "app"\nunknown = 1\n')


def test_stopping_twice_is_stopping_once(blastbeat_server: StartServer) -> None:
    server = blastbeat_server()
    server.stop()
    server.stop()


def test_what_never_comes_fails(blastbeat_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blastbeat.testing.running.PATIENCE", 0.05)
    server = blastbeat_server()
    with pytest.raises(AssertionError, match="node 'app' is up"):
        server.wait_node("app")
    with pytest.raises(AssertionError, match=r"exchanges.limit >= 1"):
        server.wait_counter("exchanges.limit")
