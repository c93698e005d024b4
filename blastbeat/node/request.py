"""A request as a node gets it: the head of a `uwsgi` or `headers` message, taken apart (`protocol.md` §5).

Pure: bytes in, values out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    the head came as such."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: Headers
    version: str  # "1.1"
    scheme: str
    server: tuple[str, int]
    client: tuple[str, int]
    root_path: str = ""
    variables: dict[bytes, bytes] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The value of a field, None where there is none."""
        wanted = name.lower().encode("latin-1")
        return next((value.decode("latin-1") for key, value in self.headers if key == wanted), None)

    @property
    def is_websocket(self) -> bool:
        """A WebSocket's handshake: it has no body, and messages follow."""
        return any(key == b"upgrade" and value.lower() == b"websocket" for key, value in self.headers)

    @property
    def content_length(self) -> int | None:
        """Bytes of body that follow, 0 for none; None where they end with an empty message."""
        for key, value in self.headers:
            if key == b"content-length":
                return int(value)
            if key == b"transfer-encoding":
                return None
        return 0


def read_variables(packet: bytes) -> dict[bytes, bytes]:
    """The variables of a uwsgi packet, in order. Raises IndexError for one that is cut short."""
    variables = {}
    position, end = 4, len(packet)
    while position < end:
        size = packet[position] | packet[position + 1] << 8
        position += 2
        name = packet[position : position + size]
        position += size
        size = packet[position] | packet[position + 1] << 8
        position += 2
        variables[name] = packet[position : position + size]
        position += size
    return variables


def parse_uwsgi(packet: bytes) -> Request:
    """A `uwsgi` message."""
    variables = read_variables(packet)
    names = _HEADER_NAMES
    headers = [(names[name], value) for name, value in variables.items() if names[name]]
    get = variables.get
    target = get(b"REQUEST_URI", b"/")
    raw_path, _, query = target.partition(b"?")
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
    )


def _address(host: bytes, port: bytes) -> tuple[str, int]:
    return host.decode("latin-1"), int(port) if port.isdigit() else 0
