"""Which virtualhost a host leads to (`protocol.md` §7)."""

from __future__ import annotations

import pytest

from blastbeat.errors import ClientError, ConfigError
from blastbeat.vhosts import MAX_HOST_LENGTH, MAX_REMEMBERED, HostTable, parse_authority


def _table(*names: str) -> HostTable[str]:
    table: HostTable[str] = HostTable()
    for name in names:
        table.add(name, name)
    return table


# ---------------------------------------------------------------- authorities


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        (b"example.org", (b"example.org", None)),
        (b"EXAMPLE.Org.", (b"example.org", None)),
        (b"example.org:8080", (b"example.org", 8080)),
        (b"example.org.:8080", (b"example.org", 8080)),
        (b"example.org:", (b"example.org", None)),
        (b"example.org:0080", (b"example.org", 80)),
        (b"under_score", (b"under_score", None)),
        (b"127.0.0.1:80", (b"127.0.0.1", 80)),
        (b"[::1]", (b"[::1]", None)),
        (b"[0:0:0:0:0:0:0:1]:8080", (b"[::1]", 8080)),
        (b"[2001:DB8::00A]", (b"[2001:db8::a]", None)),
        (b"[::ffff:1.2.3.4]", (b"[::ffff:1.2.3.4]", None)),
    ],
)
def test_an_authority_is_read_in_one_form(authority: bytes, expected: tuple[bytes, int | None]) -> None:
    host, port = parse_authority(authority)
    assert port == expected[1]
    if b"." in authority and b"[" in authority:
        assert host in (
            expected[0],
            b"[::ffff:102:304]",
        )  # ipaddress spells mapped ones differently by version
    else:
        assert host == expected[0]


@pytest.mark.parametrize(
    "authority",
    [
        b"",
        b".",
        b":80",
        b"user@example.org",
        b"a b",
        b"a,b",
        b"a/b",
        b"a%41",
        b"*.example.org",
        b"a:b",
        b"a:80:80",
        b"a:-1",
        b"a:65536",
        b"a:000080",
        b"::1",
        b"[::1",
        b"[::1]x",
        b"[::g]",
        b"[1.2.3.4]",
        b"[v1.a]",
        b"[fe80::1%eth0]",
        b"a\x00",
        b"a\n",
        b"\xc3\xa4",
        b"a" * (MAX_HOST_LENGTH + 1),
    ],
)
def test_a_malformed_authority_is_refused(authority: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        parse_authority(authority)
    assert caught.value.status == 400


# ---------------------------------------------------------------- the order of names


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        (b"example.org:8080", "example.org:8080"),
        (b"example.org:80", "example.org"),
        (b"example.org", "example.org"),
        (b"www.example.org:8080", "*.example.org:8080"),
        (b"www.example.org", "*.example.org"),
        (b"a.deep.example.org:8080", "*.deep.example.org"),
        (b"deep.example.org", "*.example.org"),
        (b"other.org", "*"),
        (b"other.org:8443", "*:8443"),
        (b"[::1]:8443", "*:8443"),
        (b"[::1]", "*"),
        (b"xexample.org", "*"),
        (b"", "*"),
    ],
)
def test_names_match_in_order(authority: bytes, expected: str) -> None:
    table = _table(
        "*",
        "*:8443",
        "*.example.org",
        "*.deep.example.org",
        "*.example.org:8080",
        "example.org",
        "example.org:8080",
    )
    for _ in range(2):  # found anew, then remembered
        assert table.find(authority, 80) == expected


def test_every_name_goes_before_any_alias() -> None:
    table: HostTable[int] = HostTable()
    table.add("first", 1, aliases=["www.example.org:80", "x.test", "*.suffix.test", "*"])
    table.add("www.example.org", 2)
    table.add("*.suffix.test", 3)
    table.add("*.test", 4, aliases=["other:80"])
    assert table.find(b"www.example.org:80", 80) == 2
    assert table.find(b"x.test", 80) == 1
    assert table.find(b"a.suffix.test", 80) == 3
    assert table.find(b"other", 80) == 4
    assert table.find(b"other:81", 80) == 1


def test_names_compare_without_case_and_trailing_dot() -> None:
    table = _table("LocalHost.:8000", "*.Example.ORG.")
    assert table.find(b"localhost:8000", 80) == "LocalHost.:8000"
    assert table.find(b"LOCALHOST.:8000", 80) == "LocalHost.:8000"
    assert table.find(b"A.EXAMPLE.org.", 80) == "*.Example.ORG."


