"""Response heads from JSON objects, read strictly: what could mean two things, or is no HTTP, is refused with
a text for the author of the node.

Characters stand for bytes as in request heads. Knows nothing of bodies and framing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from blastbeat.errors import NodeError
from blastbeat.events import Buffer, NodeHead
from blastbeat.headers import MAX_RESPONSE_HEAD, response_head

MAX_TEXT = 8 * MAX_RESPONSE_HEAD
"""Bytes of JSON that are looked at: each byte of a head may be written as an escape of six; and blanks."""

MAX_FIELDS = 1000

KEYS = frozenset(("status", "reason", "headers"))
MAX_NUMBER = 2**53  # beyond it some languages have already rounded what they write
_FIELD_OVERHEAD = 4  # colon, blank and line end, which count in the other notations


def parse_response(body: Buffer) -> NodeHead:
    """Raises NodeError."""
    if len(body) > MAX_TEXT:
        raise NodeError(f"json: a head of {len(body)} bytes is longer than {MAX_TEXT}")
    head = _parse(bytes(body))
    if type(head) is not dict:
        _refuse('expected an object like {"status": 200, "headers": {}}', head)
    unknown = head.keys() - KEYS
    if unknown:
        _refuse("status, reason and headers are all that an object may have, not", min(unknown))
    status = head.get("status")
    if type(status) is not int or not 100 <= status <= 599:  # bool is an int, too
        _refuse("status must be a whole number from 100 to 599, not", status)
    reason = _bytes(head.get("reason", ""), "reason")
    fields = list(_fields(head.get("headers", {})))
    size = len(reason) + sum(len(name) + len(value) + _FIELD_OVERHEAD for name, value in fields)
    if size > MAX_RESPONSE_HEAD or len(fields) > MAX_FIELDS:
        raise NodeError(
            f"json: {len(fields)} headers of {size} bytes; at most {MAX_FIELDS} and {MAX_RESPONSE_HEAD} bytes"
        )
    try:
        return response_head(b"%d %b" % (status, reason), fields)
    except NodeError as error:
        raise NodeError(f"json: {error.reason}") from None


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise NodeError("json: nested too deeply") from None
    except ValueError as error:
        raise NodeError(f"json: {str(error)[:200]}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers disagree about which of two counts, so neither does. Names of headers have no case."""
    found = dict(pairs)
    if len(found) < len(pairs) or len({name.lower() for name in found}) < len(pairs):
        names = [name.lower() for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{_shown(double)} comes twice in an object; a list of values says several")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


# ---------------------------------------------------------------- fields


def _fields(headers: object) -> Iterator[tuple[bytes, bytes]]:
    """An object of names with a value or a list of values each, or a list of pairs."""
    if isinstance(headers, dict):
        for name, value in headers.items():
            for each in value if isinstance(value, list) else (value,):
                yield _field(name, each)
    elif isinstance(headers, list):
        for pair in headers:
            if not isinstance(pair, list) or len(pair) != 2:
                _refuse("headers must be an object, or a list of [name, value], not of", pair)
            yield _field(*pair)
    else:
        _refuse("headers must be an object, or a list of [name, value], not", headers)


def _field(name: object, value: object) -> tuple[bytes, bytes]:
    field = _bytes(name, "the name of a header")
    if type(value) is int and 0 <= value < MAX_NUMBER:
        return field, b"%d" % value
    if not isinstance(value, str):
        _refuse(f"the value of {_shown(name)} must be a string or a whole number below 2^53, not", value)
    return field, _bytes(value, f"the value of {_shown(name)}")


def _bytes(text: object, what: str) -> bytes:
    if not isinstance(text, str):
        _refuse(f"{what} must be a string, not", text)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise NodeError(
            f"json: {what} holds {_shown(text[error.start])}, which is no byte: characters stand for bytes,"
            " up to U+00FF"
        ) from None


def _refuse(what: str, found: object) -> NoReturn:
    raise NodeError(f"json: {what} {'null' if found is None else _shown(found)}")


def _shown(value: object) -> str:
    """At most 40 characters of ASCII, so that a log stays one line; of a container only what it is, however
    deep that goes."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = ascii(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
