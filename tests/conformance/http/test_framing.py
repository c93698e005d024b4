"""RFC 9112 §6 and §7, RFC 9110 §8.6: where a request body ends, and everything that two readers would read
differently."""

from __future__ import annotations

import pytest

from tests.helpers.cases import Case, get, post, refused
from tests.helpers.probe import HOSTS, Probe

CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"
OK = b"5\r\nhello\r\n0\r\n\r\n"


def body(name: str, sent: bytes, expected: bytes = b"hello") -> Case:
    return Case(name, sent, seen=(f"{sent.split(b' ')[0].decode()} /",), bodies=(expected,))


ACCEPTED = [
    body("a length", post(b"Content-Length: 5\r\n", b"hello")),
    body("a length in white space", post(b"Content-Length: \t 5 \t\r\n", b"hello")),
    body("a length of zero", post(b"Content-Length: 0\r\n"), b""),
    body("neither length nor coding", post(b""), b""),
    body("a body of GET", get(b"Content-Length: 5\r\n") + b"hello"),
    body("a body of OPTIONS", b"OPTIONS" + post(b"Content-Length: 5\r\n", b"hello")[4:]),
    body(
        "a body like a request",
        post(b"Content-Length: 18\r\n", b"GET / HTTP/1.1\r\n\r\n"),
        b"GET / HTTP/1.1\r\n\r\n",
    ),
    body("chunked", post(CHUNKED, OK)),
    body("chunked in capitals", post(b"TRANSFER-ENCODING: CHUNKED\r\n", OK)),
    body("chunked in white space", post(b"Transfer-Encoding:\t chunked \r\n", OK)),
    body("a chunked body of GET", get(CHUNKED) + OK),
    body("several chunks", post(CHUNKED, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")),
    body("no chunk but the last", post(CHUNKED, LAST), b""),
    body("sizes in capitals", post(CHUNKED, b"A\r\n0123456789\r\n0\r\n\r\n"), b"0123456789"),
    body("sizes with zeros before", post(CHUNKED, b"0005\r\nhello\r\n000\r\n\r\n")),
    body("an extension", post(CHUNKED, b"5;a\r\nhello\r\n0;b=c\r\n\r\n")),
    body("a quoted extension", post(CHUNKED, b'5;a="b;\\"c"\r\nhello\r\n0\r\n\r\n')),
    body("line ends in a chunk", post(CHUNKED, b"5\r\n\r\n0\r\n\r\n0\r\n\r\n"), b"\r\n0\r\n"),
    body("trailers", post(CHUNKED, b"5\r\nhello\r\n0\r\nX-A: b\r\nX-B:\r\n\r\n")),
    body("a length in the trailers", post(CHUNKED, b"0\r\nContent-Length: 5\r\n\r\n"), b""),
    body("a coding in the trailers", post(CHUNKED, b"0\r\nTransfer-Encoding: chunked\r\n\r\n"), b""),
    body("Host in the trailers", post(CHUNKED, b"0\r\nHost: other.test\r\n\r\n"), b""),
]

LENGTHS = {
    "empty": b"",
    "a plus": b"+5",
    "a minus": b"-5",
    "minus zero": b"-0",
    "zeros before": b"0005",
    "two zeros": b"00",
    "hexadecimal": b"0x5",
    "octal": b"0o5",
    "letters": b"abc",
    "a letter behind": b"5x",
    "a point": b"5.0",
    "an exponent": b"5e0",
    "an underscore": b"1_0",
    "a space within": b"5 0",
    "a quoted number": b'"5"',
    "two in a list": b"5, 5",
    "two different in a list": b"5, 6",
    "a comma behind": b"5,",
    "digits of another script": "\u0665".encode(),
    "larger than 64 bits": b"18446744073709551621",
    "endless": b"9" * 400,
}
CODINGS = {
    "empty": (b"", 400),
    "chunked with a parameter": (b"chunked;a=b", 400),
    "chunked twice": (b"chunked, chunked", 400),
    "chunked not last": (b"chunked, gzip", 400),
    "identity last": (b"chunked, identity", 400),
    "a vertical tab": (b"\x0bchunked", 400),
    "a form feed": (b"chunked\x0c", 400),
    "NUL": (b"chunked\0", 400),
    "a comma before": (b", chunked", 400),
    "a comma behind": (b"chunked,", 400),
    "two words": (b"chunked x", 400),
    "quoted": (b'"chunked"', 400),
    "8 bits": (b"chunked\xe9", 400),
    "identity": (b"identity", 501),
    "gzip": (b"gzip", 501),
    "gzip and chunked": (b"gzip, chunked", 501),
    "a name like chunked": (b"xchunked", 501),
    "another name like chunked": (b"chunkedx", 501),
}
HEADS = [
    *(refused(f"length: {name}", post(b"Content-Length: %b\r\n" % text)) for name, text in LENGTHS.items()),
    *(
        refused(f"coding: {name}", post(b"Transfer-Encoding: %b\r\n" % text, LAST), status)
        for name, (text, status) in CODINGS.items()
    ),
    *(
        refused(
            f"length beside: {name}", post(b"Content-Length: 5\r\nTransfer-Encoding: %b\r\n" % text, LAST)
        )
        for name, (text, _) in CODINGS.items()
    ),
    refused("two lengths", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
    refused("two different lengths", post(b"Content-Length: 5\r\nContent-Length: 0\r\n", b"hello")),
    refused("length, then coding", post(b"Content-Length: 5\r\n" + CHUNKED, LAST)),
    refused("coding, then length", post(CHUNKED + b"Content-Length: 5\r\n", LAST)),
    refused("two codings in two fields", post(CHUNKED + CHUNKED, LAST)),
    refused("identity in a second field", post(CHUNKED + b"Transfer-Encoding: identity\r\n", LAST)),
    refused("a folded coding", post(b"Transfer-Encoding:\r\n chunked\r\n", LAST)),
    refused("a folded length", post(b"Content-Length:\r\n 5\r\n", b"hello")),
    refused("a space before a coding's colon", post(b"Transfer-Encoding : chunked\r\n", LAST)),
    refused("a space before a length's colon", post(b"Content-Length : 5\r\n", b"hello")),
    refused("a coding behind LF", post(b"X-A: b\nTransfer-Encoding: chunked\r\n", LAST)),
    refused("a coding behind CR", post(b"X-A: b\rTransfer-Encoding: chunked\r\n", LAST)),
    refused("chunked in HTTP/1.0", post(CHUNKED, LAST).replace(b"HTTP/1.1", b"HTTP/1.0")),
]
CHUNKS = {
    "no size": b"\r\nhello\r\n",
    "a plus": b"+5\r\nhello\r\n",
    "a minus": b"-5\r\nhello\r\n",
    "0x": b"0x5\r\nhello\r\n",
    "an underscore": b"0_5\r\nhello\r\n",
    "a space before": b" 5\r\nhello\r\n",
    "a space behind": b"5 \r\nhello\r\n",
    "a tab behind": b"5\t\r\nhello\r\n",
    "letters": b"xyz\r\nhello\r\n",
    "larger than 64 bits": b"10000000000000005\r\nhello\r\n",
    "endless": b"0" * 2000,
    "a comma": b"5,a\r\nhello\r\n",
    "an extension without a name": b"5;\r\nhello\r\n",
    "white space in an extension": b"5 ; a\r\nhello\r\n",
    "NUL in an extension": b"5;a\0b\r\nhello\r\n",
    "CR in an extension": b"5;a\rb\r\nhello\r\n",
    "LF in an extension": b"5;a\nb\r\nhello\r\n",
    "an extension too long": b"5;" + b"a" * 70_000 + b"\r\nhello\r\n",
    "an open quote": b'5;a="b\r\nhello\r\n',
    "LF behind the size": b"5\nhello\r\n",
    "CR behind the size": b"5\rhello\r\n",
    "LF behind the data": b"5\r\nhello\n",
    "CR behind the data": b"5\r\nhello\rX",
    "nothing behind the data": b"5\r\nhello0\r\n\r\n",
    "more data than said": b"5\r\nhello!!\r\n",
    "a trailer without a colon": b"0\r\nX-A\r\n\r\n",
    "a space before a trailer's colon": b"0\r\nX-A : b\r\n\r\n",
    "a folded trailer": b"0\r\nX-A: b\r\n c\r\n\r\n",
    "LF behind a trailer": b"0\r\nX-A: b\n\r\n",
    "LF for the empty line": b"0\r\n\n",
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepted(probe: Probe, case: Case, host: str) -> None:
    probe.run(case, host)


@pytest.mark.parametrize("case", HEADS, ids=str)
def test_refused_heads(probe: Probe, case: Case) -> None:
    probe.run(case)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", CHUNKS)
def test_refused_chunks(probe: Probe, name: str, host: str) -> None:
    """The node has the head already, or not yet; it never hears that the body was whole."""
    client = probe.stage.client()
    client.send(post(CHUNKED, CHUNKS[name]).replace(b"app.test", host.encode()) + LAST)
    response = client.read_response()
    assert (response.status, response["Connection"]) == (400, "close")
    client.expect_eof()
    heads = probe.seen(host)
    assert len(heads) <= 1 and not any(
        each.is_whole or bytes(each.body) not in (b"", b"hello") for each in heads
    )


@pytest.mark.parametrize("sent", [post(b"Content-Length: 9\r\n", b"hello"), post(CHUNKED, b"5\r\nhello\r\n")])
def test_a_body_that_ends_early_is_never_whole(probe: Probe, sent: bytes) -> None:
    client = probe.stage.client()
    client.send(sent)
    client.half_close()
    client.expect_eof()
    assert [each.is_whole for each in probe.seen()] == [False]


def test_trailers_are_dropped(probe: Probe) -> None:
    request = probe.forward(post(CHUNKED, b"0\r\nX-Late: b\r\nAuthorization: c\r\n\r\n"))
    assert not {"HTTP_X_LATE", "HTTP_AUTHORIZATION"} & set(request.variables)
