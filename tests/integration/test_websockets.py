"""WebSockets between real clients and real nodes: the handshake, messages, and every way it ends."""

from __future__ import annotations

import pytest

from tests.helpers.node import ScriptedNode, head
from tests.helpers.stage import Stage
from tests.helpers.uwsgi import read_variables
from tests.helpers.websocket import WebSocketClient
from tests.helpers.websocket_frames import TEXT, frame


def open_websocket(stage: Stage, node: ScriptedNode) -> tuple[WebSocketClient, bytes]:
    """A WebSocket that the server has accepted, and the sid its node knows it by."""
    client = stage.websocket()
    client.handshake()
    return client, node.expect_request().sid


# ---------------------------------------------------------------- nodes of version 1


def test_the_server_answers_the_handshake_and_the_node_hears_of_it_first(stage: Stage) -> None:
    """The seed: automagically; the node gets the head, then messages."""
    stage.serve()
    node = stage.node()
    client = stage.websocket()
    client.handshake("/chat?room=1", headers=[("Cookie", "a=b")])
    request = node.expect_request()
    assert (request["REQUEST_METHOD"], request["REQUEST_URI"]) == ("GET", "/chat?room=1")
    assert (request["HTTP_UPGRADE"], request["HTTP_CONNECTION"]) == ("websocket", "Upgrade")
    assert "HTTP_SEC_WEBSOCKET_KEY" in request and request["HTTP_COOKIE"] == "a=b"
    client.send_text("hällo")
    client.send_binary(b"\xff\x00")
    assert node.expect("websocket", request.sid).body == "hällo".encode()
    assert node.expect("websocket", request.sid).body == b"\xff\x00"
    node.send(request.sid, "websocket", "zurück".encode())
    node.send(request.sid, "websocket", b"\xfe")
    client.expect_text("zurück")
    client.expect_binary(b"\xfe")
    client.finish(1000, "bye")
    assert node.expect_end(request.sid).body == b"1000 bye"
    stage.expect_nothing(node)


