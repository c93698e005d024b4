"""What is prepared once of connections and virtualhosts, and who may tell of other clients."""

from __future__ import annotations

import pytest

from blastbeat.facts import ConnectionFacts, HostFacts, TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.255.0.1", True),
        ("11.0.0.1", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:11.0.0.1", False),
        ("2001:db8::5", True),
        ("2001:db9::5", False),
        ("2001:db8::5%eth0", True),
        ("", False),
        ("unix:", False),
    ],
)
def test_trusted_networks(address: str, expected: bool) -> None:
    assert PROXIES.trusts(address) is expected


def test_no_networks_trust_nobody() -> None:
    assert not TrustedProxies()
    assert PROXIES
    assert not TrustedProxies().trusts("127.0.0.1")


def test_a_connection() -> None:
    facts = ConnectionFacts("10.0.0.1", 50000, b"https", 443, PROXIES)
    assert facts.is_trusted and facts.port == b"443"
    assert (facts.origin.addr, facts.origin.port, facts.origin.scheme) == (b"10.0.0.1", b"50000", b"https")
    assert not ConnectionFacts("198.51.100.1", 1, b"http", 80, PROXIES).is_trusted


def test_the_names_of_virtualhosts() -> None:
    assert (HostFacts.of("a:8000").server_name, HostFacts.of("a:8000").server_port) == (b"a", b"8000")
    assert HostFacts.of("*.example.org").server_name == b""
    assert HostFacts.of("[::1]").server_name == b"[::1]"
