"""The message type `uwsgi`: heads as CGI variables in the uwsgi format (`protocol.md` §5).

Spells what `blastbeat.forwarding` decided; keeps no state but a bounded table of names.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from blastbeat import hookimpl
from blastbeat.errors import ClientError, NodeError
from blastbeat.events import Buffer, Headers, NodeHead, RepeatedHeaders, Request
from blastbeat.headers import NameTable, combine, response_head
from blastbeat.interfaces import Options, Register
from blastbeat.paths import cut_prefix, format_path

MAX_SIZE = 65535
"""Bytes of all variables, of one name, of one value: the format's lengths have 16 bits."""

PREFIX_SIZE = 4


class _Sizes(dict[int, bytes]):
    """Lengths as the format writes them; ready made up to 1 KiB, a third of the time saved."""

    def __missing__(self, size: int) -> bytes:
        return size.to_bytes(2, "little")


_SIZES = _Sizes((size, size.to_bytes(2, "little")) for size in range(1024))


def _sized(text: bytes) -> bytes:
    """`text` behind its length. Raises OverflowError beyond MAX_SIZE."""
    return _SIZES[len(text)] + text


def _variable(name: bytes) -> bytes:
    """The variable of a field, behind its length: ``HTTP_ACCEPT`` for ``accept``."""
    variable = name.upper().replace(b"-", b"_")
    return _sized(variable if name in _NOT_AS_HTTP else b"HTTP_" + variable)


_NOT_AS_HTTP = (b"content-type", b"content-length")
_METHOD, _URI, _PATH, _QUERY, _SCRIPT, _PROTOCOL, _NAME, _PORT, _ADDR, _REMOTE_PORT, _SCHEME = (
    _sized(name)
    for name in b"REQUEST_METHOD REQUEST_URI PATH_INFO QUERY_STRING SCRIPT_NAME SERVER_PROTOCOL SERVER_NAME"
    b" SERVER_PORT REMOTE_ADDR REMOTE_PORT REQUEST_SCHEME".split()
)
_HTTPS_ON = _sized(b"HTTPS") + _sized(b"on")


class UwsgiEncoder:
    """Encodes requests as CGI variables and decodes response heads."""

    def __init__(self) -> None:
        self._variables = NameTable(_variable)

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
        method, target, sizes = request.method, request.target, _SIZES
        path, _, query = target.partition(b"?")
        script = request.script_name
        if request.path_info is not None:
            path = format_path(request.path_info) if request.raw_path_info else request.path_info
        elif b"%" in path and not request.raw_path_info:
            path = cut_prefix(unquote_to_bytes(path), script)  # leaves malformed escapes as they are
        elif script:
            path = cut_prefix(path, script)
        headers = request.headers
        # fmt: off
        if headers.__class__ is RepeatedHeaders:
            field, value = headers[-1]
            parts = [
                _METHOD, sizes[len(method)], method,
                _URI, sizes[len(target)], target,
                _PATH, sizes[len(path)], path,
                _QUERY, sizes[len(query)], query,
                self._repeated(request, headers), self._variables[field], sizes[len(value)], value,
            ]
            if not request.variables:
                return parts
        else:
            parts = [
                _METHOD, sizes[len(method)], method,
                _URI, sizes[len(target)], target,
                _PATH, sizes[len(path)], path,
                _QUERY, sizes[len(query)], query,
                *self._others(request, headers),
            ]
        # fmt: on
        for field, value in request.variables:
            parts += (_sized(field), sizes[len(value)], value)
        return parts

    def _repeated(self, request: Request, headers: RepeatedHeaders) -> bytes:
        """What a client's requests have in common is written once."""
        facts = (
            request.script_name, request.version, request.server_name, request.server_port,
            request.remote_addr, request.remote_port, request.scheme,
        )  # fmt: skip
        known: tuple[object, bytes] | None = headers.rendered.get(self)
        if known is None or known[0] != facts:
            known = headers.rendered[self] = (facts, b"".join(self._others(request, headers[:-1])))
        return known[1]

    def _others(self, request: Request, headers: Headers) -> list[bytes]:
        """All but what is asked for."""
        script, sizes = request.script_name, _SIZES
        name, port, scheme = request.server_name, request.server_port, request.scheme
        addr, remote_port, protocol = request.remote_addr, request.remote_port, b"HTTP/" + request.version
        # fmt: off
        parts = [
            _SCRIPT, sizes[len(script)], script,
            _PROTOCOL, sizes[len(protocol)], protocol,
            _NAME, sizes[len(name)], name,
            _PORT, sizes[len(port)], port,
            _ADDR, sizes[len(addr)], addr,
            _REMOTE_PORT, sizes[len(remote_port)], remote_port,
            _SCHEME, sizes[len(scheme)], scheme,
        ]
        # fmt: on
        if scheme == b"https":
            parts.append(_HTTPS_ON)
        variables = self._variables
        for field, value in combine(headers).items():
            parts += (variables[field], sizes[len(value)], value)
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
