import secrets
import signal
import sys
import time

import zmq

endpoint, name = sys.argv[1:3]
silence = float(sys.argv[3]) if len(sys.argv) > 3 else 9.0  # seconds: three of the server's ping periods
context = zmq.Context()
in_force = set()  # the capability words that the server has confirmed
stopping = []
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stopping.append(time.monotonic() + 10))


def connect():
    in_force.clear()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, f"{name}/{secrets.token_hex(8)}".encode())  # never the same twice
    socket.setsockopt(zmq.RCVTIMEO, 100)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    socket.send_multipart([b"", b"pong", b"batch exchange"])
    return socket


def read_head(text):  # with `request-encoder = headers`
    first, *lines = text.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    fields = [line.split(": ", 1) for line in lines]
    return method, target, {field.lower(): value for field, value in fields}


def answer(sid, text):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
    if "batch" in in_force:  # head and body in one message
        socket.send_multipart([sid, b"headers", head.encode(), b"body", text.encode()])
    else:
        socket.send_multipart([sid, b"headers", head.encode()])
        socket.send_multipart([sid, b"body", text.encode()])


def handle(sid, kind, body):
    if kind == b"ping":
        in_force.update(body.decode().split())
        socket.send_multipart([sid, b"pong", b"batch exchange"])  # an empty one would take the words back
    elif kind == b"headers":
        method, target, fields = read_head(body)
        answer(sid, f"{method} {target} of {fields['host']}\n")


socket, heard, draining = connect(), time.monotonic(), False
while True:
    try:
        sid, *pairs = socket.recv_multipart()
        heard = time.monotonic()
    except zmq.Again:
        sid, pairs = b"", []
    for kind, body in zip(pairs[::2], pairs[1::2]):  # one pair, or several where `batch` is in force
        handle(sid, kind, body)
    if time.monotonic() - heard > silence:
        socket.close()
        socket, heard = connect(), time.monotonic()
    if stopping and not draining:
        draining = True
        socket.send_multipart([b"", b"drain", b""])
    if b"drain" in pairs[::2] or (stopping and time.monotonic() > stopping[0]):
        break
