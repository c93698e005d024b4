"""The blocking face of the node library, with a real server and a script in the test's own thread."""

from __future__ import annotations

import threading

import pytest

from blastbeat.node import Disconnected, WebSocketClosed
from blastbeat.node.blocking import BlockingSession, serve
from tests.helpers.server import RunningServer
from tests.helpers.stage import Stage


def ready(stage: Stage) -> tuple[RunningServer, serve]:
    server = stage.serve()
    sessions = serve(server.endpoint, "app")
    server.wait_until(lambda: server.server.figures().instances_up >= 1, "the instance is up")
    return server, sessions


def test_requests_in_turn(stage: Stage) -> None:
    _, sessions = ready(stage)
    client = stage.client()
    client.post(b"abc")
    for count, session in enumerate(sessions):
        if count == 0:
            session.respond(200, (), session.body())
            assert client.read_response().body == b"abc"
            client.get("/stream")
        elif count == 1:
            with session:
                session.start()
                session.send(b"a")
                session.send(b"b")
                session.end()
            assert client.read_response().body == b"ab"
            client.get("/open")
        elif count == 2:
            another = stage.client()
            another.get("/last")
        else:
            assert client.read_response().status == 502  # what was left open has ended
            session.respond(200, (), b"last")
            assert another.read_response().body == b"last"
            break
    with pytest.raises(Disconnected):
        session.start()


def test_a_websocket(stage: Stage) -> None:
    _, sessions = ready(stage)
    websocket = stage.websocket()

    def script() -> None:
        for session in sessions:
            assert session.websocket is not None
            session.websocket.accept()
            with pytest.raises(TimeoutError):
                session.websocket.receive(timeout=0.01)
            session.websocket.send("hello")
            got.extend(session.websocket)
            with pytest.raises(WebSocketClosed):
                session.websocket.send("late")
            break

    got: list[str | bytes] = []
    thread = threading.Thread(target=script, daemon=True)
    thread.start()
    websocket.handshake("/")
    websocket.expect_text("hello")
    websocket.send_text("one")
    websocket.send_text("two")
    websocket.send_close(1000)
    websocket.expect_close(1000)
    thread.join(10)
    assert got == ["one", "two"]


def test_pings_are_answered_while_the_script_computes(stage: Stage) -> None:
    server = stage.serve({"ping-freq": "50ms"})
    with serve(server.endpoint, "app") as sessions:
        server.wait_until(lambda: server.server.figures().instances_up >= 1, "the instance is up")
        client = stage.client()
        client.get("/")
        taken = iter(sessions)
        session = next(taken)
        pings = server.counted()["messages.sent"]
        # This thread says nothing now; three periods without a pong would be silence.
        server.wait_counter("messages.sent", pings + 8)
        assert server.server.figures().instances_up == 1 and not server.counted().get("nodes.silent")
        session.respond(200, (), b"done")
        assert client.read_response().body == b"done"


def test_a_stop_lets_the_loop_end(stage: Stage) -> None:
    _, sessions = ready(stage)
    client = stage.client()
    client.get("/")
    taken: list[BlockingSession] = []
    for session in sessions:
        taken.append(session)
        sessions.stop()
        session.respond(200, (), b"last")
    assert len(taken) == 1 and client.read_response().body == b"last"


def test_several_threads_share_the_sessions(stage: Stage) -> None:
    _, sessions = ready(stage)
    meet = threading.Barrier(2, timeout=10)

    def script() -> None:
        for session in sessions:
            meet.wait()  # both are at work at the same time
            session.respond(200, (), b"ok")

    threads = [threading.Thread(target=script, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    clients = [stage.client(), stage.client()]
    for client in clients:
        client.get("/")
    assert [client.read_response().body for client in clients] == [b"ok", b"ok"]
    sessions.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_an_endpoint_that_is_none_is_said_at_once() -> None:
    with pytest.raises(Exception, match="nonsense"):
        serve("nonsense://x", "app")
