"""What it costs to look at the address of each message of a node: `python -m bench peer-addresses`.

Prints the microseconds that reading a message from a ROUTER takes, without and with an authenticator that
watches the node's peer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import zmq

from blastbeat.config.model import ServerConfig
from blastbeat.counters import Counters
from blastbeat.events import Buffer
from blastbeat.instance import Instance
from blastbeat.transport.clock import SystemClock
from blastbeat.transport.router import Router

ROUNDS, MESSAGES = 1000, 50


class Sink:
    """Lets everybody in and does nothing."""

    def __init__(self, is_watched: bool) -> None:
        self._is_watched = is_watched

    def message_received(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None: ...

    def admit(self, instance: Instance, address: str | None) -> None:
        instance.allowed = {("bench", "")}
        instance.is_watched = self._is_watched

    def instance_ready(self, instance: Instance) -> None: ...
    def instance_up(self, instance: Instance, reason: str) -> None: ...
    def instance_silent(self, instance: Instance, reason: str) -> None: ...
    def instance_gone(self, instance: Instance, reason: str) -> None: ...
    def session_writable(self, instance: Instance, sid: bytes) -> None: ...
    def flush(self) -> None: ...


def measure(is_watched: bool) -> float:
    """Microseconds per message, of the best tenth of the rounds."""
    router = Router("bench", ["tcp://127.0.0.1:*"], ServerConfig(), Counters(), SystemClock())
    router.sink = Sink(is_watched)
    (endpoint,) = router.open()
    router.table.expect("app", 3.0, 0)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    node = context.socket(zmq.DEALER)
    node.setsockopt(zmq.IDENTITY, b"app")
    node.connect(endpoint)
    took = []
    for _ in range(ROUNDS):
        for _ in range(MESSAGES):
            node.send_multipart([b"s" * 16, b"body", b"x" * 100])
        time.sleep(0.001)  # until ZeroMQ's thread has all of them
        began = time.perf_counter()
        router._read_burst(time.monotonic())
        took.append((time.perf_counter() - began) / MESSAGES * 1e6)
    context.destroy(linger=0)
    router.close()
    return sum(sorted(took)[: ROUNDS // 10]) / (ROUNDS // 10)


def main(arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args(arguments)
    plain, watched = measure(False), measure(True)
    print(f"plain {plain:.2f} µs, watched {watched:.2f} µs: {watched - plain:+.2f} µs per message")
    return 0
