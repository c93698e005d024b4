"""What the tests of the JSON encoder share: a node's side of the format, written down a second time."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings

import blastbeat_json_encoder
from blastbeat.errors import NodeError
from blastbeat.events import NodeHead, Request
from blastbeat.testing import make_registered
from blastbeat_json_encoder import JsonEncoder

relaxed = settings(deadline=None)
"""No timed assertion, also where no profile says so: in the distribution's own folder."""


def make() -> JsonEncoder:
    encoder: JsonEncoder = make_registered(blastbeat_json_encoder, "encoder", "json")
    return encoder


def told(request: Request) -> dict[str, Any]:
    """A request head as a node reads it."""
    text = make().encode_request(request)
    assert text.isascii() and b"\n" not in text
    head: dict[str, Any] = json.loads(text)
    return head


def decode(head: object) -> NodeHead:
    """What the server reads of this value, or of this text."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return JsonEncoder().decode(text)


def fault_of(head: object) -> str:
    """Why it is refused."""
    try:
        found = decode(head)
    except NodeError as error:
        assert error.reason.isascii() and error.reason.isprintable() and len(error.reason) < 300
        return error.reason
    raise AssertionError(f"it was read as {found}")
