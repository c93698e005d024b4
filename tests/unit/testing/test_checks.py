"""Tests of `blastbeat.testing.checks`: good values pass, and of others it is said what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import NodeHead, NodePong, ResponseHead
from blastbeat.interfaces import Allow, Answer, Route
from blastbeat.testing import checks

HEAD = ResponseHead(1, 200, b"OK", [])


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.check_answer, Answer(200, b"x", [(b"X-A", b"1")])),
        (checks.check_answer, Answer(401, headers=[(b"WWW-Authenticate", b"Basic")])),
        (checks.check_allow, Allow([(b"REMOTE_USER", b"\xff"), (b"JWT_sub.x", b"")])),
        (checks.check_route, Route()),
        (checks.check_route, Route(["a"], b"*", b"/app", [(b"a", b"1")], [b"b"], [(b"c", b"2")])),
        (checks.check_client_error, ClientError(413, "too large")),
        (checks.check_decision, None),
        (checks.check_verdict, Allow()),
        (checks.check_node_event, NodePong()),
        (checks.check_node_event, NodeHead(101, b"", [(b"Upgrade", b"websocket")])),
    ],
)
def test_good_values_pass(check: Callable[[Any], None], value: object) -> None:
    check(value)


@pytest.mark.parametrize(
    ("check", "value", "saying"),
    [
        (checks.check_answer, Answer(True), "no status"),
        (checks.check_answer, Answer(200, headers=[(b"X-A", "1")]), "not bytes"),  # type: ignore[list-item]
        (checks.check_answer, Answer(200, headers=[(b"X A", b"1")]), "break the head"),
        (checks.check_answer, Answer(200, headers=[[b"X", b"1"]]), "no pair"),  # type: ignore[list-item]
        (checks.check_answer, Answer(200, headers=[(b"Connection", b"close")]), "server's"),
        (checks.check_answer, Answer(200, reason="limit"), "no CloseReason"),  # type: ignore[arg-type]
        (checks.check_answer, Answer(401), "WWW-Authenticate"),
        (checks.check_allow, Allow([(b"A B", b"")]), "no name of a variable"),
        (checks.check_allow, Allow([(b"A", b"x\ny")]), "line break"),
        (checks.check_route, Route("app"), "not one text"),
        (checks.check_route, Route(target=b"/a b"), "no target"),
        (checks.check_route, Route(target="/a"), "must be bytes"),  # type: ignore[arg-type]
        (checks.check_route, Route(remove_headers=[b"X-A"]), "lower case"),
        (checks.check_client_error, ClientError(302, "there"), "no status"),
        (checks.check_client_error, ClientError(413, ""), "say why"),
        (checks.check_decision, True, "returned True"),
        (checks.check_verdict, True, "neither Allow nor Answer"),
        (checks.check_node_event, None, "no event"),
        (checks.check_node_event, NodeHead(200, b"a\r\nb", []), "breaks the head"),
        (checks.check_node_event, NodeHead(600, b"", []), "no status"),
    ],
)
def test_others_are_told(check: Callable[[Any], None], value: object, saying: str) -> None:
    with pytest.raises(AssertionError, match=saying):
        check(value)


@pytest.mark.parametrize("value", [None, -1, True, "1", float("nan"), float("inf")])
def test_what_is_no_time(value: object) -> None:
    checks.check_seconds(0.5, "it")
    with pytest.raises(AssertionError, match="it returned"):
        checks.check_seconds(value, "it")


def test_heads_that_filters_return() -> None:
    checks.check_response_head(HEAD, HEAD)
    upgraded = ResponseHead(1, 101, b"", [])
    for before, after in (
        (HEAD, upgraded),
        (upgraded, HEAD),
        (HEAD, None),
        (HEAD, ResponseHead(1, 99, b"", [])),
    ):
        with pytest.raises(AssertionError):
            checks.check_response_head(after, before)
