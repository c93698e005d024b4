"""`address`, for nodes and for clients: the families' contracts, networks, and what is no network."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from blastbeat.errors import ConfigError
from blastbeat.interfaces import Allow, Answer, NodeAuthenticator, RequestAuthenticator, RequestView
from blastbeat.plugins import address
from blastbeat.testing import (
    NodeAuthenticatorContract,
    RequestAuthenticatorContract,
    make_candidate,
    make_registered,
    make_request_view,
)


def for_nodes(**options: Any) -> NodeAuthenticator:
    authenticator: NodeAuthenticator = make_registered(address, "node-authenticator", "address", options)
    return authenticator


def for_clients(**options: Any) -> RequestAuthenticator:
    made: RequestAuthenticator = make_registered(address, "request-authenticator", "address", options)
    return made


def client(remote_addr: bytes) -> RequestView:
    return make_request_view(remote_addr=remote_addr)


class TestAddressOfNodes(NodeAuthenticatorContract):
    accepted = tuple(make_candidate(address=each) for each in ("10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1"))
    denied = (
        *(make_candidate(address=each) for each in ("11.0.0.1", "10.9.0.1", "::1", "::ffff:10.9.0.1", "?")),
        make_candidate(address="", endpoint="ipc:///run/nodes"),
        make_candidate(address="", heard=False),
    )

    plugin = address
    name = "address"
    options = {"allow": "10.0.0.0/8, 2001:db8::/32", "deny": ["10.9.0.0/16"]}


class TestAddressOfNodesOnIpc(NodeAuthenticatorContract):
    accepted = (make_candidate(address=""), make_candidate(address="10.0.0.1"))
    denied = (make_candidate(address="", heard=False), make_candidate(address="11.0.0.1"))

    plugin = address
    name = "address"
    options = {"allow": "10.0.0.1", "ipc": "yes"}


class TestAddressOfClients(RequestAuthenticatorContract):
    allowed = (client(b"192.0.2.7"), client(b"::ffff:192.0.2.7"), client(b"fe80::1%eth0"))
    denied = (client(b"192.0.3.7"), client(b"2001:db8::1"), client(b""), client(b"\xff"), client(b"unknown"))

    plugin = address
    name = "address"
    options = {"allow": "192.0.2.0/24 fe80::/10"}


def test_it_asks_to_see_the_address_of_each_message() -> None:
    assert getattr(for_nodes(allow="10.0.0.0/8"), "watches_peers") is True  # noqa: B009


def test_deny_alone_lets_everybody_else_in() -> None:
    authenticator = for_clients(deny="192.0.2.0/24")
    assert isinstance(anyio.run(authenticator.authenticate, client(b"192.0.2.7")), Answer)
    assert isinstance(anyio.run(authenticator.authenticate, client(b"192.0.3.7")), Allow)


def test_a_client_is_told_nothing_but_the_log_is() -> None:
    verdict = anyio.run(for_clients(deny="192.0.2.7").authenticate, client(b"192.0.2.7"))
    assert isinstance(verdict, Answer) and (verdict.status, verdict.body) == (403, b"")
    assert verdict.detail == "address 192.0.2.7 is not allowed"


@pytest.mark.parametrize("make", [for_nodes, for_clients])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say allow=NETWORKS or deny=NETWORKS"),
        ({"allow": "10.0.0.0/33"}, "allow=10.0.0.0/33: has '10.0.0.0/33', which is no address or network"),
        ({"deny": "10.0.0.0/8 localhost"}, "has 'localhost', which is no address or network"),
        ({"allow": ""}, "is empty"),
        ({"alow": "10.0.0.0/8"}, "did you mean 'allow'"),
    ],
)
def test_what_is_wrong(make: Any, options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(**options)
    assert message in str(caught.value)
