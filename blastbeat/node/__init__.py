"""The node side: serve requests and WebSockets that a BlastBeat server hands out over ZeroMQ.

    import anyio
    from blastbeat.node import Node, Session

    async def hello(session: Session) -> None:
        await session.respond(200, [("Content-Type", "text/plain")], b"Hello!\\n")

    anyio.run(Node("tcp://127.0.0.1:5000", "app", hello).run)

Loads nothing of the server: neither h11 nor wsproto nor pluggy.
"""

from __future__ import annotations

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
