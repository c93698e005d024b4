"""What events say of themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from blastbeat.events import CloseReason, ResponseHead
from blastbeat.testing import make_request
from tests.helpers.fakes import make_head


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, False), ({"content_length": 0}, False), ({"content_length": 1}, True), ({"chunked": True}, True)],
)
def test_whether_a_request_has_a_body(changes: dict[str, Any], expected: bool) -> None:
    assert make_head(**changes).has_body is expected


@pytest.mark.parametrize(("status", "expected"), [(100, True), (103, True), (199, True), (200, False)])
def test_interim_heads(status: int, expected: bool) -> None:
    assert ResponseHead(1, status, b"", []).is_interim is expected


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", b"/", b""),
        (b"/a%20b?c=d?e", b"/a%20b", b"c=d?e"),
        (b"/?", b"/", b""),
        (b"*", b"*", b""),
    ],
)
def test_path_and_query_are_left_as_they_are(target: bytes, path: bytes, query: bytes) -> None:
    request = make_request(target=target)
    assert (request.path, request.query) == (path, query)


def test_the_first_value_of_a_field() -> None:
    request = make_request(headers=[(b"a", b"1"), (b"b", b""), (b"a", b"2")])
    assert (request.header(b"a"), request.header(b"b"), request.header(b"c")) == (b"1", b"", None)


@pytest.mark.parametrize("reason", CloseReason)
def test_reasons_have_one_shape(reason: CloseReason) -> None:
    """They are words in logs, names of counters, and bodies of `end`."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.value)
    assert reason.counter == f"exchanges.{reason.value}"
