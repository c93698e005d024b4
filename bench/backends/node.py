"""The node of `node.c` in Python, for machines without a compiler or libzmq's headers.

python node.py ENDPOINT NAME
"""

from __future__ import annotations

import sys

import zmq

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
PAYLOAD = b"Hello, world!"


def main(endpoint: str, name: str) -> None:
    dealer = zmq.Context().socket(zmq.DEALER)
    dealer.setsockopt(zmq.IDENTITY, name.encode())
    dealer.connect(endpoint)
    # Plain integers: `|` on zmq's flag enums would cost more than the rest of this loop.
    more = int(zmq.SNDMORE)
    send, receive = dealer.send, dealer.recv

    def answer(sid: bytes, type: bytes, body: bytes) -> None:
        send(sid, more)
        send(type, more)
        send(body, 0)

    answer(b"", b"pong", b"")
    while True:
        sid, type, _ = receive(0), receive(0), receive(0)
        if type == b"uwsgi":
            answer(sid, b"headers", HEAD)
            answer(sid, b"body", PAYLOAD)
        elif type == b"ping":
            answer(sid, b"pong", b"")


if __name__ == "__main__":
    main(*sys.argv[1:])
