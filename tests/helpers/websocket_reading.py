"""What the server makes of the bytes of an upgraded client: gate and driver, without a connection.

Stands still where a connection would: at a close frame and at the first failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from blastbeat.events import WebSocketClose, WebSocketEvent, WebSocketFailure
from blastbeat.gates.websocket import WebSocketGate
from blastbeat.interfaces import WebSocketOptions
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory


@dataclass
class Reading:
    """`failure`: the code for the close frame, None where nothing is wrong yet."""

    events: list[WebSocketEvent] = field(default_factory=list)
    failure: int | None = None


def read_frames(pieces: Iterable[bytes], max_message: int, compression: bool = False) -> Reading:
    """What comes of them, in this order."""
    options = WebSocketOptions(max_message=max_message, compression=compression)
    answer, driver = WsprotoDriverFactory({}).negotiate([b"permessage-deflate"], options)
    gate = WebSocketGate(max_message, bool(answer))
    reading = Reading()
    for piece in pieces:
        passed = gate.receive(piece)
        for event in driver.receive_data(passed) if passed else ():
            if isinstance(event, WebSocketFailure):
                reading.failure = event.code
                return reading
            reading.events.append(event)
            if isinstance(event, WebSocketClose):
                return reading
        if gate.failure is not None:
            reading.failure = gate.failure[0]
            return reading
    return reading
