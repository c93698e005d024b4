"""PROXY headers: any bytes give a header, an error or a wait, and what was decided stays so."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import example, given
from hypothesis import strategies as st

from blastbeat.errors import GrammarError
from blastbeat.gates.proxy import MAX_V2, ProxyHeader, parse_proxy_header
from tests.helpers.proxy import SIGNATURE, v1, v2

FRAGMENTS = [
    b"PROXY ",
    b"TCP4 ",
    b"TCP6 ",
    b"UNKNOWN",
    b"192.0.2.1 ",
    b"::1 ",
    b"1 ",
    b"2",
    b"\r\n",
    b"\r",
    b" ",
]
FRAGMENTS += [
    SIGNATURE,
    SIGNATURE[:5],
    b"\x21",
    b"\x20",
    b"\x11",
    b"\x31",
    b"\0\x0c",
    b"\0\0",
    b"\xff",
    b"x" * 40,
]

anything = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join))
ports = st.integers(0, 0xFFFF)
addresses = st.ip_addresses().map(str)


def verdict(data: bytes) -> ProxyHeader | str | None:
    try:
        return parse_proxy_header(data)
    except GrammarError as error:
        return error.reason


@given(anything)
@example(b"PROXY " + b"x" * 200)
def test_a_verdict_stands_whatever_follows(data: bytes) -> None:
    """So any split of the bytes gives the same."""
    decided = None
    for end in range(len(data) + 1):
        now = verdict(data[:end])
        assert decided is None or now == decided
        decided = now
        if isinstance(now, ProxyHeader):
            assert now.size <= end <= max(end, MAX_V2)
    if decided is None:
        assert len(data) < MAX_V2


@given(addresses, ports, st.booleans(), st.binary(max_size=300), st.binary(max_size=50))
def test_what_was_told_comes_out(source: str, port: int, text: bool, tlvs: bytes, rest: bytes) -> None:
    header = v1(source, port) if text else v2(source, port, tlvs=tlvs)
    read = parse_proxy_header(header + rest)
    parsed = ip_address(source)
    mapped = getattr(parsed, "ipv4_mapped", None)
    assert read == ProxyHeader(len(header), str(mapped or parsed), port)
