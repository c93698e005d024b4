"""A raw HTTP client: a blocking socket, every byte by hand, and a strict reader of responses.

Knows nothing of the server's code, and forgives nothing.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.helpers.server import PATIENCE
from tests.helpers.settings import HOST

_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d\d\d) ([\t -~\x80-\xff]*)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")


class ConnectionEnded(AssertionError):
    """The connection ended while more was expected."""


@dataclass
class ResponseHead:
    status: int
    reason: str
    headers: list[tuple[str, str]]

    def __getitem__(self, name: str) -> str:
        """The value of a field that comes exactly once; KeyError when it is not there."""
        values = self.all(name)
        if not values:
            raise KeyError(name)
        assert len(values) == 1, f"{name} comes {len(values)} times: {values}"
        return values[0]

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Response(ResponseHead):
    """A response read to its end. `framing`: "none", "length", "chunked" or "close"."""

    body: bytes
    framing: str
    chunks: list[bytes] = field(default_factory=list)
    interim: list[ResponseHead] = field(default_factory=list)


class RawClient:
    """One connection to the server, over TLS where a context for it is given. Every wait ends with an
    AssertionError after some seconds."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        receive_buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE)
        self._buffer = bytearray()
        try:
            self._socket.connect((host, port))
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname=server_name)
        except OSError:
            self._socket.close()
            raise

    @property
    def local_port(self) -> int:
        return int(self._socket.getsockname()[1])

    # ------------------------------------------------------------ sending

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def can_send(self, seconds: float) -> bool:
        """Whether the operating system takes more within `seconds`."""
        return bool(select.select([], [self._socket], [], seconds)[1])

    def send_some(self, data: bytes | memoryview) -> int:
        """As many bytes as the operating system takes at once; 0 when it takes none."""
        self._socket.setblocking(False)
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        finally:
            self._socket.settimeout(PATIENCE)

    def send_head(
        self,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        host: str | None = HOST,
        version: str = "1.1",
    ) -> None:
        self.send(request_head(target, method=method, headers=headers, host=host, version=version))

    def get(self, target: str = "/", *, host: str = HOST, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.send_head(target, host=host, headers=headers)

    def post(self, body: bytes, target: str = "/", headers: Sequence[tuple[str, str]] = ()) -> None:
        """A request with a length."""
        self.send_head(target, method="POST", headers=[("Content-Length", str(len(body))), *headers])
        self.send(body)

    # ------------------------------------------------------------ receiving

    def read_response(self, method: str = "GET") -> Response:
        """The next final response, whole, with the interim ones before it."""
        interim: list[ResponseHead] = []
        while (head := self.read_head()).status < 200:
            interim.append(head)
        framing, chunks = self._read_body(head, method)
        return Response(head.status, head.reason, head.headers, b"".join(chunks), framing, chunks, interim)

    def read_head(self) -> ResponseHead:
        """The next head, interim or final."""
        while b"\r\n\r\n" not in self._buffer:
            self._fill("a response head")
        raw, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        first, *lines = raw.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(first)
        assert status is not None, f"not a status line: {first!r}"
        headers: list[tuple[str, str]] = []
        for line in lines:
            match = _FIELD.fullmatch(line)
            assert match is not None, f"not a header line: {line!r}"
            headers.append((match[1].decode("latin-1"), match[2].decode("latin-1")))
        return ResponseHead(int(status[1]), status[2].decode("latin-1"), headers)

    def read_exactly(self, number: int) -> bytes:
        while len(self._buffer) < number:
            self._fill(f"{number} bytes")
        data = bytes(self._buffer[:number])
        del self._buffer[:number]
        return data

    def read_some(self, most: int) -> bytes:
        """At least one byte and at most `most`."""
        if not self._buffer:
            self._fill("anything")
        return self.read_exactly(min(most, len(self._buffer)))

    def read_chunk(self) -> bytes:
        """The payload of the next chunk; empty for the last one, which must come without trailers."""
        while b"\r\n" not in self._buffer:
            self._fill("a chunk")
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        assert re.fullmatch(rb"[0-9a-fA-F]+", line), f"not a chunk size: {line!r}"
        self._buffer = bytearray(rest)
        payload = self.read_exactly(int(line, 16))
        assert self.read_exactly(2) == b"\r\n", "a chunk without its line end"
        return payload

    def wait_input(self, seconds: float) -> bool:
        """Whether anything, or the end, can be read within `seconds`."""
        return bool(self._buffer or select.select([self._socket], [], [], seconds)[0])

    def read_to_eof(self) -> bytes:
        """Everything up to the end of the connection, however it ends."""
        while self._receive():
            pass
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def expect_eof(self) -> None:
        """The connection ends here, with nothing more to read."""
        rest = self.read_to_eof()
        assert rest == b"", f"expected the end of the connection, got {rest[:200]!r}"

    # ------------------------------------------------------------ leaving

    def half_close(self) -> None:
        """FIN, but still reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        self._socket.close()

    # ------------------------------------------------------------ inside

    def _read_body(self, head: ResponseHead, method: str) -> tuple[str, list[bytes]]:
        coding, lengths = head.all("transfer-encoding"), head.all("content-length")
        assert len(coding) <= 1 and len(lengths) <= 1, f"ambiguous framing: {head.headers}"
        assert not (coding and lengths), f"length and coding: {head.headers}"
        if method == "HEAD" or head.status in (204, 304):
            return "none", []
        if coding:
            assert coding == ["chunked"], coding
            chunks: list[bytes] = []
            while chunk := self.read_chunk():
                chunks.append(chunk)
            return "chunked", chunks
        if lengths:
            return "length", [self.read_exactly(int(lengths[0]))]
        return "close", [self.read_to_eof()]

    def _fill(self, wanted: str) -> None:
        if not self._receive():
            raise ConnectionEnded(
                f"the connection ended before {wanted}; read: {bytes(self._buffer)[:500]!r}"
            )

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise AssertionError(f"nothing more came; read so far: {bytes(self._buffer)[:500]!r}") from None
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)


def request_head(
    target: str = "/",
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    host: str | None = HOST,
    version: str = "1.1",
) -> bytes:
    """The bytes of a request head."""
    fields = [("Host", host)] if host is not None else []
    lines = [f"{method} {target} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in (*fields, *headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
