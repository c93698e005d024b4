"""The filter `headers`."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import ConfigError
from blastbeat.events import Headers, ResponseHead
from blastbeat.interfaces import Filter, Route
from blastbeat.plugins import headers
from blastbeat.plugins.headers import OF_REQUESTS, OF_RESPONSES
from blastbeat.testing import FilterContract, make_registered, make_request_view


def make(**options: Any) -> Any:
    return make_registered(
        headers, "filter", "headers", {name.replace("_", "-"): value for name, value in options.items()}
    )


class TestRequestHeaders(FilterContract):
    plugin = headers
    name = "headers"
    options = {"set": "X-A: 1", "remove": "Cookie", "path": "/path"}


class TestResponseHeaders(FilterContract):
    plugin = headers
    name = "headers"
    options = {"add": "X-A: 1", "response-set": ["X-B: 2"], "response-remove": "Content-Type"}


def response(subject: Any, fields: Headers, target: bytes = b"/path") -> Headers:
    view = make_request_view(target=target)
    subject.on_request(view)
    changed: ResponseHead = subject.on_response(view, ResponseHead(1, 200, b"OK", fields))
    return changed.headers


def test_of_a_request() -> None:
    route = make(set=["X-A: 1", "X-B: 2"], add={"X-C": ["3", "4"]}, remove="Cookie X-D").on_request(
        make_request_view()
    )
    assert route == Route(
        set_headers=((b"x-a", b"1"), (b"x-b", b"2")),
        add_headers=((b"x-c", b"3"), (b"x-c", b"4")),
        remove_headers=(b"cookie", b"x-d"),
    )


def test_of_a_response() -> None:
    subject = make(response_set="X-A: new", response_add="Set-Cookie: b=2", response_remove="X-Powered-By")
    fields = [(b"X-a", b"old"), (b"set-cookie", b"a=1"), (b"x-POWERED-by", b"cgi"), (b"X-A", b"older")]
    assert response(subject, fields) == [
        (b"set-cookie", b"a=1"),
        (b"X-A", b"new"),
        (b"Set-Cookie", b"b=2"),
    ]


def test_a_request_that_is_not_to_be_changed_is_not_copied() -> None:
    assert make(response_set="X-A: 1").on_request(make_request_view()) is None
    subject = make(set="X-A: 1")
    assert type(subject).on_response is Filter.on_response


def test_only_what_lies_below_the_path() -> None:
    subject = make(path="/static", set="X-A: 1", response_set="Cache-Control: max-age=60")
    assert response(subject, [], b"/static/x.css") == [(b"Cache-Control", b"max-age=60")]
    assert response(subject, [], b"/other") == []
    assert subject.on_request(make_request_view(target=b"/statics")) is None
    only = make(path="/static", set="X-A: 1")
    assert only.on_request(make_request_view(target=b"/statics")) is None
    assert only.on_request(make_request_view(target=b"/static/")) is not None


def test_the_path_is_the_one_it_saw_also_after_a_rewrite() -> None:
    subject, view = make(path="/static", response_set="X-A: 1"), make_request_view(target=b"/static/x")
    subject.on_request(view)
    view.request = make_request_view(target=b"/elsewhere").request
    assert subject.on_response(view, ResponseHead(1, 200, b"OK", [])).headers == [(b"X-A", b"1")]


@pytest.mark.parametrize("option", ["set", "add"])
@pytest.mark.parametrize("name", OF_REQUESTS)
def test_fields_of_requests_that_are_not_for_it(name: bytes, option: str) -> None:
    with pytest.raises(ConfigError, match=f"has {name.decode().title()}: "):
        make(**{option: f"{name.decode().title()}: 1"})
    with pytest.raises(ConfigError, match=f"has {name.decode()}: "):
        make(remove=name.decode())


@pytest.mark.parametrize("name", OF_RESPONSES)
def test_fields_of_responses_that_are_not_for_it(name: bytes) -> None:
    for option in ("response_set", "response_add"):
        with pytest.raises(ConfigError, match=f"has {name.decode()}: "):
            make(**{option: f"{name.decode()}: 1"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "changes nothing"),
        ({"path": "/x"}, "changes nothing"),
        ({"set": "X_A: 1"}, "underscore"),
        ({"set": "X-A"}, "Name: value"),
        ({"set": "X-A: \r\nX-B: 1"}, "printed"),
        ({"response_set": ["X-A: 1", "X A: 2"]}, "no name of a field"),
        ({"response_remove": "Date"}, "set it instead"),
        ({"response_remove": "X-A:"}, "has 'X-A:', which is no name"),
        ({"response": "X-A: 1"}, "did you mean"),
    ],
)
def test_options_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**options)
