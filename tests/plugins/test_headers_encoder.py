"""The message type `headers`, both ways."""

from __future__ import annotations

import pytest

from blastbeat.errors import NodeError, PluginError
from blastbeat.events import NodeHead
from tests.helpers.encoders import encoder, request


def test_a_request_is_written_anew() -> None:
    headers = [
        (b"host", b"example.org"),
        (b"x-a-b", b"1"),
        (b"cookie", b"a=b"),
        (b"cookie", b"c=d"),
        (b"x", b""),
    ]
    assert encoder("headers").encode_request(request(headers, method=b"POST", version=b"1.0")) == (
        b"POST /a?b=c HTTP/1.1\r\nHost: example.org\r\nX-A-B: 1\r\nCookie: a=b\r\nCookie: c=d\r\nX: \r\n\r\n"
    )


def test_the_star_of_options_is_its_target() -> None:
    text = encoder("headers").encode_request(request(method=b"OPTIONS", target=b"*"))
    assert text.startswith(b"OPTIONS * HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("target", "script", "path_info", "shown"),
    [
        (b"/api/x?y=/api", b"/api", None, b"/x?y=/api"),
        (b"/api?", b"/api", None, b"/?"),
        (b"/api", b"/api", None, b"/"),
        (b"/apis", b"/api", None, b"/apis"),
        (b"/%61pi//x?y", b"/api", b"/x", b"/x?y"),
        (b"/api/%2e", b"/api", b"", b"/"),
        (b"/x/../a%3fb", b"", b"/a?b", b"/a%3Fb"),
    ],
)
def test_what_is_cut_off_the_path_is_cut_off_the_target(
    target: bytes, script: bytes, path_info: bytes | None, shown: bytes
) -> None:
    for raw in (False, True):
        text = encoder("headers").encode_request(
            request(target=target, script_name=script, path_info=path_info, raw_path_info=raw)
        )
        assert text.startswith(b"GET " + shown + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("evil", [b"a\r\nX: y", b"a\nX: y", b"a\rX: y", b"a\r\n\r\n"])
def test_a_filter_cannot_smuggle_a_line_break(evil: bytes) -> None:
    headers = encoder("headers")
    for changed in (request(target=b"/" + evil), request([(b"a", evil)]), request([(evil, b"b")])):
        with pytest.raises(PluginError, match="line break"):
            headers.encode_request(changed)


def test_a_response_head_is_read() -> None:
    assert encoder("headers").decode(b"HTTP/1.1 200 Ok\nA: b\n\nrest") == NodeHead(
        200, b"Ok", [(b"A", b"b")], b"rest"
    )


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", b"HTTP/1.1 200 OK\nA: b\n\n"])
def test_a_head_that_is_known_is_the_same_with_another_body(head: bytes) -> None:
    headers = encoder("headers")
    for rest in (b"", b"1", b"2\r\n\r\n3", b"\r\n\r\n", b""):
        decoded = headers.decode(head + rest)
        assert isinstance(decoded, NodeHead)
        assert (decoded.status, list(decoded.headers), decoded.body) == (200, [(b"A", b"b")], rest)


def test_a_head_within_the_body_ends_nothing() -> None:
    headers = encoder("headers")
    head = b"HTTP/1.1 200 OK\nA: b\n\n"
    for text in (b"HTTP/1.1 404 No\r\n\r\n", head + b"x\r\n\r\n", head + b"x\r\n\r\ny"):
        decoded = headers.decode(text)
        assert decoded == encoder("headers").decode(text)


@pytest.mark.parametrize("body", [b"", b"200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n"])
def test_a_malformed_response_head_is_refused(body: bytes) -> None:
    with pytest.raises(NodeError, match="malformed response head"):
        encoder("headers").decode(memoryview(body))
