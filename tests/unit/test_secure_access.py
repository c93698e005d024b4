"""Who comes to a virtualhost by TLS, or at all: server names, client certificates, redirects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blastbeat.config.model import Address, ServerConfig, VirtualHostConfig
from blastbeat.events import CloseReason, Request
from blastbeat.facts import ConnectionFacts, TlsFacts, TrustedProxies
from blastbeat.plugins.headers_encoder import HeadersEncoder
from blastbeat.plugins.uwsgi_encoder import UwsgiEncoder
from blastbeat.secure_access import AccessRule, access_rule
from tests.helpers.engine import Engine, request_head
from tests.helpers.engine_fakes import FakeClient
from tests.helpers.settings import HOST
from tests.helpers.uwsgi import read_pairs

REQUIRED = AccessRule("ca.pem", "required")
OPTIONAL = AccessRule("ca.pem", "optional")


def tls_client(server_name: bytes = b"", **tls: Any) -> FakeClient:
    client = FakeClient()
    facts = TlsFacts(server_name, **tls)
    client.facts = ConnectionFacts("192.0.2.1", 50000, b"https", 8443, tls=facts)
    client.default_port = 443
    return client


def plain_client(trusted: str = "") -> FakeClient:
    client = FakeClient()
    proxies = TrustedProxies([trusted] if trusted else [])
    client.facts = ConnectionFacts("192.0.2.1", 50000, b"http", 8080, proxies)
    return client


# ---------------------------------------------------------------- 421


@pytest.mark.parametrize(
    ("server_name", "authority", "status"),
    [
        (b"app.test", b"app.test", 0),
        (b"app.test", b"APP.test:8443", 0),
        (b"app.test", b"app.test.", 0),
        (b"www.app.test", b"app.test", 0),  # an alias
        (b"app.test", b"www.app.test", 0),
        (b"a.wild.test", b"b.wild.test", 0),  # names of one virtualhost
        (b"", b"app.test", 0),
        (b"", b"other.test", 0),
        (b"app.test", b"other.test", 421),
        (b"other.test", b"app.test", 421),
        (b"app.test", b"app.test.other.test", 404),
        (b"other.test", b"other.test.wild.test", 421),
        (b"nobody.test", b"app.test", 421),  # the default certificate
        (b"no_host!", b"app.test", 421),
        (b"nobody.test", b"nobody.test", 404),
    ],
)
def test_the_host_is_the_one_the_connection_was_made_for(
    server_name: bytes, authority: bytes, status: int
) -> None:
    engine = Engine()
    engine.hosts.add_alias("www.app.test", engine.virtualhost)
    engine.add_virtualhost("other.test", ["app"])
    engine.add_virtualhost("*.wild.test", ["app"])
    for instance in engine.table:
        engine.dispatcher.admit(instance, "1.2.3.4")
    client = tls_client(server_name)
    engine.request(engine.stream(client), request_head(authority=authority))
    assert client.statuses == ([status] if status else [])
    assert bool(engine.router.sent) is not bool(status)
    assert not client.closings


def test_each_request_of_a_connection_is_looked_at() -> None:
    engine = Engine()
    engine.add_virtualhost("other.test", ["app"])
    client = tls_client(HOST.encode())
    stream = engine.stream(client)
    engine.respond(engine.request(stream))
    engine.request(stream, request_head(authority=b"other.test"))
    engine.respond(engine.request(stream))
    assert client.statuses == [200, 421, 200] and not client.closings
    assert engine.counters["answers.421"] == 1


def test_without_tls_there_is_no_name() -> None:
    engine = Engine()
    assert engine.request(engine.stream(plain_client())) is not None


# ---------------------------------------------------------------- client certificates


def with_rule(rule: AccessRule, **changes: Any) -> Engine:
    engine = Engine(encode=UwsgiEncoder().encode_request, **changes)
    engine.virtualhost.access_rule = rule
    return engine


ASKED = {"client_subject": "CN=ann", "client_verify": "SUCCESS", "asked": ("ca.pem", "required")}


@pytest.mark.parametrize(
    ("client", "status"),
    [
        (tls_client(HOST.encode(), **ASKED), 0),
        (tls_client(b"", **ASKED), 0),
        (tls_client(b""), 421),  # the handshake of the default certificate
        (tls_client(HOST.encode()), 421),  # from before the configuration changed
        (tls_client(b"", **{**ASKED, "asked": ("other.pem", "required")}), 421),  # somebody else's clients
        (tls_client(b"", asked=("ca.pem", "optional")), 421),
        (plain_client(), 403),
    ],
)
def test_a_required_certificate_is_one_for_this_virtualhost(client: FakeClient, status: int) -> None:
    engine = with_rule(REQUIRED)
    engine.request(engine.stream(client))
    assert client.statuses == ([status] if status else [])
    assert bool(engine.router.sent) is not bool(status)


def test_no_proxy_can_say_that_there_was_tls() -> None:
    engine, client = with_rule(REQUIRED), plain_client(trusted="192.0.2.1")
    head = request_head()
    head.headers.append((b"x-forwarded-proto", b"https"))
    engine.request(engine.stream(client), head)
    assert client.statuses == [403]


def told(engine: Engine, client: FakeClient, head: Any = None) -> dict[bytes, bytes]:
    session = engine.request(engine.stream(client), head or request_head())
    pairs = read_pairs(engine.heard(session)[0][1])
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


@pytest.mark.parametrize(
    ("client", "verified", "subject"),
    [
        (tls_client(HOST.encode(), **ASKED), b"SUCCESS", b"CN=ann"),
        (tls_client(HOST.encode(), asked=("ca.pem", "optional")), b"NONE", b""),
        (tls_client(b"", **{**ASKED, "asked": ("other.pem", "required")}), b"NONE", b""),
        (plain_client(), b"NONE", b""),
    ],
)
def test_what_a_node_hears_of_it(client: FakeClient, verified: bytes, subject: bytes) -> None:
    found = told(with_rule(OPTIONAL), client)
    assert (found[b"SSL_CLIENT_VERIFY"], found[b"SSL_CLIENT_S_DN"]) == (verified, subject)


def test_where_none_is_asked_for_nothing_is_told() -> None:
    found = told(with_rule(AccessRule(https_redirect=True)), tls_client(HOST.encode(), **ASKED))
    assert not [name for name in found if name.startswith(b"SSL_")]
    assert (found[b"HTTPS"], found[b"REQUEST_SCHEME"]) == (b"on", b"https")


FORGED = [
    (name, b"forged")
    for name in (b"ssl_client_verify", b"ssl-client-verify", b"ssl-client-s-dn", b"https", b"request-scheme")
]


def test_no_client_can_forge_it() -> None:
    head = request_head()
    head.headers += FORGED
    found = told(with_rule(OPTIONAL), tls_client(HOST.encode()), head)
    assert [name for name, value in found.items() if value == b"forged"] == [
        b"HTTP_SSL_CLIENT_VERIFY",
        b"HTTP_SSL_CLIENT_S_DN",
        b"HTTP_HTTPS",
        b"HTTP_REQUEST_SCHEME",
    ]
    assert found[b"SSL_CLIENT_VERIFY"] == b"NONE"


def test_the_headers_encoder_has_no_place_for_it() -> None:
    seen: list[Request] = []

    def encode(request: Request) -> bytes:
        seen.append(request)
        return HeadersEncoder().encode_request(request)

    engine = Engine(encode=encode)
    engine.virtualhost.access_rule = REQUIRED
    session = engine.request(engine.stream(tls_client(HOST.encode(), **ASKED)))
    assert (b"SSL_CLIENT_S_DN", b"CN=ann") in seen[0].variables
    assert b"ann" not in engine.heard(session)[0][1]


# ---------------------------------------------------------------- https-redirect

REDIRECT = AccessRule(https_redirect=True, port=8443)


@pytest.mark.parametrize(
    ("method", "target", "status", "location"),
    [
        (b"GET", b"/a%20b?c=d&e", 301, b"https://app.test:8443/a%20b?c=d&e"),
        (b"HEAD", b"/", 301, b"https://app.test:8443/"),
        (b"POST", b"/form", 308, b"https://app.test:8443/form"),
        (b"DELETE", b"//evil.test/x", 308, b"https://app.test:8443//evil.test/x"),
        (b"OPTIONS", b"*", 308, b"https://app.test:8443/"),
        (b"GET", b'/\xff<"', 301, b"https://app.test:8443/%FF%3C%22"),
        (b"GET", b"/.well-known/acme-challenge/x", 0, b""),
        (b"GET", b"/.well-known/acme-challenge/../../x", 301, None),
        (b"GET", b"/.well-known/acme-challenges", 301, None),
    ],
)
def test_where_a_request_is_sent(method: bytes, target: bytes, status: int, location: bytes | None) -> None:
    engine, client = with_rule(REDIRECT), plain_client()
    engine.request(engine.stream(client), request_head(target, method))
    assert client.statuses == ([status] if status else [])
    if status:
        sent = dict(client.heads[0].headers)[b"Location"]
        assert sent == (location if location is not None else b"https://app.test:8443" + target)
        assert engine.recorder.exchange.reason is CloseReason.COMPLETE
        assert engine.recorder.exchange.detail == "https-redirect"
        assert not engine.router.sent


def test_the_port_that_the_client_named_is_not_kept() -> None:
    engine, client = with_rule(replace(REDIRECT, port=443)), plain_client()
    engine.request(engine.stream(client), request_head(b"/x", authority=b"app.test:8080"))
    assert dict(client.heads[0].headers)[b"Location"] == b"https://app.test/x"


@pytest.mark.parametrize(
    ("proto", "location"), [(b"https", b""), (b"http", b"https://app.test/"), (b"", b"https://app.test/")]
)
def test_behind_a_balancer_that_ends_tls_there_is_no_loop(proto: bytes, location: bytes) -> None:
    engine, client = with_rule(REDIRECT), plain_client(trusted="192.0.2.1")
    head = request_head()
    head.headers += [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-proto", proto)]
    engine.request(engine.stream(client), head)
    assert client.statuses == ([301] if location else [])
    if location:
        assert dict(client.heads[0].headers)[b"Location"] == location


def test_nobody_else_can_say_that_it_was_https() -> None:
    engine, client = with_rule(REDIRECT), plain_client()
    head = request_head()
    head.headers.append((b"x-forwarded-proto", b"https"))
    engine.request(engine.stream(client), head)
    assert client.statuses == [301]


def test_what_came_with_tls_stays() -> None:
    engine = with_rule(REDIRECT)
    assert engine.request(engine.stream(tls_client(HOST.encode()))) is not None


def test_a_required_certificate_is_asked_for_after_the_redirect_only() -> None:
    engine, client = with_rule(replace(REQUIRED, https_redirect=True)), plain_client()
    engine.request(engine.stream(client))
    assert client.statuses == [301]

    client = plain_client()
    engine.request(engine.stream(client), request_head(b"/.well-known/acme-challenge/x"))
    assert client.statuses == [403]


def test_a_route_may_decide_otherwise() -> None:
    engine = with_rule(REDIRECT)
    engine.add_route("/open", ["app"])
    client = plain_client()
    stream = engine.stream(client)
    engine.request(stream, request_head(b"/other"))
    assert client.statuses == [301]
    engine.request(stream, request_head(b"/open/x"))
    assert client.statuses == [301] and engine.router.sent


# ---------------------------------------------------------------- the rule of a configuration

HIGH, USUAL = Address("", 8443), Address("", 443)


@pytest.mark.parametrize(
    ("own", "server", "rule"),
    [
        ({}, {}, None),
        ({"client_verify": "off"}, {}, None),
        ({"https_redirect": True}, {}, AccessRule(https_redirect=True)),
        ({"https_redirect": True}, {"bind_ssl": (HIGH,)}, REDIRECT),
        (
            {"https_redirect": True},
            {"bind_ssl": (Address("", 8443), Address("", 443))},
            replace(REDIRECT, port=443),
        ),
        ({"https_redirect": True}, {"bind_ssl": (Address("", 0),)}, replace(REDIRECT, port=443)),
        (
            {"https_redirect": True, "bind_ssl": (Address("", 8443),)},
            {"bind_ssl": (Address("", 443),)},
            REDIRECT,
        ),
        ({"client_ca": "ca.pem"}, {}, REQUIRED),
        ({}, {"client_ca": "ca.pem", "client_verify": "optional"}, OPTIONAL),
    ],
)
def test_the_rule_of_a_configuration(
    own: dict[str, Any], server: dict[str, Any], rule: AccessRule | None
) -> None:
    config = VirtualHostConfig("a", **own)
    assert access_rule(config, config, ServerConfig(**server)) == rule
