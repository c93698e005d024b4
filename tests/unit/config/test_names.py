"""Addresses, endpoints, host names, nodes and plugin references: what is read and what is refused."""

from __future__ import annotations

import pytest

from blastbeat.config.model import Address, NodeRef, PluginRef
from blastbeat.config.names import (
    AddressKind,
    DriverKind,
    EndpointKind,
    HostKind,
    NetworkKind,
    NodeKind,
    PluginKind,
    is_private_endpoint,
    split_host_name,
)
from blastbeat.config.values import BadValue, Kind


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.0.0.0:8080", Address("0.0.0.0", 8080)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("localhost:80", Address("localhost", 80)),
        ("[::]:8080", Address("::", 8080)),
        ("[fe80::1%eth0]:8080", Address("fe80::1%eth0", 8080)),
        ("[fe80::1%2]:8080", Address("fe80::1%2", 8080)),
        (":8080", Address("", 8080)),
        ("*:8080", Address("", 8080)),
        ("8080", Address("", 8080)),
        (8080, Address("", 8080)),
        ("0.0.0.0:443 NORMAL", Address("0.0.0.0", 443)),
    ],
)
def test_addresses(written: object, expected: Address) -> None:
    assert AddressKind().parse(written) == expected


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "is not an address"),
        ("0.0.0.0", "no port"),
        ("0.0.0.0:", "no port"),
        ("0.0.0.0:http", "not a number from 0 to 65535"),
        ("0.0.0.0:65536", "not a number from 0 to 65535"),
        ("256.0.0.1:80", "bad IPv4 address"),
        ("::1:8080", "without brackets"),
        ("[::1:8080", "bracket"),
        ("[::1]8080", "bracket"),
        ("[::x]:80", "bad IPv6 address"),
        ("[fe80::1%]:80", "bad scope"),
        ("bad_host!:80", "not a host name"),
        ("a:1 b c", "is not an address"),
        (True, "is not an address"),
        (None, "is not an address"),
    ],
)
def test_addresses_refused(written: object, words: str) -> None:
    with pytest.raises(BadValue, match=words):
        AddressKind().parse(written)


@pytest.mark.parametrize(
    "written",
    [
        "tcp://0.0.0.0:5000",
        "tcp://*:5000",
        "tcp://127.0.0.1:*",
        "tcp://[::1]:5000",
        "tcp://eth0:5000",
        "ipc:///run/blastbeat.sock",
        "ipc://@abstract",
        "ipc://*",
    ],
)
def test_endpoints(written: str) -> None:
    assert EndpointKind().parse(written) == written


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("0.0.0.0:5000", "is not an endpoint"),
        ("tcp://", "is not an endpoint"),
        ("tcp://0.0.0.0", "no usable port"),
        ("tcp://:5000", "no host"),
        ("tcp://0.0.0.0:x", "no usable port"),
        ("tcp://1.2.3:5000", "bad IPv4 address"),
        ("inproc://a", "transport 'inproc'"),
        ("udp://127.0.0.1:1", "reached by tcp or ipc"),
        ("ipc://" + "x" * 108, "107 bytes"),
        (5000, "is not an endpoint"),
    ],
)
def test_endpoints_refused(written: object, words: str) -> None:
    with pytest.raises(BadValue, match=words):
        EndpointKind().parse(written)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("ipc://x", True),
        ("tcp://127.0.0.1:5000", True),
        ("tcp://127.8.0.1:5000", True),
        ("tcp://[::1]:5000", True),
        ("tcp://localhost:5000", True),
        ("tcp://lo:5000", True),
        ("tcp://0.0.0.0:5000", False),
        ("tcp://*:5000", False),
        ("tcp://[::]:5000", False),
        ("tcp://10.0.0.1:5000", False),
        ("tcp://eth0:5000", False),
    ],
)
def test_which_endpoints_only_this_machine_reaches(endpoint: str, expected: bool) -> None:
    assert is_private_endpoint(endpoint) is expected


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("localhost", "localhost", None),
        ("localhost:80", "localhost", 80),
        ("WWW.Example.ORG.", "www.example.org", None),
        ("example.org.:8000", "example.org", 8000),
        ("*.example.org", "*.example.org", None),
        ("*:8000", "*", 8000),
        ("*", "*", None),
        ("[2001:DB8:0::1]:8000", "2001:db8::1", 8000),
        ("my_host", "my_host", None),
    ],
)
def test_host_names(written: str, host: str, port: int | None) -> None:
    assert HostKind().parse(written) == written
    assert split_host_name(written) == (host, port)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "is not a host name"),
        ("a/b", "names a path"),
        ("münchen.de", "xn--"),
        ("example.org:", "no usable port"),
        ("example.org:0", "from 1 to 65535"),
        ("a.*.org", r"\* in the wrong place"),
        ("**", r"\* in the wrong place"),
        ("a b", "not a host name"),
        ("a..b", "not a host name"),
        ("::1", "without brackets"),
        ("x" * 64, "not a host name"),
        (5, "is not a host name"),
    ],
)
def test_host_names_refused(written: object, words: str) -> None:
    with pytest.raises(BadValue, match=words):
        HostKind().parse(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("hash", PluginRef("hash")),
        ("hash key=cookie:id", PluginRef("hash", {"key": "cookie:id"})),
        ('answer text="not now" status=503', PluginRef("answer", {"text": "not now", "status": "503"})),
        ("a key=", PluginRef("a", {"key": ""})),
        ({"name": "hash", "key": "cookie:id", "n": 3}, PluginRef("hash", {"key": "cookie:id", "n": 3})),
        ("headers add='A: 1' add='B: 2'", PluginRef("headers", {"add": ["A: 1", "B: 2"]})),
    ],
)
def test_plugin_references(written: object, expected: PluginRef) -> None:
    assert PluginKind("selector").parse(written) == expected


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "is empty"),
        ("hash cookie:id", "options are written key=value"),
        ("hash 1=2", "options are written key=value"),
        ('hash a="1', "No closing quotation mark"),
        ("key=cookie", "bad name"),
        ("limits,headers", "bad name"),
        ({"key": "cookie:id"}, "without a name"),
        ({"name": 5}, "without a name"),
        (5, "neither a text nor a table"),
    ],
)
def test_plugin_references_refused(written: object, words: str) -> None:
    with pytest.raises(BadValue, match=words):
        PluginKind("selector").parse(written)


