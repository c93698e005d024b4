"""RFC 9110 §5, §7.2, §7.6, RFC 9112 §5: field lines, Host, and which fields go on."""

from __future__ import annotations

import pytest

from tests.helpers.cases import END, HOST, Case, get, refused
from tests.helpers.probe import HOSTS, Probe


def passes(name: str, fields: bytes) -> Case:
    return Case(name, get(fields), seen=("GET /",))


def hosted(name: str, host: bytes) -> Case:
    return Case(name, b"GET / HTTP/1.1\r\n" + host + b"\r\n", seen=("GET /",))


ACCEPTED = [
    passes("an empty value", b"X-A:\r\n"),
    passes("an empty value behind a space", b"X-A: \r\n"),
    passes("no space behind the colon", b"X-A:b\r\n"),
    passes("white space around a value", b"X-A: \t b \t \r\n"),
    passes("a tab within a value", b"X-A: a\tb\r\n"),
    passes("8 bits in a value", b"X-A: \x80\xe9\xff\r\n"),
    passes("a colon in a value", b"X-A: b: c\r\n"),
    passes("a name of every kind of character", b"!#$%&'*+-.^`|~0aZ: b\r\n"),
    passes("a repeated field", b"X-A: b\r\nX-A: c\r\n"),
    passes("as many fields as may be", b"X-A: b\r\n" * 99),
    passes("a long value", b"X-A: " + b"b" * 30_000 + b"\r\n"),
    hosted("Host in capitals", b"HOST: APP.TEST\r\n"),
    hosted("Host behind a tab", b"hoSt:\tapp.test\r\n"),
    hosted("Host with an empty port", b"Host: app.test:\r\n"),
    hosted("Host with a dot at its end", b"Host: app.test.\r\n"),
]

REFUSED = [
    refused("a space before the colon", get(b"X-A : b\r\n")),
    refused("a tab before the colon", get(b"X-A\t: b\r\n")),
    refused("a space before the first field", b"GET / HTTP/1.1\r\n " + HOST + END),
    refused("folding", get(b"X-A: b\r\n c\r\n")),
    refused("folding with a tab", get(b"X-A: b\r\n\tc\r\n")),
    refused("folding of an empty line", get(b"X-A: b\r\n \r\n")),
    refused("no colon", get(b"X-A\r\n")),
    refused("an empty name", get(b": b\r\n")),
    refused("brackets in a name", get(b"X[]: b\r\n")),
    refused("8 bits in a name", get(b"X-\xe9: b\r\n")),
    refused("a tab in a name", get(b"X\tA: b\r\n")),
    refused("NUL in a name", get(b"X\0A: b\r\n")),
    refused("NUL in a value", get(b"X-A: b\0c\r\n")),
    refused("BEL in a value", get(b"X-A: b\x07\r\n")),
    refused("DEL in a value", get(b"X-A: b\x7f\r\n")),
    refused("CR in a value", get(b"X-A: b\rc\r\n")),
    refused("LF in a value", get(b"X-A: b\nX-B: c\r\n")),
    refused("LF for CRLF", get(b"X-A: b\n")),
    refused("LF for the empty line", b"GET / HTTP/1.1\r\n" + HOST + b"\n"),
    refused("CR before a field", get(b"\rX-A: b\r\n")),
    refused("more fields than may be", get(b"X-A: b\r\n" * 100), 431),
    refused("a head too large", get(b"X-A: " + b"b" * 70_000 + b"\r\n"), 431),
    refused("a name too long", get(b"X" * 70_000 + b": b\r\n"), 431),
    refused("no Host", b"GET / HTTP/1.1\r\n\r\n"),
    refused("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    refused("two Hosts", get(HOST)),
    refused("two different Hosts", get(b"Host: other.test\r\n")),
    refused("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n"),
    refused("a list of Hosts", b"GET / HTTP/1.1\r\nHost: app.test, other.test\r\n\r\n"),
    refused("Host with a user", b"GET / HTTP/1.1\r\nHost: a@app.test\r\n\r\n"),
    refused("Host with a path", b"GET / HTTP/1.1\r\nHost: app.test/a\r\n\r\n"),
    refused("Host with a query", b"GET / HTTP/1.1\r\nHost: app.test?a\r\n\r\n"),
    refused("Host with a scheme", b"GET / HTTP/1.1\r\nHost: http://app.test\r\n\r\n"),
    refused("Host with a port of letters", b"GET / HTTP/1.1\r\nHost: app.test:x\r\n\r\n"),
    refused("Host with half an IPv6 address", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    refused("a bad Host beside an absolute form", b"GET http://app.test/ HTTP/1.1\r\nHost: a b\r\n\r\n"),
    refused("a bad Host in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n"),
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepted(probe: Probe, case: Case, host: str) -> None:
    probe.run(case, host)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused(probe: Probe, case: Case) -> None:
    probe.run(case)


def test_http_1_0_without_host(probe: Probe) -> None:
    probe.run(Case("", b"GET / HTTP/1.0\r\n\r\n", closes=True, seen=("GET /",)))


VALUES = {b"X-A:": "", b"X-A: \t b \t": "b", b"X-A: \x80\xe9\xff": "\x80\xe9\xff", b"X-A: a\tb": "a\tb"}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("field", VALUES)
def test_values_arrive_as_they_are(probe: Probe, field: bytes, host: str) -> None:
    sent = get(field + b"\r\n").replace(b"app.test", host.encode())
    assert probe.forward(sent, host).variables["HTTP_X_A"] == VALUES[field]


DROPPED = {
    "Connection": b"Connection: keep-alive\r\n",
    "a field that Connection names": b"Connection: X-A\r\nX-A: b\r\n",
    "a field that a second Connection names": b"Connection: close\r\nConnection: x-a , Y\r\nX-A: b\r\n",
    "Keep-Alive": b"Keep-Alive: timeout=5\r\n",
    "Proxy-Connection": b"Proxy-Connection: keep-alive\r\n",
    "TE": b"TE: trailers\r\n",
    "Trailer": b"Trailer: X-A\r\n",
    "Upgrade": b"Upgrade: h2c\r\n",
    "HTTP2-Settings": b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "Expect": b"Expect: 100-continue\r\n",
    "Proxy": b"Proxy: http://other.test\r\n",
    "a name with an underscore": b"Content_Length: 5\r\n",
    "another such name": b"Transfer_Encoding: chunked\r\n",
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", DROPPED)
def test_fields_that_do_not_go_on(probe: Probe, name: str, host: str) -> None:
    plain = probe.forward(get().replace(b"app.test", host.encode()), host)
    request = probe.forward(get(DROPPED[name]).replace(b"app.test", host.encode()), host)
    assert set(request.variables) == set(plain.variables)


PASSED = ("Range", "If-None-Match", "If-Range", "Via", "Authorization", "Accept-Encoding", "X-Unknown")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", PASSED)
def test_fields_that_go_on_untouched(probe: Probe, name: str, host: str) -> None:
    sent = get(f'{name}: "a", b=1-2\r\n'.encode()).replace(b"app.test", host.encode())
    variable = "HTTP_" + name.upper().replace("-", "_")
    assert probe.forward(sent, host).variables[variable] == '"a", b=1-2'
