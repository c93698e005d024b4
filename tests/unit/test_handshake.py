"""The WebSocket handshake's fields."""

from __future__ import annotations

import pytest

from blastbeat.handshake import (
    accept_value,
    choose_protocol,
    format_switch,
    is_origin_allowed,
    offered_protocols,
    speaks_our_version,
)


def test_the_example_of_the_rfc() -> None:
    assert accept_value(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("values", "is_ours"),
    [([b"13"], True), ([], False), ([b"8"], False), ([b"13", b"8"], False), ([b"13, 8"], False)],
)
def test_versions(values: list[bytes], is_ours: bool) -> None:
    assert speaks_our_version([(b"sec-websocket-version", value) for value in values]) is is_ours


def test_protocols_are_chosen_in_our_order_and_compared_as_written() -> None:
    offered = offered_protocols([(b"sec-websocket-protocol", b"Chat, b"), (b"sec-websocket-protocol", b"a")])
    assert offered == [b"Chat", b"b", b"a"]
    assert choose_protocol([b"chat", b"a", b"b"], offered) == b"a"
    assert choose_protocol([b"chat"], offered) == choose_protocol([], offered) == b""


ORIGINS = [
    ([], b"https://evil.test", True),
    ([b"*"], b"null", True),
    ([b"same"], None, True),
    ([b"same"], b"https://example.org", True),
    ([b"same"], b"http://EXAMPLE.org:80", True),
    ([b"same"], b"http://example.org:8080", False),
    ([b"same"], b"null", False),
    ([b"same"], b"https://evil.test", False),
    ([b"https://app.test"], b"https://app.test", True),
    ([b"https://app.test"], b"http://app.test", False),
    ([b"https://*.app.test"], b"https://a.app.test", True),
    ([b"https://*.app.test"], b"https://.app.test", False),
    ([b"https://*.app.test"], b"https://app.test.evil", False),
    ([b"same", b"https://app.test"], b"https://app.test", True),
]


@pytest.mark.parametrize(("allowed", "origin", "is_allowed"), ORIGINS)
def test_origins(allowed: list[bytes], origin: bytes | None, is_allowed: bool) -> None:
    headers = [(b"origin", origin)] if origin is not None else []
    assert is_origin_allowed(headers, b"example.org", b"http", allowed) is is_allowed


def test_the_head_that_accepts() -> None:
    head = format_switch(
        b"dGhlIHNhbXBsZSBub25jZQ==",
        b"permessage-deflate",
        [(b"X-A", b"1"), (b"Upgrade", b"h2c"), (b"Content-Length", b"5"), (b"server", b"mine")],
        b"now",
    )
    assert head == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        b"X-A: 1\r\nserver: mine\r\nDate: now\r\n\r\n"
    )
