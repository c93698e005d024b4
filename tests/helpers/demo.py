"""What the tests of the demo's parts share: requests as its node receives them, its answers taken apart."""

from __future__ import annotations

import json
from typing import Any

from blastbeat.demo.request import Message, Request
from tests.helpers.uwsgi import write_packet

SID = b"0123456789abcdef"


def packet(**variables: str) -> bytes:
    return write_packet([(name.encode(), value.encode()) for name, value in variables.items()])


def request(sid: bytes = SID, method: str = "GET", **variables: str) -> Request:
    return Request(sid, {"REQUEST_METHOD": method, **variables}, 0)


def fields_of(head: bytes) -> dict[str, str]:
    lines = head.decode("ascii").split("\r\n")
    assert lines[-2:] == ["", ""]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:-2])}


def status_of(messages: list[Message]) -> int:
    """Of the first head among them."""
    return int(next(body for _, type, body in messages if type == b"headers").split()[1])


def data_of(messages: list[Message]) -> Any:
    """What an answer in JSON says."""
    (_, kind, head), (_, _, body) = messages
    assert kind == b"headers" and fields_of(head)["content-type"] == "application/json"
    return json.loads(body)
