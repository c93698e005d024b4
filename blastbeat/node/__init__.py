"""The node side: serve requests and WebSockets that a BlastBeat server hands out over ZeroMQ.

    import anyio
    from blastbeat.node import Node, Session

    async def hello(session: Session) -> None:
        await session.respond(200, [("Content-Type", "text/plain")], b"Hello!\\n")

    anyio.run(Node("tcp://127.0.0.1:5000", "app", hello).run)

Loads nothing of the server: neither h11 nor wsproto nor pluggy. Names resolve on first use (PEP 562), so that
the command line can read its options without ZeroMQ.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blastbeat.node.errors import Disconnected, NodeUsageError, WebSocketClosed
    from blastbeat.node.node import Handler, Node
    from blastbeat.node.request import Request
    from blastbeat.node.session import Session
    from blastbeat.node.websocket import WebSocket

__all__ = [
    "Disconnected",
    "Handler",
    "Node",
    "NodeUsageError",
    "Request",
    "Session",
    "WebSocket",
    "WebSocketClosed",
]

_PLACES = {
    "Disconnected": "errors",
    "Handler": "node",
    "Node": "node",
    "NodeUsageError": "errors",
    "Request": "request",
    "Session": "session",
    "WebSocket": "websocket",
    "WebSocketClosed": "errors",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'blastbeat.node' has no attribute {name!r}")
    return getattr(import_module(f"blastbeat.node.{place}"), name)
