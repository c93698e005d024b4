"""A node that sends every WebSocket message back.

python echo_node.py ENDPOINT NAME
"""

from __future__ import annotations

import sys

import zmq

WORDS = b"binary"


def main(endpoint: str, name: str) -> None:
    node = zmq.Context().socket(zmq.DEALER)
    node.setsockopt(zmq.IDENTITY, name.encode())
    node.set_hwm(100_000)  # an echo holds nothing itself: it must not be what waits
    node.connect(endpoint)
    node.send_multipart([b"", b"pong", WORDS])
    while True:
        sid, type, body = node.recv_multipart()
        if type == b"ping":
            node.send_multipart([b"", b"pong", WORDS])
        elif type in (b"websocket", b"websocket-binary"):
            node.send_multipart([sid, type, body])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