def test_a_reference_is_written_as_it_is_read() -> None:
    assert PluginKind("selector").format(PluginRef("hash", {"key": "ip"})) == "hash key=ip"


@pytest.mark.parametrize(
    "options",
    [
        {"body": "two words"},
        {"pattern": r"/a/(\d+)$"},
        {"add": ["A: 1", "B: it's"]},
        {"body": ""},
    ],
)
def test_an_option_is_written_as_it_is_read(options: dict[str, object]) -> None:
    kind = PluginKind("filter")
    assert kind.parse(kind.format(PluginRef("x", options))) == PluginRef("x", options)


def test_a_table_among_the_options_is_written_as_texts() -> None:
    written = PluginKind("filter").format(PluginRef("headers", {"set": {"A": "1", "B": "2 3"}}))
    assert written == "headers set='A: 1' set='B: 2 3'"


def test_relative_file_names_among_options_start_at_the_file_that_has_them() -> None:
    kind = PluginKind("filter")
    assert kind.locate(kind.parse("answer file=a.html"), "/etc/blastbeat").folder == "/etc/blastbeat"


def test_a_driver_takes_no_options() -> None:
    assert DriverKind().parse("h11") == "h11"
    with pytest.raises(BadValue, match="takes none"):
        DriverKind().parse("h11 fast=yes")


def test_nodes() -> None:
    assert NodeKind().parse("app1 weight=3") == NodeRef("app1", {"weight": "3"})
    assert NodeKind().parse({"name": "app1", "weight": 3}) == NodeRef("app1", {"weight": 3})
    assert NodeKind().parse("ä" * 95) == NodeRef("ä" * 95)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "is empty"),
        ('""', "is empty"),
        ("app/1", "for instances"),
        ("x" * 191, "longer than 190 bytes"),
        ("ä" * 96, "longer than 190 bytes"),
        ("a\x01b", "cannot be printed"),
        ('"a b"', "spaces"),
        (1, "neither a text nor a table"),
    ],
)
def test_nodes_refused(written: object, words: str) -> None:
    with pytest.raises(BadValue, match=words):
        NodeKind().parse(written)


def test_networks() -> None:
    assert NetworkKind().parse_all("10.0.0.1/8, ::1 192.0.2.7") == ("10.0.0.0/8", "::1/128", "192.0.2.7/32")
    for bad in ("10.0.0.0/33", "proxy.example", 5):
        with pytest.raises(BadValue):
            NetworkKind().parse_all(bad)


KINDS = [AddressKind(), EndpointKind(), HostKind(), NodeKind(), PluginKind("filter")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("written", [None, 1.5, True, [], ["a"], {}, "\0", "\n", "\ud800", " "])
def test_nothing_odd_gets_through(kind: Kind, written: object) -> None:
    with pytest.raises(BadValue):
        kind.parse(written)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("identity", [PluginRef("identity")]),
        (
            "identity, address allow=10.0.0.0/8",
            [PluginRef("identity"), PluginRef("address", {"allow": "10.0.0.0/8"})],
        ),
        ("address allow=10.0.0.0/8,::1", [PluginRef("address", {"allow": "10.0.0.0/8,::1"})]),
        ("""a b="1, 'x', 2",\tc""", [PluginRef("a", {"b": "1, 'x', 2"}), PluginRef("c")]),
        ("a b='1, 2'", [PluginRef("a", {"b": "1, 2"})]),
    ],
)
def test_several_plugin_objects_on_one_line(text: str, expected: list[PluginRef]) -> None:
    assert list(PluginKind("filter").parse_all(text)) == expected


@pytest.mark.parametrize("text", ["a,", "a, ", ", a", "a,, b", "a, b=1"])
def test_commas_with_nothing_between_them(text: str) -> None:
    with pytest.raises(BadValue):
        PluginKind("filter").parse_all(text)