def test_a_node_that_answers_the_handshake_like_any_request(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    node.send(sid, "headers", head("200 OK", [("Content-Length", "2")]))
    node.send(sid, "body", b"ok")
    node.send(sid, "chunk", b"")
    node.send(sid, "websocket", b"hi")
    client.expect_text("hi")
    client.finish()
    node.expect_end(sid)


def test_the_headers_encoder_writes_the_upgrade_fields(stage: Stage) -> None:
    stage.serve(vhost={"request-encoder": "headers"})
    node = stage.node()
    client = stage.websocket()
    client.handshake()
    message = node.expect("headers")
    assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in message.body
    assert message.body.count(b"Sec-Websocket-Key: ") == 1
    client.finish(4000)
    assert node.expect_end(message.sid).body == b"4000"


def test_data_behind_the_handshake_arrives_behind_the_head(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client = stage.websocket()
    client.handshake(early=frame(TEXT, b"early") + frame(TEXT, b"bird")[:3])
    client.send(frame(TEXT, b"bird")[3:])
    sid = node.expect_request().sid
    assert [node.expect("websocket", sid).body for _ in range(2)] == [b"early", b"bird"]
    client.finish()


def test_a_websocket_behind_a_request_on_the_same_connection(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client = stage.websocket()
    sid = stage.exchange(node, client.raw)
    client.handshake()
    assert node.expect_request(sid).sid == sid
    node.send(sid, "websocket", b"hi")
    client.expect_text("hi")
    client.finish()
    assert node.expect_end(sid).body == b"1000"


# ---------------------------------------------------------------- capabilities


def test_binary_messages_for_who_announced_them(stage: Stage) -> None:
    stage.serve()
    node = stage.node("app/1", "binary")
    node.expect("ping")
    client, sid = open_websocket(stage, node)
    client.send_binary(b"text")
    client.send_text("text")
    assert node.expect("websocket-binary", sid).body == b"text"
    assert node.expect("websocket", sid).body == b"text"
    node.send(sid, "websocket-binary", b"text")
    client.expect_binary(b"text")
    client.finish()


def accepting(stage: Stage, **vhost: object) -> ScriptedNode:
    stage.serve(vhost=vhost or None)
    node = stage.node("app/1", "accept")
    node.expect("ping")
    return node


def test_a_node_accepts_with_a_protocol(stage: Stage) -> None:
    node = accepting(stage)
    client = stage.websocket()
    client.ask(protocols=["a", "b"])
    request = node.expect_request()
    fields = [("Sec-WebSocket-Protocol", "b"), ("X-Room", "1"), ("Set-Cookie", "a=b")]
    node.send(request.sid, "headers", head("101 Switching Protocols", fields))
    accepted = client.expect_accepted()
    assert (accepted["Sec-WebSocket-Protocol"], accepted["X-Room"]) == ("b", "1")
    assert accepted["Set-Cookie"] == "a=b"
    node.send(request.sid, "websocket", b"hi")
    client.expect_text("hi")
    client.finish()


def test_data_that_comes_before_the_node_has_accepted(stage: Stage) -> None:
    node = accepting(stage)
    client = stage.websocket()
    client.ask(early=frame(TEXT, b"early"))
    sid = node.expect_request().sid
    node.send(sid, "headers", head("101 Switching Protocols"))
    client.expect_accepted()
    assert node.expect("websocket", sid).body == b"early"
    client.finish()


def test_a_node_refuses_and_the_connection_goes_on(stage: Stage) -> None:
    node = accepting(stage)
    client = stage.websocket()
    client.ask()
    sid = node.expect_request().sid
    node.respond(sid, b"not you", "403 Forbidden", [("X-Why", "room")])
    response = client.expect_refused(403)
    assert response.body == b"not you" and response["X-Why"] == "room"
    assert stage.exchange(node, client.raw) == sid


def test_a_request_behind_a_handshake_that_is_refused(stage: Stage) -> None:
    node = accepting(stage)
    client = stage.websocket()
    client.ask(early=b"GET /next HTTP/1.1\r\nHost: app.test\r\n\r\n")
    sid = node.expect_request().sid
    node.respond(sid, b"no", "404 Not Found")
    client.expect_refused(404)
    assert node.expect_request(sid)["REQUEST_URI"] == "/next"
    node.respond(sid, b"here")
    assert client.raw.read_response().body == b"here"


def test_a_node_that_never_answers_the_handshake(stage: Stage) -> None:
    node = accepting(stage, **{"response-timeout": "200ms"})
    client = stage.websocket()
    client.ask()
    sid = node.expect_request().sid
    client.expect_refused(504)
    assert node.expect_end(sid).body == b"response-timeout"


def test_a_protocol_that_was_not_offered(stage: Stage) -> None:
    node = accepting(stage)
    client = stage.websocket()
    client.ask(protocols=["a"])
    sid = node.expect_request().sid
    node.send(sid, "headers", head("101 X", [("Sec-WebSocket-Protocol", "b")]))
    client.expect_refused(502)
    node.expect_end(sid)


def test_the_operator_decides_who_accepts(stage: Stage) -> None:
    node = accepting(stage, **{"websocket-accept": "server", "websocket-protocols": ["b", "c"]})
    client = stage.websocket()
    accepted = client.handshake(protocols=["a", "c", "b"])
    assert accepted["Sec-WebSocket-Protocol"] == "b"
    node.expect_request()
    client.finish()


def test_a_uwsgi_101_accepts_too(stage: Stage) -> None:
    node = accepting(stage)
    client = stage.websocket()
    client.ask(protocols=["a"])
    sid = node.expect_request().sid
    pairs = [(b"STATUS", b"101 Switching Protocols"), (b"Sec-WebSocket-Protocol", b"a")]
    texts = [text for pair in pairs for text in pair]
    body = b"".join(len(text).to_bytes(2, "little") + text for text in texts)
    node.send(sid, "uwsgi", b"\0" + len(body).to_bytes(2, "little") + b"\0" + body)
    assert client.expect_accepted()["Sec-WebSocket-Protocol"] == "a"
    client.finish()


# ---------------------------------------------------------------- handshakes that are refused


def test_another_version(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client = stage.websocket()
    client.raw.send(
        b"GET / HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n"
    )
    assert client.expect_refused(426)["Sec-WebSocket-Version"] == "13"
    client.handshake()  # with the version it was told, on the same connection
    node.expect_request()
    client.finish()


@pytest.mark.parametrize(
    ("origin", "is_welcome"),
    [
        ("", True),
        ("http://app.test", True),
        ("https://a.test", True),
        ("https://b.test", False),
        ("null", False),
    ],
)
def test_origins(stage: Stage, origin: str, is_welcome: bool) -> None:
    server = stage.serve(vhost={"websocket-origins": ["same", "https://a.test"]})
    node = stage.node()
    client = stage.websocket()
    client.ask(origin=origin)
    if is_welcome:
        client.expect_accepted()
        node.expect_request()
        client.finish()
    else:
        client.expect_refused(403)
        stage.expect_nothing(node)
        assert server.counters["websockets.refused.origin"] == 1


def test_no_node(stage: Stage) -> None:
    stage.serve()
    client = stage.websocket()
    client.ask()
    assert "Retry-After" in client.expect_refused(503)


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize(
    ("detail", "code", "reason"),
    [(b"", 1000, ""), (b"1001", 1001, ""), (b"4999 so lala", 4999, "so lala"), (b"1006 x", 1000, "")],
)
def test_the_node_closes(stage: Stage, detail: bytes, code: int, reason: str) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    node.send(sid, "websocket", b"last")
    node.send(sid, "end", detail)
    client.expect_text("last")
    client.expect_closed(code, reason)
    assert node.expect_end(sid).body == f"{code} {reason}".strip().encode()


@pytest.mark.parametrize(("type", "code"), [("abort", 1011), ("retry", 1013)])
def test_the_node_gives_up(stage: Stage, type: str, code: int) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    node.send(sid, type, b"")
    client.expect_closed(code)
    assert node.expect_end(sid).body == b"%d" % code


@pytest.mark.parametrize(("code", "told"), [(None, b"1005"), (1001, b"1001"), (3333, b"3333")])
def test_the_client_closes(stage: Stage, code: int | None, told: bytes) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.send_text("last")
    client.finish(code)
    assert node.expect("websocket", sid).body == b"last"
    assert node.expect_end(sid).body == told


def test_the_client_vanishes(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.close()
    assert node.expect_end(sid).body == b"1006"


@pytest.mark.parametrize(
    ("wrong", "code"), [(frame(TEXT, b"\xff"), 1007), (b"\xf1\x80\0\0\0\0", 1002), (frame(3, b""), 1002)]
)
def test_the_node_is_told_what_the_client_did_wrong(stage: Stage, wrong: bytes, code: int) -> None:
    stage.serve()
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.send(wrong)
    client.expect_close(code)
    assert node.expect_end(sid).body.split()[0] == b"%d" % code


def test_the_node_dies(stage: Stage) -> None:
    stage.serve(vhost={"node-grace": "50ms"})
    node = stage.node()
    clients = [open_websocket(stage, node)[0] for _ in range(3)]
    node.close()
    for client in clients:
        client.expect_closed(1012)


def test_nothing_comes_for_too_long(stage: Stage) -> None:
    stage.serve(vhost={"idle-timeout": "100ms", "websocket-ping": 0})
    node = stage.node()
    client, sid = open_websocket(stage, node)
    client.expect_closed(1001)
    assert node.expect_end(sid).body == b"1001"


def test_a_drain_lets_them_go_on(stage: Stage) -> None:
    stage.serve()
    node = stage.node("app/1", "batch")
    node.expect("ping")
    client, sid = open_websocket(stage, node)
    node.send(b"", "drain")
    client.send_text("on")
    assert node.expect("websocket", sid).body == b"on"
    node.send(sid, "end", b"1012 redeploy")
    client.expect_closed(1012, "redeploy")
    node.expect_end(sid)
    node.expect("drain", b"")


# ---------------------------------------------------------------- several, and flow control


def test_many_on_one_node_do_not_mix(stage: Stage) -> None:
    stage.serve()
    stage.echo()
    clients = [stage.websocket() for _ in range(50)]
    for client in clients:
        client.handshake()
    for turn in range(3):
        for number, client in enumerate(clients):
            client.send_text(f"{turn}-{number}")
        for number, client in enumerate(clients):
            client.expect_text(f"{turn}-{number}")
    for client in clients:
        client.finish()


def test_credit_both_ways(stage: Stage) -> None:
    stage.serve({"credit": "10KiB"})
    node = stage.node("app/1", "credit=10000")
    node.expect("ping")
    node.expect("credit")
    client, sid = open_websocket(stage, node)
    for number in range(4):
        client.send_text(str(number) * 4000)
    received = [node.expect("websocket", sid).body for _ in range(3)]  # the third overshoots
    assert [len(body) for body in received] == [4000] * 3
    assert node.maybe_receive(0.1) is None
    node.send(sid, "credit", b"8000")
    assert node.expect("websocket", sid).body == b"3" * 4000
    node.send(sid, "websocket", b"x" * 6000)
    client.expect_text(b"x" * 6000)
    assert node.expect("credit", sid).body == b"6000"
    client.finish()


def test_large_messages_both_ways(stage: Stage) -> None:
    stage.serve(vhost={"websocket-max-message": "4MiB"})
    stage.echo()
    client = stage.websocket()
    client.handshake()
    message = b"0123456789" * 400_000
    client.send_binary(b"\xff" + message)
    client.expect_binary(b"\xff" + message)
    client.finish()


def test_the_variables_of_a_handshake_are_those_of_a_request(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client = stage.websocket()
    client.handshake(protocols=["a", "b"])
    variables = read_variables(node.expect("uwsgi").body)
    assert variables["HTTP_SEC_WEBSOCKET_PROTOCOL"] == "a, b" and "CONTENT_LENGTH" not in variables
    client.finish()
