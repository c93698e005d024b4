"""Upgraded connections over real sockets: pings, slow clients, nodes that are slow, resets, and a server that
stops."""

from __future__ import annotations

from blastbeat.events import CloseReason
from tests.helpers.client import RawClient
from tests.helpers.node import ScriptedNode, head
from tests.helpers.settings import HOST, Table
from tests.helpers.stage import Stage
from tests.helpers.tls import client_context, write_certificate
from tests.helpers.websocket import WebSocketClient
from tests.helpers.websocket_frames import CLOSE, PING, PONG, TEXT, frame

MIB = 1024 * 1024


def open_websocket(
    stage: Stage, node: ScriptedNode, receive_buffer: int | None = None
) -> tuple[WebSocketClient, bytes]:
    """A WebSocket that the server has accepted, and the sid its node knows it by."""
    client = stage.websocket(receive_buffer=receive_buffer)
    client.handshake()
    return client, node.expect_request().sid


# ---------------------------------------------------------------- pings


def test_a_client_that_answers_stays(stage: Stage) -> None:
    stage.serve(vhost={"websocket-ping": "100ms"})
    stage.echo()
    client = stage.websocket()
    client.handshake()
    for _ in range(5):
        client.send(frame(PONG, client.expect_ping()))
    client.send_text("here")
    client.expect_text("here")
    client.finish()


def test_a_client_that_answers_nothing_is_closed(stage: Stage) -> None:
    server = stage.serve(vhost={"websocket-ping": "100ms"})
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.expect_ping()
    client.expect_close(1001)
    assert node.expect_end(sid).body == b"1006"
    [view] = server.wait_exchanges(1)
    assert view.reason is CloseReason.PING_TIMEOUT and server.counters["websockets.silent"] == 1


# ---------------------------------------------------------------- clients that go, or do not keep up


