"""What of a client's request is passed on (`protocol.md` §5)."""

from __future__ import annotations

import pytest

from blastbeat.errors import ConfigError
from blastbeat.events import Headers, Request, RequestHead
from blastbeat.facts import ConnectionFacts, HostFacts, Origin, TrustedProxies
from blastbeat.forwarding import build_request

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"])
CLIENT = ConnectionFacts("203.0.113.7", 4711, b"http", 8080, PROXIES)
PROXY = ConnectionFacts("10.1.2.3", 5000, b"http", 8080, PROXIES)
HOST = HostFacts.of("example.org:8000")


def _head(*fields: tuple[bytes, bytes], authority: bytes = b"example.org:8000") -> RequestHead:
    return RequestHead(1, b"GET", b"/a?b", b"/a?b", b"1.1", authority, [(b"host", authority), *fields])


def _build(
    *fields: tuple[bytes, bytes], connection: ConnectionFacts = CLIENT, request_id: bytes = b"id-1"
) -> Request:
    return build_request(_head(*fields), connection, HOST, request_id)


def _own(request: Request) -> Headers:
    """What the server itself has written."""
    return request.headers[-4:]


def _passed_on(request: Request) -> Headers:
    assert request.headers[0] == (b"host", b"example.org:8000")
    return request.headers[1:-4]


# ---------------------------------------------------------------- the whole


def test_a_plain_request() -> None:
    request = _build((b"accept", b"*/*"), (b"x-a", b"1"), (b"x-a", b"2"))
    assert request == Request(
        method=b"GET",
        target=b"/a?b",
        version=b"1.1",
        headers=[
            (b"host", b"example.org:8000"),
            (b"accept", b"*/*"),
            (b"x-a", b"1"),
            (b"x-a", b"2"),
            (b"x-forwarded-for", b"203.0.113.7"),
            (b"x-forwarded-proto", b"http"),
            (b"x-forwarded-host", b"example.org:8000"),
            (b"x-request-id", b"id-1"),
        ],
        content_length=None,
        chunked=False,
        scheme=b"http",
        server_name=b"example.org",
        server_port=b"8000",
        remote_addr=b"203.0.113.7",
        remote_port=b"4711",
        request_id=b"id-1",
        virtualhost="example.org:8000",
    )


def test_an_absolute_target_goes_on_in_origin_form_with_its_authority() -> None:
    head = _head()
    head.target, head.path, head.authority = b"http://other.test/x", b"/x", b"other.test"
    request = build_request(head, CLIENT, HOST, b"id")
    assert request.target == b"/x"
    assert [value for name, value in request.headers if name == b"host"] == [b"other.test"]
    assert (b"x-forwarded-host", b"other.test") in request.headers


def test_https_is_told() -> None:
    request = build_request(_head(), ConnectionFacts("203.0.113.7", 1, b"https", 443), HOST, b"id")
    assert request.scheme == b"https"
    assert (b"x-forwarded-proto", b"https") in request.headers


# ---------------------------------------------------------------- hop-by-hop fields


