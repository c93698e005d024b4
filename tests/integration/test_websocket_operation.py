"""WebSockets and what else a server has: reloads, routes, filters, bandwidth, logs, figures, retries."""

from __future__ import annotations

import json

import pytest

from blastbeat import hookimpl
from blastbeat.events import CloseReason, ResponseHead
from blastbeat.interfaces import Filter, Register, RequestView, SessionView
from tests.helpers.node import ScriptedNode
from tests.helpers.settings import HOST
from tests.helpers.stage import Stage
from tests.helpers.websocket import WebSocketClient


def open_websocket(stage: Stage, node: ScriptedNode, target: str = "/") -> tuple[WebSocketClient, bytes]:
    client = stage.websocket()
    client.handshake(target)
    return client, node.expect_request().sid


def echo_once(client: WebSocketClient, node: ScriptedNode, sid: bytes) -> None:
    client.send_text("there")
    assert node.expect("websocket", sid).body == b"there"
    node.send(sid, "websocket", b"back")
    client.expect_text("back")


# ---------------------------------------------------------------- reload and routes


def test_a_reload_leaves_open_ones_to_the_rules_they_began_with(stage: Stage) -> None:
    stage.serve(vhosts={HOST: {"node": "app"}})
    node = stage.node()
    client, sid = open_websocket(stage, node)
    stage.reload(vhosts={HOST: {"node": "app", "websocket-origins": "https://a.test"}})
    echo_once(client, node, sid)
    late = stage.websocket()
    late.ask(origin="https://b.test")
    late.expect_refused(403)
    client.finish()
    assert node.expect_end(sid).body == b"1000"


def test_a_virtualhost_that_is_removed_keeps_its_open_ones(stage: Stage) -> None:
    stage.serve(vhosts={HOST: {"node": "app"}, "b.test": {"node": "app"}})
    node = stage.node()
    client, sid = open_websocket(stage, node)
    stage.reload(vhosts={"b.test": {"node": "app"}})
    late = stage.websocket()
    late.ask()
    late.expect_refused(404)
    echo_once(client, node, sid)
    client.finish()
    node.expect_end(sid)


def test_a_route_has_its_own_rules(stage: Stage) -> None:
    route = {"node": "chat", "websocket-protocols": "chat", "websocket-max-message": "125B"}
    stage.serve(vhosts={HOST: {"node": "app", "route": {"/chat": route}}})
    stage.node()
    chat = stage.node("chat")
    client = stage.websocket()
    assert client.handshake("/chat/room", protocols=["chat"])["Sec-WebSocket-Protocol"] == "chat"
    sid = chat.expect_request().sid
    client.send_text("x" * 126)
    client.expect_close(1009)
    assert chat.expect_end(sid).body.split()[0] == b"1009"


def test_a_retry_sends_the_handshake_on(stage: Stage) -> None:
    stage.serve()
    first, second = stage.node("app/1", "accept"), stage.node("app/2", "accept")
    for node in (first, second):
        node.expect("ping")
    client = stage.websocket()
    client.ask()
    message = first.maybe_receive(0.2)
    asked, other = (first, second) if message is not None else (second, first)
    message = message or asked.receive()
    asked.send(message.sid, "retry")
    sid = other.expect_request().sid
    other.send(sid, "headers", b"HTTP/1.1 101\r\n\r\n")
    client.expect_accepted()
    asked.expect_end(message.sid)
    echo_once(client, other, sid)
    client.finish()


# ---------------------------------------------------------------- plugins


class Gatekeeper(Filter):
    """Says something in the 101, and closes at the third message."""

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        head.headers.append((b"X-Seen", b"%d" % head.status))
        return head

    def on_message(self, view: RequestView, direction: str, n: int) -> CloseReason | None:
        view.notes["messages"] = view.notes.get("messages", 0) + 1
        return CloseReason.LIMIT if view.notes["messages"] == 3 else None


class Plugin:
    """Registers the filter, and notes upgraded sessions."""

    def __init__(self) -> None:
        self.upgraded: list[SessionView] = []

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("gatekeeper", lambda options: Gatekeeper())

    @hookimpl
    def blastbeat_session_upgraded(self, view: SessionView) -> None:
        self.upgraded.append(view)


def test_filters_and_the_notice(stage: Stage) -> None:
    plugin = Plugin()
    stage.serve(vhost={"filters": "gatekeeper"}, plugins=[plugin])
    node = stage.node()
    client = stage.websocket()
    assert client.handshake()["X-Seen"] == "101"
    sid = node.expect_request().sid
    echo_once(client, node, sid)
    client.send_text("one too many")
    client.expect_close(1008)
    assert node.receive().body in (b"one too many", b"1008")
    assert [(view.sid, view.reason) for view in plugin.upgraded] == [(sid, None)]


def test_bandwidth_paces_messages(stage: Stage) -> None:
    """What comes is whole and in order, whatever time it takes."""
    stage.serve(vhost={"bandwidth": "2MiB/s"})
    node = stage.node()
    client, sid = open_websocket(stage, node)
    for number in range(4):
        node.send(sid, "websocket", b"%d" % number * 200_000)
    for number in range(4):
        client.expect_text(b"%d" % number * 200_000)
    client.finish()


# ---------------------------------------------------------------- logs and figures


@pytest.mark.parametrize("form", ["json", "text"])
def test_one_line_in_the_access_log(stage: Stage, form: str) -> None:
    path = stage.folder / "access.log"
    server = stage.serve({"access-log": str(path), "log-format": form})
    node = stage.node()
    client, sid = open_websocket(stage, node)
    echo_once(client, node, sid)
    node.send(sid, "websocket", b"more")
    client.expect_text("more")
    client.finish(3210)
    node.expect_end(sid)
    client.close()
    server.stop()
    [line] = path.read_text().splitlines()
    if form == "text":
        assert " 101 8 " in line and " close_code=3210 messages_in=1 messages_out=2" in line
        return
    told = json.loads(line)
    assert (told["status"], told["close_code"], told["close_reason"]) == (101, 3210, "complete")
    assert (told["bytes_in"], told["bytes_out"]) == (5, 8)
    assert (told["messages_in"], told["messages_out"]) == (1, 2)


def test_figures(stage: Stage) -> None:
    server = stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    echo_once(client, node, sid)
    counters = server.counters
    assert (counters["websockets.opened"], counters["websockets.closed"]) == (1, 0)
    assert (counters["websockets.messages.in"], counters["websockets.messages.out"]) == (1, 1)
    client.finish()
    node.expect_end(sid)
    assert (server.counters["websockets.closed"], server.counters["responses.completed"]) == (1, 1)
