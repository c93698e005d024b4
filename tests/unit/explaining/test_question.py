"""Questions: URLs as people type them, headers and clients; and what makes no sense."""

from __future__ import annotations

import pytest

from blastbeat.errors import ClientError
from blastbeat.explaining.question import BadQuestion, read_question
from blastbeat.interfaces import HttpLimits


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "target"),
    [
        ("http://shop.example/api?x=1", "shop.example", 80, "shop.example", "/api?x=1"),
        ("shop.example", "shop.example", 80, "shop.example", "/"),
        ("shop.example:8080/a", "shop.example", 8080, "shop.example:8080", "/a"),
        ("http://shop.example:/a", "shop.example", 80, "shop.example", "/a"),
        ("HTTP://Shop.Example./a", "shop.example", 80, "shop.example", "/a"),
        ("https://shop.example?x", "shop.example", 443, "shop.example", "/?x"),
        ("ws://shop.example/ws", "shop.example", 80, "shop.example", "/ws"),
        ("http://[::1]:8080/", "[::1]", 8080, "[::1]:8080", "/"),
        ("http://[0:0::1]/", "[::1]", 80, "[::1]", "/"),
        ("http://bü.example/é ü", "xn--b-eha.example", 80, "xn--b-eha.example", "/%C3%A9%20%C3%BC"),
        ("http://a.test/x/%2e%2e//\\y;z", "a.test", 80, "a.test", "/x/%2e%2e//\\y;z"),
        ("http://a.test\\x", "a.test", 80, "a.test", "/\\x"),
    ],
)
def test_urls(url: str, host: str, port: int, authority: str, target: str) -> None:
    question = read_question(url)
    assert (question.host, question.port, question.authority) == (host, port, authority)
    assert question.target == target
    head = question.read_head(HttpLimits())
    assert (head.method, head.target, head.authority) == (b"GET", target.encode(), authority.encode())


@pytest.mark.parametrize(
    ("url", "note"),
    [("a.test/x y", "the target is sent as /x%20y"), ("a.test/x#y", "#y is for the client: it is not sent")],
)
def test_what_is_taken_otherwise_is_noted(url: str, note: str) -> None:
    assert read_question(url).notes == [note]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "has no host; write http://HOST/PATH"),
        ("/admin", "'/admin' has no host; write http://HOST/admin"),
        ("http:///x", "has no host"),
        ("ftp://a.test/", "clients speak no ftp here"),
        ("http://me:secret@a.test/", "a user name is no part"),
        ("mailto:me", "'mailto:me': malformed"),
        ("http://a b/", "'a b': malformed"),
        ("http://a.test:99999/", "malformed port"),
        ("http://[::g]/", "malformed"),
        ("http://é" + "x" * 300 + "/", "no host name"),
    ],
)
def test_urls_that_make_no_sense(url: str, message: str) -> None:
    with pytest.raises(BadQuestion) as raised:
        read_question(url)
    assert message in str(raised.value)


def test_headers_method_and_client() -> None:
    question = read_question(
        "127.0.0.1:8080", "POST", ["X-A: 1", "content-length:5", "Upgrade: WebSocket"], " 2001:DB8::1 "
    )
    assert question.client == "2001:db8::1"
    head = question.read_head(HttpLimits())
    assert head.headers[1:] == [(b"x-a", b"1"), (b"content-length", b"5"), (b"upgrade", b"WebSocket")]
    assert (head.method, head.content_length, head.chunked, head.upgrade) == (b"POST", 5, False, True)


def test_a_host_header_asks_for_another_host_at_the_same_place() -> None:
    headers = ["Host: shop.example", "Transfer-Encoding: chunked"]
    question = read_question("http://127.0.0.1:8080/", headers=headers)
    assert (question.host, question.port, question.authority) == ("127.0.0.1", 8080, "shop.example")
    head = question.read_head(HttpLimits())
    assert head.chunked and head.headers[0] == (b"host", b"shop.example")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "GE T"}, "'GE T' is no method"),
        ({"method": ""}, "'' is no method"),
        ({"headers": ["X-A"]}, "'X-A' is no header; write 'Name: value'"),
        ({"headers": ["X A: 1"]}, "is no header"),
        ({"headers": ["X-A: €"]}, "only characters of Latin-1"),
        ({"client": "here"}, "'here' is no address"),
    ],
)
def test_other_words_that_make_no_sense(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(BadQuestion) as raised:
        read_question("a.test", **arguments)  # type: ignore[arg-type]
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("url", "headers", "method", "status"),
    [
        ("a.test/" + "x" * 20_000, [], "GET", 414),
        ("a.test", ["X: " + "y" * 70_000], "GET", 431),
        ("a.test", ["Transfer-Encoding: gzip"], "POST", 501),
        ("a.test", ["Content-Length: x"], "POST", 400),
        ("a.test", ["X: a\rb"], "GET", 400),
        ("a.test", [], "CONNECT", 501),
    ],
)
def test_what_the_gate_refuses(url: str, headers: list[str], method: str, status: int) -> None:
    question = read_question(url, method, headers)
    with pytest.raises(ClientError) as raised:
        question.read_head(HttpLimits())
    assert raised.value.status == status
