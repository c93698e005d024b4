"""Many nodes in one process, a DEALER each: every answer names the node and the host that was asked for.

python many_nodes.py ENDPOINT COUNT
"""

from __future__ import annotations

import struct
import sys

import zmq


def main(endpoint: str, count: int) -> None:
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, count + 16)
    poller = zmq.Poller()
    names: dict[zmq.Socket[bytes], bytes] = {}
    for number in range(count):
        dealer = context.socket(zmq.DEALER)
        name = b"node%d" % number
        dealer.setsockopt(zmq.IDENTITY, name)
        dealer.connect(endpoint)
        dealer.send_multipart([b"", b"pong", b""])
        poller.register(dealer, zmq.POLLIN)
        names[dealer] = name
    while True:
        for dealer, _ in poller.poll():
            sid, type, body = dealer.recv_multipart()
            if type == b"ping":
                dealer.send_multipart([sid, b"pong", b""])
            elif type == b"uwsgi":
                text = b"%b %b" % (names[dealer], variable(body, b"HTTP_HOST"))
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text)
                dealer.send_multipart([sid, b"headers", head])
                dealer.send_multipart([sid, b"body", text])


def variable(packet: bytes, wanted: bytes) -> bytes:
    at = 4
    while at < len(packet):
        (size,) = struct.unpack_from("<H", packet, at)
        name = packet[at + 2 : at + 2 + size]
        at += 2 + size
        (size,) = struct.unpack_from("<H", packet, at)
        if name == wanted:
            return packet[at + 2 : at + 2 + size]
        at += 2 + size
    return b""


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
