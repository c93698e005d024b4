"""The end of client connections as the server stops: of WebSockets one after the other, so that their clients
do not come back all at once, to whoever serves them next.

Knows connections and the loop; how each takes its leave is its own business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from blastbeat.transport.preface import Accepted
from blastbeat.transport.websocket import WebSocketConnection

SPREAD = 0.5
"""The part of `drain` that WebSockets are ended in. The rest is for their clients to answer."""


def stop_gradually(connections: Iterable[Accepted], loop: asyncio.AbstractEventLoop, drain: float) -> None:
    """Tell each connection that the server stops; `drain`: seconds until it ends whatever is still there."""
    websockets = []
    for connection in connections:
        if isinstance(connection, WebSocketConnection):
            websockets.append(connection)
        else:
            connection.stop(at_once=False)
    step = drain * SPREAD / len(websockets) if websockets else 0.0
    for position, websocket in enumerate(websockets):
        if step:
            loop.call_later(position * step, websocket.stop, False)
        else:
            websocket.stop(at_once=False)