@pytest.mark.parametrize(
    "name",
    [b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"]
    + [b"expect", b"proxy", b"x_a", b"content_length", b"_", b"forwarded", b"x-real-ip", b"x-forwarded-for"]
    + [
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-anything",
        b"x-request-id",
    ]
    + [b"host", b"content-length"],
)
def test_what_is_never_passed_on_as_sent(name: bytes) -> None:
    request = _build((name, b"sent"), (b"accept", b"*/*"))
    assert _passed_on(request) == [(b"accept", b"*/*")]
    assert b"sent" not in [value for _, value in request.headers]


@pytest.mark.parametrize("connection", [b"close", b"keep-alive", b"Keep-Alive", b"close, TE", b"", b","])
def test_usual_connection_fields_remove_nothing_else(connection: bytes) -> None:
    assert _passed_on(_build((b"connection", connection), (b"x-a", b"1"))) == [(b"x-a", b"1")]


def test_fields_that_connection_names_are_dropped() -> None:
    fields = [(b"x-a", b"1"), (b"connection", b"close, X-A ,x-b"), (b"x-b", b"2"), (b"connection", b"x-c")]
    assert _passed_on(_build(*fields, (b"x-c", b"3"), (b"x-d", b"4"))) == [(b"x-d", b"4")]


@pytest.mark.parametrize(
    "name",
    [b"authorization", b"cache-control", b"content-encoding", b"content-range", b"content-type", b"cookie"]
    + [b"origin", b"range", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol"],
)
def test_connection_cannot_remove_what_is_meant_for_the_node(name: bytes) -> None:
    assert _passed_on(_build((b"connection", name), (name, b"x"))) == [(name, b"x")]


def test_connection_cannot_remove_what_the_server_writes() -> None:
    names = b"host, content-length, x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-request-id"
    head = _head((b"connection", names), (b"content-length", b"5"))
    head.content_length = 5
    request = build_request(head, CLIENT, HOST, b"id-1")
    assert request.headers == [
        (b"host", b"example.org:8000"),
        (b"content-length", b"5"),
        (b"x-forwarded-for", b"203.0.113.7"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"example.org:8000"),
        (b"x-request-id", b"id-1"),
    ]


def test_connection_cannot_remove_what_a_trusted_proxy_told() -> None:
    fields = [(b"connection", b"x-forwarded-port"), (b"x-forwarded-port", b"443")]
    assert _passed_on(_build(*fields, connection=PROXY)) == [(b"x-forwarded-port", b"443")]


# ---------------------------------------------------------------- framing and upgrade


def test_a_declared_length_is_written_anew() -> None:
    head = _head((b"content-length", b"007"))
    head.content_length = 7
    request = build_request(head, CLIENT, HOST, b"id")
    assert _passed_on(request) == [(b"content-length", b"7")]
    assert (request.content_length, request.chunked) == (7, False)


def test_a_length_of_zero_is_a_length() -> None:
    head = _head((b"content-length", b"0"))
    head.content_length = 0
    assert _passed_on(build_request(head, CLIENT, HOST, b"id")) == [(b"content-length", b"0")]


def test_chunked_stays_exactly_where_the_body_has_no_length() -> None:
    head = _head((b"transfer-encoding", b"Chunked"))
    head.chunked = True
    request = build_request(head, CLIENT, HOST, b"id")
    assert _passed_on(request) == [(b"transfer-encoding", b"chunked")]
    assert request.chunked
    head = _head((b"transfer-encoding", b"Chunked"))
    head.chunked, head.content_length = True, 3
    assert _passed_on(build_request(head, CLIENT, HOST, b"id")) == [(b"content-length", b"3")]


def test_the_upgrade_fields_of_a_handshake_are_written_anew() -> None:
    key = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
    head = _head(
        (b"upgrade", b"WebSocket, x"), (b"connection", b"keep-alive, Upgrade, X-A"), key, (b"x-a", b"1")
    )
    head.upgrade = True
    request = build_request(head, CLIENT, HOST, b"id")
    assert request.upgrade
    assert _passed_on(request) == [key, (b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


# ---------------------------------------------------------------- server name and port


@pytest.mark.parametrize(
    ("virtualhost", "authority", "expected"),
    [
        ("example.org:8000", b"EXAMPLE.org:8000", (b"example.org", b"8000")),
        ("example.org", b"example.org", (b"example.org", b"8080")),
        ("example.org", b"example.org:9999", (b"example.org", b"8080")),
        ("[::1]", b"[::1]", (b"[::1]", b"8080")),
        ("[::1]:8000", b"[::1]:8000", (b"[::1]", b"8000")),
        ("bücher.example", b"xn--bcher-kva.example", (b"xn--bcher-kva.example", b"8080")),
        ("*", b"www.test:9000", (b"www.test", b"8080")),
        ("*", b"www.test", (b"www.test", b"8080")),
        ("*", b"[::1]:9000", (b"[::1]", b"8080")),
        ("*", b"[::1]", (b"[::1]", b"8080")),
        ("*", b"", (b"localhost", b"8080")),
        ("*.test", b"www.test", (b"www.test", b"8080")),
        ("*.test:9000", b"www.test:9000", (b"www.test", b"9000")),
    ],
)
def test_server_name_and_port(virtualhost: str, authority: bytes, expected: tuple[bytes, bytes]) -> None:
    request = build_request(_head(authority=authority), CLIENT, HostFacts.of(virtualhost), b"id")
    assert (request.server_name, request.server_port) == expected
    assert request.virtualhost == virtualhost


def test_a_request_without_host_gets_the_one_it_reached() -> None:
    connection = ConnectionFacts("203.0.113.7", 1, b"http", 8080, local_name=b"127.0.0.1")
    request = build_request(_head(authority=b""), connection, HostFacts.of("*"), b"id")
    assert request.headers[0] == (b"host", b"127.0.0.1:8080")


def test_raw_path_info_is_handed_on() -> None:
    assert build_request(_head(), CLIENT, HostFacts.of("*", raw_path_info=True), b"id").raw_path_info
    assert not build_request(_head(), CLIENT, HostFacts.of("*"), b"id").raw_path_info


# ---------------------------------------------------------------- trusted proxies


def test_every_bad_network_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        TrustedProxies(["10.0.0.0/8", "10.0.0.0/33", "proxy.test"])
    assert [problem.value for problem in caught.value.problems] == ["10.0.0.0/33", "proxy.test"]


def _origin(*fields: tuple[bytes, bytes], connection: ConnectionFacts = PROXY) -> Origin:
    request = _build(*fields, connection=connection)
    origin = Origin(request.remote_addr, request.remote_port, request.scheme)
    # Whatever was told, the server's own fields agree with the variables and stand there once.
    assert _own(request) == [
        (b"x-forwarded-for", origin.addr),
        (b"x-forwarded-proto", origin.scheme),
        (b"x-forwarded-host", b"example.org:8000"),
        (b"x-request-id", request.request_id),
    ]
    names = [name for name, _ in request.headers]
    for name, _ in _own(request):
        assert names.count(name) == 1
    return origin


@pytest.mark.parametrize(
    ("value", "addr", "port"),
    [
        (b"198.51.100.1", b"198.51.100.1", b"0"),
        (b"6.6.6.6, 198.51.100.1", b"198.51.100.1", b"0"),
        (b"6.6.6.6, 198.51.100.1, 10.9.9.9,192.0.2.1", b"198.51.100.1", b"0"),
        (b"10.9.9.9", b"10.9.9.9", b"0"),
        (b"198.51.100.1:99", b"198.51.100.1", b"99"),
        (b"2001:DB9:0::1", b"2001:db9::1", b"0"),
        (b"[2001:db9::1]:99", b"2001:db9::1", b"99"),
        (b"[2001:db9::1]", b"2001:db9::1", b"0"),
        (b"198.51.100.1, unknown", b"10.1.2.3", b"5000"),
        (b"198.51.100.1, 10.9.9.9:99, _hidden, 10.9.9.8:98", b"10.9.9.8", b"98"),
        (b"198.51.100.1, 1.2.3.4.5", b"10.1.2.3", b"5000"),
        (b"198.51.100.1, " + b"1" * 5000, b"10.1.2.3", b"5000"),
        (b"", b"10.1.2.3", b"5000"),
        (b",,", b"10.1.2.3", b"5000"),
    ],
)
def test_the_rightmost_untrusted_address_is_the_clients(value: bytes, addr: bytes, port: bytes) -> None:
    assert _origin((b"x-forwarded-for", value)) == Origin(addr, port, b"http")


def test_several_fields_are_one_chain() -> None:
    assert _origin(
        (b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"198.51.100.1, 10.9.9.9")
    ) == Origin(b"198.51.100.1", b"0", b"http")


def test_a_chain_of_trusted_addresses_is_followed_for_a_bounded_way() -> None:
    chain = b"198.51.100.1, " + b", ".join([b"10.9.9.9"] * 10_000)
    assert _origin((b"x-forwarded-for", chain)).addr == b"10.9.9.9"


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        (b"https", b"https"),
        (b"HTTPS", b"https"),
        (b"http", b"http"),
        (b"ftp", b"http"),
        (b"", b"http"),
        (b"http, https", b"https"),
        (b"https, http", b"http"),
    ],
)
def test_the_scheme_is_told_by_the_last_proxy(proto: bytes, scheme: bytes) -> None:
    fields = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-proto", proto)]
    assert _origin(*fields).scheme == scheme
    assert _origin(fields[1]).scheme == scheme  # also without an address


def test_the_scheme_stands_where_the_address_does() -> None:
    chain = (b"x-forwarded-for", b"6.6.6.6, 198.51.100.1, 10.9.9.9")
    assert _origin(chain, (b"x-forwarded-proto", b"http, https, http")).scheme == b"https"
    assert _origin(chain, (b"x-forwarded-proto", b"https")).scheme == b"https"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"for=198.51.100.1", Origin(b"198.51.100.1", b"0", b"http")),
        (b"for=198.51.100.1;proto=https;by=10.1.1.1", Origin(b"198.51.100.1", b"0", b"https")),
        (b'For="[2001:db9::1]:4711" ; Proto=HTTPS', Origin(b"2001:db9::1", b"4711", b"https")),
        (b"for=6.6.6.6;proto=https, for=198.51.100.1;proto=http", Origin(b"198.51.100.1", b"0", b"http")),
        (b"for=198.51.100.1;proto=https, for=10.9.9.9;proto=http", Origin(b"198.51.100.1", b"0", b"https")),
        (b"for=_hidden;proto=https", Origin(b"10.1.2.3", b"5000", b"https")),
        (b"proto=https", Origin(b"10.1.2.3", b"5000", b"https")),
        (b'=;,";=', Origin(b"10.1.2.3", b"5000", b"http")),
    ],
)
def test_forwarded(value: bytes, expected: Origin) -> None:
    assert _origin((b"forwarded", value)) == expected


