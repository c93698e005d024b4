"""What a request head says about itself: where its body ends, which host it asks for, what it expects.

Everything ambiguous about length or host is refused here (`protocol.md` §6), since two readers of one head
must never disagree. Works on a head whose grammar was checked; knows nothing of buffers.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from blastbeat.errors import GrammarError
from blastbeat.gates.fields import TOKEN

CHUNKED = -1
MAX_LENGTH_DIGITS = 18

_FACTS = re.compile(rb"\r\n(?i:(host|content-length|transfer-encoding|expect|upgrade)):[\t ]*([^\r]*)")
_HANDSHAKE_FACTS = re.compile(rb"\r\n(?i:(connection|sec-websocket-key)):[\t ]*([^\r]*)")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(?:[/?].*)?")
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{0,5}))?")
# No zeros before: some readers take those for octal.
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,%d}" % (MAX_LENGTH_DIGITS - 1))
_CODING = re.compile(rb"(%s+)((?:[\t ]*;[\t\x20-\x7e]*)?)" % TOKEN)
_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")  # the base64 form of 16 bytes


def check_target(method: bytes, target: bytes) -> None:
    """Origin form, absolute form with http or https, or ``*`` for OPTIONS; else GrammarError(400)."""
    if target[0] == 0x2F:
        return
    if target == b"*":
        if method != b"OPTIONS":
            raise GrammarError(400, "the target `*` is for OPTIONS only")
        return
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise GrammarError(400, "a request target that is neither a path nor an http URL")
    check_host(match[1], "the request target")


def check_host(host: bytes, where: str) -> None:
    """`name[:port]` or `[IPv6][:port]`, never empty; else GrammarError(400)."""
    match = _HOST.fullmatch(host)
    if match is None or not _is_sound(match[1], match[2]):
        raise GrammarError(
            400, f"{where} does not name a valid host" if host else f"an empty host in {where}"
        )


def _is_sound(ipv6: bytes | None, port: bytes | None) -> bool:
    if ipv6 is not None:
        try:
            IPv6Address(ipv6.decode("ascii"))
        except AddressValueError:
            return False
    return not port or int(port) <= 0xFFFF


def check_facts(method: bytes, version: bytes, head: bytes) -> int:
    """The length of the body that follows (0: none), or CHUNKED.

    `head` is a whole head whose lines were checked. Raises GrammarError: 400 ambiguous or malformed, 417
    another expectation than 100-continue, 501 an unknown transfer coding.
    """
    host = length = codings = None
    upgrades = b""
    for name, value in _FACTS.findall(head):
        kind = len(name)
        if kind == 4:
            if host is not None:
                raise GrammarError(400, "two Host fields")
            host = value.rstrip(b" \t")
            check_host(host, "the Host field")
        elif kind == 14:
            if length is not None:
                raise GrammarError(400, "two Content-Length fields")
            length = _parse_length(value.rstrip(b" \t"))
        elif kind == 17:
            codings = value if codings is None else codings + b"," + value
        elif kind == 6:
            if version != b"1.0" and value.rstrip(b" \t").lower() != b"100-continue":
                raise GrammarError(417, "the only expectation met here is 100-continue")
        else:
            upgrades += b"," + value
    if host is None and version != b"1.0":
        raise GrammarError(400, "an HTTP/1.1 request without a Host field")
    if codings is not None:
        _check_coding(codings, version, length)
    body = CHUNKED if codings is not None else (length or 0)
    if upgrades and b"websocket" in split_tokens(upgrades):
        _check_handshake(method, version, head, body)
    return body


def split_tokens(value: bytes) -> list[bytes]:
    """The elements of a comma-separated list, in lower case."""
    return [token.strip(b" \t") for token in value.lower().split(b",")]


def _parse_length(value: bytes) -> int:
    if _LENGTH.fullmatch(value) is None:
        if value.isdigit() and value[0] == 0x30:
            raise GrammarError(400, "a Content-Length with zeros before the number")
        if value.isdigit():
            raise GrammarError(400, f"a Content-Length of more than {MAX_LENGTH_DIGITS} digits")
        raise GrammarError(400, "a Content-Length that is not one decimal number")
    return int(value)


def _check_coding(codings: bytes, version: bytes, length: int | None) -> None:
    if version == b"1.0":
        raise GrammarError(400, "a Transfer-Encoding in an HTTP/1.0 request")
    if length is not None:
        raise GrammarError(400, "both a Content-Length and a Transfer-Encoding")
    names = []
    for coding in codings.split(b","):
        match = _CODING.fullmatch(coding.strip(b" \t"))
        if match is None:
            raise GrammarError(400, "a malformed Transfer-Encoding")
        name = match[1].lower()
        if name == b"chunked" and match[2]:
            raise GrammarError(400, "a chunked transfer coding with parameters")
        names.append(name)
    if b"chunked" in names[:-1]:
        raise GrammarError(400, "a Transfer-Encoding in which chunked is not the last coding")
    if names != [b"chunked"]:
        raise GrammarError(501, "the only transfer coding understood here is chunked")


def _check_handshake(method: bytes, version: bytes, head: bytes, body: int) -> None:
    facts = [(name.lower(), value) for name, value in _HANDSHAKE_FACTS.findall(head)]
    if not any(name == b"connection" and b"upgrade" in split_tokens(value) for name, value in facts):
        return
    if method != b"GET" or version == b"1.0":
        raise GrammarError(400, "a WebSocket handshake that is not a GET in HTTP/1.1")
    if body:
        raise GrammarError(400, "a WebSocket handshake with a body")
    keys = [value.rstrip(b" \t") for name, value in facts if name != b"connection"]
    if len(keys) != 1 or _KEY.fullmatch(keys[0]) is None:
        raise GrammarError(400, "a WebSocket handshake without one valid Sec-WebSocket-Key")
