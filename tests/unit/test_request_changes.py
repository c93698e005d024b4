"""A request and a verdict in, the request that is forwarded out."""

from __future__ import annotations

import pytest

from blastbeat.interfaces import Allow, Route
from blastbeat.request_changes import allowed, routed
from blastbeat.testing import make_request

OF_THE_CLIENT = [(b"x-user", b"root"), (b"x-a", b"1"), (b"x-user", b"too"), (b"authorization", b"Basic eA==")]


def test_variables_are_added() -> None:
    request = allowed(make_request(), Allow([(b"A", b"1")]))
    assert allowed(request, Allow([(b"B", b"2")])).variables == ((b"A", b"1"), (b"B", b"2"))


def test_fields_take_the_place_of_all_the_client_sent_of_their_names() -> None:
    request = make_request(headers=OF_THE_CLIENT)
    told = Allow(headers=[(b"X-User", b"ann"), (b"x-group", b"a"), (b"X-Group", b"b")])
    assert allowed(request, told).headers == [
        (b"x-a", b"1"),
        (b"authorization", b"Basic eA=="),
        (b"x-user", b"ann"),
        (b"x-group", b"a"),
        (b"x-group", b"b"),
    ]
    assert request.headers == OF_THE_CLIENT, "a filter's view of it must not change behind its back"


def test_the_clients_own_can_be_dropped() -> None:
    told = Allow(remove_headers=[b"Authorization", b"x-user", b"x-missing"])
    assert allowed(make_request(headers=OF_THE_CLIENT), told).headers == [(b"x-a", b"1")]


TOLD_BY_THE_SERVER = [
    b"host",
    b"Content-Length",
    b"transfer-encoding",
    b"connection",
    b"upgrade",
    b"expect",
    b"proxy",
    b"x_user",
    b"X-Forwarded-For",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-request-id",
]


@pytest.mark.parametrize("name", TOLD_BY_THE_SERVER)
def test_what_the_server_tells_is_not_an_authenticators(name: bytes) -> None:
    for verdict in (Allow(headers=[(name, b"1")]), Allow(remove_headers=[name])):
        with pytest.raises(ValueError, match="not for an authenticator"):
            allowed(make_request(), verdict)


@pytest.mark.parametrize("name", [b"x-forwarded-user", b"x-real-ip", b"remote-user", b"cookie"])
def test_what_an_authenticator_may_tell(name: bytes) -> None:
    assert (name, b"1") in allowed(make_request(), Allow(headers=[(name, b"1")])).headers


@pytest.mark.parametrize("field", [(b"x-a", b"1\r\nx-b: 2"), (b"x a", b"1"), (b"", b"1"), (b"x-a", b"\0")])
def test_what_is_no_field(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="is no field"):
        allowed(make_request(), Allow(headers=[field]))


@pytest.mark.parametrize(
    "verdict",
    [
        Allow(headers=[("x-a", "1")]),  # type: ignore[list-item]
        Allow(headers=[(b"x-a", 5)]),  # type: ignore[list-item]
        Allow(remove_headers=b"x-a"),  # type: ignore[arg-type]
        Allow(remove_headers=5),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_other_types(verdict: Allow) -> None:
    with pytest.raises((TypeError, ValueError)):
        allowed(make_request(), verdict)


def test_a_route_that_says_nothing_changes_nothing() -> None:
    request = make_request(headers=OF_THE_CLIENT)
    assert routed(request, Route()) == request


def test_a_route_changes_target_and_fields() -> None:
    route = Route(None, b"/b", b"/a", [(b"x-user", b"ann")], [b"x-a"], [(b"authorization", b"Bearer")])
    request = routed(make_request(headers=OF_THE_CLIENT), route)
    assert (request.target, request.script_name, request.path_info) == (b"/b", b"/a", None)
    assert request.headers == [
        (b"authorization", b"Basic eA=="),
        (b"x-user", b"ann"),
        (b"authorization", b"Bearer"),
    ]
