"""RFC 9112 §2 and §3: the request line, its targets, and whatever comes in place of one."""

from __future__ import annotations

import pytest

from tests.helpers.cases import END, HOST, Case, get, refused
from tests.helpers.probe import HOSTS, Probe

REST = b"\r\n" + HOST + b"\r\n"


def line(first: bytes) -> bytes:
    return first + REST


def passes(name: str, first: bytes, seen: str = "") -> Case:
    words = first.decode("latin-1").split(" ")
    return Case(name, line(first), seen=(seen or f"{words[0]} {words[1]}",))


ACCEPTED = [
    passes("a path", b"GET / HTTP/1.1"),
    passes("a query", b"GET /a?b=c&d HTTP/1.1"),
    passes("an empty query", b"GET /? HTTP/1.1"),
    passes("question marks in a query", b"GET /?a?b HTTP/1.1"),
    passes("percent-encoding is left", b"GET /a%2Fb%2f%20%41 HTTP/1.1"),
    passes("encoded NUL and line ends are left", b"GET /%00%0d%0a HTTP/1.1"),
    passes("a percent that encodes nothing", b"GET /%zz% HTTP/1.1"),
    passes("dot segments are left", b"GET /a/../../b/./c HTTP/1.1"),
    passes("double slashes are left", b"GET //a//b HTTP/1.1"),
    passes("a path like an authority", b"GET //other.test/x HTTP/1.1"),
    passes("parameters", b"GET /a;b=c HTTP/1.1"),
    passes("a backslash", b"GET /a\\b HTTP/1.1"),
    passes("brackets, quotes and braces", b'GET /"<>[]^`{|} HTTP/1.1'),
    passes("a URL in a path", b"GET /http://other.test/ HTTP/1.1"),
    passes("absolute form", b"GET http://app.test/x?y HTTP/1.1", "GET /x?y"),
    passes("absolute form, scheme in capitals", b"GET HTTP://app.test/x HTTP/1.1", "GET /x"),
    passes("absolute form with https", b"GET https://app.test/x HTTP/1.1", "GET /x"),
    passes("absolute form with a port", b"GET http://app.test:81/x HTTP/1.1", "GET /x"),
    passes("absolute form without a path", b"GET http://app.test HTTP/1.1", "GET /"),
    passes("absolute form with a query only", b"GET http://app.test?a HTTP/1.1", "GET /?a"),
    passes("asterisk", b"OPTIONS * HTTP/1.1"),
    passes("asterisk in absolute form", b"OPTIONS http://app.test HTTP/1.1", "OPTIONS *"),
    passes("a path of OPTIONS", b"OPTIONS / HTTP/1.1"),
    passes("a method in small letters", b"get / HTTP/1.1"),
    passes("a method nobody knows", b"FROBNICATE / HTTP/1.1"),
    passes("a method of every kind of character", b"!#$%&'*+-.^_`|~0aZ / HTTP/1.1"),
    passes("the longest method", b"M" * 48 + b" / HTTP/1.1"),
    Case("an empty line before it", b"\r\n" + get(), seen=("GET /",)),
    Case("several empty lines before it", b"\r\n" * 8 + get(), seen=("GET /",)),
    Case("HTTP/1.0", b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", closes=True, seen=("GET /",)),
]

REFUSED = [
    refused("two spaces", line(b"GET  / HTTP/1.1")),
    refused("two spaces before the version", line(b"GET /  HTTP/1.1")),
    refused("a space at the end", line(b"GET / HTTP/1.1 ")),
    refused("a space at the beginning", line(b" GET / HTTP/1.1")),
    refused("a tab for a space", line(b"GET\t/ HTTP/1.1")),
    refused("a tab in the target", line(b"GET /a\tb HTTP/1.1")),
    refused("a space in the target", line(b"GET /a b HTTP/1.1")),
    refused("words before the method", line(b"Extra lineGET / HTTP/1.1")),
    refused("no target", line(b"GET HTTP/1.1")),
    refused("an empty target", line(b"GET  HTTP/1.1")),
    refused("HTTP/0.9", b"GET /" + END),
    refused("HTTP/0.9 with a space", b"GET / " + END),
    refused("a line of spaces", b"   " + END),
    refused("no version", line(b"GET / HTTP/")),
    refused("a version without its minor", line(b"GET / HTTP/1")),
    refused("a version with zeros before", line(b"GET / HTTP/01.1")),
    refused("a version with zeros behind", line(b"GET / HTTP/1.10")),
    refused("a version with a space", line(b"GET / HTTP/ 1.1")),
    refused("a version with a comma", line(b"GET / HTTP/1,1")),
    refused("a version in small letters", line(b"GET / http/1.1")),
    refused("another protocol", line(b"GET / XTTP/1.1")),
    refused("HTTPS for HTTP", line(b"GET / HTTPS/1.1")),
    refused("HTTP/1.2", line(b"GET / HTTP/1.2"), 505),
    refused("HTTP/0.9 in words", line(b"GET / HTTP/0.9"), 505),
    refused("HTTP/2.0", line(b"GET / HTTP/2.0"), 505),
    refused("HTTP/9.9", line(b"GET / HTTP/9.9"), 505),
    refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refused("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40),
    refused("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
    refused("binary garbage", b"\x00\x01\xfe\xff\x80" + END),
    refused("a fragment", line(b"GET /a#b HTTP/1.1")),
    refused("a fragment in absolute form", line(b"GET http://app.test/#b HTTP/1.1")),
    refused("NUL in the target", line(b"GET /\0 HTTP/1.1")),
    refused("DEL in the target", line(b"GET /\x7f HTTP/1.1")),
    refused("8 bits in the target", line("GET /\xe9 HTTP/1.1".encode())),
    refused("overlong UTF-8 in the target", line(b"GET /\xc0\xaf HTTP/1.1")),
    refused("CR in the target", line(b"GET /\r HTTP/1.1")),
    refused("asterisk of GET", line(b"GET * HTTP/1.1")),
    refused("authority of GET", line(b"GET app.test:80 HTTP/1.1")),
    refused("a relative target", line(b"GET a/b HTTP/1.1")),
    refused("a target of a query only", line(b"GET ?a HTTP/1.1")),
    refused("another scheme", line(b"GET ftp://app.test/ HTTP/1.1")),
    refused("absolute form without a host", line(b"GET http:///x HTTP/1.1")),
    refused("absolute form with a user", line(b"GET http://user@app.test/ HTTP/1.1")),
    refused("absolute form with a bad port", line(b"GET http://app.test:99999/ HTTP/1.1")),
    refused("absolute form without Host", b"GET http://app.test/ HTTP/1.1\r\n\r\n"),
    refused("brackets in the method", line(b"G[T / HTTP/1.1")),
    refused("8 bits in the method", line(b"G\xcbT / HTTP/1.1")),
    refused("a method too long", line(b"M" * 49 + b" / HTTP/1.1"), 501),
    refused("a target too long", line(b"GET /" + b"x" * 17_000 + b" HTTP/1.1"), 414),
    refused("LF for CRLF", b"GET / HTTP/1.1\n" + HOST + b"\r\n"),
    refused("CR for CRLF", b"GET / HTTP/1.1\r" + HOST + b"\r\n"),
    refused("CR before CRLF", b"GET / HTTP/1.1\r\r\n" + HOST + b"\r\n"),
    refused("CR before the line", b"\r" + get()),
    refused("LF before the line", b"\n" + get()),
    refused("too many empty lines", b"\r\n" * 9 + get()),
    refused("CONNECT", line(b"CONNECT app.test:443 HTTP/1.1"), 501),
    refused("CONNECT of a path", line(b"CONNECT / HTTP/1.1"), 501),
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepted(probe: Probe, case: Case, host: str) -> None:
    probe.run(case, host)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused(probe: Probe, case: Case) -> None:
    probe.run(case)


WHOLE = b"GET /hello HTTP/1.1\r\nHost: app.test\r\n\r\n"
PIECES = (1, 3, 4, 10, 11, 15, 19, 20, 21, 24, 26, 27, 35, 36, 37, 38)


@pytest.mark.parametrize("size", PIECES)
def test_a_request_in_two_pieces_is_waited_for(probe: Probe, size: int) -> None:
    probe.seen()
    client = probe.stage.client()
    client.send(WHOLE[:size])
    assert list(probe.seen()) == [] and not client.wait_input(0)
    client.send(WHOLE[size:])
    assert client.read_response().status == 200
    client.close()


def test_the_authority_of_a_target_replaces_host(probe: Probe) -> None:
    request = probe.forward(b"GET http://app.test:81/x HTTP/1.1\r\nHost: other.test\r\n\r\n")
    assert request.variables["HTTP_HOST"] == "app.test:81"
    assert request.variables["HTTP_X_FORWARDED_HOST"] == "app.test:81"


def test_paths_and_queries_are_told_as_they_are(probe: Probe) -> None:
    variables = probe.forward(get(target=b"/a/../%2e/b%2Fc?%20d")).variables
    assert (variables["REQUEST_URI"], variables["QUERY_STRING"]) == ("/a/../%2e/b%2Fc?%20d", "%20d")
    assert variables["PATH_INFO"] == "/a/.././b/c"
