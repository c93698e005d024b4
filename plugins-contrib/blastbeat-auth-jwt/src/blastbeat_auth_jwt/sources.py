"""From the options to a source of keys, and the algorithms that are allowed with them.

Reads files; fetches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from blastbeat.interfaces import Options
from blastbeat.validators import read_file, text, words
from blastbeat_auth_jwt.keys import (
    ALGORITHMS,
    HMAC,
    OF_KEY_PAIRS,
    Key,
    KeyFault,
    parse_key_set,
    parse_pem,
    parse_secret,
)
from blastbeat_auth_jwt.verifying import FixedKeys, KeySource

MAX_FILE_SIZE = 512 * 1024
"""Bytes of a file of keys."""

_OF_URLS = ("jwks-ca", "jwks-refresh", "jwks-keep", "jwks-timeout")


def algorithms(value: object) -> tuple[str, ...]:
    """Validator: names of algorithms. `none` is none."""
    found = words(value)
    for name in found:
        if name not in ALGORITHMS:
            raise ValueError(f"has {name!r}; known: {', '.join(ALGORITHMS)}")
    return found


def key_url(value: object) -> str:
    """Validator: an https URL; http only of this machine, for who sits in between could put in a key of his
    own."""
    written = text(value)
    parts = urlsplit(written)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("is no URL; write https://HOST/PATH")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("decides who is let in, so it must be https; http is for this machine alone")
    return written


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_source(options: Options) -> tuple[KeySource, Sequence[Key]]:
    """Where keys come from, and those there are already. Raises ValueError."""
    keys = [
        *_read(options.get("key", ()), lambda content: (parse_pem(content),)),
        *_read(options.get("secret", ()), lambda content: (parse_secret(content),)),
        *_read(options.get("jwks", ()), lambda content: parse_key_set(content, secrets=True)),
    ]
    url = options.get("jwks-url")
    if bool(url) == bool(keys):
        raise ValueError("say either where keys are (key=FILE, secret=FILE or jwks=FILE), or jwks-url=URL")
    if not url:
        if vain := [name for name in _OF_URLS if name in options]:
            raise ValueError(f"{vain[0]} is of use with jwks-url only")
        return FixedKeys(keys), keys
    from blastbeat_auth_jwt.remote import RemoteKeys  # its HTTP client takes 0.2 s to load

    source = RemoteKeys(
        url,
        refresh=options.get("jwks-refresh", 300.0),
        keep=max(options.get("jwks-keep", 3600.0), options.get("jwks-refresh", 300.0)),
        timeout=options.get("jwks-timeout", 5.0),
        ca=options.get("jwks-ca"),
    )
    return source, ()


def _read(paths: Iterable[str], parse: Callable[[bytes], Sequence[Key]]) -> list[Key]:
    keys: list[Key] = []
    for path in paths:
        try:
            keys += parse(read_file(path, MAX_FILE_SIZE))
        except KeyFault as error:
            raise ValueError(f"{path} is {error}") from None
    return keys


def choose_algorithms(named: Sequence[str], keys: Sequence[Key]) -> frozenset[str]:
    """Those named; without any, the usual ones for `keys`. Raises ValueError where they don't go together."""
    if not named:
        # The first of an RSA key or a secret: RS256, HS256.
        return frozenset(key.algorithms[0] for key in keys) or frozenset(OF_KEY_PAIRS)
    if not keys and (secret := [name for name in named if name in HMAC]):
        raise ValueError(f"{secret[0]} needs a secret, which is not fetched from a URL; write secret=FILE")
    for name in named if keys else ():
        if not any(name in key.algorithms for key in keys):
            raise ValueError(f"there is no key for {name}; algorithms that the keys are for: {_known(keys)}")
    return frozenset(named)


def _known(keys: Sequence[Key]) -> str:
    return ", ".join(name for name in ALGORITHMS if any(name in key.algorithms for key in keys))
