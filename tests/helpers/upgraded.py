"""Upgraded connections on a fake loop: the engine's own, after a handshake.

Knows the fakes of the transport; sends and waits for nothing.
"""

from __future__ import annotations

from typing import Any

from blastbeat.events import CloseReason
from blastbeat.transport.websocket import WebSocketConnection
from tests.helpers.settings import HOST
from tests.helpers.transport_fakes import FakeTransport, Wire
from tests.helpers.websocket import handshake_fields

HANDSHAKE = "\r\n".join(
    ["GET / HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in handshake_fields()), "", ""]
).encode()


def upgrade(wire: Wire, rest: bytes = b"") -> tuple[WebSocketConnection, FakeTransport]:
    """A client whose handshake was accepted; what it took so far is dropped. `rest` follows the handshake in
    the same segment."""
    _, transport = wire.connect()
    transport.receive(HANDSHAKE + rest)
    assert transport.output.startswith(b"HTTP/1.1 101 ")
    transport.output = transport.output.partition(b"\r\n\r\n")[2]
    assert isinstance(transport.protocol, WebSocketConnection)
    assert transport.protocol in wire.connections
    return transport.protocol, transport


def upgraded(rest: bytes = b"", **options: Any) -> tuple[Wire, WebSocketConnection, FakeTransport]:
    """The only client; `options` are the wire's."""
    wire = Wire(**options)
    return wire, *upgrade(wire, rest)


def say(wire: Wire, websocket: WebSocketConnection, type: str, body: bytes = b"") -> None:
    """A message of the client's node."""
    wire.engine.say(websocket.stream.session, type, body)
    wire.outputs.flush()
    wire.loop.run()


def messages(wire: Wire) -> list[tuple[bytes, bytes]]:
    """What the node was sent, without heads and pings."""
    return [(type, bytes(body)) for _, _, type, body in wire.engine.router.sent if type != b"uwsgi"]


def reason(wire: Wire) -> CloseReason:
    return wire.engine.recorder.exchange.reason
