"""A request as a node gets it: the head of a `uwsgi` or `headers` message, taken apart (`protocol.md` §5).

Pure: bytes in, values out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_to_bytes

Headers = list[tuple[bytes, bytes]]

MAX_NAMES = 1000
"""Names of variables whose header name is remembered; clients invent any."""


class _HeaderNames(dict[bytes, bytes]):
    """Header names by variable, ``b""`` for what is no header."""

    def __missing__(self, variable: bytes) -> bytes:
        if variable.startswith(b"HTTP_"):
            name = variable[5:].lower().replace(b"_", b"-")
        elif variable in (b"CONTENT_TYPE", b"CONTENT_LENGTH"):
            name = variable.lower().replace(b"_", b"-")
        else:
            name = b""
        if len(self) < MAX_NAMES:
            self[variable] = name
        return name


_HEADER_NAMES = _HeaderNames()


@dataclass(slots=True)
class Request:
    """One request head. `path` is percent-decoded, `raw_path` and `query` are as the client sent them.
    `root_path` is what a route cut off `path`, which `raw_path` still has in front. `headers` have names in
    lower case; a field that was repeated is one, joined with a comma. `variables` are the CGI variables where
    the head came as such. `content_length`: bytes of body that follow, 0 for none; None where they end with
    an empty message. `is_websocket`: a handshake, which has no body; messages follow."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: Headers
    version: str  # "1.1"
    scheme: str
    server: tuple[str, int]
    client: tuple[str, int]
    root_path: str
    content_length: int | None
    is_websocket: bool
    variables: dict[bytes, bytes] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The value of a field, None where there is none."""
        wanted = name.lower().encode("latin-1")
        return next((value.decode("latin-1") for key, value in self.headers if key == wanted), None)


def parse_uwsgi(packet: bytes) -> Request:
    """A `uwsgi` message. Raises IndexError or ValueError for one that can't be read."""
    variables: dict[bytes, bytes] = {}
    headers: Headers = []
    names = _HEADER_NAMES
    position, end = 4, len(packet)
    while position < end:
        stop = position + 2 + (packet[position] | packet[position + 1] << 8)
        name = packet[position + 2 : stop]
        position = stop + 2 + (packet[stop] | packet[stop + 1] << 8)
        variables[name] = value = packet[stop + 2 : position]
        header = names[name]
        if header:
            headers.append((header, value))
    if position != end:
        raise ValueError("cut short")
    get = variables.get
    raw_path, _, query = get(b"REQUEST_URI", b"/").partition(b"?")
    return Request(
        get(b"REQUEST_METHOD", b"GET").decode("latin-1"),
        get(b"PATH_INFO", b"/").decode("utf-8", "replace"),
        raw_path,
        query,
        headers,
        get(b"SERVER_PROTOCOL", b"HTTP/1.1")[5:].decode("latin-1"),
        get(b"REQUEST_SCHEME", b"http").decode("latin-1"),
        _address(get(b"SERVER_NAME", b""), get(b"SERVER_PORT", b"")),
        _address(get(b"REMOTE_ADDR", b""), get(b"REMOTE_PORT", b"")),
        get(b"SCRIPT_NAME", b"").decode("utf-8", "replace"),
        _body_length(get(b"CONTENT_LENGTH"), get(b"HTTP_TRANSFER_ENCODING")),
        get(b"HTTP_UPGRADE", b"").lower() == b"websocket",
        variables,
    )


def parse_headers(head: bytes) -> Request:
    """A `headers` message, which the server wrote anew from a request it had checked."""
    lines = head.split(b"\r\n")
    method, target, version = lines[0].split(b" ")
    headers: Headers = []
    for line in lines[1:]:
        if not line:
            break
        name, _, value = line.partition(b":")
        headers.append((name.lower(), value.strip(b" \t")))
    told = dict(headers)
    raw_path, _, query = target.partition(b"?")
    root_path = told.get(b"x-forwarded-prefix", b"")
    scheme = told.get(b"x-forwarded-proto", b"http").decode("latin-1")
    host, _, port = told.get(b"host", b"").rpartition(b":")
    if not host or port.endswith(b"]"):
        host, port = told.get(b"host", b""), b"443" if scheme == "https" else b"80"
    return Request(
        method.decode("latin-1"),
        unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        root_path + raw_path,
        query,
        headers,
        version[5:].decode("latin-1"),
        scheme,
        _address(host, port),
        _address(told.get(b"x-forwarded-for", b""), b"0"),
        unquote_to_bytes(root_path).decode("utf-8", "replace"),
        _body_length(told.get(b"content-length"), told.get(b"transfer-encoding")),
        told.get(b"upgrade", b"").lower() == b"websocket",
    )


def _body_length(length: bytes | None, coding: bytes | None) -> int | None:
    if coding is not None:
        return None
    if not length:
        return 0
    if not length.isdigit():
        raise ValueError("Content-Length is no number")
    return int(length)


@lru_cache(1000)
def _address(host: bytes, port: bytes) -> tuple[str, int]:
    return host.decode("latin-1"), int(port) if port.isdigit() else 0
