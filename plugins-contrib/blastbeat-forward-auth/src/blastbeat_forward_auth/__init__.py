"""Request authenticator `forward-auth`: an HTTP service says who is let in.

Declares options, counters and the filter for cookies, and puts the parts together.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import Options, Register, RegisterCounter, Validator
from blastbeat.validators import FileContent, choice, size, text, time, tokens, told_fields, whole
from blastbeat_forward_auth.authenticator import COUNTERS, ForwardAuthenticator, Policy
from blastbeat_forward_auth.cache import Cache, key_parts
from blastbeat_forward_auth.cookies import CookiesFilter
from blastbeat_forward_auth.service import Service, new_transport

__all__ = ["CookiesFilter", "ForwardAuthenticator"]

blastbeat_api = (1, 0)


def service_url(value: object) -> str:
    """Validator: an http or https URL, without a name and password."""
    written = text(value)
    parts = urlsplit(written)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or "@" in parts.netloc:
        raise ValueError("is no URL of a service; write http://HOST:PORT/PATH")
    if not written.isascii() or any(mark <= " " for mark in written):
        raise ValueError("holds characters that are not for URLs; write them as %XX")
    return written


def _one_field(value: object) -> bytes:
    names = told_fields(value)
    if len(names) != 1:
        raise ValueError("takes one name of a field")
    return names[0]


def _fields(value: object) -> frozenset[bytes]:
    return frozenset(token.lower() for token in tokens(value))


OPTIONS: dict[str, Validator] = {
    "url": service_url,
    "ca": FileContent(1024 * 1024),
    "request-headers": _fields,
    "response-headers": told_fields,
    "user-header": _one_field,
    "authorization": choice("keep", "remove"),
    "timeout": time(0.05, 300),
    "connections": whole(1, 10_000),
    "waiting": whole(0, 100_000),
    "max-body": size(0, 16 * 1024 * 1024),
    "cache": time(0, 86_400),
    "cache-by": key_parts,
    "cached": whole(1, 1_000_000),
}


def _make(options: Options) -> ForwardAuthenticator:
    if "url" not in options:
        raise _wrong("say url=http://HOST:PORT/PATH, where the service is")
    connections = options.get("connections", 64)
    service = Service(
        options["url"],
        new_transport(connections, _context(options)),
        timeout=options.get("timeout", 5.0),
        most=connections + options.get("waiting", 256),
        max_body=options.get("max-body", 256 * 1024),
    )
    policy = Policy(
        request_headers=options.get("request-headers", frozenset()),
        response_headers=options.get("response-headers", ()),
        user_header=options.get("user-header", b""),
        keeps_authorization=options.get("authorization") != "remove",
    )
    about = f"the authorization service {options['url'].partition('?')[0]}"  # a query may hold a secret
    return ForwardAuthenticator(service, policy, _cache(options), about)


def _context(options: Options) -> ssl.SSLContext | bool:
    if not options["url"].startswith("https:"):
        if "ca" in options:
            raise _wrong("ca is of use with an https URL only")
        return False  # without certificates to read, which takes 20 ms
    try:
        return ssl.create_default_context(cafile=options.get("ca"))
    except ssl.SSLError as error:
        raise _wrong(f"ca={options['ca']} holds no certificates in PEM form: {error.reason}") from None


def _cache(options: Options) -> Cache | None:
    seconds = options.get("cache", 0.0)
    if bool(seconds) != ("cache-by" in options):
        raise _wrong(
            "cache and cache-by belong together: cache-by names all that the answer depends on, "
            "such as cache-by=cookie,authorization,host,uri,method"
        )
    return Cache(seconds, options["cache-by"], options.get("cached", 10_000)) if seconds else None


def _wrong(what: str) -> ConfigError:
    return ConfigError([Problem(f"forward-auth: {what}", value="forward-auth")])


@hookimpl
def blastbeat_register_counters(register: RegisterCounter) -> None:
    for name, meaning in COUNTERS.items():
        register(name, meaning)


@hookimpl
def blastbeat_register_request_authenticators(register: Register) -> None:
    register("forward-auth", _make, options=OPTIONS)


@hookimpl
def blastbeat_register_filters(register: Register) -> None:
    register(
        "forward-auth-cookies",
        lambda options: CookiesFilter(options.get("names", ())),
        options={"names": tokens},
    )
