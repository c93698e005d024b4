"""The authenticator: contract, what goes where, what a service can and cannot make it do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import httpx
import pytest

from blastbeat.errors import ConfigError
from blastbeat.interfaces import Allow, Answer, RequestAuthenticator, RequestView
from blastbeat.testing import FakeClock, RequestAuthenticatorContract, make_request_view
from blastbeat_forward_auth.authenticator import NOTE, ForwardAuthenticator, Policy
from blastbeat_forward_auth.cache import Cache
from forward_auth_case import Mock, Said, make, mocked


def by_cookie(request: httpx.Request) -> Said:
    if request.headers.get("cookie") == "sid=anna":
        return 200, [("X-User", "anna"), ("X-Groups", "a"), ("X-Groups", "b"), ("X-Secret", "s")], b"hello"
    return (
        302,
        [("Location", "https://login.test/?rd=1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
        b"go",
    )


class TestContract(RequestAuthenticatorContract):
    allowed: Sequence[RequestView] = (
        make_request_view(headers=[(b"cookie", b"sid=anna")]),
        make_request_view(headers=[(b"cookie", b"sid=anna")], upgrade=True),
    )
    denied: Sequence[RequestView] = (
        make_request_view(),
        make_request_view(headers=[(b"cookie", b"sid=bert")]),
    )

    def new_authenticator(self) -> RequestAuthenticator:
        return mocked(Mock(by_cookie))


def judge(authenticator: ForwardAuthenticator, view: RequestView) -> Allow | Answer:
    return anyio.run(authenticator.authenticate, view)


def anna(**changes: Any) -> RequestView:
    return make_request_view(headers=[(b"cookie", b"sid=anna"), (b"x-user", b"root")], **changes)


def test_the_node_gets_what_was_named_and_nothing_else() -> None:
    policy = Policy(response_headers=(b"x-groups", b"x-mail"), user_header=b"x-user")
    verdict = judge(mocked(Mock(by_cookie), policy), anna())
    assert isinstance(verdict, Allow)
    assert list(verdict.variables) == [(b"REMOTE_USER", b"anna")]
    assert list(verdict.headers) == [(b"x-groups", b"a"), (b"x-groups", b"b")]
    assert set(verdict.remove_headers) == {b"x-groups", b"x-mail", b"x-user"}


def test_a_consent_without_a_user_is_one_without_a_user() -> None:
    policy = Policy(response_headers=(b"x-user",), user_header=b"x-user", keeps_authorization=False)
    for said in ((200, [], b""), (204, [("X-User", "")], b"")):
        verdict = judge(mocked(Mock(lambda _, said=said: said), policy), anna())  # type: ignore[misc]
        assert isinstance(verdict, Allow) and not verdict.variables
        assert set(verdict.remove_headers) == {b"x-user", b"authorization"}


def test_two_users_are_none() -> None:
    policy = Policy(user_header=b"x-user")
    verdict = judge(mocked(Mock(lambda _: (200, [("X-User", "a"), ("X-User", "b")], b"")), policy), anna())
    assert isinstance(verdict, Answer) and verdict.status == 503


def test_a_refusal_is_the_clients() -> None:
    verdict = judge(mocked(Mock(by_cookie)), make_request_view())
    assert isinstance(verdict, Answer)
    assert (verdict.status, verdict.body) == (302, b"go")
    assert list(verdict.headers) == [
        (b"location", b"https://login.test/?rd=1"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]


def test_fields_about_the_connection_stay_there() -> None:
    fields = [
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Keep-Alive", "5"),
        ("Content-Length", "7"),
        ("Upgrade", "h2c"),
        ("WWW-Authenticate", "Basic"),
    ]
    verdict = judge(mocked(Mock(lambda _: (401, fields, b"no"))), make_request_view())
    assert isinstance(verdict, Answer) and list(verdict.headers) == [(b"www-authenticate", b"Basic")]


@pytest.mark.parametrize("status", [100, 101, 199, 600, 999])
def test_a_status_that_is_no_answer(status: int) -> None:
    verdict = judge(mocked(Mock(lambda _: (status, [], b""))), make_request_view())
    assert isinstance(verdict, Answer) and verdict.status == 503


def test_what_the_service_is_told() -> None:
    mock = Mock(by_cookie)
    view = make_request_view(
        method=b"POST",
        target=b"/p?q=\xff",
        scheme=b"https",
        remote_addr=b"192.0.2.9",
        content_length=5,
        headers=[
            (b"host", b"shop.test:8080"),
            (b"cookie", b"sid=anna"),
            (b"x-forwarded-uri", b"/public"),
            (b"x-forwarded-method", b"GET"),
            (b"x-forwarded-host", b"evil.test"),
            (b"x-forwarded-for", b"127.0.0.1"),
            (b"x-original-url", b"/public"),
            (b"content-length", b"5"),
            (b"if-none-match", b'"x"'),
            (b"range", b"bytes=0-1"),
            (b"user-agent", b"curl"),
        ],
    )
    judge(mocked(mock), view)
    (asked,) = mock.asked
    assert (asked.method, str(asked.url)) == ("GET", "http://auth.test/verify?x=1")
    assert [(name.lower(), value) for name, value in asked.headers.raw] == [
        (b"host", b"auth.test"),
        (b"cookie", b"sid=anna"),
        (b"user-agent", b"curl"),
        (b"x-forwarded-method", b"POST"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"shop.test:8080"),
        (b"x-forwarded-uri", b"/p?q=\xff"),
        (b"x-forwarded-for", b"192.0.2.9"),
    ]


def test_only_fields_that_were_named_are_shown() -> None:
    mock = Mock(by_cookie)
    judge(mocked(mock, Policy(request_headers=frozenset({b"cookie"}))), anna())
    assert {name.lower() for name, _ in mock.asked[0].headers.raw} == {
        b"host",
        b"cookie",
        *(b"x-forwarded-" + end for end in (b"method", b"proto", b"host", b"uri", b"for")),
    }


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.LocalProtocolError("bad"), httpx.ConnectTimeout("late")]
)
def test_without_the_service_nobody_gets_in(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: httpx.Request) -> Said:
        raise error

    authenticator, clock = mocked(Mock(fail)), FakeClock()
    for _ in range(5):
        view = make_request_view()
        view.now = clock
        verdict = judge(authenticator, view)
        assert isinstance(verdict, Answer) and verdict.status == 503
        assert dict(verdict.headers) == {b"Retry-After": b"5"}
    assert len(caplog.records) == 1 and "nobody is let in" in caplog.text
    clock.advance(10)
    view = make_request_view()
    view.now = clock
    judge(authenticator, view)
    assert "4 more requests" in caplog.text and len(caplog.records) == 2


def test_what_the_operator_asked_for_twice_is_remembered_once() -> None:
    mock, clock, counted = Mock(by_cookie), FakeClock(), list[str]()
    policy = Policy(response_headers=(b"x-groups",), user_header=b"x-user")
    authenticator = mocked(mock, policy, Cache(60, ("cookie", "uri"), 100))

    def ask(view: RequestView) -> Allow | Answer:
        view.now, view.count = clock, counted.append
        return judge(authenticator, view)

    first = ask(anna())
    assert isinstance(first, Allow) and ask(anna()) == first and len(mock.asked) == 1
    assert isinstance(ask(anna(target=b"/other")), Allow) and len(mock.asked) == 2
    for _ in range(2):
        assert isinstance(ask(make_request_view()), Answer)
    assert len(mock.asked) == 4, "refusals are not remembered"
    clock.advance(60)
    assert ask(anna()) == first and len(mock.asked) == 5
    assert counted.count("forward-auth.asked") == 5 and counted.count("forward-auth.remembered") == 1
    assert counted.count("forward-auth.refused") == 2


def test_cookies_of_a_consent_are_put_aside() -> None:
    view = make_request_view()
    judge(mocked(Mock(lambda _: (200, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b""))), view)
    assert view.notes[NOTE] == [b"a=1", b"b=2"]


def test_it_is_closed_with_its_transport() -> None:
    mock = Mock(by_cookie)
    anyio.run(mocked(mock).aclose)
    assert mock.is_closed


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "say url=http://HOST:PORT/PATH"),
        ({"url": "auth.test"}, "is no URL of a service"),
        ({"url": "ftp://auth.test/"}, "is no URL of a service"),
        ({"url": "http://user:pass@auth.test/"}, "is no URL of a service"),
        ({"url": "http://auth.test/a b"}, "write them as %XX"),
        ({"url": "http://auth.test/", "ca": __file__}, "of use with an https URL only"),
        ({"url": "https://auth.test/", "ca": __file__}, "no certificates in PEM form"),
        ({"url": "http://auth.test/", "cache": "5s"}, "cache and cache-by belong together"),
        ({"url": "http://auth.test/", "cache-by": "cookie"}, "cache and cache-by belong together"),
        ({"url": "http://auth.test/", "cache": "5s", "cache-by": "a=b"}, "write names of fields"),
        ({"url": "http://auth.test/", "response-headers": "Host"}, "the server tells nodes itself"),
        ({"url": "http://auth.test/", "user-header": "A B"}, "one name of a field"),
        ({"url": "http://auth.test/", "timeout": "0"}, "from 50ms"),
    ],
)
def test_bad_options_are_explained(options: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        make(**options)
