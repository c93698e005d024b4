"""RFC 9112 §6, RFC 9110 §6, §7.6.1, §8.6, §15.2: what a node says, and what of it a client gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.helpers.client import request_head
from tests.helpers.node import ScriptedNode
from tests.helpers.stage import Stage


@dataclass(frozen=True)
class NodeCase:
    """`lines` is the node's head, `pieces` what it sends then. `framing` and `fields` are the client's;
    a field of None must not come."""

    name: str
    lines: bytes
    pieces: tuple[tuple[str, bytes], ...] = ()
    status: int = 200
    body: bytes = b""
    framing: str = "length"
    closes: bool = False
    method: str = "GET"
    version: str = "1.1"
    fields: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        return self.name


OK = b"HTTP/1.1 200 OK\r\n"
TWO = b"Content-Length: 2\r\n"
HI = (("body", b"hi"),)
HI_END = (("body", b"hi"), ("end", b""))
CHUNKS = (("chunk", b"hi"), ("chunk", b""))


def good(name: str, lines: bytes, *fields: tuple[str, str | None], status: int = 200) -> NodeCase:
    return NodeCase(name, lines + TWO, HI, status, b"hi", fields=fields)


def bad(name: str, lines: bytes) -> NodeCase:
    return NodeCase(name, lines, (), 502, closes=False)


GOOD = [
    good("plain", OK, ("Content-Length", "2")),
    good("no reason", b"HTTP/1.1 200\r\n"),
    good("an empty reason", b"HTTP/1.1 200 \r\n"),
    good("a reason of its own", b"HTTP/1.1 200 Fine, thanks\r\n"),
    good("HTTP/1.0", b"HTTP/1.0 200 OK\r\n"),
    good("LF for CRLF", b"HTTP/1.1 200 OK\nX-A: b\n", ("X-A", "b")),
    good("a status nobody knows", b"HTTP/1.1 299 X\r\n", status=299),
    good("an empty value", OK + b"X-A:\r\n", ("X-A", "")),
    good("8 bits in a value", OK + b"X-A: \xe9\xff\r\n", ("X-A", "\xe9\xff")),
    good(
        "Date and Server of its own", OK + b"Date: then\r\nServer: me\r\n", ("Date", "then"), ("Server", "me")
    ),
    good(
        "Connection", OK + b"Connection: keep-alive, X-A\r\nX-A: b\r\n", ("X-A", None), ("Connection", None)
    ),
    good("Keep-Alive", OK + b"Keep-Alive: timeout=5\r\n", ("Keep-Alive", None)),
    good("Proxy-Connection", OK + b"Proxy-Connection: keep-alive\r\n", ("Proxy-Connection", None)),
    good("TE and Trailer", OK + b"TE: x\r\nTrailer: X-A\r\n", ("TE", None), ("Trailer", None)),
    good("Upgrade", OK + b"Upgrade: h2c\r\n", ("Upgrade", None)),
    good("equal lengths", OK + TWO),
    good(
        "a range",
        b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-1/9\r\n",
        ("Content-Range", "bytes 0-1/9"),
        status=206,
    ),
    NodeCase("close", OK + TWO + b"Connection: close\r\n", HI, body=b"hi", closes=True),
    NodeCase("no length", OK, CHUNKS, body=b"hi", framing="chunked"),
    NodeCase("no length, ended", OK, HI_END, body=b"hi", framing="chunked", closes=True),
    NodeCase(
        "a coding of its own",
        OK + b"Transfer-Encoding: chunked\r\n",
        (("body", b"2\r\nhi\r\n0\r\nX-Late: a\r\n\r\n"),),
        body=b"hi",
        framing="chunked",
        fields=(("X-Late", None),),
    ),
    NodeCase(
        "coding and length",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n",
        (("body", b"2\r\nhi\r\n0\r\n\r\n"),),
        body=b"hi",
        framing="chunked",
        fields=(("Content-Length", None),),
    ),
    NodeCase("chunks with a length", OK + TWO, CHUNKS, body=b"hi", fields=(("Transfer-Encoding", None),)),
    NodeCase("HTTP/1.0, no length", OK, HI_END, body=b"hi", framing="close", closes=True, version="1.0"),
    NodeCase("HTTP/1.0, chunks", OK, CHUNKS, body=b"hi", framing="close", closes=True, version="1.0"),
    NodeCase("length zero", OK + b"Content-Length: 0\r\n", fields=(("Content-Length", "0"),)),
    NodeCase(
        "HEAD with a length",
        OK + b"Content-Length: 5\r\n",
        HI,
        framing="none",
        method="HEAD",
        fields=(("Content-Length", "5"), ("Transfer-Encoding", None)),
    ),
    NodeCase("HEAD without one", OK, framing="none", method="HEAD", fields=(("Content-Length", None),)),
    NodeCase(
        "204 with a length",
        b"HTTP/1.1 204 No Content\r\n" + TWO,
        HI,
        204,
        framing="none",
        fields=(("Content-Length", None), ("Transfer-Encoding", None)),
    ),
    NodeCase(
        "204 with a coding",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n",
        (),
        204,
        framing="none",
        fields=(("Content-Length", None), ("Transfer-Encoding", None)),
    ),
    NodeCase(
        "304 with a length",
        b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 9\r\n",
        HI,
        304,
        framing="none",
        fields=(("Content-Length", "9"), ("ETag", "x"), ("Transfer-Encoding", None)),
    ),
]
BAD = [
    bad("no status", b"HTTP/1.1\r\n"),
    bad("a status of two digits", b"HTTP/1.1 20 OK\r\n"),
    bad("a status of four digits", b"HTTP/1.1 2000 OK\r\n"),
    bad("a status of letters", b"HTTP/1.1 abc OK\r\n"),
    bad("status 000", b"HTTP/1.1 000 OK\r\n"),
    bad("another protocol", b"ICY 200 OK\r\n"),
    bad("folding", OK + b"X-A: b\r\n c\r\n"),
    bad("a space before the colon", OK + b"X-A : b\r\n"),
    bad("no colon", OK + b"X-A\r\n"),
    bad("an empty name", OK + b": b\r\n"),
    bad("8 bits in a name", OK + b"X-\xe9: b\r\n"),
    bad("NUL in a value", OK + b"X-A: b\0c\r\n"),
    bad("CR in a value", OK + b"X-A: b\rSet-Cookie: c\r\n"),
    bad("CR in the reason", b"HTTP/1.1 200 O\rK\r\n"),
    bad("NUL in the reason", b"HTTP/1.1 200 O\0K\r\n"),
    bad("two different lengths", OK + TWO + b"Content-Length: 3\r\n"),
    bad("a list of two different lengths", OK + b"Content-Length: 2, 3\r\n"),
    bad("a negative length", OK + b"Content-Length: -2\r\n"),
    bad("a length with a plus", OK + b"Content-Length: +2\r\n"),
    bad("an endless length", OK + b"Content-Length: " + b"9" * 400 + b"\r\n"),
    bad("another coding", OK + b"Transfer-Encoding: gzip\r\n"),
    bad("two codings", OK + b"Transfer-Encoding: gzip, chunked\r\n"),
    bad("chunked twice", OK + b"Transfer-Encoding: chunked, chunked\r\n"),
    bad("a 101 nobody asked for", b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"),
]


@dataclass
class Ends:
    stage: Stage
    node: ScriptedNode


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    stage = Stage(tmp_path_factory.mktemp("responses"))
    try:
        stage.serve({"access-log": "off"})
        yield Ends(stage, stage.node())
    finally:
        stage.close()


@pytest.mark.parametrize("case", [*GOOD, *BAD], ids=str)
def test_response(ends: Ends, case: NodeCase) -> None:
    node, client = ends.node, ends.stage.client()
    client.send_head(method=case.method, version=case.version)
    sid = node.expect_request().sid
    node.send(sid, "headers", case.lines + b"\r\n")
    for type, body in case.pieces:
        node.send(sid, type, body)
    response = client.read_response(case.method)
    assert (response.status, response.framing) == (case.status, case.framing)
    assert response.status == 502 or response.body == case.body
    assert response["Date"] and response["Server"]
    for name, value in case.fields:
        assert response.all(name) == ([] if value is None else [value]), name
    if case.closes:
        client.expect_eof()
        node.expect_end(sid)
    elif case.status == 502:
        node.expect_end(sid)
        client.close()
    else:
        assert ends.stage.exchange(node, client) == sid
        client.close()
        node.expect_end(sid)


INTERIM = {
    "one": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",),
    "several": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",) * 3,
    "100 among them": (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "one nobody knows": (b"HTTP/1.1 199 X\r\n\r\n",),
    "with framing of their own": (b"HTTP/1.1 103 X\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",),
}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("name", INTERIM)
def test_interim_responses(ends: Ends, name: str, version: str) -> None:
    """To HTTP/1.1 all but a 100, to HTTP/1.0 none (RFC 9110 §15.2), and never with framing (§8.6)."""
    node, client = ends.node, ends.stage.client()
    client.send(request_head(version=version))
    sid = node.expect_request().sid
    for head in INTERIM[name]:
        node.send(sid, "headers", head)
    node.respond(sid, b"final")
    response = client.read_response()
    assert response.body == b"final"
    expected = [int(head[9:12]) for head in INTERIM[name] if head[9:12] != b"100"]
    assert [each.status for each in response.interim] == (expected if version == "1.1" else [])
    for each in response.interim:
        assert not {"Content-Length", "Transfer-Encoding", "Connection"} & {name for name, _ in each.headers}
    client.close()
    node.expect_end(sid)
