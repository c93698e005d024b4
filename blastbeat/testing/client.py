"""A small HTTP/1.1 client: blocking, without any library, raw enough for what a filter does to requests and
responses.

Knows nothing of the server's code, and forgives nothing: a response that is not well-formed fails the test.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blastbeat.testing.websocket_client import WebSocket

_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d\d\d) ([\t -~\x80-\xff]*)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")

PATIENCE = 5.0
"""Seconds that any single wait may last."""

HeaderFields = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass
class Response:
    """A response with its whole body (empty where only its head was read). `headers` are the fields in order,
    as they were spelled."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()

    def __getitem__(self, name: str) -> str:
        """The value of a field that comes exactly once, in any spelling; KeyError where there is none."""
        values = self.all(name)
        if not values:
            raise KeyError(name)
        assert len(values) == 1, f"{name} comes {len(values)} times: {values}"
        return values[0]

    def __contains__(self, name: object) -> bool:
        return bool(self.all(str(name)))

    def all(self, name: str) -> list[str]:
        """The values of a field, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Client:
    """One connection, opened by the first request, and anew by a request after the server has closed it.

    `virtualhost` is what `Host` says; `source` the address to come from (any of 127.0.0.0/8 is another
    client). Every wait ends with an AssertionError after `patience` seconds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        virtualhost: str = "app.test",
        source: str = "",
        patience: float = PATIENCE,
    ) -> None:
        self.virtualhost = virtualhost
        self._address = (host, port)
        self._source = source
        self._patience = patience
        self._socket: socket.socket | None = None
        self._buffer = bytearray()

    # ------------------------------------------------------------ whole requests

    def get(self, target: str = "/", headers: HeaderFields = ()) -> Response:
        return self.request("GET", target, headers)

    def post(self, target: str = "/", body: bytes | str = b"", headers: HeaderFields = ()) -> Response:
        return self.request("POST", target, headers, body)

    def request(
        self, method: str, target: str = "/", headers: HeaderFields = (), body: bytes | str | None = None
    ) -> Response:
        """The response to one request, whole; of interim responses nothing is told. `Host` is added where it
        lacks, and `Content-Length` where there is a body."""
        self.send_request(method, target, headers, body)
        response = self.read_response(method)
        if "close" in response.all("connection"):
            self.close()
        return response

    def send_request(
        self, method: str, target: str = "/", headers: HeaderFields = (), body: bytes | str | None = None
    ) -> None:
        """Sends one, and reads nothing of its response."""
        if self._socket is not None and self._was_closed():
            self.close()
        fields = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in fields}
        data = body.encode() if isinstance(body, str) else body
        if "host" not in names:
            fields.insert(0, ("Host", self.virtualhost))
        if data is not None and not names & {"content-length", "transfer-encoding"}:
            fields.append(("Content-Length", str(len(data))))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + (data or b""))

    def websocket(
        self, target: str = "/", headers: HeaderFields = (), protocols: Sequence[str] = ()
    ) -> WebSocket:
        """A WebSocket on this connection; AssertionError with the response where the server refuses."""
        from blastbeat.testing.websocket_client import WebSocket

        return WebSocket(self, target, headers, protocols)

    # ------------------------------------------------------------ by hand

    def send(self, data: bytes) -> None:
        """Bytes as they are, however wrong."""
        self.connect().sendall(data)

    def connect(self) -> socket.socket:
        """The socket, connected if it was not."""
        if self._socket is None:
            source = (self._source, 0) if self._source else None
            self._socket = socket.create_connection(self._address, self._patience, source)
            self._buffer.clear()
        return self._socket

    def read_response(self, method: str = "GET") -> Response:
        """The next final response, whole."""
        while (head := self.read_head()).status < 200:
            if head.status == 101:
                return head
        head.body = self._read_body(head, method)
        return head

    def read_head(self) -> Response:
        """The next head, interim or final."""
        while b"\r\n\r\n" not in self._buffer:
            self._fill("a response head")
        raw, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        first, *lines = raw.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(first)
        assert status is not None, f"not a status line: {first!r}"
        found = []
        for line in lines:
            match = _FIELD.fullmatch(line)
            assert match is not None, f"not a header line: {line!r}"
            found.append((match[1].decode("latin-1"), match[2].decode("latin-1")))
        return Response(int(status[1]), status[2].decode("latin-1"), found)

    def read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._buffer) < size:
            self._fill(f"{size} bytes")
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def read_chunk(self) -> bytes:
        """The payload of the next chunk, empty for the last one."""
        while b"\r\n" not in self._buffer:
            self._fill("a chunk")
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        assert re.fullmatch(rb"[0-9a-fA-F]+", line), f"not the size of a chunk: {line!r}"
        self._buffer = bytearray(rest)
        payload = self.read(int(line, 16))
        assert self.read(2) == b"\r\n", "a chunk without its line end"
        return payload

    def read_to_end(self) -> bytes:
        """Everything up to the end of the connection, however it ends."""
        while self._receive():
            pass
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def close(self) -> None:
        """Leaves; a further request opens another connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # ------------------------------------------------------------ inside

    def _read_body(self, head: Response, method: str) -> bytes:
        coding, lengths = head.all("transfer-encoding"), head.all("content-length")
        assert len(coding) <= 1 and len(lengths) <= 1, f"ambiguous framing: {head.headers}"
        assert not (coding and lengths), f"a length and a coding: {head.headers}"
        if method == "HEAD" or head.status in (204, 304):
            return b""
        if coding:
            assert coding == ["chunked"], coding
            return b"".join(iter(self.read_chunk, b""))
        return self.read(int(lengths[0])) if lengths else self.read_to_end()

    def _was_closed(self) -> bool:
        """Whether the server has ended the connection, and left nothing to read."""
        assert self._socket is not None
        self._socket.setblocking(False)
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        finally:
            self._socket.settimeout(self._patience)
        self._buffer += data
        return not data and not self._buffer

    def _fill(self, wanted: str) -> None:
        assert self._receive(), f"the connection ended before {wanted}; read: {bytes(self._buffer)[:500]!r}"

    def _receive(self) -> bool:
        try:
            data = self.connect().recv(65536)
        except TimeoutError:
            raise AssertionError(f"nothing more came; read so far: {bytes(self._buffer)[:500]!r}") from None
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)
