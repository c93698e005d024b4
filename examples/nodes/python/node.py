import signal
import struct
import sys
import time

import zmq

endpoint, name = sys.argv[1:3]
silence = float(sys.argv[3]) if len(sys.argv) > 3 else 9.0  # seconds: three of the server's ping periods
context = zmq.Context()
uploads, streams, chat = {}, {}, set()  # what is kept of each session, by sid
stopping = []
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stopping.append(time.monotonic() + 10))


def connect():
    for kept in (uploads, streams, chat):
        kept.clear()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, name.encode())
    socket.setsockopt(zmq.RCVTIMEO, 100)  # milliseconds: look at clock and streams ten times a second
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    socket.send_multipart([b"", b"pong", b""])
    return socket


def variables(packet):
    words, at = [], 4
    while at < len(packet):
        (size,) = struct.unpack_from("<H", packet, at)
        words.append(packet[at + 2 : at + 2 + size].decode("latin-1"))
        at += 2 + size
    return dict(zip(words[::2], words[1::2]))


def answer(sid, body, status="200 OK"):
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    socket.send_multipart([sid, b"headers", head.encode()])
    socket.send_multipart([sid, b"body", body])


def begin(sid, request):
    length = request.get("CONTENT_LENGTH") or "0"
    if "HTTP_UPGRADE" in request:  # a WebSocket: the server answers the handshake itself
        chat.add(sid)
    elif "HTTP_TRANSFER_ENCODING" in request:  # a body of unknown length: an empty piece is the last
        uploads[sid] = (None, b"")
    elif length != "0":  # as many bytes follow; nothing marks the end
        uploads[sid] = (int(length), b"")
    elif request["PATH_INFO"] == "/stream":
        socket.send_multipart([sid, b"headers", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"])
        streams[sid] = 1
    elif request["PATH_INFO"] == "/":
        answer(sid, f"hello from {name}\n".encode())
    else:
        answer(sid, b"no such page\n", "404 Not Found")


def body_came(sid, piece):
    if sid not in uploads:
        return
    length, body = uploads.pop(sid)
    body += piece
    if len(body) == length or (length is None and not piece):
        answer(sid, body)
    else:
        uploads[sid] = (length, body)


def go_on():  # the next piece of each stream: no session waits for another
    for sid, number in list(streams.items()):
        socket.send_multipart([sid, b"chunk", b"%d\n" % number if number <= 5 else b""])
        streams[sid] = number + 1
        if number > 5:
            del streams[sid]


socket, heard, draining = connect(), time.monotonic(), False
while True:
    try:
        sid, kind, body = socket.recv_multipart()
        heard = time.monotonic()
    except zmq.Again:
        sid, kind, body = b"", b"", b""
    if kind == b"ping":
        socket.send_multipart([sid, b"pong", b""])
    elif kind == b"uwsgi":
        begin(sid, variables(body))
    elif kind == b"body":
        body_came(sid, body)
    elif kind == b"websocket":
        for member in chat:
            socket.send_multipart([member, b"websocket", body])
    elif kind == b"end":  # nothing more comes of it
        uploads.pop(sid, None), streams.pop(sid, None), chat.discard(sid)
    elif kind == b"spawn":  # a server that has just started knows none of our sessions
        uploads.clear(), streams.clear(), chat.clear()
    go_on()
    if time.monotonic() - heard > silence:  # the server has lost us, or another has our name
        socket.close()
        socket, heard = connect(), time.monotonic()
    if stopping and not draining:
        draining = True
        socket.send_multipart([b"", b"drain", b""])  # no further request; `drain` comes back at the end
        for member in chat:
            socket.send_multipart([member, b"end", b"1012 restarting"])
    if kind == b"drain" or (stopping and time.monotonic() > stopping[0]):
        break