def test_a_reset(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.raw.reset()
    assert node.expect_end(sid).body == b"1006"


def test_a_fin_without_a_close_frame(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.send_text("last")
    client.raw.half_close()
    client.expect_eof()
    assert node.expect("websocket", sid).body == b"last"
    assert node.expect_end(sid).body == b"1006"


def test_the_server_ends_tcp_first(stage: Stage) -> None:
    """RFC 6455, section 7.1.1; what a client says behind its close frame is nobody's."""
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.send(frame(CLOSE, b"\x03\xe8") + frame(TEXT, b"behind it"))
    client.expect_close(1000)
    client.expect_eof()
    assert node.expect_end(sid).body == b"1000"


def test_a_slow_client_ends_by_its_own_limit_and_nobody_waits(stage: Stage) -> None:
    server = stage.serve({"writequeue-buffer": "1MiB"})
    node = stage.node()
    slow, slow_sid = open_websocket(stage, node, receive_buffer=4096)
    quick, quick_sid = open_websocket(stage, node)
    for number in range(40):
        node.send(slow_sid, "websocket", b"x" * (MIB // 4))
        node.send(quick_sid, "websocket", b"%d" % number)
        quick.expect_text(str(number))
    assert node.expect_end(slow_sid).body == b"1008"
    server.wait_counter("connections.given-up.slow-client")
    got = 0
    while (received := slow.read()).opcode == TEXT:
        assert received.payload == b"x" * (MIB // 4)
        got += 1
    assert 0 < got < 40 and received.close_code == 1008
    slow.expect_eof()
    quick.finish()


def test_only_the_newest_ping_is_answered_where_the_client_takes_nothing(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node, receive_buffer=4096)
    node.send(sid, "websocket", b"x" * (7 * MIB))
    assert client.raw.wait_input(5)  # so the server has it, and more than anybody takes
    for number in range(1000):
        client.send(frame(PING, b"%d" % number))
    client.send_text("behind them")
    node.expect("websocket", sid)
    pongs: list[bytes] = []
    while not pongs or pongs[-1] != b"999":
        received = client.read()
        if received.opcode == PONG:
            pongs.append(received.payload)
    assert len(pongs) < 1000
    client.finish()


def test_a_node_that_takes_no_more_holds_its_client(stage: Stage) -> None:
    """And that one alone. It is not taken for silent, though its pongs are not read either."""
    stage.serve({"credit": "64KiB"}, vhost={"websocket-ping": "100ms"})
    node = stage.node("app/1", "credit=10000")
    node.expect("ping")
    node.expect("credit")
    held, held_sid = open_websocket(stage, node)
    message = frame(TEXT, b"x" * 1000)
    sent = 0
    while sent < 64 * MIB and held.raw.can_send(0.2):
        sent += held.raw.send_some(message * 100)
    assert sent < 64 * MIB, "nobody held it"
    assert [node.expect("websocket", held_sid).body for _ in range(10)] == [b"x" * 1000] * 10
    for _ in range(5):  # each silent for two periods
        other, other_sid = open_websocket(stage, node)
        other.send_text("on")
        assert node.expect("websocket", other_sid).body == b"on"
        assert node.expect_end(other_sid).body == b"1006"
    for _ in range(50):
        node.send(held_sid, "credit", b"10000")
        for _ in range(10):
            assert node.expect("websocket", held_sid).body == b"x" * 1000
    held.close()
    assert node.expect_end(held_sid).body == b"1006"


# ---------------------------------------------------------------- the server stops


def test_a_stop_tells_all_of_them(stage: Stage) -> None:
    server = stage.serve({"drain": "1s"})
    node = stage.node()
    clients = [open_websocket(stage, node) for _ in range(5)]
    server.request_stop()
    for client, _ in clients:
        client.raw.wait_input(5)
    for client, _ in clients:
        client.expect_closed(1012)
    assert {node.expect("end").body for _ in clients} == {b"1012"}
    server.join()


def test_a_stop_does_not_wait_for_who_does_not_answer(stage: Stage) -> None:
    server = stage.serve({"drain": "100ms"})
    node = stage.node()
    client, _ = open_websocket(stage, node)
    server.request_stop()
    client.expect_close(1012)
    client.expect_eof()
    server.join()


def test_a_stop_at_once(stage: Stage) -> None:
    server = stage.serve({"drain": "1h"})
    node = stage.node()
    clients = [open_websocket(stage, node)[0] for _ in range(5)]
    server.request_stop()
    server.request_stop()
    codes = [client.expect(CLOSE).close_code for client in clients]
    assert set(codes) <= {1001, 1012} and codes.count(1001) >= 3, codes
    server.join()


def test_a_handshake_that_is_accepted_while_the_server_stops(stage: Stage) -> None:
    server = stage.serve()
    node = stage.node("app/1", "accept")
    node.expect("ping")
    client = stage.websocket()
    client.ask()
    sid = node.expect_request().sid
    server.request_stop()
    server.wait_until(lambda: server.recorder.is_stopping, "the server stops")
    node.send(sid, "headers", head("101 Switching Protocols"))
    client.expect_accepted()
    client.expect_closed(1012)
    assert node.expect_end(sid).body == b"1012"
    server.join()


def test_a_stop_at_once_does_not_wait_for_a_client_to_end_tcp(stage: Stage) -> None:
    server = stage.serve({"drain": "1h"}, vhost={"linger-time": "1h"})
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.finish()
    node.expect_end(sid)
    server.request_stop()
    server.request_stop()
    server.join()


# ---------------------------------------------------------------- over TLS


def tls_websocket(stage: Stage, receive_buffer: int | None = None) -> WebSocketClient:
    raw = RawClient(stage.server.port, tls=client_context(), server_name=HOST, receive_buffer=receive_buffer)
    stage._clients.append(raw)
    client = WebSocketClient(raw)
    client.handshake(early=frame(TEXT, b"early"))
    return client


def serve_tls(stage: Stage, server: Table | None = None, vhost: Table | None = None) -> ScriptedNode:
    certificate = str(write_certificate(stage.folder, HOST))
    stage.serve(
        {"bind": None, "bind-ssl": "127.0.0.1:0", **(server or {})},
        {"certificate": certificate, **(vhost or {})},
    )
    return stage.node()


def test_messages_and_the_end_over_tls(stage: Stage) -> None:
    node = serve_tls(stage)
    client = tls_websocket(stage)
    sid = node.expect_request().sid
    assert node.expect("websocket", sid).body == b"early"
    node.send(sid, "websocket", b"x" * (2 * MIB))
    client.expect_text(b"x" * (2 * MIB))
    client.finish(4000, "bye")
    assert node.expect_end(sid).body == b"4000 bye"


def test_pings_over_tls(stage: Stage) -> None:
    node = serve_tls(stage, vhost={"websocket-ping": "100ms"})
    client = tls_websocket(stage)
    sid = node.expect_request().sid
    node.expect("websocket", sid)
    for _ in range(3):
        client.send(frame(PONG, client.expect_ping()))
    client.expect_ping()
    client.expect_close(1001)
    assert node.expect_end(sid).body == b"1006"


def test_a_slow_client_over_tls(stage: Stage) -> None:
    node = serve_tls(stage, {"writequeue-buffer": "1MiB"})
    client = tls_websocket(stage, receive_buffer=4096)
    sid = node.expect_request().sid
    node.expect("websocket", sid)
    for _ in range(40):
        node.send(sid, "websocket", b"x" * (MIB // 4))
    assert node.expect_end(sid).body == b"1008"
    while (received := client.read()).opcode == TEXT:
        pass
    assert received.close_code == 1008
    client.expect_eof()


def test_a_stop_over_tls(stage: Stage) -> None:
    node = serve_tls(stage, {"drain": "1h"})
    client = tls_websocket(stage)
    sid = node.expect_request().sid
    node.expect("websocket", sid)
    stage.server.request_stop()
    client.expect_closed(1012)
    assert node.expect_end(sid).body == b"1012"
    stage.server.join()
