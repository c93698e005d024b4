"""`design.md` §4: lifecycle notices. Every `opened` has exactly one `closed`, and the figures are right."""

from __future__ import annotations

from collections import Counter

from blastbeat import hookimpl
from blastbeat.events import CloseReason
from blastbeat.interfaces import ConnectionView, ExchangeView, NodeView, SessionView
from tests.helpers.node import head
from tests.helpers.stage import Stage


class Listener:
    """Notes every notice."""

    def __init__(self) -> None:
        self.opened: list[object] = []
        self.closed: list[object] = []
        self.sessions: list[SessionView] = []
        self.retried: list[SessionView] = []
        self.nodes: list[tuple[str, str]] = []
        self.life: list[str] = []

    @hookimpl
    def blastbeat_connection_opened(self, view: ConnectionView) -> None:
        self.opened.append(view.id)

    @hookimpl
    def blastbeat_connection_closed(self, view: ConnectionView) -> None:
        self.closed.append(view.id)

    @hookimpl
    def blastbeat_session_opened(self, view: SessionView) -> None:
        self.opened.append(view.sid)

    @hookimpl
    def blastbeat_session_retried(self, view: SessionView) -> None:
        self.retried.append(view)

    @hookimpl
    def blastbeat_session_closed(self, view: SessionView) -> None:
        self.closed.append(view.sid)
        self.sessions.append(view)

    @hookimpl
    def blastbeat_node_up(self, view: NodeView) -> None:
        self.nodes.append((view.identity, view.state))

    @hookimpl
    def blastbeat_node_down(self, view: NodeView) -> None:
        self.nodes.append((view.identity, view.state))

    @hookimpl
    def blastbeat_server_started(self) -> None:
        self.life.append("started")

    @hookimpl
    def blastbeat_server_stopping(self) -> None:
        self.life.append("stopping")

    @hookimpl
    def blastbeat_server_stopped(self) -> None:
        self.life.append("stopped")


def test_opened_and_closed(stage: Stage) -> None:
    """Over exchanges that end well, badly and not at all."""
    listener = Listener()
    server = stage.serve(vhost={"node": ["a", "b"]}, plugins=[listener])
    first = stage.node("a")
    well, left, retried, silent = (stage.client() for _ in range(4))
    stage.exchange(first, well)
    left.get()
    gone = first.expect_request().sid
    left.close()
    first.expect_end(gone)
    retried.get()
    sid = first.expect_request().sid
    second = stage.node("b")
    first.send(sid, "retry")
    first.expect_end(sid)
    again = second.expect_request()
    second.respond(again.sid)
    assert retried.read_response().status == 200
    for client in (well, retried, silent):
        client.close()
    server.wait_idle()
    assert Counter(listener.opened) == Counter(listener.closed)
    assert len(listener.opened) == 4 + 4  # connections and sessions
    assert [view.sid for view in listener.retried] == [sid]
    reasons = {view.sid: view.reason for view in listener.sessions}
    assert reasons[gone] == CloseReason.CLIENT_LEFT and reasons[sid] == CloseReason.NODE_RETRY
    first.close()
    server.wait_counter("nodes.gone")
    assert listener.nodes[:2] == [("a", "up"), ("b", "up")]
    assert listener.nodes[-1] == ("a", "gone")
    server.stop()
    assert listener.life == ["started", "stopping", "stopped"]


def test_a_broken_listener_disturbs_nobody(stage: Stage) -> None:
    """The exception is logged, the next listener and the exchange go on."""

    class Broken:
        @hookimpl
        def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
            raise RuntimeError("broken listener")

        @hookimpl
        def blastbeat_session_opened(self, view: SessionView) -> None:
            raise RuntimeError("broken listener")

    server = stage.serve(plugins=[Broken()])
    server.allow_tracebacks = True
    node, client = stage.node(), stage.client()
    assert stage.exchange(node, client) == stage.exchange(node, client)
    assert len(server.wait_exchanges(2)) == 2


def test_figures_of_an_exchange(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node("app/1"), stage.client()
    headers = [("Content-Length", "5"), ("Referer", "http://from.test/"), ("User-Agent", "raw/1")]
    client.send_head("/x?y=1", method="PUT", headers=headers)
    client.send(b"12345")
    request = node.expect_request()
    node.expect_body(request.sid, 5)
    node.send(request.sid, "headers", head("201 Created"))
    node.send(request.sid, "chunk", b"1234567")
    node.send(request.sid, "chunk")
    assert client.read_response().body == b"1234567"
    (view,) = server.wait_exchanges(1)
    assert (view.method, view.target, view.version, view.status) == (b"PUT", b"/x?y=1", b"1.1", 201)
    assert (view.virtualhost, view.host, view.identity, view.hops) == ("app.test", b"app.test", "app/1", 0)
    assert (view.bytes_in, view.bytes_out, view.reason) == (5, 7, CloseReason.COMPLETE)
    assert (view.remote_addr, view.remote_port) == ("127.0.0.1", client.local_port)
    assert (view.referer, view.user_agent) == (b"http://from.test/", b"raw/1")
    assert view.request_id.decode() == request["HTTP_X_REQUEST_ID"]
    assert 0 < view.node_duration <= view.duration
