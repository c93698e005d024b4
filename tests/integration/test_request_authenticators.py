"""Request authenticators over a server's life: made, asked, and closed when nobody asks them any more."""

from __future__ import annotations

import anyio
import pytest

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, Problem, StartError
from blastbeat.interfaces import Allow, Options, Register, RequestView
from blastbeat.validators import text
from tests.helpers.server import RunningServer
from tests.helpers.settings import HOST, Table
from tests.helpers.stage import Stage


class Client:
    """An authenticator with something to close; asked for `/wait` it thinks until its plugin says so."""

    def __init__(self, plugin: Clients, name: str) -> None:
        self.plugin, self.name = plugin, name
        plugin.made.append(name)

    async def authenticate(self, view: RequestView) -> Allow:
        if view.path == b"/wait":
            self.plugin.waiting += 1
            await self.plugin.go_on()
        assert self.name not in self.plugin.closed, "asked after it was closed"
        return Allow()

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.plugin.closed.append(self.name)


class Clients:
    def __init__(self) -> None:
        self.made: list[str] = []
        self.closed: list[str] = []
        self.waiting = 0
        self._gate: anyio.Event | None = None

    async def go_on(self) -> None:
        if self._gate is None:
            self._gate = anyio.Event()
        await self._gate.wait()

    def open_gate(self) -> None:
        assert self._gate is not None
        self._gate.set()

    @hookimpl
    def blastbeat_register_request_authenticators(self, register: Register) -> None:
        register("client", self._make, options={"name": text})

    def _make(self, options: Options) -> Client:
        if options["name"] == "broken":
            raise ConfigError([Problem("it is broken")])
        return Client(self, options["name"])


def vhost(name: str) -> Table:
    return {"node": "app", "request-authenticators": f"client name={name}"}


def serve(stage: Stage, **names: str) -> tuple[RunningServer, Clients]:
    plugin = Clients()
    vhosts = {f"{host}.test": vhost(name) for host, name in names.items()}
    return stage.serve(vhosts=vhosts, plugins=[plugin]), plugin


def test_closed_by_the_reload_that_takes_its_virtualhost_away(stage: Stage) -> None:
    server, plugin = serve(stage, app="one", b="two", c="three")
    stage.reload(vhosts={HOST: vhost("one"), "b.test": vhost("another")})
    server.wait_until(lambda: len(plugin.closed) == 2, "two are closed")
    assert sorted(plugin.closed) == ["three", "two"] and plugin.made == ["one", "two", "three", "another"]
    stage.exchange(stage.node(), stage.client())


def test_closed_when_the_last_request_it_looks_at_has_gone_on(stage: Stage) -> None:
    server, plugin = serve(stage, app="one")
    node, client = stage.node(), stage.client()
    client.get("/wait")
    server.wait_until(lambda: plugin.waiting == 1, "it is asked")
    stage.reload(vhosts={HOST: vhost("two")})
    stage.exchange(node, stage.client())
    assert plugin.closed == []
    server.call(plugin.open_gate)
    node.respond(node.expect_request().sid, b"patience")
    assert client.read_response().body == b"patience"
    server.wait_until(lambda: plugin.closed == ["one"], "it is closed")


def test_all_are_closed_when_the_server_stops(stage: Stage) -> None:
    server, plugin = serve(stage, app="one", b="two")
    server.stop()
    assert sorted(plugin.closed) == ["one", "two"]


def test_those_of_a_configuration_that_is_not_taken_over_are_closed(stage: Stage) -> None:
    server, plugin = serve(stage, app="one")
    with pytest.raises(ConfigError, match="it is broken"):
        stage.reload(vhosts={HOST: vhost("two"), "b.test": vhost("broken")})
    server.wait_until(lambda: plugin.closed == ["two"], "the new one is closed")
    with pytest.raises(StartError):
        stage.reload({"bind": "203.0.113.1:1"}, vhosts={HOST: vhost("three")})
    server.wait_until(lambda: plugin.closed == ["two", "three"], "the new one is closed")
    stage.exchange(stage.node(), stage.client())
