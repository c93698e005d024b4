"""The message type `uwsgi`: heads as CGI variables in the uwsgi format (`protocol.md` §5).

Spells what `blastbeat.forwarding` decided; keeps no state but a bounded table of names.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from blastbeat import hookimpl
from blastbeat.errors import ClientError, NodeError
from blastbeat.events import Buffer, NodeHead, Request
from blastbeat.headers import combine, response_head
from blastbeat.interfaces import Options, Register

MAX_SIZE = 65535
"""Bytes of all variables, of one name, of one value: the format's lengths have 16 bits."""

MAX_CACHED_NAMES = 1024
"""Field names whose variable is remembered; names beyond are spelled anew each time."""

PREFIX_SIZE = 4


def _sized(text: bytes) -> bytes:
    """`text` behind its length. Raises OverflowError beyond MAX_SIZE."""
    return len(text).to_bytes(2, "little") + text


class _Variables(dict[bytes, bytes]):
    """The variable of a field, behind its length: ``HTTP_ACCEPT`` for ``accept``."""

    def __missing__(self, name: bytes) -> bytes:
        variable = _sized(b"HTTP_" + name.upper().replace(b"-", b"_"))
        if len(self) < MAX_CACHED_NAMES:
            self[name] = variable
        return variable


_METHOD, _URI, _PATH, _QUERY, _SCRIPT, _PROTOCOL, _NAME, _PORT, _ADDR, _REMOTE_PORT, _SCHEME = (
    _sized(name)
    for name in b"REQUEST_METHOD REQUEST_URI PATH_INFO QUERY_STRING SCRIPT_NAME SERVER_PROTOCOL SERVER_NAME"
    b" SERVER_PORT REMOTE_ADDR REMOTE_PORT REQUEST_SCHEME".split()
)
_HTTPS_ON = _sized(b"HTTPS") + _sized(b"on")
_NOT_AS_HTTP = {b"content-type": _sized(b"CONTENT_TYPE"), b"content-length": _sized(b"CONTENT_LENGTH")}


class UwsgiEncoder:
    """Encodes requests as CGI variables and decodes response heads."""

    def __init__(self) -> None:
        self._variables = _Variables(_NOT_AS_HTTP)

    def encode_request(self, request: Request) -> bytes:
        """Raises ClientError(431) when the variables do not fit the format."""
        try:
            variables = b"".join(self._parts(request))
            prefix = b"\0" + len(variables).to_bytes(2, "little") + b"\0"
        except OverflowError:
            raise ClientError(431, f"the request head does not fit {MAX_SIZE} bytes") from None
        return prefix + variables

    def _parts(self, request: Request) -> list[bytes]:
        """Names and values, each behind its length."""
        path, _, query = request.target.partition(b"?")
        if b"%" in path and not request.raw_path_info:
            path = unquote_to_bytes(path)  # leaves malformed escapes as they are
        script = request.script_name
        if script and path.startswith(script) and path[len(script) : len(script) + 1] in (b"", b"/"):
            path = path[len(script) :]
        parts: list[bytes] = []
        for name, value in (
            (_METHOD, request.method),
            (_URI, request.target),
            (_PATH, path),
            (_QUERY, query),
            (_SCRIPT, script),
            (_PROTOCOL, b"HTTP/" + request.version),
            (_NAME, request.server_name),
            (_PORT, request.server_port),
            (_ADDR, request.remote_addr),
            (_REMOTE_PORT, request.remote_port),
            (_SCHEME, request.scheme),
        ):
            parts += (name, len(value).to_bytes(2, "little"), value)
        if request.scheme == b"https":
            parts.append(_HTTPS_ON)
        variables = self._variables
        for field, value in combine(request.headers).items():
            parts += (variables[field], len(value).to_bytes(2, "little"), value)
        for field, value in request.variables:
            parts += (_sized(field), len(value).to_bytes(2, "little"), value)
        return parts

    def decode(self, body: Buffer) -> NodeHead:
        """Raises NodeError for lengths that do not add up, a missing `STATUS` and malformed fields."""
        pairs = _read_pairs(body)
        statuses = [value for name, value in pairs if name == b"STATUS"]
        if len(statuses) != 1:
            raise NodeError(f"uwsgi: expected one variable STATUS, found {len(statuses)}")
        return response_head(statuses[0], (pair for pair in pairs if pair[0] != b"STATUS"))


def _read_pairs(body: Buffer) -> list[tuple[bytes, bytes]]:
    size = len(body)
    if size < PREFIX_SIZE or size > MAX_SIZE + PREFIX_SIZE:
        raise NodeError(f"uwsgi: {size} bytes are no head in this format")
    data = bytes(body)
    declared = int.from_bytes(data[1:3], "little")
    # The specification counts the variables only; the original counted these four bytes in.
    if declared not in (size - PREFIX_SIZE, size):
        raise NodeError(f"uwsgi: the head declares {declared} bytes, but {size - PREFIX_SIZE} follow")
    pairs: list[tuple[bytes, bytes]] = []
    position = PREFIX_SIZE
    while position < size:
        name, position = _read_text(data, position)
        value, position = _read_text(data, position)
        pairs.append((name, value))
    return pairs


def _read_text(data: bytes, position: int) -> tuple[bytes, int]:
    begin = position + 2
    end = begin + int.from_bytes(data[position:begin], "little")
    if begin > len(data) or end > len(data):
        raise NodeError(f"uwsgi: a length at byte {position} leads beyond the end")
    return data[begin:end], end


def make_encoder(options: Options) -> UwsgiEncoder:
    return UwsgiEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("uwsgi", make_encoder)
