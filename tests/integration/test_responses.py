"""`protocol.md` §4, §6: what of a response reaches the client: heads, interim and raw ones, ends, cuts."""

from __future__ import annotations

import pytest

from tests.helpers.client import RawClient
from tests.helpers.node import NodeRequest, ScriptedNode, head
from tests.helpers.stage import Stage
from tests.helpers.uwsgi import write_packet


class Exchange:
    """One GET that the node has and nobody has answered."""

    def __init__(self, stage: Stage, version: str = "1.1") -> None:
        self.stage = stage
        self.server = stage.serve()
        self.node: ScriptedNode = stage.node()
        self.client: RawClient = stage.client()
        self.client.send_head(version=version)
        self.request: NodeRequest = self.node.expect_request()
        self.sid = self.request.sid

    def send(self, type: str, body: bytes = b"") -> None:
        self.node.send(self.sid, type, body)

    def expect_over(self) -> None:
        """The connection is closed and the node was told, once."""
        self.client.expect_eof()
        self.node.expect_end(self.sid)
        self.stage.expect_nothing(self.node)


# ---------------------------------------------------------------- heads


def test_head_fields(stage: Stage) -> None:
    """Names and repetitions as the node has them; `Date` and `Server` added, hop-by-hop fields dropped."""
    exchange = Exchange(stage)
    fields = [
        ("x-Odd-CASE", "1"),
        ("Set-Cookie", "a=1"),
        ("Content-Length", "0"),
        ("Set-Cookie", "b=2"),
        ("Connection", "X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
    ]
    exchange.send("headers", head("201 Made by Hand", fields))
    response = exchange.client.read_response()
    assert (response.status, response.reason) == (201, "Made by Hand")
    assert response.all("Set-Cookie") == ["a=1", "b=2"]
    assert ("x-Odd-CASE", "1") in response.headers
    assert "X-Hop" not in response and "Keep-Alive" not in response and "Proxy-Connection" not in response
    assert response["Date"].endswith(" GMT") and response["Server"]


def test_date_and_server_of_the_node_stay(stage: Stage) -> None:
    exchange = Exchange(stage)
    fields = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Server", "mine/1"), ("Content-Length", "0")]
    exchange.send("headers", head(headers=fields))
    response = exchange.client.read_response()
    assert (response["Date"], response["Server"]) == ("Sun, 06 Nov 1994 08:49:37 GMT", "mine/1")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200),
        (b"HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\nok", 404),
        (b"HTTP/1.1 203\r\nContent-Length: 2\r\n\r\nok", 203),
        (b"HTTP/1.1 203 \r\ncontent-length:2\r\n\r\nok", 203),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Empty:\r\n\r\nok", 200),
    ],
)
def test_lenient_heads(stage: Stage, raw: bytes, status: int) -> None:
    """Lines may end in LF, the reason may be missing."""
    exchange = Exchange(stage)
    exchange.send("headers", raw)
    response = exchange.client.read_response()
    assert (response.status, response.body) == (status, b"ok")


@pytest.mark.parametrize("count_header", [False, True])
def test_uwsgi_head(stage: Stage, count_header: bool) -> None:
    """`STATUS`, every other key a header name as it is, repeated keys repeated; the size in both forms."""
    exchange = Exchange(stage)
    pairs = [
        (b"STATUS", b"202 Yes"),
        (b"Content-Length", b"2"),
        (b"Set-Cookie", b"a"),
        (b"x_odd", b"1"),
        (b"Set-Cookie", b"b"),
    ]
    exchange.send("uwsgi", write_packet(pairs, count_header=count_header))
    exchange.send("body", b"ok")
    response = exchange.client.read_response()
    assert (response.status, response.reason, response.body) == (202, "Yes", b"ok")
    assert response.all("Set-Cookie") == ["a", "b"] and response["x_odd"] == "1"


# ---------------------------------------------------------------- raw responses


def test_raw_response_with_length(stage: Stage) -> None:
    """A first response that begins with a body `HTTP/1.` is a raw one; the next one may be raw again."""
    exchange = Exchange(stage)
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Raw: 1\r\n\r\n"
    exchange.send("body", raw + b"hello")
    response = exchange.client.read_response()
    assert (response.body, response["X-Raw"]) == (b"hello", "1")
    exchange.client.get("/2")
    exchange.node.expect_request(exchange.sid)
    exchange.send("body", raw + b"he")
    exchange.send("body", b"llo")
    assert exchange.client.read_response().body == b"hello"


def test_raw_response_until_end(stage: Stage) -> None:
    exchange = Exchange(stage)
    exchange.send("body", b"HTTP/1.0 200 OK\r\n\r\nhel")
    exchange.send("body", b"lo")
    exchange.send("end")
    response = exchange.client.read_response()
    assert (response.framing, response.body) == ("chunked", b"hello")
    exchange.expect_over()


