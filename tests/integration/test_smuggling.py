"""`protocol.md` §6: what is ambiguous about length or host is refused with 400, closed, never forwarded."""

from __future__ import annotations

import pytest

from tests.helpers.stage import Stage

POST = b"POST /evil HTTP/1.1\r\nHost: app.test\r\n"
GET = b"GET /evil HTTP/1.1\r\nHost: app.test\r\n"
# Follows each shape in the same segment: must never be taken for a request.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n"

HEADS: dict[str, bytes] = {
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "two equal lengths": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "list of lengths": POST + b"Content-Length: 0, 5\r\n\r\n",
    "length and chunked": POST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice in one": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"POST / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": POST + b"Content-Length : 0\r\n\r\n",
    "tab before the colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n",
    "space before a name": POST + b" Content-Length: 0\r\n\r\n",
    "folding": POST + b"X-A: 1\r\n 2\r\n\r\n",
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "coding after a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "length with a plus": POST + b"Content-Length: +0\r\n\r\n",
    "hexadecimal length": POST + b"Content-Length: 0x0\r\n\r\n",
    "length with underscore": POST + b"Content-Length: 1_0\r\n\r\n",
    "empty length": POST + b"Content-Length: \r\n\r\n",
    "enormous length": POST + b"Content-Length: " + b"9" * 50 + b"\r\n\r\n",
    "bare LF ends a line": POST.replace(b"\r\nHost", b"\nHost") + b"\r\n",
    "bare LF ends the head": POST + b"Content-Length: 0\r\n\n",
    "bare LF in a value": POST + b"X-A: 1\nContent-Length: 5\r\n\r\n",
    "bare CR in a value": POST + b"X-A: 1\rContent-Length: 5\r\n\r\n",
    "bare CR ends a line": GET + b"X-A: 1\r\r\n\r\n",
    "NUL in a value": POST + b"X-A: 1\0\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "control byte in a value": POST + b"X-A: \x01\r\n\r\n",
    "no colon": POST + b"nonsense\r\n\r\n",
    "empty name": POST + b": 1\r\n\r\n",
    "bad name": POST + b"X(A): 1\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: app.test\r\n\r\n",
    "two different Hosts": GET + b"Host: other.test\r\n\r\n",
    "list of Hosts": b"GET / HTTP/1.1\r\nHost: app.test, other.test\r\n\r\n",
    "Host with a path": b"GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n",
    "Host with user": b"GET / HTTP/1.1\r\nHost: evil@app.test\r\n\r\n",
    "Host with a space": b"GET / HTTP/1.1\r\nHost: app.test x\r\n\r\n",
    "Host with a bad port": b"GET / HTTP/1.1\r\nHost: app.test:x\r\n\r\n",
    "absolute form without Host": b"GET http://app.test/ HTTP/1.1\r\n\r\n",
    "fragment in the target": b"GET /a#b HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "tab for a space": b"GET\t/ HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "space after the version": b"GET / HTTP/1.1 \r\nHost: app.test\r\n\r\n",
    "relative target": b"GET evil HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "asterisk for a GET": b"GET * HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "no version": b"GET /\r\nHost: app.test\r\n\r\n",
    "version in small letters": b"GET / http/1.1\r\nHost: app.test\r\n\r\n",
    "long version": b"GET / HTTP/1.10\r\nHost: app.test\r\n\r\n",
    "bad method": b"G(T / HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60 + b"\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
OTHER_STATUS = {"HTTP/2 preface": {400, 505}, "enormous length": {400, 413}, "TLS to a plain port": {400}}

CHUNKS: dict[str, bytes] = {
    "size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "negative size": b"-1\r\nhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with a space": b"5 \r\nhello\r\n0\r\n\r\n",
    "space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "size with underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
    "empty size": b"\r\nhello\r\n0\r\n\r\n",
    "no hexadecimal size": b"xyz\r\nhello\r\n0\r\n\r\n",
    "enormous size": b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n",
    "bare LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "bare LF after the data": b"5\r\nhello\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "bare LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "no line end after the data": b"5\r\nhello0\r\n\r\n",
    "too much data": b"5\r\nhello!\r\n0\r\n\r\n",
    "bad trailer": b"0\r\nno colon\r\n\r\n",
    "folded trailer": b"0\r\nX-A: 1\r\n 2\r\n\r\n",
    "bare LF ends the trailers": b"0\r\nX-A: 1\n\r\n",
    "endless extension": b"5;" + b"x" * 100_000,
    "endless trailers": b"0\r\n" + b"X-A: 1\r\n" * 20_000,
}


@pytest.mark.parametrize("name", HEADS)
def test_refused_head(stage: Stage, name: str) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send(HEADS[name] + SMUGGLED)
    response = client.read_response()
    assert response.status in OTHER_STATUS.get(name, {400}), response
    assert response["Connection"] == "close" and response.body
    client.expect_eof()
    stage.expect_nothing(node)


@pytest.mark.parametrize("name", CHUNKS)
def test_refused_chunk(stage: Stage, name: str) -> None:
    """The head is with the node already: the client gets 400, the node its `end`, and no closing body."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    sid = node.expect_request().sid
    client.send(CHUNKS[name])
    response = client.read_response()
    assert response.status in ({400, 431} if name.startswith("endless") else {400})
    client.expect_eof()
    while (message := node.receive()).type == b"body":
        assert message.body in (b"hello"[: len(message.body)],) and message.body
    assert (message.type, message.sid) == (b"end", sid)
    stage.expect_nothing(node)


@pytest.mark.parametrize("name", ["two lengths", "bare LF in a value", "no Host", "bad method"])
def test_refused_after_a_good_request(stage: Stage, name: str) -> None:
    """The response before it stays whole; the session is over."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send(b"GET /good HTTP/1.1\r\nHost: app.test\r\n\r\n" + HEADS[name] + SMUGGLED)
    sid = node.expect_request().sid
    node.respond(sid, b"good")
    assert client.read_response().body == b"good"
    assert client.read_response().status == 400
    client.expect_eof()
    node.expect_end(sid)
    stage.expect_nothing(node)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: app.test\r\n\r\n", 505),
        (b"GET / HTTP/3.7\r\nHost: app.test\r\n\r\n", 505),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: app.test\r\n\r\n", 414),
        (GET + b"X-A: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (GET + b"X-A: 1\r\n" * 101 + b"\r\n", 431),
    ],
)
def test_other_refusals(stage: Stage, raw: bytes, status: int) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send(raw)
    response = client.read_response()
    assert (response.status, response["Connection"]) == (status, "close")
    client.expect_eof()
    stage.expect_nothing(node)
