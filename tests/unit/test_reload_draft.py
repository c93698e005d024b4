"""What a draft holds, and that it changes nothing."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from blastbeat.config.model import Config, ErrorPage, NodeRef, PluginRef, RouteConfig, VirtualHostConfig
from blastbeat.errors import ConfigError
from blastbeat.former_listeners import FormerListeners
from blastbeat.reload_draft import Draft
from blastbeat.server import Server

A = VirtualHostConfig("a.test", nodes=(NodeRef("app"),))
B = VirtualHostConfig("b.test", nodes=(NodeRef("app"),))
ROUTE = RouteConfig("/x", replace(B, route="/x"), path="/x")


def draft(
    *virtualhosts: VirtualHostConfig, running: tuple[VirtualHostConfig, ...] = (A, B)
) -> tuple[Draft, Server]:
    """Of a server that runs with `running`, for `virtualhosts`."""
    made: list[Draft] = []
    server = Server(Config(virtualhosts=running))

    async def main() -> None:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                is_ready = anyio.Event()

                def ready(_: Server) -> None:
                    is_ready.set()

                async def serve() -> None:
                    await server.run(ready, handle_signals=False)

                tasks.start_soon(serve)
                await is_ready.wait()
                try:
                    drafter = server.reloader.drafter
                    made.append(await drafter.draft(Config(virtualhosts=virtualhosts), FormerListeners()))
                finally:
                    server.stop()

    anyio.run(main)
    return made[0], server


def test_what_is_kept_what_is_fresh_and_what_gives_way() -> None:
    with_route = replace(B, routes=(ROUTE,))
    found, server = draft(A, with_route, running=(A, B, replace(B, name="c.test")))
    assert server.wiring is not None
    running = server.wiring.dispatcher.virtualhosts
    assert found.virtualhosts[0] is running[0]
    assert [each.key for each in found.fresh] == [("b.test", ""), ("b.test", "/x")]
    assert [each.key for each in found.old] == [("b.test", ""), ("c.test", "")]
    assert [each.name for each in running] == ["a.test", "b.test", "c.test"]  # nothing has changed


def test_routes_give_way_with_their_virtualhost() -> None:
    found, _ = draft(A, running=(A, replace(B, routes=(ROUTE,))))
    assert [each.key for each in found.old] == [("b.test", ""), ("b.test", "/x")]
    assert not found.fresh


def test_hosts_lead_to_what_the_draft_holds() -> None:
    found, _ = draft(A, replace(B, alias=("www.b.test",)))
    assert found.hosts.find(b"www.b.test", 80) is found.virtualhosts[1]
    assert found.hosts.find(b"c.test", 80) is None


def test_everything_wrong_is_found_at_once() -> None:
    bad = replace(A, selector=PluginRef("nobody"))
    page = replace(B, error_pages=(ErrorPage(503, "/nowhere/x.html"),))
    with pytest.raises(ExceptionGroup) as caught:
        draft(bad, page)
    (error,) = caught.value.exceptions
    assert isinstance(error, ConfigError) and len(error.problems) == 2
