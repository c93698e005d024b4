"""The PROXY protocol over real sockets: who the client is then for everybody, and who is turned away."""

from __future__ import annotations

import pytest

from blastbeat import hookimpl
from blastbeat.interfaces import ConnectionView
from tests.helpers.client import RawClient, request_head
from tests.helpers.proxy import v1, v2, v2_raw
from tests.helpers.stage import Stage

PROXIED = {"bind": "127.0.0.1:0 proxy-protocol", "trusted-proxies": ["127.0.0.1"]}


class Connections:
    """Keeps what plugins are told of connections."""

    def __init__(self) -> None:
        self.opened: list[ConnectionView] = []

    @hookimpl
    def blastbeat_connection_opened(self, view: ConnectionView) -> None:
        self.opened.append(view)


@pytest.mark.parametrize(
    ("header", "addr", "port"),
    [
        (v1("198.51.100.7", 4711), "198.51.100.7", "4711"),
        (v1("2001:db8::7", 4711), "2001:db8::7", "4711"),
        (v2("198.51.100.7", 4711, tlvs=b"\x04\x00\x40" + bytes(64)), "198.51.100.7", "4711"),
        (v2("2001:db8::7", 4711), "2001:db8::7", "4711"),
    ],
)
def test_node_log_and_notice_show_the_told_client(stage: Stage, header: bytes, addr: str, port: str) -> None:
    connections = Connections()
    server = stage.serve(PROXIED, plugins=[connections])
    node, client = stage.node(), stage.client()
    client.send(header + request_head("/first"))
    request = node.expect_request()
    assert (request["REMOTE_ADDR"], request["REMOTE_PORT"]) == (addr, port)
    assert request["HTTP_X_FORWARDED_FOR"] == addr
    assert request["SERVER_PORT"] == str(server.port)  # the listener's, not the balancer's 443
    node.respond(request.sid)
    client.read_response()
    stage.exchange(node, client, "/second")  # the header comes once
    views = server.wait_exchanges(2)
    assert {(view.remote_addr, view.remote_port) for view in views} == {(addr, int(port))}
    assert [(view.remote_addr, view.remote_port) for view in connections.opened] == [(addr, int(port))]


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2_raw(0x20, 0, b"")])
def test_the_balancers_own_requests_keep_its_address(stage: Stage, header: bytes) -> None:
    """A health check, for instance."""
    stage.serve(PROXIED)
    node, client = stage.node(), stage.client()
    client.send(header + request_head())
    request = node.expect_request()
    assert (request["REMOTE_ADDR"], request["REMOTE_PORT"]) == ("127.0.0.1", str(client.local_port))
    node.respond(request.sid)
    assert client.read_response().status == 200


def test_header_byte_by_byte(stage: Stage) -> None:
    stage.serve(PROXIED)
    node, client = stage.node(), stage.client()
    for byte in v2("198.51.100.7"):
        client.send(bytes([byte]))
    client.get()
    assert node.expect_request()["REMOTE_ADDR"] == "198.51.100.7"
    client.half_close()


def test_a_client_without_header_is_closed_unanswered(stage: Stage) -> None:
    server = stage.serve(PROXIED)
    node, client = stage.node(), stage.client()
    client.get()
    client.expect_eof()
    assert server.counted()["connections.refused.proxy-header"] == 1
    assert "127.0.0.1 closed: no PROXY protocol header, but b'GET / HTTP" in server.log_text
    assert "connections.accepted" not in server.counted() and not server.exchanges
    proxied = stage.client()
    proxied.send(v1("198.51.100.7"))
    stage.exchange(node, proxied)


def test_who_is_not_trusted_does_not_get_in(stage: Stage) -> None:
    """Neither with a header nor without: else anybody could choose an address."""
    server = stage.serve({**PROXIED, "trusted-proxies": ["192.0.2.1"]})
    client = stage.client()
    client.expect_eof()
    assert server.counted()["connections.refused.not-trusted"] == 1
    assert "127.0.0.1 closed: it is not in trusted-proxies" in server.log_text


def test_a_header_must_come_in_time(stage: Stage) -> None:
    server = stage.serve({**PROXIED, "header-timeout": 0.05})
    client = stage.client()
    client.send(b"PROXY TCP4 ")
    client.expect_eof()
    assert server.counted()["connections.refused.proxy-late"] == 1


def test_elsewhere_a_header_is_a_malformed_request(stage: Stage) -> None:
    """Not believed just because it is there."""
    stage.serve({"trusted-proxies": ["127.0.0.1"]})
    client = stage.client()
    client.send(v1("198.51.100.7") + request_head())
    assert client.read_response().status == 400


def test_prefaces_count_as_connections_and_end_with_the_server(stage: Stage) -> None:
    server = stage.serve({**PROXIED, "connections": 1})
    client, second = stage.client(), stage.client()
    second.expect_eof()
    server.wait_counter("connections.refused")
    server.request_stop()
    client.expect_eof()
    server.join()


