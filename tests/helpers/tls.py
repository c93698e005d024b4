"""A private authority for tests: certificates in files, and clients that trust it.

Knows nothing of the server.
"""

from __future__ import annotations

import socket
import ssl
from functools import cache
from pathlib import Path

import trustme


@cache
def authority() -> trustme.CA:
    """One for all tests of a process: a key takes a while to be made."""
    return trustme.CA()


def write_certificate(folder: Path, *names: str) -> Path:
    """Key and chain for these names in one file."""
    path = folder / f"{names[0].replace('*', 'any')}.pem"
    authority().issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(path)
    return path


def write_authority(folder: Path) -> Path:
    """The authority's own certificate."""
    path = folder / "authority.pem"
    authority().cert_pem.write_to_path(path)
    return path


def client_context(*, certificate: str = "") -> ssl.SSLContext:
    """Of a client that trusts the authority, and shows a certificate for this address where one is given."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    if certificate:
        authority().issue_cert(certificate, common_name="alice").configure_cert(context)
    return context


def connect(port: int, name: str | None, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """A connection whose handshake is done."""
    context = context or client_context()
    if name is None:
        context.check_hostname = False
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5.0), server_hostname=name)
