"""RFC 9112 §9, RFC 9110 §7.8, §9.3, §10.1.1: persistence, pipelines, upgrades, expectations, and
methods that are answered here."""

from __future__ import annotations

import pytest

from tests.helpers.cases import SMUGGLED, Case, get, post, refused
from tests.helpers.probe import HOSTS, Probe

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
ONE = ("GET /",)


def closing(name: str, fields: bytes) -> Case:
    """What follows is never answered, nor forwarded."""
    return Case(name, get(fields) + SMUGGLED, closes=True, seen=ONE)


def old(fields: bytes = b"") -> bytes:
    return get(fields).replace(b"HTTP/1.1", b"HTTP/1.0")


PERSISTENCE = [
    Case("HTTP/1.1 stays", get(), seen=ONE),
    Case("keep-alive", get(b"Connection: keep-alive\r\n"), seen=ONE),
    Case("an option nobody knows", get(b"Connection: x-close, closed\r\n"), seen=ONE),
    Case("an empty Connection", get(b"Connection:\r\n"), seen=ONE),
    closing("close", b"Connection: close\r\n"),
    closing("close in capitals", b"Connection: CLOSE\r\n"),
    closing("close in a list", b"Connection: foo, close\r\n"),
    closing("close before keep-alive", b"Connection: close, keep-alive\r\n"),
    closing("keep-alive before close", b"Connection: keep-alive ,\tclose\r\n"),
    closing("close in a second field", b"Connection: keep-alive\r\nConnection: close\r\n"),
    closing("close among empty elements", b"Connection: , close,\r\n"),
    Case("HTTP/1.0 closes", old(), closes=True, seen=ONE),
    Case("HTTP/1.0 stays on request", old(b"Connection: keep-alive\r\n"), seen=ONE),
    Case("HTTP/1.0 in capitals", old(b"Connection: Keep-Alive\r\n"), seen=ONE),
    Case("HTTP/1.0 with both", old(b"Connection: keep-alive, close\r\n"), closes=True, seen=ONE),
    Case("Proxy-Connection means nothing", get(b"Proxy-Connection: close\r\n"), seen=ONE),
    Case(
        "close on the second request",
        get() + get(b"Connection: close\r\n", b"/2") + SMUGGLED,
        (200, 200),
        True,
        ("GET /", "GET /2"),
    ),
    Case(
        "close on the third request",
        get() + post(b"Content-Length: 2\r\n", b"ab") + get(b"Connection: close\r\n", b"/3") + SMUGGLED,
        (200, 200, 200),
        True,
        ("GET /", "POST /", "GET /3"),
    ),
]
PIPELINES = [
    Case("three requests", get() * 3, (200,) * 3, seen=ONE * 3),
    Case(
        "bodies between",
        post(b"Content-Length: 5\r\n", b"hello")
        + post(b"Transfer-Encoding: chunked\r\n", b"2\r\nab\r\n0\r\n\r\n")
        + get(),
        (200,) * 3,
        seen=("POST /", "POST /", "GET /"),
        bodies=(b"hello", b"ab", b""),
    ),
    Case("empty lines between", get() + b"\r\n\r\n" + get(), (200,) * 2, seen=ONE * 2),
    Case(
        "a HEAD between",
        get() + b"HEAD" + get()[3:] + get(),
        (200,) * 3,
        seen=("GET /", "HEAD /", "GET /"),
    ),
    Case("a bad one behind", get() + b"bad\r\n\r\n" + SMUGGLED, (200, 400), True, ONE),
    Case(
        "a body longer than said",
        post(b"Content-Length: 2\r\n", b"ab\0") + SMUGGLED,
        (200, 400),
        True,
        ("POST /",),
    ),
]
UPGRADES = [
    Case("a protocol nobody knows", get(b"Upgrade: frob/2\r\nConnection: upgrade\r\n"), seen=ONE),
    Case("TLS", get(b"Upgrade: TLS/1.3\r\nConnection: upgrade\r\n"), seen=ONE),
    Case(
        "h2c",
        get(b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings\r\n"),
        seen=ONE,
    ),
    Case("h2c in HTTP/1.0", old(b"Upgrade: h2c\r\nConnection: upgrade\r\n"), closes=True, seen=ONE),
    Case("websocket that Connection does not name", get(b"Upgrade: websocket\r\n" + KEY), seen=ONE),
    Case("Connection without Upgrade", get(b"Connection: upgrade\r\n"), seen=ONE),
    refused(
        "websocket by POST",
        post(b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n" + KEY),
    ),
    refused("websocket in HTTP/1.0", old(b"Upgrade: websocket\r\nConnection: upgrade\r\n" + KEY)),
    refused("websocket without a key", get(b"Upgrade: websocket\r\nConnection: upgrade\r\n")),
]
METHODS = [
    Case("TRACE is off", b"TRACE" + get()[3:], (405,)),
    Case("OPTIONS goes on", b"OPTIONS" + get()[3:], seen=("OPTIONS /",)),
    Case("OPTIONS at its last hop", b"OPTIONS" + get(b"Max-Forwards: 0\r\n")[3:], (204,)),
    Case("Max-Forwards of GET is nothing", get(b"Max-Forwards: 0\r\n"), seen=ONE),
    Case(
        "Max-Forwards that is no number",
        b"OPTIONS" + get(b"Max-Forwards: x\r\n")[3:] + SMUGGLED,
        (400,),
        True,
    ),
    refused("another expectation", get(b"Expect: 200-ok\r\n"), 417),
    refused("a second expectation", get(b"Expect: 100-continue, x\r\n"), 417),
    Case("an expectation of HTTP/1.0", old(b"Expect: 100-continue\r\n"), closes=True, seen=ONE),
    Case("100-continue without a body", get(b"Expect: 100-continue\r\n"), seen=ONE),
    Case("100-continue in capitals", get(b"Expect: 100-CONTINUE\r\n"), seen=ONE),
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("case", [*PERSISTENCE, *PIPELINES], ids=str)
def test_connections(probe: Probe, case: Case, host: str) -> None:
    probe.run(case, host)


@pytest.mark.parametrize("case", UPGRADES, ids=str)
def test_upgrades(probe: Probe, case: Case) -> None:
    for response in probe.run(case):
        assert "Upgrade" not in response


@pytest.mark.parametrize("case", METHODS, ids=str)
def test_methods_and_expectations(probe: Probe, case: Case) -> None:
    for response in probe.run(case):
        assert ("Allow" in response) is (response.status in (204, 405))


def test_a_body_behind_100_continue(probe: Probe) -> None:
    """One 100, and then one final response; never another."""
    probe.seen()
    client = probe.stage.client()
    client.send(post(b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
    assert client.read_head().status == 100
    client.send(b"hello")
    response = client.read_response()
    assert (response.status, response.body, response.interim) == (200, b"POST / hello", [])
    client.close()
    assert [bytes(request.body) for request in probe.seen()] == [b"hello"]


def test_trace_where_it_is_on(probe: Probe) -> None:
    fields = b"TRACE /x HTTP/1.1\r\nHost: traced.test\r\nCookie: a=b\r\n"
    request = probe.forward(fields + b"Max-Forwards: 3\r\n\r\n")
    assert (request.variables["REQUEST_METHOD"], request.variables["HTTP_MAX_FORWARDS"]) == ("TRACE", "2")
    client = probe.stage.client()
    client.send(fields + b"Max-Forwards: 0\r\n\r\n")
    response = client.read_response()
    client.close()
    assert (response.status, response["Content-Type"]) == (200, "message/http")
    assert response.body.startswith(b"TRACE /x HTTP/1.1\r\n") and b"a=b" not in response.body


def test_another_version_of_websockets_is_told_what_to_upgrade_to(probe: Probe) -> None:
    client = probe.stage.client()
    client.send(get(b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 8\r\n" + KEY))
    response = client.read_response()
    client.close()
    assert (response.status, response["Upgrade"], response["Sec-WebSocket-Version"]) == (
        426,
        "websocket",
        "13",
    )
    assert "upgrade" in [value.lower() for value in response.all("Connection")]
