"""What is remembered, for how long, and that no request can be taken for another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import Headers
from blastbeat.testing import make_request
from blastbeat_forward_auth.cache import Cache, key_parts
from blastbeat_forward_auth.questions import Reply

ALL = key_parts("method,host,uri,client,cookie,authorization")


def key(headers: Headers, parts: tuple[str, ...] = ALL, **changes: object) -> bytes:
    return Cache(60, parts, 10).key(make_request(headers=headers, **changes))


def test_all_that_it_depends_on_makes_another_key() -> None:
    usual: Headers = [(b"host", b"a"), (b"cookie", b"b")]
    keys = [
        key(usual),
        key(usual, method=b"POST"),
        key(usual, target=b"/other"),
        key(usual, scheme=b"https"),
        key(usual, remote_addr=b"192.0.2.2"),
        key(usual, virtualhost="other"),
        key([(b"host", b"b"), (b"cookie", b"b")]),
        key([(b"host", b"a")]),
        key([(b"host", b"a"), (b"cookie", b"")]),
        key([(b"host", b"a"), (b"cookie", b"b"), (b"cookie", b"")]),
        key([(b"host", b"a"), (b"authorization", b"b")]),
        key([(b"host", b"a"), (b"cookie", b"b\n1\n1\nc")]),
    ]
    assert len(set(keys)) == len(keys)
    assert key([*usual, (b"x-other", b"1")]) == keys[0]
    assert key([], ("path",), target=b"/path?other") == key([], ("path",))


FIELDS = st.lists(
    st.tuples(st.sampled_from([b"cookie", b"authorization"]), st.binary(max_size=8)), max_size=4
)


@given(FIELDS, FIELDS)
def test_no_two_requests_that_differ_meet(one: Headers, other: Headers) -> None:
    def seen(fields: Headers) -> list[list[bytes]]:
        return [[value for name, value in fields if name == part] for part in (b"cookie", b"authorization")]

    assert (key(one) == key(other)) == (seen(one) == seen(other))


def kept(*headers: tuple[bytes, bytes], status: int = 200) -> float:
    """Seconds for which it is found."""
    cache = Cache(60, ("cookie",), 10)
    cache.keep(b"k", Reply(status, list(headers)), 1000)
    return next((seconds for seconds in range(120) if cache.find(b"k", 1000 + seconds) is None), 0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], 60),
        ([(b"cache-control", b"max-age=5")], 5),
        ([(b"cache-control", b"private, s-maxage=7"), (b"cache-control", b"max-age=99")], 7),
        ([(b"cache-control", b"max-age=3600")], 60),
        ([(b"cache-control", b"max-age=0")], 0),
        ([(b"cache-control", b"No-Store")], 0),
        ([(b"cache-control", b'no-cache="x"')], 0),
        ([(b"set-cookie", b"a=1")], 0),
        ([(b"vary", b"Cookie")], 60),
        ([(b"vary", b"cookie, origin")], 0),
        ([(b"vary", b"*")], 0),
    ],
)
def test_how_long_it_is_kept(headers: Headers, seconds: float) -> None:
    assert kept(*headers) == seconds


@pytest.mark.parametrize("status", [302, 401, 403, 404, 500, 503])
def test_refusals_are_not_kept(status: int) -> None:
    assert kept(status=status) == 0


def test_what_is_kept_is_taken_back_when_it_is_not_said_again() -> None:
    cache = Cache(60, ("cookie",), 10)
    cache.keep(b"k", Reply(200, []), 0)
    cache.keep(b"k", Reply(200, [(b"cache-control", b"no-store")]), 1)
    assert cache.find(b"k", 2) is None


def test_it_is_bounded_and_holds_no_body() -> None:
    cache = Cache(60, ("cookie",), 3)
    for number in range(10):
        cache.keep(b"%d" % number, Reply(200, [], b"x" * 1000), number)
    assert len(cache) == 3 and cache.find(b"6", 10) is None
    newest = cache.find(b"9", 10)
    assert newest is not None and newest.body == b""
    assert cache.find(b"9", 69) is None and len(cache) == 2
