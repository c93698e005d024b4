"""The selector `hash`: the same client, or the same value of a header or cookie, gets the same node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b

from blastbeat import hookimpl
from blastbeat.events import Request
from blastbeat.headers import is_field
from blastbeat.interfaces import InstanceView, Options, Register

BY_ADDRESS = "address"
_64_BITS = (1 << 64) - 1

Key = Callable[[Request], bytes | None]


class Hash:
    """Rendezvous hashing: each node draws a number from its name and the key, and the highest wins. A node
    that goes leaves its own keys to the others and moves no other key; one that comes takes its share from
    each.

    First of nodes, then of the instances of the node that won: instances change their names with every start
    of a process, nodes do not.
    """

    def __init__(self, key: Key) -> None:
        self._key = key

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        key = _number(self._key(request) or request.remote_addr)
        names = {each.node for each in candidates}
        node = max(names, key=lambda name: (_draw(key, _number_of_name(name)), name))
        instances = [each for each in candidates if each.node == node]
        if len(instances) == 1:
            return instances[0]
        return max(instances, key=lambda each: (_draw(key, _number_of_name(each.identity)), each.identity))


def _number(value: bytes) -> int:
    return int.from_bytes(blake2b(value, digest_size=8).digest(), "big")


@lru_cache(maxsize=4096)
def _number_of_name(name: str) -> int:
    return _number(name.encode())


def _draw(key: int, name: int) -> int:
    """A number that both decide, every bit of each (the finalizer of splitmix64)."""
    mixed = key ^ name
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _64_BITS
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _64_BITS
    return mixed ^ (mixed >> 31)


# ---------------------------------------------------------------- what the key is


def _address(request: Request) -> bytes:
    return request.remote_addr


def _header(name: bytes) -> Key:
    return lambda request: request.header(name)


def _cookie(name: bytes) -> Key:
    def find(request: Request) -> bytes | None:
        for field, value in request.headers:
            if field == b"cookie":
                for pair in value.split(b";"):
                    found, equals, content = pair.strip().partition(b"=")
                    if equals and found == name:
                        return content
        return None

    return find


def parse_key(value: object) -> Key:
    """`address`, `header:NAME` or `cookie:NAME`. Raises ValueError."""
    text = value if isinstance(value, str) else ""
    kind, colon, name = text.partition(":")
    encoded = name.encode()
    if text == BY_ADDRESS:
        return _address
    if kind in ("header", "cookie") and colon and is_field(encoded, b""):
        return _header(encoded.lower()) if kind == "header" else _cookie(encoded)
    raise ValueError("write address, header:NAME or cookie:NAME")


def _make(options: Options) -> Hash:
    return Hash(options.get("key", _address))


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("hash", _make, options={"key": parse_key})
