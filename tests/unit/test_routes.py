"""Which route takes a request, in which order they are asked, and which path its node is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blastbeat.config.model import FieldMatch, RouteConfig, VirtualHostConfig
from blastbeat.paths import normalise
from blastbeat.routes import RouteTable, Shares
from blastbeat.testing import make_request

POLICY = VirtualHostConfig("shop.test")


def table(*routes: RouteConfig, salt: str = "shop.test") -> RouteTable[str]:
    return RouteTable([(route, route.name) for route in routes], salt)


def route(name: str, **asked: Any) -> RouteConfig:
    return RouteConfig(name, POLICY, **{"path": name} | asked)


def taken_by(routes: RouteTable[str], target: bytes = b"/", **changes: Any) -> str | None:
    return routes.lead(make_request(target=target, **changes))


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (b"/api", "/api"),
        (b"/api/", "/api"),
        (b"/api/x/y", "/api"),
        (b"/api?x", "/api"),
        (b"/api/v2", "/api/v2"),
        (b"/api/v2/x", "/api/v2"),
        (b"/api/v20", "/api"),
        (b"/apis", None),
        (b"/", None),
        (b"/x/api", None),
        (b"*", None),
        (b"/API", None),
        (b"//api", "/api"),
        (b"/x/%2e%2e/api/./v2/", "/api/v2"),
        (b"/api/v2/../v3", "/api"),
        (b"/a/b/c/d", None),
        (b"/a/b/c/d/e", "/a/b/c/d/e"),
        (b"/caf%C3%A9/x", "/café"),
    ],
)
def test_the_longest_path_at_a_boundary(target: bytes, name: str | None) -> None:
    routes = table(route("/api"), route("/a/b/c/d/e"), route("/api/v2"), route("/café"))
    assert taken_by(routes, target) == name


def test_a_route_for_every_path() -> None:
    routes = table(route("all", path="/", methods=("OPTIONS",)), route("/api"))
    assert taken_by(routes, b"*", method=b"OPTIONS") == "all"
    assert taken_by(routes, b"/x", method=b"OPTIONS") == "all"
    assert taken_by(routes, b"/api", method=b"OPTIONS") == "/api"
    assert taken_by(routes, b"/x") is None


def test_as_many_routes_as_one_likes_and_as_deep_a_path() -> None:
    routes = table(*(route(f"/r{number}/x") for number in range(5000)))
    assert taken_by(routes, b"/r4321/x/y") == "/r4321/x"
    deep = b"/r1/x" + b"/y" * 8000
    assert [each.value for each in routes.candidates(deep)] == ["/r1/x"]


# ---------------------------------------------------------------- what else they ask for


def test_who_asks_for_more_is_asked_first() -> None:
    get, beta = {"methods": ("GET",)}, {"headers": (FieldMatch("x-beta"),)}
    routes = table(
        route("plain", path="/a"),
        route("share", path="/a", share=0.5),
        route("one", path="/a", **get),
        route("one-more", path="/a", **beta),
        route("share-of-one", path="/a", share=0.1, **beta),
        route("two", path="/a", **get, **beta),
        route("root", path="/", **get, **beta, share=0.1),
    )
    order = [each.value for each in routes.candidates(b"/a/x")]
    assert order == ["two", "share-of-one", "one", "one-more", "share", "plain", "root"]


def test_a_route_that_gets_not_all_leaves_the_request_to_the_next() -> None:
    routes = table(
        route("/api/x", methods=("POST",)),
        route("/api", methods=("POST", "PUT")),
        route("root", path="/", methods=("GET",)),
    )
    assert taken_by(routes, b"/api/x", method=b"POST") == "/api/x"
    assert taken_by(routes, b"/api/x", method=b"PUT") == "/api"
    assert taken_by(routes, b"/api/x", method=b"GET") == "root"
    assert taken_by(routes, b"/api/x", method=b"get") is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], False),
        ([(b"x-a", b"1")], False),
        ([(b"x-a", b""), (b"x-b", b"yes")], True),
        ([(b"x-a", b"1"), (b"x-b", b"no"), (b"x-b", b"yes")], True),
        ([(b"x-a", b"1"), (b"x-b", b"YES")], False),
    ],
)
def test_header_fields(headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    routes = table(route("/", headers=(FieldMatch("x-a"), FieldMatch("x-b", "yes"))))
    assert (taken_by(routes, headers=headers) == "/") is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], False),
        ([b"a=1"], False),
        ([b"a=1; b=yes"], True),
        ([b"b=yes;a="], True),
        ([b"x=1; a", b'b="yes"'], True),
        ([b"A=1; b=yes"], False),
        ([b"xa=1; b=yes"], False),
        ([b"c=a=1; b=yes"], False),
        ([b"a=1; b=no; b=yes"], True),
        ([b"a=1; b=yes2"], False),
    ],
)
def test_cookies(fields: list[bytes], expected: bool) -> None:
    routes = table(route("/", cookies=(FieldMatch("a"), FieldMatch("b", "yes"))))
    assert (taken_by(routes, headers=[(b"cookie", field) for field in fields]) == "/") is expected


# ---------------------------------------------------------------- shares

CLIENTS = [b"10.%d.%d.%d" % (number >> 16 & 255, number >> 8 & 255, number & 255) for number in range(10_000)]
CLIENTS_6 = [b"2001:db8::%x" % number for number in range(10_000)]


@pytest.mark.parametrize("clients", [CLIENTS, CLIENTS_6])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_a_share_is_what_it_says(clients: list[bytes], share: float) -> None:
    routes = table(route("canary", path="/", share=share))
    taken = sum(taken_by(routes, remote_addr=client) == "canary" for client in clients)
    # Four standard deviations of as many throws: the hash is no worse than dice, and the clients are fixed.
    assert abs(taken - 10_000 * share) <= 4 * (10_000 * share * (1 - share)) ** 0.5


def test_all_and_nobody() -> None:
    everybody, nobody = table(route("/", share=1.0)), table(route("/", share=0.0))
    assert all(taken_by(everybody, remote_addr=client) == "/" for client in CLIENTS[:1000])
    assert all(taken_by(nobody, remote_addr=client) is None for client in CLIENTS[:1000])


def test_a_client_stays_on_its_side() -> None:
    routes, again = (table(route("canary", path="/", share=0.3)) for _ in range(2))
    for client in CLIENTS[:1000]:
        first = taken_by(routes, remote_addr=client)
        assert first == taken_by(again, b"/other", remote_addr=client, remote_port=b"9")


def test_whoever_is_in_stays_in_when_the_share_grows() -> None:
    small, large = table(route("c", path="/", share=0.1)), table(route("c", path="/", share=0.2))
    kept = [client for client in CLIENTS if taken_by(small, remote_addr=client)]
    assert kept and all(taken_by(large, remote_addr=client) for client in kept)


def test_shares_of_one_path_do_not_overlap() -> None:
    """Whatever else they ask for: 10 % and 20 % of the clients are 30 %."""
    beta = (FieldMatch("x-beta"),)
    routes = table(
        route("ten", path="/", share=0.1),
        route("twenty", path="/", share=0.2, headers=beta),
        route("/api", share=0.1),
    )
    ten = {client for client in CLIENTS if taken_by(routes, remote_addr=client) == "ten"}
    for client in CLIENTS:
        with_beta = taken_by(routes, remote_addr=client, headers=[(b"x-beta", b"")])
        assert (with_beta == "ten") is (client in ten)
    both = table(route("a", path="/", share=0.7), route("b", path="/", share=0.3))
    assert {taken_by(both, remote_addr=client) for client in CLIENTS} == {"a", "b"}


def test_canaries_of_others_have_other_clients() -> None:
    mine, theirs = (table(route("c", path="/", share=0.1), salt=salt) for salt in ("a.test", "b.test"))
    both = [
        client
        for client in CLIENTS
        if taken_by(mine, remote_addr=client) and taken_by(theirs, remote_addr=client)
    ]
    assert 50 < len(both) < 150  # a tenth of a tenth, not the same thousand


def test_places_are_on_the_line() -> None:
    shares = Shares("a", "/")
    places = [shares.place(client) for client in CLIENTS]
    assert 0 <= min(places) < 0.001 and 0.999 < max(places) < 1
    assert shares.place(b"") == shares.place(b"")


# ---------------------------------------------------------------- why not


def test_why_a_route_does_not_take_a_request() -> None:
    routes = table(
        route(
            "all",
            path="/",
            methods=("GET", "HEAD"),
            headers=(FieldMatch("x-a"),),
            cookies=(FieldMatch("b", "1"),),
            share=0.0,
        )
    )
    (candidate,) = routes.candidates(b"/")
    wants = make_request(
        method=b"GET", headers=[(b"x-a", b""), (b"cookie", b"b=1")], remote_addr=b"192.0.2.1"
    )
    reasons = [
        candidate.why_not(make_request(method=b"PUT")),
        candidate.why_not(make_request(method=b"GET", headers=[])),
        candidate.why_not(make_request(method=b"GET", headers=[(b"x-a", b"")])),
        candidate.why_not(wants),
    ]
    assert reasons[:3] == [
        "the method is not GET or HEAD",
        "there is no header x-a",
        "there is no cookie b=1",
    ]
    assert reasons[3] == "it is for 0% of the clients, and 192.0.2.1 is not among them"
    assert candidate.why_not(replace(wants, remote_addr=b"")) == "it is for 0% of the clients"
    (candidate,) = table(route("/")).candidates(b"/")
    assert candidate.why_not(wants) == candidate.why(wants) == ""


def test_why_a_route_takes_a_request() -> None:
    asked = {"methods": ("GET",), "headers": (FieldMatch("x-a"),), "cookies": (FieldMatch("b", "1"),)}
    (candidate,) = table(route("/api", share=1.0, **asked)).candidates(b"/api/x")
    fields = [(b"x-a", b""), (b"cookie", b"b=1")]
    wants = make_request(method=b"GET", headers=fields, remote_addr=b"192.0.2.1")
    assert candidate.why_not(wants) == "" and candidate.takes(wants)
    assert candidate.why(wants) == (
        "the path is /api or below it, the method is GET, there is the header x-a, there is the cookie b=1, "
        "192.0.2.1 is among its clients"
    )


# ---------------------------------------------------------------- what the node is shown


def shown(target: bytes, *routes: RouteConfig, **changes: Any) -> tuple[bytes, bytes | None]:
    """SCRIPT_NAME, and PATH_INFO where it is not simply the target's."""
    request = make_request(target=target, **changes)
    table(*routes).lead(request)
    assert request.target == target
    return request.script_name, request.path_info