# ---------------------------------------------------------------- chains: the told client forwards in turn


@pytest.mark.parametrize(
    ("told", "trusted", "fields", "addr", "scheme"),
    [
        # The told client is judged like any peer: what a stranger says of others is dropped,
        ("198.51.100.7", ["127.0.0.1"], [("X-Forwarded-For", "203.0.113.9")], "198.51.100.7", "http"),
        (
            "198.51.100.7",
            ["127.0.0.1"],
            [("Forwarded", "for=203.0.113.9;proto=https")],
            "198.51.100.7",
            "http",
        ),
        # what a trusted proxy says, believed, up to the rightmost address that is none.
        (
            "10.0.0.1",
            ["127.0.0.1", "10.0.0.0/8"],
            [("X-Forwarded-For", "203.0.113.9")],
            "203.0.113.9",
            "http",
        ),
        (
            "10.0.0.1",
            ["127.0.0.1", "10.0.0.0/8"],
            [("X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.2"), ("X-Forwarded-Proto", "https")],
            "203.0.113.9",
            "https",
        ),
        (
            "10.0.0.1",
            ["127.0.0.1", "10.0.0.0/8"],
            [("Forwarded", 'for="[2001:db8::9]:80";proto=https')],
            "2001:db8::9",
            "https",
        ),
        ("10.0.0.1", ["127.0.0.1", "10.0.0.0/8"], [("X-Real-IP", "203.0.113.9")], "203.0.113.9", "http"),
        # The balancer itself, where it tells of no client.
        ("", ["127.0.0.1"], [("X-Forwarded-For", "203.0.113.9")], "203.0.113.9", "http"),
    ],
)
@pytest.mark.parametrize("encoder", ["uwsgi", "headers"])
def test_a_chain(
    stage: Stage,
    told: str,
    trusted: list[str],
    fields: list[tuple[str, str]],
    addr: str,
    scheme: str,
    encoder: str,
) -> None:
    server = stage.serve({**PROXIED, "trusted-proxies": trusted}, {"request-encoder": encoder})
    node, client = stage.node(), stage.client()
    head = request_head(headers=[*fields, ("X-Request-Id", "from-outside")])
    client.send((v2(told) if told else v2_raw(0x20, 0, b"")) + head)
    if encoder == "uwsgi":
        request = node.expect_request()
        assert (request["REMOTE_ADDR"], request["REQUEST_SCHEME"]) == (addr, scheme)
        seen = [request[f"HTTP_{name}"] for name in ("X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_REQUEST_ID")]
        sid = request.sid
    else:
        message = node.expect("headers")
        lines = [line.partition(b": ") for line in message.body.split(b"\r\n")]
        values = {
            name: [value.decode() for key, _, value in lines if key.lower() == name]
            for name in (b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id")
        }
        assert all(len(each) == 1 for each in values.values())
        seen = [each[0] for each in values.values()]
        sid = message.sid
    assert seen[:2] == [addr, scheme]
    is_trusted = addr != told
    assert (seen[2] == "from-outside") == is_trusted
    node.respond(sid)
    assert client.read_response().status == 200
    (view,) = server.wait_exchanges(1)
    assert (view.remote_addr, view.request_id.decode()) == (addr, seen[2])


def test_clients_that_leave_at_any_byte_disturb_nobody(stage: Stage) -> None:
    server = stage.serve(PROXIED)
    node = stage.node()
    data = v2("198.51.100.7", tlvs=bytes(8)) + request_head()
    for end in range(0, len(data), 5):
        leaving = RawClient(server.port)
        leaving.send(data[:end])
        leaving.reset() if end % 2 else leaving.close()
    client = stage.client()
    client.send(v1("198.51.100.8"))
    stage.exchange(node, client)


def test_with_the_loop_that_serve_uses(stage: Stage) -> None:
    """uvloop where it is installed: the socket changes hands there just as well."""
    endpoint = f"ipc://{stage.folder}/nodes"
    process = stage.serve_process(stage.configure({**PROXIED, "zmq": endpoint}))
    address = ("127.0.0.1", process.wait_ready())
    node, client = stage.node(endpoint=endpoint), stage.client(address=address)
    client.send(v2("198.51.100.7", 4711)[:20])
    stranger = stage.client(address=address)
    stranger.get()
    stranger.expect_eof()
    client.send(v2("198.51.100.7", 4711)[20:] + request_head("/first"))
    request = node.expect_request()
    assert (request["REMOTE_ADDR"], request["REMOTE_PORT"]) == ("198.51.100.7", "4711")
    node.respond(request.sid, b"x" * 1_000_000)  # more than is written at once
    assert len(client.read_response().body) == 1_000_000
    stage.exchange(node, client, "/second")
    client.half_close()
    client.expect_eof()
    node.expect_end(request.sid)
