"""TRACE, and how far TRACE and OPTIONS go."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import ClientError
from blastbeat.max_forwards import check_method
from tests.helpers.encoders import request as make_request

TRACE = {"method": b"TRACE"}


def test_trace_is_refused_unless_it_is_wanted() -> None:
    with pytest.raises(ClientError) as caught:
        check_method(make_request(method=b"TRACE"), may_trace=False)
    assert caught.value.status == 405
    assert check_method(make_request(method=b"TRACE"), may_trace=True) is None


@pytest.mark.parametrize("changes", [{"content_length": 1}, {"chunked": True}])
def test_trace_has_no_body(changes: Any) -> None:
    with pytest.raises(ClientError) as caught:
        check_method(make_request(method=b"TRACE", **changes), may_trace=True)
    assert caught.value.status == 400


@pytest.mark.parametrize("method", [b"TRACE", b"OPTIONS"])
def test_one_hop_less(method: bytes) -> None:
    request = make_request(method=method, headers=[(b"a", b"1"), (b"max-forwards", b"10")])
    assert check_method(request, may_trace=True) is None
    assert request.headers == [(b"a", b"1"), (b"max-forwards", b"9")]


@pytest.mark.parametrize("value", [b"", b"-1", b"1.5", b"x", b"1" * 10])
def test_what_is_no_number(value: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        check_method(make_request(method=b"OPTIONS", headers=[(b"max-forwards", value)]), may_trace=False)
    assert caught.value.status == 400


def test_a_trace_that_ends_here_shows_what_came_but_no_secret() -> None:
    headers = [(b"host", b"a"), (b"cookie", b"s"), (b"authorization", b"s"), (b"max-forwards", b"0")]
    answer = check_method(make_request(method=b"TRACE", target=b"/x?y", headers=headers), may_trace=True)
    assert answer is not None and answer.status == 200
    assert answer.body == b"TRACE /x?y HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n"


def test_an_options_that_ends_here() -> None:
    answer = check_method(make_request(method=b"OPTIONS", headers=[(b"max-forwards", b"0")]), may_trace=False)
    assert answer is not None and answer.status == 204 and answer.headers[0][0] == b"Allow"
