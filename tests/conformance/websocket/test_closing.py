"""RFC 6455 §5.5.1, §7: the close handshake, and the codes and reasons in it (Autobahn's class 7)."""

from __future__ import annotations

import pytest

from tests.helpers.websocket_cases import Case, EchoServer
from tests.helpers.websocket_frames import CLOSE, CONTINUATION, PING, TEXT, close, frame

CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999]
BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]

ENDINGS = [
    Case("empty", close(None), (), 1005),
    Case("a message before it", frame(TEXT, b"x") + frame(PING), ((10, b""), (TEXT, b"x"))),
    Case("a ping behind it", close() + frame(PING), (), 1000),
    Case("a message behind it", close() + frame(TEXT, b"x"), (), 1000),
    Case("a second one", close(1000) + close(1001), (), 1000),
    Case("nonsense behind it", close() + b"\xff" * 100, (), 1000),
    Case(
        "within a message",
        frame(TEXT, b"a", fin=False) + close() + frame(CONTINUATION, b"b"),
        (),
        1000,
    ),
    Case("one byte", frame(CLOSE, b"a"), (), 1002),
    Case("the longest reason", close(1000, "*" * 123), (), 1000),
    Case("a reason too long", frame(CLOSE, b"\x03\xe8" + b"*" * 124), (), 1002),
    Case("a reason in UTF-8", close(1000, "κόσμε"), (), 1000),
    Case("a reason that is none", close(1000, b"\xce\xba\xed\xa0\x80"), (), 1007),
    Case("half a character at its end", close(1000, b"\xce"), (), 1007),
]


@pytest.mark.parametrize("case", ENDINGS, ids=str)
def test_endings(server: EchoServer, case: Case) -> None:
    if case.name == "a message before it":  # its echo may come before or behind the pong
        client = server.client()
        client.send(case.sent)
        assert {(got.opcode, got.payload) for got in (client.read(), client.read())} == set(case.answers)
        client.finish()
        return
    server.run(case)
    server.run(case, 1)


@pytest.mark.parametrize("code", CODES)
def test_codes_come_back(server: EchoServer, code: int) -> None:
    server.run(Case("bare", close(code), (), code))
    server.run(Case("with a reason", close(code, "because"), (), code))


@pytest.mark.parametrize("code", BAD_CODES)
def test_codes_that_are_none(server: EchoServer, code: int) -> None:
    server.run(Case("bare", close(code), (), 1002))
    server.run(Case("with a reason", close(code, "because"), (), 1002))


def test_the_node_hears_code_and_reason(server: EchoServer) -> None:
    client = server.client()
    client.send_text("are you there?")
    client.expect_text("are you there?")
    client.finish(4321, "so long")
    sid = server.node.opened[-1]
    assert server.node.wait_ended(sid) == b"4321 so long"
