"""What requests have in common that should go to the same node: a key in each of them, and numbers drawn from
keys and names.

Public, for selectors; text and arithmetic only. Nothing here depends on the process: the same key and name
draw the same number on every server.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

from blastbeat.events import Request
from blastbeat.headers import is_field
from blastbeat.paths import normalise

RequestKey: TypeAlias = Callable[[Request], bytes | None]
"""What a request is told by; None or empty where it has none."""

DRAW_BITS = 64
_64_BITS = (1 << DRAW_BITS) - 1
_WITH_NAME = ("header", "cookie")


# ---------------------------------------------------------------- keys


def address_key(request: Request) -> bytes:
    """The client's address, as it is forwarded."""
    return request.remote_addr


def path_key(request: Request) -> bytes:
    """The path without the query, in one spelling (`blastbeat.paths.normalise`)."""
    return normalise(request.target)


def _header(name: bytes) -> RequestKey:
    return lambda request: request.header(name)


def _cookie(name: bytes) -> RequestKey:
    def find(request: Request) -> bytes | None:
        for field, value in request.headers:
            if field == b"cookie":
                for pair in value.split(b";"):
                    found, equals, content = pair.strip().partition(b"=")
                    if equals and found == name:
                        return content
        return None

    return find


def parse_request_key(value: object) -> RequestKey:
    """Validator of an option: `address`, `path`, `header:NAME` or `cookie:NAME`. Raises ValueError that says
    so."""
    text = value if isinstance(value, str) else ""
    kind, colon, name = text.partition(":")
    encoded = name.encode()
    if text == "address":
        return address_key
    if text == "path":
        return path_key
    if kind in _WITH_NAME and colon and is_field(encoded, b""):
        return _header(encoded.lower()) if kind == "header" else _cookie(encoded)
    raise ValueError("write address, path, header:NAME or cookie:NAME")


# ---------------------------------------------------------------- numbers


def number_of(value: bytes) -> int:
    """A number of DRAW_BITS bits that stands for `value` in `draw`."""
    return int.from_bytes(blake2b(value, digest_size=DRAW_BITS // 8).digest(), "big")


@lru_cache(maxsize=4096)
def number_of_name(name: str) -> int:
    """The same for the name of a node or an instance, remembered."""
    return number_of(name.encode())


def draw(key: int, name: int) -> int:
    """What `name` draws for `key`, each a `number_of`: DRAW_BITS bits, evenly spread, every bit decided by
    both (the finalizer of splitmix64)."""
    mixed = key ^ name
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _64_BITS
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _64_BITS
    return mixed ^ (mixed >> 31)