API = route("/api", strip_prefix=True)


@pytest.mark.parametrize(
    ("target", "script", "path_info"),
    [
        (b"/api/x?y", b"/api", None),
        (b"/api", b"/api", None),
        (b"/api/", b"/api", None),
        (b"/api/a%20b", b"/api", None),
        (b"/%61pi/x", b"/api", b"/x"),
        (b"/api%2fx", b"/api", b"/x"),
        (b"//api/x", b"/api", b"/x"),
        (b"/api//evil.test/x", b"/api", b"/evil.test/x"),
        (b"/api/./x", b"/api", b"/x"),
        (b"/api/../api/x", b"/api", b"/x"),
        (b"/api/x/../../api", b"/api", b""),
        (b"/api/..;/api/x", b"/api", b"/x"),
        (b"/other", b"", None),
        (b"/other//x", b"", None),
        (b"/api/../other", b"", b"/other"),
    ],
)
def test_a_prefix_is_cut_off_however_it_is_spelled(
    target: bytes, script: bytes, path_info: bytes | None
) -> None:
    assert shown(target, API) == (script, path_info)


@pytest.mark.parametrize(
    ("target", "path_info"),
    [
        (b"/admin/x", None),
        (b"/%61dmin/x", None),  # every node reads that as we do
        (b"/admin//x", None),
        (b"/admin/x;y=1", None),
        (b"/other//x;y=1", None),
        (b"//admin/x", b"/admin/x"),
        (b"/admin;x/y", b"/admin/y"),
        (b"/x/../admin", b"/admin"),
        (b"/admin/../other", b"/other"),
        (b"/admin%2f..%2fother", b"/other"),
        (b"/admin\\..\\other", b"/other"),
        (b"/admin/..;/other", b"/other"),
        (b"/admin//deep", b"/admin/deep"),
    ],
)
def test_a_target_that_reads_like_another_routes_is_not_shown(target: bytes, path_info: bytes | None) -> None:
    assert shown(target, route("/admin"), route("/admin/deep")) == (b"", path_info)


def test_what_is_shown_never_climbs() -> None:
    for target in (b"/api/../../etc/passwd", b"/api/%2e%2e/%2e%2e/x", b"/api/x/..\\..\\y", b"/..;/api/../x"):
        script, path_info = shown(target, API)
        assert path_info is not None and normalise(target) == script + path_info
        assert b".." not in path_info


def test_the_prefix_is_told() -> None:
    request = make_request(target=b"/api/x", headers=[(b"host", b"a")])
    table(API).lead(request)
    assert request.headers == [(b"host", b"a"), (b"x-forwarded-prefix", b"/api")]


def test_a_prefix_is_told_behind_the_one_that_a_trusted_proxy_told() -> None:
    request = make_request(
        target=b"/caf%C3%A9", headers=[(b"x-forwarded-prefix", b"/shop/"), (b"host", b"a")]
    )
    table(route("/café", strip_prefix=True)).lead(request)
    assert request.headers == [(b"host", b"a"), (b"x-forwarded-prefix", b"/shop/caf%C3%A9")]
