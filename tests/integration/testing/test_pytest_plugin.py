"""Tests of `blastbeat.testing.pytest_plugin`: the fixtures as authors use them, and what loading costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, PluginError
from blastbeat.interfaces import Answer, Filter, Options, Register, RegisterOptions, RequestView
from blastbeat.testing import HOLD
from blastbeat.testing.pytest_plugin import OpenClient, StartNode, StartServer

ROOT = Path(__file__).parents[3]


class Tag(Filter):
    def on_request(self, view: RequestView) -> Answer | None:
        if view.request.target == b"/bug":
            raise ZeroDivisionError
        return Answer(403) if view.request.target == b"/no" else None


class TagPlugin:
    def __init__(self) -> None:
        self.options: Options = {}

    @hookimpl
    def blastbeat_register_options(self, register: RegisterOptions) -> None:
        register({"word": str}, lambda options: setattr(self, "options", options))

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("tag", lambda options: Tag())


TAGGED = '[vhost."*"]\nnode = "app"\nfilters = "tag"\n'


def test_a_server_a_node_and_a_client(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    server = blastbeat_server(plugins=[TagPlugin], toml=TAGGED)
    node = blastbeat_node({"/": "hello"})
    client = blastbeat_client()
    assert client.get("/").text == "hello"
    assert client.get("/no").status == 403
    assert client.get("/elsewhere").status == 404
    assert [request.target for request in node.requests] == ["/", "/elsewhere"]
    assert server.wait_exchanges(3)[1].status == 403
    assert server.counters["exchanges.refused"] == 1


def test_a_plugin_is_named_as_by_its_entry_point(blastbeat_server: StartServer) -> None:
    plugin = TagPlugin()
    blastbeat_server(plugins={"tag": plugin}, toml={"plugin": {"tag": {"word": "x"}}})
    assert plugin.options == {"word": "x"}


def test_what_keeps_a_server_from_starting_is_raised(blastbeat_server: StartServer) -> None:
    with pytest.raises(ConfigError, match="there is no filter of this name"):
        blastbeat_server(toml=TAGGED)
    with pytest.raises(PluginError, match="registers"):
        blastbeat_server(plugins={"one": TagPlugin, "two": TagPlugin})


def test_mistakes_of_a_plugin_fail_the_test(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    server = blastbeat_server(plugins=[TagPlugin], toml=TAGGED)
    assert blastbeat_client().get("/bug").status == 500
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        server.stop()


def test_expected_mistakes_do_not(blastbeat_server: StartServer, blastbeat_client: OpenClient) -> None:
    server = blastbeat_server(plugins=[TagPlugin], toml=TAGGED)
    assert blastbeat_client().get("/bug").status == 500
    (error,) = server.forget_errors()
    assert "ZeroDivisionError" in error
    other = blastbeat_server(plugins=[TagPlugin], toml=TAGGED, allow_errors=True)
    assert blastbeat_client(server=other).get("/bug").status == 500


def test_a_test_starts_several_servers(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    first, second = blastbeat_server(), blastbeat_server()
    blastbeat_node("of the second")
    blastbeat_node("of the first", server=first)
    assert blastbeat_client(server=first).get().text == "of the first"
    assert blastbeat_client(server=second).get().text == "of the second"


def test_the_clock_stands_still(blastbeat_clock: Any) -> None:
    before = blastbeat_clock.now
    assert blastbeat_clock() == before
    blastbeat_clock.advance(3)
    assert blastbeat_clock.monotonic() == before + 3


def test_a_node_without_a_server_is_a_mistake_of_the_test(blastbeat_node: StartNode) -> None:
    with pytest.raises(pytest.fail.Exception, match="blastbeat_server"):
        blastbeat_node(HOLD)


def test_loading_it_imports_nothing_else() -> None:
    """It is loaded into every pytest run of whoever has BlastBeat installed."""
    code = (
        "import sys, pytest; before = set(sys.modules); import blastbeat.testing.pytest_plugin as plugin;"
        "print(sorted({name for name in sys.modules if name not in before}))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert done.stdout.strip() == str(["blastbeat", "blastbeat.testing", "blastbeat.testing.pytest_plugin"])