def test_a_missing_port_is_the_schemes() -> None:
    table = _table("a.test:80", "b.test:443")
    assert table.find(b"a.test", 80) == "a.test:80"
    assert table.find(b"a.test", 443) is None
    assert table.find(b"b.test", 443) == "b.test:443"
    assert table.find(b"b.test:80", 443) is None


def test_ipv6_literals() -> None:
    table = _table("[::1]:8000", "[2001:db8::1]")
    assert table.find(b"[0::1]:8000", 80) == "[::1]:8000"
    assert table.find(b"[::1]", 80) is None
    assert table.find(b"[2001:DB8:0::1]:9", 80) == "[2001:db8::1]"


def test_international_names_match_as_clients_send_them() -> None:
    table = _table("bücher.example", "*.bücher.example")
    assert table.find(b"xn--bcher-kva.example", 80) == "bücher.example"
    assert table.find(b"www.xn--bcher-kva.example", 80) == "*.bücher.example"


def test_nothing_matches_without_a_name_for_it() -> None:
    table = _table("example.org", "*.example.org")
    assert table.find(b"example.com", 80) is None
    assert table.find(b"", 80) is None


def test_a_malformed_host_is_refused_even_with_a_catch_all() -> None:
    with pytest.raises(ClientError) as caught:
        _table("*").find(b"a@b", 80)
    assert caught.value.status == 400


def test_the_first_of_two_with_one_name_keeps_it() -> None:
    table: HostTable[int] = HostTable()
    table.add("example.org", 1)
    table.add("EXAMPLE.org.", 2)
    assert table.find(b"example.org", 80) == 1


def test_a_value_may_be_falsy() -> None:
    table: HostTable[int] = HostTable()
    table.add("example.org", 0)
    table.add("*", 1)
    assert table.find(b"example.org", 80) == 0


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*x",
        "*.",
        "x*",
        "a b",
        "a:b",
        "a:99999",
        "[::g]",
        "*.a b",
        "http://a",
        "a/b",
        ".",
        "ä" * 70,
        "*.*",
    ],
)
def test_what_is_no_host_name_is_refused_at_start(name: str) -> None:
    with pytest.raises(ConfigError, match="not a host name"):
        _table(name)


# ---------------------------------------------------------------- listeners


def test_a_virtualhost_with_a_bind_of_its_own_is_reachable_there_only() -> None:
    table: HostTable[str] = HostTable(shared=["shared"])
    table.add("a.test", "a")
    table.add("b.test", "b", listeners=["own"])
    assert table.find(b"a.test", 80, "shared") == "a"
    assert table.find(b"a.test", 80, "own") is None
    assert table.find(b"b.test", 80, "own") == "b"
    assert table.find(b"b.test", 80, "shared") is None


def test_a_listener_may_be_shared_and_own() -> None:
    table: HostTable[str] = HostTable(shared=["both"])
    table.add("*.test", "shared")
    table.add("*", "own", listeners=["both", "other"])
    assert table.find(b"a.test", 80, "both") == "shared"
    assert table.find(b"a.test", 80, "other") == "own"
    assert table.find(b"example.org", 80, "both") == "own"


def test_what_is_remembered_is_told_apart_by_listener_and_scheme() -> None:
    table: HostTable[str] = HostTable(shared=["shared"])
    table.add("a.test:80", "plain")
    table.add("a.test:443", "tls")
    table.add("a.test", "own", listeners=["own"])
    for _ in range(2):
        assert table.find(b"a.test", 80, "shared") == "plain"
        assert table.find(b"a.test", 443, "shared") == "tls"
        assert table.find(b"a.test", 80, "own") == "own"


def test_a_name_added_later_is_found_at_once() -> None:
    table = _table("*")
    assert table.find(b"a.test", 80) == "*"
    table.add("a.test", "a.test")
    assert table.find(b"a.test", 80) == "a.test"


def test_what_is_remembered_is_bounded() -> None:
    table = _table("*")
    for number in range(MAX_REMEMBERED + 100):
        assert table.find(b"h%d" % number, 80) == "*"
    assert len(table._remembered) <= MAX_REMEMBERED


def test_ten_thousand_names() -> None:
    table = _table(*(f"host{number}.test" for number in range(10_000)))
    assert table.find(b"host9999.test", 80) == "host9999.test"
    assert table.find(b"host10000.test", 80) is None
