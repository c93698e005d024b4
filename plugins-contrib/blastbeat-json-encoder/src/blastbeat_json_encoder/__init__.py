"""The message type `json`: request heads as JSON, response heads from JSON.

Registers the encoder; the format itself is in `requests` and `responses`.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeHead, Request
from blastbeat.interfaces import Options, Register
from blastbeat_json_encoder.requests import format_request
from blastbeat_json_encoder.responses import parse_response

__all__ = ["JsonEncoder"]


class JsonEncoder:
    """Encodes requests as JSON objects and decodes response heads from them; keeps no state."""

    def encode_request(self, request: Request) -> bytes:
        """ASCII only; every byte of the request is in it."""
        return format_request(request)

    def decode(self, body: Buffer) -> NodeHead:
        """Raises NodeError that says what is wrong with it."""
        return parse_response(body)


def _make(options: Options) -> JsonEncoder:
    return JsonEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("json", _make)
