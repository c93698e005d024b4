"""What policies of a hosting provider ask of the engine, shown by small filters of the tests' own."""

from __future__ import annotations

from functools import partial
from typing import Any

from blastbeat import hookimpl
from blastbeat.interfaces import Answer, Filter, Options, Register, RequestView
from tests.helpers.server import RunningServer
from tests.helpers.settings import Table
from tests.helpers.stage import Stage


class Policies:
    """A plugin that registers filters of the classes it is given, each without options."""

    def __init__(self, **filters: type[Filter]) -> None:
        self.filters = filters
        self.made: dict[str, Any] = {}

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        for name, kind in self.filters.items():
            register(name, partial(self._make, name, kind))

    def _make(self, name: str, kind: type[Filter], options: Options) -> Filter:
        made = self.made[name] = kind()
        return made


def serve(stage: Stage, policies: Policies, vhost: Table) -> RunningServer:
    """Virtualhosts app.test, as `vhost` says, and plain.test without filters; both of the node `app`."""
    plain = {"node": "app"}
    return stage.serve(vhosts={"app.test": {**plain, **vhost}, "plain.test": plain}, plugins=[policies])


# ---------------------------------------------------------------- sessions


class OneSession(Filter):
    """Lets one session begin, and any number of requests in it."""

    def __init__(self) -> None:
        self.begun = 0

    def on_request(self, view: RequestView) -> Answer | None:
        if view.opens_session:
            if self.begun:
                return Answer(503, headers=[(b"Retry-After", b"9")], limit="sessions")
            self.begun += 1
        return None


def test_a_filter_bounds_sessions_and_not_their_requests(stage: Stage) -> None:
    server = serve(stage, Policies(one=OneSession), {"filters": "one"})
    node, client, late = stage.node(), stage.client(), stage.client()
    sid = stage.exchange(node, client)
    assert stage.exchange(node, client) == sid
    late.get()
    refused = late.read_response()
    assert (refused.status, refused["Retry-After"]) == (503, "9")
    websocket = stage.websocket()
    websocket.ask()
    websocket.expect_refused(503)
    assert stage.exchange(node, client) == sid
    assert server.counters["sessions.opened"] == 1


def test_a_websocket_in_a_session_that_is_open_opens_none(stage: Stage) -> None:
    serve(stage, Policies(one=OneSession), {"filters": "one"})
    node, websocket = stage.node(), stage.websocket()
    sid = stage.exchange(node, websocket.raw)
    websocket.handshake()
    assert node.expect_request().sid == sid
    websocket.send_text("there")
    assert node.expect("websocket", sid).body == b"there"
    websocket.finish()
    node.expect_end(sid)
