"""What an echoed WebSocket message costs the server's own code: driver, stream, session, encoder and back.

    python -m bench websocket-path [--driver fast] [--messages 20000]

The sockets on both sides are fakes, so neither the kernel nor ZeroMQ counts. Prints CPU microseconds per
message, which other load disturbs. For instructions, which it does not, run it twice under
`valgrind --tool=callgrind --callgrind-out-file=/dev/null` with different numbers and divide the difference.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence
from typing import Any

from blastbeat.events import Buffer
from blastbeat.instance import Instance
from blastbeat.interfaces import WebSocketDriverFactory
from blastbeat.plugins.websocket_fast import FastDriverFactory
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory
from tests.helpers import transport_fakes
from tests.helpers.upgraded import HANDSHAKE
from tests.helpers.websocket_frames import TEXT, frame

PAYLOAD = b"x" * 64
MESSAGE = frame(TEXT, PAYLOAD)
DRIVERS: dict[str, WebSocketDriverFactory] = {
    "fast": FastDriverFactory({}),
    "wsproto": WsprotoDriverFactory({}),
}


class Socket(transport_fakes.FakeTransport):
    """Takes everything and keeps the last."""

    def write(self, data: Buffer) -> None:
        self.output = bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--driver", choices=DRIVERS, default="fast")
    parser.add_argument("--messages", type=int, default=20_000, help="default %(default)s")
    options = parser.parse_args(arguments)
    transport_fakes.Wire.websocket_driver = DRIVERS[options.driver]
    transport_fakes.FakeTransport = Socket  # type: ignore[misc]
    wire = transport_fakes.Wire()
    transport = wire.connect()[1]
    transport.receive(HANDSHAKE)
    wire.engine.router.send = swallow  # type: ignore[method-assign]
    websocket: Any = transport.protocol
    session = websocket.stream.session
    gc.disable()
    began = time.process_time()
    for _ in range(options.messages):
        websocket.data_received(MESSAGE)
        wire.engine.dispatcher.message_received(session.instance, session.sid, b"websocket", PAYLOAD)
        wire.outputs.flush()
        wire.loop.run()
    spent = time.process_time() - began
    assert transport.output == b"\x81\x40" + PAYLOAD
    print(f"{1e6 * spent / options.messages:.2f} CPU microseconds per message with {options.driver}")
    return 0


def swallow(instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
    """The node's side."""
