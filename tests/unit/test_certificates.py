"""Certificates as they are written: names, validity, key; and nothing but our own error for anything else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blastbeat.certificates import BadCertificate, is_in_order, parse_certificate, read_chain

UNTIL = datetime(2051, 2, 3, 4, 5, 6, tzinfo=UTC)
NAMES = ("Example.org", "*.wild.test", "192.0.2.7", "2001:db8::1")


def chain_of(*names: str, kind: trustme.KeyType = trustme.KeyType.ECDSA) -> bytes:
    ca = trustme.CA().create_child_ca()
    issued = ca.issue_cert(*names, not_after=UNTIL, key_type=kind)
    return b"".join(blob.bytes() for blob in issued.cert_chain_pems)


def test_what_a_certificate_says() -> None:
    own, *above = chain = read_chain(chain_of(*NAMES))
    assert own.names == ("example.org", "*.wild.test", "192.0.2.7", "2001:db8::1")
    assert own.not_after == UNTIL.timestamp() and own.not_before < own.not_after
    assert own.rsa_bits == 0
    assert len(above) == 1 and is_in_order(chain) and not is_in_order(chain[::-1])


def test_the_size_of_an_rsa_key() -> None:
    assert read_chain(chain_of("a.test", kind=trustme.KeyType.RSA))[0].rsa_bits == 2048


@pytest.mark.parametrize(
    ("name", "is_covered"),
    [
        ("example.org", True),
        ("EXAMPLE.org.", True),
        ("www.example.org", False),
        ("a.wild.test", True),
        ("a.b.wild.test", False),  # an asterisk is one label
        ("wild.test", False),
        ("*.wild.test", True),
        ("*.a.wild.test", False),
        ("192.0.2.7", True),
        ("test", False),
    ],
)
def test_which_names_it_covers(name: str, is_covered: bool) -> None:
    assert read_chain(chain_of(*NAMES))[0].covers(name) is is_covered


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "no certificate"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "certificate 1"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "malformed"),
    ],
)
def test_what_is_none(pem: bytes, why: str) -> None:
    with pytest.raises(BadCertificate, match=why):
        read_chain(pem)


def test_every_part_of_one_is_none() -> None:
    der = x509.load_pem_x509_certificate(chain_of("a.test")).public_bytes(Encoding.DER)
    assert parse_certificate(der).names == ("a.test",)
    for size in range(len(der)):
        with pytest.raises(BadCertificate):
            parse_certificate(der[:size])
