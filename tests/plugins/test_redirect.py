"""The filter `redirect`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import ConfigError
from blastbeat.events import CloseReason
from blastbeat.headers import is_field
from blastbeat.interfaces import Answer
from blastbeat.plugins import redirect
from blastbeat.testing import FilterContract, make_registered, make_request_view


def make(**options: Any) -> Any:
    return make_registered(redirect, "filter", "redirect", options)


class TestRedirect(FilterContract):
    plugin = redirect
    name = "redirect"
    options = {"to": "https://shop.example{path}", "status": "301", "path": "/old"}


class TestRedirectOfEverything(FilterContract):
    plugin = redirect
    name = "redirect"
    options = {"to": "{scheme}://{host}/x{rest}?u={uri}"}


def location(options: dict[str, Any], target: bytes, host: bytes = b"example.org", **changes: Any) -> str:
    view = make_request_view(target=target, headers=[(b"host", host)], **changes)
    answer = make(**options).on_request(view)
    if answer is None:
        return "passed"
    assert isinstance(answer, Answer)
    found = dict(answer.headers)[b"Location"]
    assert is_field(b"Location", found) and b" " not in found
    return found.decode()


@pytest.mark.parametrize(
    ("to", "target", "expected"),
    [
        ("https://shop.example{path}", b"/a/b?c=d", "https://shop.example/a/b?c=d"),
        ("https://shop.example{uri}", b"/a?c", "https://shop.example/a?c"),
        ("https://{host}{uri}", b"/a", "https://example.org/a"),
        ("{scheme}://www.{host}{path}", b"/", "http://www.example.org/"),
        ("https://x.example/?{query}", b"/a?c=d", "https://x.example/?c=d"),
        ("https://x.example/?{query}", b"/a", "https://x.example/"),
        ("https://x.example/#top", b"/a?c=d", "https://x.example/?c=d#top"),
        ("/new", b"/a?c=d", "/new?c=d"),
        ("/new?e=f", b"/a?c=d", "/new?e=f&c=d"),
        ("/login?next={uri}", b"/a?c=d&e", "/login?next=/a%3Fc%3Dd%26e"),
        ("/new{rest}", b"/a//%62/../c;x", "/new/a/c"),
        ("/new{path}", b"/a//%62/../c;x", "/new/a//%62/../c;x"),
        ("https://x.example{path}", b"*", "https://x.example/"),
    ],
)
def test_where_it_leads(to: str, target: bytes, expected: str) -> None:
    assert location({"to": to}, target) == expected


@pytest.mark.parametrize("target", [b"//evil.example", b"/\\evil.example", b"///evil/x", b"//evil/%2f"])
@pytest.mark.parametrize("to", ["{path}", "{uri}", "/{rest}", "{rest}"])
def test_a_path_never_becomes_another_host(to: str, target: bytes) -> None:
    found = location({"to": to}, target)
    assert found == "passed" or (found.startswith("/") and not found.startswith(("//", "/\\")))


def test_a_host_is_never_lengthened_by_a_client() -> None:
    assert location({"to": "https://shop.example{rest}", "path": "/a"}, b"/a") == "https://shop.example"
    assert location({"to": "https://shop.example{path}"}, b"//evil") == "https://shop.example//evil"


@given(st.binary(min_size=0, max_size=40), st.sampled_from(["https://a.test{uri}", "{path}", "/x?y={uri}"]))
def test_whatever_a_client_sends_stays_in_one_field(target: bytes, to: str) -> None:
    location({"to": to}, b"/" + target)


def test_the_query_can_be_dropped() -> None:
    assert location({"to": "/new", "query": "drop"}, b"/a?c=d") == "/new"


def test_only_what_lies_below_the_path() -> None:
    options = {"to": "/new{rest}", "path": "/old"}
    assert location(options, b"/old/x") == "/new/x"
    assert location(options, b"/x/../old") == "/new"
    assert location(options, b"/older") == "passed"


@pytest.mark.parametrize(
    ("to", "target", "changes"),
    [
        ("/login", b"/login", {}),
        ("https://{host}{uri}", b"/a?b", {"scheme": b"https"}),
        ("http://example.org{uri}", b"/a", {}),
        ("http://EXAMPLE.org:80{uri}", b"/a", {}),
        ("{uri}", b"/a", {}),
    ],
)
def test_who_is_there_already_passes(to: str, target: bytes, changes: dict[str, Any]) -> None:
    assert location({"to": to}, target, **changes) == "passed"


def test_the_port_is_no_part_of_the_host() -> None:
    assert location({"to": "https://{host}/"}, b"/", b"example.org:8080") == "https://example.org/"
    assert location({"to": "https://{host}/"}, b"/", b"[::1]:8080") == "https://[::1]/"


def test_status_and_logs() -> None:
    answer = make(to="/new", status=308).on_request(make_request_view())
    assert (answer.status, answer.reason, answer.detail) == (308, CloseReason.COMPLETE, "redirect")
    assert make(to="/new").on_request(make_request_view()).status == 302


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs `to`"),
        ({"to": "shop.example"}, "neither a URL nor a path"),
        ({"to": "//shop.example"}, "neither a URL nor a path"),
        ({"to": "javascript:alert(1)"}, "neither a URL nor a path"),
        ({"to": "https://"}, "no usable host"),
        ({"to": "https://{path}"}, "no usable host"),
        ({"to": "https://shop.example{scheme}"}, "no usable host"),
        ({"to": "https://shop.example{query}"}, "without a"),
        ({"to": "https://user@shop.example/"}, "no usable host"),
        ({"to": "/{uril}"}, "known: {scheme} {host}"),
        ({"to": "/new", "status": "200"}, "one of 301, 302"),
        ({"to": "/new", "path": "old"}, "not a path"),
        ({"to": "/new", "query": "lose"}, "one of keep, drop"),
    ],
)
def test_options_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("{", r"\{")):
        make(**options)
