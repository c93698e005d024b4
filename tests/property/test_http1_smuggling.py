"""Request smuggling: every shape that made two servers read one connection differently, and is refused here.

Whatever is accepted must leave exactly the requests that were sent, with exactly their bodies.
"""

from __future__ import annotations

import pytest

from tests.helpers.http1 import each_byte, read_requests

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


def post(
    *fields: bytes, body: bytes = b"0\r\n\r\n", version: bytes = b"1.1", host: bytes = b"Host: a"
) -> bytes:
    lines = [b"POST / HTTP/" + version, *([host] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body + HIDDEN


def get(*fields: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    return b"\r\n".join([line, *([host] if host else []), *fields]) + b"\r\n\r\n" + HIDDEN


def chunked(body: bytes, coding: bytes = b"Transfer-Encoding: chunked") -> bytes:
    return post(coding, body=body)


TE = b"Transfer-Encoding: chunked"
CL = b"Content-Length: 5"

REFUSED: dict[str, tuple[int, bytes]] = {
    # two readings of the length
    "CL.TE": (400, post(b"Content-Length: 6", TE, body=b"0\r\n\r\nG")),
    "TE.CL": (400, post(TE, b"Content-Length: 4", body=b"5c\r\nGPOST / HTTP/1.1\r\n")),
    "length that may be octal": (400, post(b"Content-Length: 010", body=b"8 bytes!xx")),
    "CL.TE, length zero": (400, post(b"Content-Length: 0", TE)),
    "CL.TE in HTTP/1.0": (400, post(CL, TE, version=b"1.0")),
    "TE.0: chunked in HTTP/1.0": (400, post(TE, version=b"1.0")),
    "CL.CL, different": (400, post(CL, b"Content-Length: 0")),
    "CL.CL, equal": (400, post(CL, CL)),
    "CL.CL, one in another case": (400, post(CL, b"content-LENGTH: 6")),
    "CL list, equal": (400, post(b"Content-Length: 5, 5")),
    "CL list, different": (400, post(b"Content-Length: 5, 6")),
    "CL list over two fields with an empty one": (400, post(b"Content-Length:", CL)),
    "CL with plus": (400, post(b"Content-Length: +5")),
    "CL negative": (400, post(b"Content-Length: -5")),
    "CL hexadecimal": (400, post(b"Content-Length: 0x5")),
    "CL octal": (400, post(b"Content-Length: 0o5")),
    "CL float": (400, post(b"Content-Length: 5.0")),
    "CL exponent": (400, post(b"Content-Length: 5e0")),
    "CL with a space inside": (400, post(b"Content-Length: 5 0")),
    "CL with a tab inside": (400, post(b"Content-Length: 5\t0")),
    "CL empty": (400, post(b"Content-Length:")),
    "CL with an underscore": (400, post(b"Content-Length: 1_0")),
    "CL in other digits": (400, post("Content-Length: ٥".encode())),
    "CL over 64 bit": (400, post(b"Content-Length: 18446744073709551621")),
    "CL behind a vertical tab": (400, post(b"Content-Length: \x0b5")),
    "CL before a comma": (400, post(b"Content-Length: 5,")),
    # codings that one side might miss
    "TE.TE": (400, post(TE, b"Transfer-Encoding: cow")),
    "TE.TE, chunked last": (501, post(b"Transfer-Encoding: cow", TE)),
    "TE.TE, twice chunked": (400, post(TE, TE)),
    "TE list, twice chunked": (400, post(b"Transfer-Encoding: chunked, chunked")),
    "TE list, chunked not last": (400, post(b"Transfer-Encoding: chunked, gzip")),
    "TE list, chunked before identity": (400, post(b"Transfer-Encoding: chunked, identity")),
    "TE list, identity first": (501, post(b"Transfer-Encoding: identity, chunked")),
    "TE list, empty element": (400, post(b"Transfer-Encoding: ,chunked")),
    "TE list, empty end": (400, post(b"Transfer-Encoding: chunked,")),
    "TE identity": (501, post(b"Transfer-Encoding: identity")),
    "TE identity beside a length": (400, post(b"Transfer-Encoding: identity", CL)),
    "TE gzip alone": (501, post(b"Transfer-Encoding: gzip")),
    "TE xchunked": (501, post(b"Transfer-Encoding: xchunked")),
    "TE chunked with parameter": (400, post(b"Transfer-Encoding: chunked;q=1")),
    "TE chunked with semicolon": (400, post(b"Transfer-Encoding: chunked;")),
    "TE quoted": (400, post(b'Transfer-Encoding: "chunked"')),
    "TE in single quotes": (501, post(b"Transfer-Encoding: 'chunked'")),
    "TE with a vertical tab": (400, post(b"Transfer-Encoding: \x0bchunked")),
    "TE with a form feed": (400, post(b"Transfer-Encoding: \x0cchunked")),
    "TE with a NUL": (400, post(b"Transfer-Encoding: chunked\0")),
    "TE with a backspace": (400, post(b"Transfer-Encoding: \x08chunked")),
    "TE with a no-break space": (400, post(b"Transfer-Encoding: chunked\xa0")),
    "TE with a high byte": (400, post(b"Transfer-Encoding: \xffchunked")),
    "TE empty": (400, post(b"Transfer-Encoding:", b"X: chunked")),
    "TE folded": (400, post(b"Transfer-Encoding:\r\n chunked")),
    "TE folded behind another field": (400, post(b"X: y\r\n Transfer-Encoding: chunked")),
    "TE folded with a tab": (400, post(b"Transfer-Encoding:\r\n\tchunked")),
    "TE behind a CR": (400, post(b"X: y\rTransfer-Encoding: chunked")),
    "TE behind a LF": (400, post(b"X: y\nTransfer-Encoding: chunked")),
    "TE before a CR": (400, post(b"Transfer-Encoding: chunked\r")),
    # names that one side might read as another
    "space before the colon": (400, post(b"Transfer-Encoding : chunked", CL)),
    "tab before the colon": (400, post(b"Transfer-Encoding\t: chunked", CL)),
    "space before the name": (400, post(b" Transfer-Encoding: chunked", CL)),
    "NUL in the name": (400, post(b"Transfer\0-Encoding: chunked", CL)),
    "CR before the name": (400, post(b"\rTransfer-Encoding: chunked", CL)),
    "colon before the name": (400, post(b":Transfer-Encoding: chunked", CL)),
    "high byte in the name": (400, post(b"Transfer-Encoding\xff: chunked", CL)),
    "no colon at all": (400, post(b"Transfer-Encoding chunked", CL)),
    "a name of spaces": (400, post(b"  : chunked", CL)),
    "first field folded": (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n" + HIDDEN),
    "space before the first field": (400, get(b"X: y", host=b" Host: a")),
    # line ends
    "bare LF everywhere": (400, get().replace(b"\r\n", b"\n")),
    "bare LF after the request line": (400, b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    "bare LF ends the head": (400, b"GET / HTTP/1.1\r\nHost: a\r\n\nGET /hidden HTTP/1.1\r\n"),
    "LF LF ends the head": (400, b"GET / HTTP/1.1\r\nHost: a\n\nGET /hidden HTTP/1.1\r\n"),
    "CR CR ends the head": (400, b"GET / HTTP/1.1\r\nHost: a\r\rGET /hidden HTTP/1.1\r\n\r\n"),
    "CR CR LF ends a line": (400, get(b"X: y\r")),
    "bare CR in a value": (400, get(b"X: y\rz")),
    "NUL in a value": (400, get(b"X: y\0z")),
    "NUL ends the head": (400, get(b"\0")),
    "a line of a space ends the head": (400, get(b" ")),
    # chunk sizes and ends
    "chunk size with 0x": (400, chunked(b"0x1\r\nx\r\n0\r\n\r\n")),
    "chunk size with plus": (400, chunked(b"+1\r\nx\r\n0\r\n\r\n")),
    "chunk size negative": (400, chunked(b"-1\r\nx\r\n0\r\n\r\n")),
    "chunk size with a space before": (400, chunked(b" 1\r\nx\r\n0\r\n\r\n")),
    "chunk size with a space behind": (400, chunked(b"1 \r\nx\r\n0\r\n\r\n")),
    "chunk size with a tab behind": (400, chunked(b"1\t\r\nx\r\n0\r\n\r\n")),
    "chunk size with an underscore": (400, chunked(b"1_0\r\nx\r\n0\r\n\r\n")),
    "chunk size empty": (400, chunked(b"\r\nx\r\n0\r\n\r\n")),
    "chunk size only an extension": (400, chunked(b";a=b\r\nx\r\n0\r\n\r\n")),
    "chunk size beyond 64 bit": (400, chunked(b"10000000000000001\r\nx\r\n0\r\n\r\n")),
    "chunk size with many zeros": (400, chunked(b"0" * 40 + b"1\r\nx\r\n0\r\n\r\n")),
    "chunk size in other digits": (400, chunked("١\r\nx\r\n0\r\n\r\n".encode())),
    "chunk size with a NUL": (400, chunked(b"1\0\r\nx\r\n0\r\n\r\n")),
    "chunk size with a comma": (400, chunked(b"1,\r\nx\r\n0\r\n\r\n")),
    "chunk line ends in LF": (400, chunked(b"1\nx\r\n0\r\n\r\n")),
    "chunk line ends in CR": (400, chunked(b"1\rx\r\n0\r\n\r\n")),
    "chunk line ends in CR CR LF": (400, chunked(b"1\r\r\nx\r\n0\r\n\r\n")),
    "chunk ends in LF": (400, chunked(b"1\r\nx\n0\r\n\r\n")),
    "chunk ends in CR": (400, chunked(b"1\r\nx\r0\r\n\r\n")),
    "chunk ends in two other bytes": (400, chunked(b"1\r\nxXX0\r\n\r\n")),
    "chunk longer than its size": (400, chunked(b"1\r\nxyz\r\n0\r\n\r\n")),
    "chunk shorter than its size": (400, chunked(b"3\r\nx\r\n0\r\n\r\n")),
    "TERM.EXT: LF in an extension": (400, chunked(b"1;\nx\r\n0\r\n\r\n")),
    "EXT.TERM: CR in an extension": (400, chunked(b"1;a\rb\r\nx\r\n0\r\n\r\n")),
    "LF in a quoted extension": (400, chunked(b'1;a="\n"\r\nx\r\n0\r\n\r\n')),
    "extension without a name": (400, chunked(b"1;=b\r\nx\r\n0\r\n\r\n")),
    "extension after a space": (400, chunked(b"1 ;a\r\nx\r\n0\r\n\r\n")),
    "last chunk ends in LF": (400, chunked(b"0\n\r\n")),
    "empty line after the last chunk is LF": (400, chunked(b"0\r\n\n")),
    "trailer folded": (400, chunked(b"0\r\nX: y\r\n z\r\n\r\n")),
    "trailer with a space before the colon": (400, chunked(b"0\r\nX : y\r\n\r\n")),
    "trailer ends in LF": (400, chunked(b"0\r\nX: y\n\r\n")),
    "trailer without a colon": (400, chunked(b"0\r\nGET / HTTP/1.1\r\n\r\n")),
    # host
    "no host": (400, get(host=b"")),
    "two hosts": (400, get(b"Host: b")),
    "two equal hosts": (400, get(b"Host: a")),
    "two hosts in HTTP/1.0": (400, get(b"Host: b", line=b"GET / HTTP/1.0")),
    "a host with a space before the colon": (400, get(host=b"Host : a")),
    "a second host, folded": (400, get(b" Host: b")),
    "empty host": (400, get(host=b"Host:")),
    "host list": (400, get(host=b"Host: a, b")),
    "host with user": (400, get(host=b"Host: b@a")),
    "host with path": (400, get(host=b"Host: a/b")),
    "host with a backslash": (400, get(host=b"Host: a\\b")),
    "host with a bad port": (400, get(host=b"Host: a:b")),
    "host with two ports": (400, get(host=b"Host: a:80:81")),
    "host with a space": (400, get(host=b"Host: a b")),
    "host with a tab": (400, get(host=b"Host: a\tb")),
    "host with a high byte": (400, get(host=b"Host: a\xffb")),
    "host with a fragment": (400, get(host=b"Host: a#b")),
    "absolute form without Host": (400, get(line=b"GET http://a/ HTTP/1.1", host=b"")),
    "absolute form with two hosts": (400, get(b"Host: b", line=b"GET http://a/ HTTP/1.1")),
    "absolute form with user": (400, get(line=b"GET http://b@a/ HTTP/1.1")),
    "absolute form without host": (400, get(line=b"GET http:///x HTTP/1.1")),
    "absolute form with a bad port": (400, get(line=b"GET http://a:b/ HTTP/1.1")),
    "absolute form of another scheme": (400, get(line=b"GET gopher://a/ HTTP/1.1")),
    "authority form without CONNECT": (400, get(line=b"GET a:80 HTTP/1.1")),
    "asterisk without OPTIONS": (400, get(line=b"GET * HTTP/1.1")),
    "CONNECT": (501, get(line=b"CONNECT a:80 HTTP/1.1")),
    # request line
    "fragment in the target": (400, get(line=b"GET /#a HTTP/1.1")),
    "space in the target": (400, get(line=b"GET /a HTTP/1.1 HTTP/1.1")),
    "two spaces": (400, get(line=b"GET  / HTTP/1.1")),
    "tabs for spaces": (400, get(line=b"GET\t/\tHTTP/1.1")),
    "vertical tab for a space": (400, get(line=b"GET\x0b/ HTTP/1.1")),
    "space behind the version": (400, get(line=b"GET / HTTP/1.1 ")),
    "space before the method": (400, get(line=b" GET / HTTP/1.1")),
    "HTTP/0.9": (400, b"GET /\r\n" + HIDDEN),
    "HTTP/0.9, told": (505, get(line=b"GET / HTTP/0.9")),
    "HTTP/1.2": (505, get(line=b"GET / HTTP/1.2")),
    "HTTP/9.9": (505, get(line=b"GET / HTTP/9.9")),
    "HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.10": (400, get(line=b"GET / HTTP/1.10")),
    "HTTP/01.1": (400, get(line=b"GET / HTTP/01.1")),
    "http/1.1": (400, get(line=b"GET / http/1.1")),
    "no version": (400, get(line=b"GET / ")),
    "NUL in the target": (400, get(line=b"GET /\0 HTTP/1.1")),
    "DEL in the target": (400, get(line=b"GET /\x7f HTTP/1.1")),
    "raw UTF-8 in the target": (400, get(line="GET /é HTTP/1.1".encode())),
    "method with a colon": (400, get(line=b"Host: a")),
    # the rest
    "expectation": (417, get(b"Expect: 100-continue, x")),
    "expectation behind a vertical tab": (400, get(b"Expect: \x0b100-continue")),
    "handshake with POST": (400, post(b"Connection: Upgrade", b"Upgrade: websocket", KEY)),
    "handshake with a body": (400, get(b"Connection: Upgrade", b"Upgrade: websocket", KEY, CL)),
    "handshake with two keys": (400, get(b"Connection: Upgrade", b"Upgrade: websocket", KEY, KEY)),
    "handshake without a key": (400, get(b"Connection: Upgrade", b"Upgrade: websocket")),
    "handshake in HTTP/1.0": (
        400,
        get(b"Connection: Upgrade", b"Upgrade: websocket", KEY, line=b"GET / HTTP/1.0"),
    ),
    "a body of a request that declared none": (400, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n{}" + HIDDEN),
}

ACCEPTED: dict[str, tuple[bytes, bytes]] = {
    "GET": (get(), b""),
    "GET with a body": (get(b"Content-Length: 2", b"")[: -len(HIDDEN) - 2] + b"{}" + HIDDEN, b"{}"),
    "length zero": (post(b"Content-Length: 0", body=b""), b""),
    "a body that looks like a request": (post(b"Content-Length: 33", body=HIDDEN), HIDDEN),
    "a chunk that looks like a request": (chunked(b"21\r\n" + HIDDEN + b"\r\n0\r\n\r\n"), HIDDEN),
    "a chunk that looks like the last one": (chunked(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"), b"0\r\n\r\n"),
    "upper case digits": (chunked(b"A\r\n0123456789\r\n000\r\n\r\n"), b"0123456789"),
    "coding in upper case": (chunked(b"1\r\nx\r\n0\r\n\r\n", b"TRANSFER-ENCODING:\tCHUNKED "), b"x"),
    "extensions": (chunked(b'1;a;b=c;d="e;\\"\xff"\r\nx\r\n0;f\r\n\r\n'), b"x"),
    "trailers that mean nothing": (
        chunked(b"1\r\nx\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n"),
        b"x",
    ),
    "names that only resemble": (post(b"Content_Length: 9", b"Transfer_Encoding: chunked", body=b""), b""),
    "a coding that is none": (post(b"TE: chunked", b"Content-Encoding: chunked", body=b""), b""),
    "a field called like the request line": (get(b"GET: / HTTP/1.1"), b""),
    "absolute form": (get(line=b"GET http://b/ HTTP/1.1"), b""),
    "an empty line before": (b"\r\n" + get(), b""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    status, data = REFUSED[name]
    whole = read_requests([data])
    assert whole.status == status
    assert not any(request.head and b"hidden" in request.head.path for request in whole.requests)
    assert read_requests(each_byte(data)).refusal == whole.refusal
    for cut in range(1, len(data)):
        assert read_requests([data[:cut], data[cut:]]).refusal == whole.refusal


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_as_sent(name: str) -> None:
    data, body = ACCEPTED[name]
    for pieces in ([data], each_byte(data), *([data[:cut], data[cut:]] for cut in range(1, len(data)))):
        reading = read_requests(pieces)
        assert reading.refusal is None and reading.held == 0
        first, second = reading.complete
        assert first.body == body
        assert second.head is not None and second.head.path == b"/hidden"


def test_an_absolute_form_decides_the_host() -> None:
    (request,) = read_requests([get(line=b"GET http://b:81/x HTTP/1.1")[: -len(HIDDEN)]]).complete
    assert request.head is not None
    assert (request.head.authority, request.head.path) == (b"b:81", b"/x")
