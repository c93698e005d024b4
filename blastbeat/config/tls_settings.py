"""What a virtualhost's clients meet when they speak TLS: its own keys and the server's, joined.

Pure: names of files, not what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass

from blastbeat.config.model import Address, ServerConfig, VirtualHostConfig

OFF, OPTIONAL, REQUIRED = "off", "optional", "required"

NOBODY = VirtualHostConfig("")
"""Says nothing itself: what is in force for a client that asks for no name, or for one that nobody has."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Files by name, empty for none; a `key` that is empty is in the certificate's file. `client_verify` is
    one of OFF, OPTIONAL and REQUIRED. Equal settings may share whatever is made of them."""

    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    client_verify: str = OFF


def tls_settings(host: VirtualHostConfig, server: ServerConfig) -> TlsSettings:
    """Those in force for a virtualhost. Certificate and key are inherited together: half a pair is none.

    Who names authorities and says no more wants their certificates: the site is then rather shut than open.
    """
    owner = host if host.certificate else server
    verify = host.client_verify or (REQUIRED if host.client_ca else _server_verify(server))
    client_ca = (host.client_ca or server.client_ca) if verify != OFF else ""
    return TlsSettings(owner.certificate, owner.key if owner.certificate else "", client_ca, verify)


def _server_verify(server: ServerConfig) -> str:
    return server.client_verify or (REQUIRED if server.client_ca else OFF)


def tls_addresses(host: VirtualHostConfig, server: ServerConfig) -> tuple[Address, ...]:
    """Where its clients reach it with TLS."""
    return host.bind_ssl if host.bind or host.bind_ssl else server.bind_ssl


def plain_addresses(host: VirtualHostConfig, server: ServerConfig) -> tuple[Address, ...]:
    """Where they reach it without."""
    return host.bind if host.bind or host.bind_ssl else server.bind