def test_raw_response_after_headers_is_a_leftover(stage: Stage) -> None:
    """A second response begins with `body` only if the one before did."""
    exchange = Exchange(stage)
    exchange.node.respond(exchange.sid, b"1")
    exchange.client.read_response()
    exchange.client.get("/2")
    exchange.node.expect_request(exchange.sid)
    exchange.send("body", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
    exchange.node.respond(exchange.sid, b"right")
    assert exchange.client.read_response().body == b"right"
    assert exchange.server.counters["messages.dropped.leftover"] == 1


# ---------------------------------------------------------------- interim responses


def test_interim_responses(stage: Stage) -> None:
    """1xx but 100 and 101 is passed on and is not the response."""
    exchange = Exchange(stage)
    exchange.send("headers", head("103 Early Hints", [("Link", "</a>")]))
    exchange.send("headers", head("100 Continue"))
    exchange.send("headers", head("102 Processing"))
    exchange.node.respond(exchange.sid, b"final")
    response = exchange.client.read_response()
    assert (response.status, response.body) == (200, b"final")
    assert [(each.status, each.all("Link")) for each in response.interim] == [(103, ["</a>"]), (102, [])]


def test_interim_response_is_not_for_old_clients(stage: Stage) -> None:
    exchange = Exchange(stage, "1.0")
    exchange.send("headers", head("103 Early Hints"))
    exchange.node.respond(exchange.sid, b"final")
    response = exchange.client.read_response()
    assert (response.status, response.interim) == (200, [])


def test_unwanted_switch_of_protocols(stage: Stage) -> None:
    exchange = Exchange(stage)
    exchange.send("headers", head("101 Switching Protocols", [("Upgrade", "x"), ("Connection", "upgrade")]))
    assert exchange.client.read_response().status == 502
    exchange.node.expect_end(exchange.sid)


# ---------------------------------------------------------------- ends and cuts


def test_end_before_the_head(stage: Stage) -> None:
    exchange = Exchange(stage)
    exchange.send("end")
    assert exchange.client.read_response().status == 502
    exchange.node.expect_end(exchange.sid)
    exchange.stage.expect_nothing(exchange.node)


def test_end_between_exchanges_closes_the_idle_connection(stage: Stage) -> None:
    exchange = Exchange(stage)
    exchange.node.respond(exchange.sid, b"ok")
    assert exchange.client.read_response().body == b"ok"
    exchange.send("end")
    exchange.expect_over()


def test_abort_before_the_head(stage: Stage) -> None:
    exchange = Exchange(stage)
    exchange.send("abort", b"database is gone")
    assert exchange.client.read_response().status == 502
    exchange.node.expect_end(exchange.sid)
    exchange.stage.expect_nothing(exchange.node)


# Each of these cuts a chunked response of which b"part" has gone.
CUTS: dict[str, list[tuple[str, bytes]]] = {
    "abort": [("abort", b"broken")],
    "second head": [("headers", head("200 OK"))],
    "second head as uwsgi": [("uwsgi", write_packet([(b"STATUS", b"200 OK")]))],
    "malformed second head": [("headers", b"nonsense\r\n\r\n")],
}


@pytest.mark.parametrize("name", CUTS)
def test_cut_response_is_never_completed(stage: Stage, name: str) -> None:
    exchange = Exchange(stage)
    exchange.send("headers", head())
    exchange.send("chunk", b"part")
    exchange.client.read_head()
    assert exchange.client.read_chunk() == b"part"
    for type, body in CUTS[name]:
        exchange.send(type, body)
    exchange.expect_over()  # without a last chunk
    assert exchange.server.counters["responses.cut"] == 1


@pytest.mark.parametrize("ending", ["end", "abort"])
def test_too_little_body(stage: Stage, ending: str) -> None:
    """Less than the declared length: the connection ends short, so that the client notices."""
    exchange = Exchange(stage)
    exchange.send("headers", head(headers=[("Content-Length", "10")]) + b"1234")
    exchange.send(ending)
    assert exchange.client.read_head()["Content-Length"] == "10"
    assert exchange.client.read_to_eof() == b"1234"
    exchange.node.expect_end(exchange.sid)
    assert exchange.server.counters["responses.cut"] == 1


def test_own_coding_that_is_never_finished(stage: Stage) -> None:
    """`end` in the middle of the node's own chunked coding is a cut."""
    exchange = Exchange(stage)
    exchange.send("headers", head(headers=[("Transfer-Encoding", "chunked")]))
    exchange.send("body", b"4\r\npart\r\n")
    exchange.send("end")
    exchange.client.read_head()
    assert exchange.client.read_chunk() == b"part"
    exchange.expect_over()


def test_own_coding_that_is_malformed(stage: Stage) -> None:
    exchange = Exchange(stage)
    exchange.send("headers", head(headers=[("Transfer-Encoding", "chunked")]))
    exchange.send("body", b"4\r\npart\r\nnonsense\r\n")
    exchange.client.read_head()
    assert exchange.client.read_to_eof() in (b"4\r\npart\r\n", b"")
    exchange.node.expect_end(exchange.sid)
    assert exchange.server.counters["responses.cut"] == 1


def test_too_much_body(stage: Stage) -> None:
    """Exactly the declared bytes leave, then the connection is closed."""
    exchange = Exchange(stage)
    exchange.send("headers", head(headers=[("Content-Length", "4")]))
    exchange.send("body", b"1234567")
    assert exchange.client.read_response().body == b"1234"
    exchange.expect_over()
