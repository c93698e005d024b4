"""What an X.509 certificate (RFC 5280) says that `ssl` tells nobody but in a handshake: names, validity, key.

Pure and strict: bytes in, values out; trusts and verifies nothing. A handshake with ourselves would tell the
same, but not of a certificate that has expired, and that is the one to know about.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

MAX_SIZE = 1 << 20
"""Bytes of a PEM file that are looked at: a chain has a few thousand."""

MAX_CERTIFICATES = 32
"""Of one file."""

WEAK_RSA = 2048
"""Bits of an RSA key below which browsers refuse it."""

_PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]*)-----END")
_OID = 0x06
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_RSA = bytes.fromhex("2a864886f70d010101")
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")


class BadCertificate(ValueError):
    """No certificate, or none that can be read; says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """`names` are its DNS names, lower case, and addresses. Times are seconds since 1970. `subject` and
    `issuer` as they are encoded, to be compared; `rsa_bits` 0 for a key of another kind."""

    names: tuple[str, ...]
    not_before: float
    not_after: float
    subject: bytes
    issuer: bytes
    rsa_bits: int = 0

    def covers(self, name: str) -> bool:
        """Whether clients that ask for `name` are content (RFC 6125 §6.4.3): an asterisk is one label. A
        name such as ``*.example.org`` is covered by the same only."""
        name = name.lower().rstrip(".")
        return name in self.names or (
            not name.startswith("*") and f"*.{name.partition('.')[2]}" in self.names and "." in name
        )


def read_chain(pem: bytes) -> list[Certificate]:
    """The certificates of a PEM file in their order. Raises BadCertificate."""
    found: list[Certificate] = []
    for match in _PEM.finditer(pem[:MAX_SIZE]):
        if len(found) == MAX_CERTIFICATES:
            raise BadCertificate(f"more than {MAX_CERTIFICATES} certificates")
        try:
            found.append(parse_certificate(binascii.a2b_base64(match[1])))
        except binascii.Error as error:
            raise BadCertificate(f"certificate {len(found) + 1}: {error}") from None
    if not found:
        raise BadCertificate("no certificate in PEM")
    return found


def is_in_order(chain: list[Certificate]) -> bool:
    """Each was issued by the next (RFC 8446 §4.4.2)."""
    return all(one.issuer == other.subject for one, other in zip(chain, chain[1:], strict=False))


def parse_certificate(der: bytes) -> Certificate:
    """Raises BadCertificate."""
    try:
        return _parse(der)
    except (IndexError, ValueError) as error:
        raise BadCertificate(f"malformed: {error}") from None


def _parse(der: bytes) -> Certificate:
    _, whole, _ = _element(der, 0)
    _, body, _ = _element(whole, 0)
    fields = list(_elements(body))
    if fields[0][0] == _VERSION:
        del fields[0]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, extensions
    issuer, validity, subject, key = (value for _, value in fields[2:6])
    begins, ends = (_time(tag, value) for tag, value in _elements(validity))
    names: tuple[str, ...] = ()
    for tag, value in fields[6:]:
        if tag == _EXTENSIONS:
            names = tuple(_alternative_names(value))
    return Certificate(names, begins, ends, subject, issuer, _rsa_bits(key))


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the element of DER at this place."""
    tag, size, begin = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("a length that is none")
        size, begin = int.from_bytes(data[begin : begin + count], "big"), begin + count
    if begin + size > len(data):
        raise ValueError("a length beyond the end")
    return tag, data[begin : begin + size], begin + size


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, content, at = _element(data, at)
        yield tag, content


def _time(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # RFC 5280 §4.1.2.5.1: 50 is 1950
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time in its validity")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _alternative_names(extensions: bytes) -> Iterator[str]:
    _, listed, _ = _element(extensions, 0)
    for _, extension in _elements(listed):
        parts = list(_elements(extension))
        if parts[0] != (_OID, _ALTERNATIVE_NAMES):
            continue
        _, names, _ = _element(parts[-1][1], 0)
        for tag, value in _elements(names):
            if tag == _DNS_NAME:
                yield value.decode("ascii", "replace").lower()
            elif tag == _IP_ADDRESS:
                yield str(ip_address(value))


def _rsa_bits(key: bytes) -> int:
    (_, algorithm), (_, bits) = list(_elements(key))[:2]
    if next(_elements(algorithm)) != (_OID, _RSA):
        return 0
    _, numbers, _ = _element(bits, 1)  # behind the count of unused bits
    _, modulus, _ = _element(numbers, 0)
    return int.from_bytes(modulus, "big").bit_length()
