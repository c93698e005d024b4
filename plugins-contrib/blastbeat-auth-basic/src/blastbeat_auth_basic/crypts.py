"""apr1 and SHA-crypt by hashlib: the two forms of htpasswd files for which no kept library is left (`crypt`
has gone from Python 3.13, and on musl it knows no apr1).

Written after Apache's description of apr1 and Drepper's "Unix crypt using SHA-256 and SHA-512", and held to
their test vectors. Pure; they check what others made, and make nothing new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

_DIGITS = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Digest = Callable[[bytes], Any]


def _to64(value: int, length: int) -> bytes:
    return bytes(_DIGITS[value >> 6 * place & 63] for place in range(length))


def _coded(digest: bytes, order: Sequence[tuple[int, ...]]) -> bytes:
    """Groups of up to three bytes, in the order of the form, as base64 of crypt's own kind."""
    coded = b""
    for group in order:
        value = int.from_bytes(bytes(digest[index] for index in group), "big")
        coded += _to64(value, (len(group) * 8 + 5) // 6)
    return coded


# ---------------------------------------------------------------- apr1

_APR1_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5), (11,))


def apr1(password: bytes, hashed: bytes) -> bytes:
    """The hash of `password` with the salt of `hashed` (``$apr1$SALT$...``)."""
    md5 = hashlib.md5
    salt = hashed.split(b"$")[2][:8]
    inner = md5(password + salt + password).digest()
    text = password + b"$apr1$" + salt
    text += (inner * (len(password) // 16 + 1))[: len(password)]
    bits = len(password)
    while bits:
        text += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    digest = md5(text).digest()
    for turn in range(1000):
        text = password if turn & 1 else digest
        if turn % 3:
            text += salt
        if turn % 7:
            text += password
        digest = md5(text + (digest if turn & 1 else password)).digest()
    return b"$apr1$" + salt + b"$" + _coded(digest, _APR1_ORDER)


# ---------------------------------------------------------------- SHA-crypt

_SHA256_ORDER = (
    *((0, 10, 20), (21, 1, 11), (12, 22, 2), (3, 13, 23), (24, 4, 14), (15, 25, 5), (6, 16, 26)),
    *((27, 7, 17), (18, 28, 8), (9, 19, 29), (31, 30)),
)
_SHA512_ORDER = (
    *((0, 21, 42), (22, 43, 1), (44, 2, 23), (3, 24, 45), (25, 46, 4), (47, 5, 26), (6, 27, 48)),
    *((28, 49, 7), (50, 8, 29), (9, 30, 51), (31, 52, 10), (53, 11, 32), (12, 33, 54), (34, 55, 13)),
    *((56, 14, 35), (15, 36, 57), (37, 58, 16), (59, 17, 38), (18, 39, 60), (40, 61, 19), (62, 20, 41)),
    (63,),
)


def sha_crypt(password: bytes, hashed: bytes) -> bytes:
    """The hash of `password` with salt and rounds of `hashed` (``$5$...`` or ``$6$...``)."""
    prefix, _, _ = hashed.rpartition(b"$")
    parts = prefix.split(b"$")
    rounds = int(parts[2][7:]) if len(parts) == 4 else 5000
    salt = parts[-1][:16]
    is_256 = parts[1] == b"5"
    digest = _sha_rounds(hashlib.sha256 if is_256 else hashlib.sha512, password, salt, rounds)
    return prefix + b"$" + _coded(digest, _SHA256_ORDER if is_256 else _SHA512_ORDER)


def _sha_rounds(sha: Digest, password: bytes, salt: bytes, rounds: int) -> bytes:
    size = len(password)
    inner: bytes = sha(password + salt + password).digest()
    text = password + salt + _filled(inner, size)
    bits = size
    while bits:
        text += inner if bits & 1 else password
        bits >>= 1
    digest: bytes = sha(text).digest()
    p = _filled(sha(password * size).digest(), size)
    s = _filled(sha(salt * (16 + digest[0])).digest(), len(salt))
    for turn in range(rounds):
        text = p if turn & 1 else digest
        if turn % 3:
            text += s
        if turn % 7:
            text += p
        digest = sha(text + (digest if turn & 1 else p)).digest()
    return digest


def _filled(digest: bytes, size: int) -> bytes:
    return (digest * (size // len(digest) + 1))[:size]
