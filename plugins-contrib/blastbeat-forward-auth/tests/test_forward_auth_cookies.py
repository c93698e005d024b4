"""The filter for cookies of a consent: contract, and which are added."""

from __future__ import annotations

from blastbeat.events import ResponseHead
from blastbeat.interfaces import Filter
from blastbeat.testing import FilterContract, make_request_view
from blastbeat_forward_auth.authenticator import NOTE
from blastbeat_forward_auth.cookies import CookiesFilter


class TestContract(FilterContract):
    def new_filter(self) -> Filter:
        return CookiesFilter()


def added(filter: CookiesFilter, cookies: list[bytes] | None) -> list[bytes]:
    view = make_request_view()
    if cookies is not None:
        view.notes[NOTE] = cookies
    head = ResponseHead(1, 200, b"OK", [(b"Set-Cookie", b"own=1")], length=0)
    before = list(head.headers)
    found = filter.on_response(view, head)
    assert head.headers == before
    return [value for _, value in found.headers]


def test_all_or_those_named_are_added() -> None:
    cookies = [b"a=1; Path=/", b"b=2"]
    assert added(CookiesFilter(), cookies) == [b"own=1", *cookies]
    assert added(CookiesFilter([b"b"]), cookies) == [b"own=1", b"b=2"]
    assert added(CookiesFilter(), None) == [b"own=1"]