def test_x_forwarded_for_goes_before_forwarded_before_x_real_ip() -> None:
    real_ip, forwarded = (b"x-real-ip", b"198.51.100.3"), (b"forwarded", b"for=198.51.100.2")
    assert _origin(real_ip).addr == b"198.51.100.3"
    assert _origin(real_ip, forwarded).addr == b"198.51.100.2"
    assert _origin(real_ip, forwarded, (b"x-forwarded-for", b"198.51.100.1")).addr == b"198.51.100.1"


def test_the_word_of_a_stranger_counts_for_nothing() -> None:
    fields = [
        (b"x-forwarded-for", b"6.6.6.6"),
        (b"x-forwarded-proto", b"https"),
        (b"forwarded", b"for=6.6.6.6;proto=https"),
        (b"x-real-ip", b"6.6.6.6"),
    ]
    for connection in (CLIENT, ConnectionFacts("10.1.2.3", 5000, b"http", 8080)):
        assert _origin(*fields, connection=connection) == connection.origin
        assert _passed_on(_build(*fields, connection=connection)) == []


def test_other_forwarding_fields_of_a_trusted_proxy_are_passed_on() -> None:
    fields = [(b"x-forwarded-port", b"443"), (b"x-forwarded-prefix", b"/app"), (b"forwarded", b"for=1.2.3.4")]
    assert _passed_on(_build(*fields, (b"x-forwarded-host", b"a"), connection=PROXY)) == fields


# ---------------------------------------------------------------- the request id


def test_a_trusted_proxys_request_id_is_kept() -> None:
    request = _build((b"x-request-id", b"abc-123_./:+=@"), connection=PROXY)
    assert request.request_id == b"abc-123_./:+=@"
    assert request.headers[-1] == (b"x-request-id", b"abc-123_./:+=@")


@pytest.mark.parametrize("value", [b"", b"a b", b'a"b', b"a,b", b"\xe9", b"x" * 129])
def test_a_strange_request_id_is_replaced(value: bytes) -> None:
    assert _build((b"x-request-id", value), connection=PROXY).request_id == b"id-1"


def test_a_strangers_request_id_is_replaced() -> None:
    request = _build((b"x-request-id", b"forged"))
    assert request.request_id == b"id-1"
    assert [value for name, value in request.headers if name == b"x-request-id"] == [b"id-1"]
