"""What the keys of a virtualhost and of the server mean together."""

from __future__ import annotations

import pytest

from blastbeat.config.model import Address, ServerConfig, VirtualHostConfig
from blastbeat.config.tls_settings import (
    NOBODY,
    TlsSettings,
    plain_addresses,
    tls_addresses,
    tls_settings,
)

SERVER = ServerConfig(certificate="s.pem", key="s.key")


@pytest.mark.parametrize(
    ("own", "certificate", "key"),
    [
        ({}, "s.pem", "s.key"),
        ({"certificate": "a.pem", "key": "a.key"}, "a.pem", "a.key"),
        ({"certificate": "a.pem"}, "a.pem", ""),  # never another certificate's key
        ({"key": "a.key"}, "s.pem", "s.key"),
    ],
)
def test_certificate_and_key_are_inherited_together(own: dict[str, str], certificate: str, key: str) -> None:
    found = tls_settings(VirtualHostConfig("a", **own), SERVER)  # type: ignore[arg-type]
    assert (found.certificate, found.key) == (certificate, key)


@pytest.mark.parametrize(
    ("server", "own", "expected"),
    [
        ({}, {}, ("", "off")),
        ({}, {"client_ca": "a"}, ("a", "required")),
        ({"client_ca": "s"}, {}, ("s", "required")),
        ({"client_ca": "s"}, {"client_verify": "off"}, ("", "off")),
        ({"client_ca": "s", "client_verify": "off"}, {}, ("", "off")),
        ({"client_ca": "s", "client_verify": "off"}, {"client_verify": "optional"}, ("s", "optional")),
        ({"client_ca": "s", "client_verify": "optional"}, {"client_ca": "a"}, ("a", "required")),
        ({"client_verify": "optional"}, {"client_ca": "a", "client_verify": "optional"}, ("a", "optional")),
    ],
)
def test_who_names_authorities_wants_their_certificates(
    server: dict[str, str], own: dict[str, str], expected: tuple[str, str]
) -> None:
    host = VirtualHostConfig("a", **own)  # type: ignore[arg-type]
    found = tls_settings(host, ServerConfig(**server))  # type: ignore[arg-type]
    assert (found.client_ca, found.client_verify) == expected


def test_a_client_without_a_name_meets_the_server_s() -> None:
    assert tls_settings(NOBODY, SERVER) == TlsSettings("s.pem", "s.key")
    assert tls_settings(NOBODY, ServerConfig()) == TlsSettings()


def test_an_address_of_its_own_of_either_kind_is_instead_of_all_shared_ones() -> None:
    plain, secure, own = Address("", 80), Address("", 443), Address("", 8443)
    server = ServerConfig(bind=(plain,), bind_ssl=(secure,))
    shared, apart = VirtualHostConfig("a"), VirtualHostConfig("b", bind_ssl=(own,))

    assert (plain_addresses(shared, server), tls_addresses(shared, server)) == ((plain,), (secure,))
    assert (plain_addresses(apart, server), tls_addresses(apart, server)) == ((), (own,))
