"""The owners of message types, on the contract of encoders."""

from __future__ import annotations

from blastbeat.node.request import Request, parse_headers, parse_uwsgi
from blastbeat.plugins import (
    abort_encoder,
    body_encoder,
    chunk_encoder,
    credit_encoder,
    drain_encoder,
    end_encoder,
    headers_encoder,
    pong_encoder,
    retry_encoder,
    uwsgi_encoder,
    websocket_encoder,
)
from blastbeat.testing import EncoderContract
from tests.helpers.uwsgi import write_packet


def read_back(request: Request) -> tuple[bytes, bytes, dict[bytes, bytes]]:
    target = request.raw_path + (b"?" + request.query if request.query else b"")
    fields: dict[bytes, bytes] = {}
    for name, value in request.headers:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return request.method.encode("latin-1"), target, fields


class TestHeaders(EncoderContract):
    plugin = headers_encoder
    name = "headers"
    valid_bodies = (
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
        b"HTTP/1.0 404\n\nbody",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    )
    invalid_bodies = (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    )

    def read_request(self, body: bytes) -> tuple[bytes, bytes, dict[bytes, bytes]]:
        return read_back(parse_headers(body))


class TestUwsgi(EncoderContract):
    plugin = uwsgi_encoder
    name = "uwsgi"
    valid_bodies = (
        write_packet([(b"STATUS", b"200 OK"), (b"X-A", b"1"), (b"X-A", b"2")]),
        write_packet([(b"STATUS", b"404")], count_header=True),
    )
    invalid_bodies = (
        b"",
        write_packet([]),
        write_packet([(b"STATUS", b"20")]),
        write_packet([(b"STATUS", b"200"), (b"X", b"a\r\nb")]),
        write_packet([(b"STATUS", b"200 OK")])[:-1],
    )

    def read_request(self, body: bytes) -> tuple[bytes, bytes, dict[bytes, bytes]]:
        return read_back(parse_uwsgi(body))


class TestBody(EncoderContract):
    plugin = body_encoder
    name = "body"
    valid_bodies = (b"", b"payload", bytes(range(256)))


class TestChunk(EncoderContract):
    plugin = chunk_encoder
    name = "chunk"
    valid_bodies = (b"", b"payload")


class TestWebsocket(EncoderContract):
    plugin = websocket_encoder
    name = "websocket"
    valid_bodies = (b"", b"text", b"\xff")


class TestWebsocketBinary(EncoderContract):
    plugin = websocket_encoder
    name = "websocket-binary"
    valid_bodies = (b"", b"\xff")


class TestEnd(EncoderContract):
    plugin = end_encoder
    name = "end"
    valid_bodies = (b"", b"1000", b"4000 bye")


class TestAbort(EncoderContract):
    plugin = abort_encoder
    name = "abort"
    valid_bodies = (b"", b"out of memory")


class TestRetry(EncoderContract):
    plugin = retry_encoder
    name = "retry"
    valid_bodies = (b"",)


class TestCredit(EncoderContract):
    plugin = credit_encoder
    name = "credit"
    valid_bodies = (b"1", b"65536")
    invalid_bodies = (b"", b"-1", b"+1", b"1.5", b"\xb2", b"9" * 100)


class TestPong(EncoderContract):
    plugin = pong_encoder
    name = "pong"
    valid_bodies = (b"", b"batch binary accept exchange credit=65536", b"\xff")


class TestDrain(EncoderContract):
    plugin = drain_encoder
    name = "drain"
    valid_bodies = (b"",)
