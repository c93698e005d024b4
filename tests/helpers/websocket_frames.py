"""WebSocket frames by hand: built however wrong they are wanted, and read strictly. Bytes only.

Knows RFC 6455 and RFC 7692; nothing of the server's code, of sockets and of any library's idea of a frame.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
RSV1, RSV2, RSV3 = 4, 2, 1
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x37\xfa\x21\x3d"
"""The mask of RFC 6455, section 5.7. A test that cares for masks brings others."""


class ProtocolViolation(AssertionError):
    """The server sent what RFC 6455 forbids it."""


@dataclass(frozen=True)
class Frame:
    """A frame as the server sent it."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0

    @property
    def close_code(self) -> int:
        """Of a close frame; 1005 where it has none."""
        assert self.opcode == CLOSE, self
        return int.from_bytes(self.payload[:2], "big") if self.payload else 1005

    @property
    def close_reason(self) -> str:
        assert self.opcode == CLOSE, self
        return self.payload[2:].decode()

    def __repr__(self) -> str:
        name = NAMES.get(self.opcode, str(self.opcode))
        if self.opcode == CLOSE:
            return f"<close {self.close_code} {self.payload[2:]!r}>"
        more = "" if self.fin else ", more follow"
        return f"<{name} of {len(self.payload)} bytes{more}, rsv {self.rsv}: {self.payload[:60]!r}>"


def accept_key(key: str) -> str:
    """The `Sec-WebSocket-Accept` that answers `key` (RFC 6455, section 4.2.2)."""
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest).decode()


# ---------------------------------------------------------------- building


def masked(payload: bytes, mask: bytes) -> bytes:
    """`payload` with `mask` on it, or off it again."""
    if mask == b"\0\0\0\0":
        return payload
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def frame_header(
    opcode: int,
    length: int,
    *,
    fin: bool = True,
    rsv: int = 0,
    is_masked: bool = True,
    length_bytes: int | None = None,
) -> bytes:
    """Up to the mask, which is not in it. `length_bytes` 0, 2 or 8 forces a form of the length; by default it
    is the shortest."""
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 65536 else 8
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if is_masked else 0
    if length_bytes == 0:
        return struct.pack("!BB", first, bit | length)
    if length_bytes == 2:
        return struct.pack("!BBH", first, bit | 126, length)
    return struct.pack("!BBQ", first, bit | 127, length)


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    length: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """One frame from a client. `length` is what the header says where that is not the truth; `mask` None
    leaves the frame unmasked."""
    announced = len(payload) if length is None else length
    head = frame_header(
        opcode, announced, fin=fin, rsv=rsv, is_masked=mask is not None, length_bytes=length_bytes
    )
    return head + payload if mask is None else head + mask + masked(payload, mask)


def text(payload: str | bytes) -> bytes:
    return frame(TEXT, payload.encode() if isinstance(payload, str) else payload)


def binary(payload: bytes) -> bytes:
    return frame(BINARY, payload)


def close(code: int | None = 1000, reason: str | bytes = b"") -> bytes:
    """A close frame; `code` None for one that is empty."""
    words = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + words)


def fragments(opcode: int, pieces: Sequence[bytes], *, rsv: int = 0) -> list[bytes]:
    """One message as a frame per piece; `rsv` is that of the first."""
    last = len(pieces) - 1
    return [
        frame(CONTINUATION if at else opcode, piece, fin=at == last, rsv=0 if at else rsv)
        for at, piece in enumerate(pieces)
    ]


def cut(data: bytes, size: int) -> list[bytes]:
    """`data` in pieces of `size` bytes; the last may be shorter, an empty one stays one empty piece."""
    return [data[at : at + size] for at in range(0, len(data), size)] or [b""]


# ---------------------------------------------------------------- reading


def parse_frame(buffer: bytes | bytearray) -> tuple[Frame, int] | None:
    """The first frame in what a server sent, and its size on the wire; None while it is not whole. Raises
    ProtocolViolation for a frame no server may send."""
    if len(buffer) < 2:
        return None
    first, second = buffer[0], buffer[1]
    fin, rsv, opcode, length, start = bool(first & 0x80), first >> 4 & 7, first & 15, second & 0x7F, 2
    _require(not second & 0x80, "a server's frame is masked")
    _require(opcode in NAMES, f"opcode {opcode}")
    _require(opcode < 8 or (fin and length < 126), "a control frame in pieces or over 125 bytes")
    if length >= 126:
        start, smallest = (4, 126) if length == 126 else (10, 65536)
        if len(buffer) < start:
            return None
        length = int.from_bytes(buffer[2:start], "big")
        _require(smallest <= length < 1 << 63, f"a length of {length} in {start - 2} bytes")
    if len(buffer) < start + length:
        return None
    payload = bytes(memoryview(buffer)[start : start + length])
    if opcode == CLOSE:
        _check_close(payload)
    return Frame(opcode, payload, fin, rsv), start + length


def parse_frames(data: bytes) -> list[Frame]:
    """All of `data`, which ends with a frame."""
    found: list[Frame] = []
    while data:
        parsed = parse_frame(data)
        assert parsed is not None, f"half a frame at the end: {data[:100]!r}"
        found.append(parsed[0])
        data = data[parsed[1] :]
    return found


def _check_close(payload: bytes) -> None:
    _require(len(payload) != 1, "a close frame of one byte")
    if payload:
        code = int.from_bytes(payload[:2], "big")
        _require(1000 <= code <= 1014 or 3000 <= code <= 4999, f"close code {code}")
        _require(code not in (1004, 1005, 1006), f"close code {code} on the wire")
        payload[2:].decode()


def _require(condition: bool, complaint: str) -> None:
    if not condition:
        raise ProtocolViolation(complaint)


@dataclass
class Assembler:
    """Puts frames together again, and holds the server to the order of fragments (RFC 6455, section 5.4)."""

    is_compressed: bool = False  # RSV1 may be set on a message's first frame
    _pieces: list[bytes] = field(default_factory=list)
    _opcode: int = CONTINUATION
    _rsv: int = 0

    def add(self, frame: Frame) -> Frame | None:
        """A whole message, or a control frame as it is; None inside a message."""
        if frame.opcode >= CLOSE:
            _require(not frame.rsv, f"reserved bits of {frame}")
            return frame
        inside = self._opcode != CONTINUATION
        place = "inside" if inside else "outside"
        _require(inside == (frame.opcode == CONTINUATION), f"{frame} {place} a message")
        may_be_compressed = self.is_compressed and not inside
        _require(frame.rsv == 0 or (may_be_compressed and frame.rsv == RSV1), f"reserved bits of {frame}")
        if not inside:
            self._opcode, self._rsv = frame.opcode, frame.rsv
        self._pieces.append(frame.payload)
        if not frame.fin:
            return None
        whole = Frame(self._opcode, b"".join(self._pieces), True, self._rsv)
        self._pieces, self._opcode = [], CONTINUATION
        return whole


# ---------------------------------------------------------------- permessage-deflate

_TAIL = b"\x00\x00\xff\xff"


class Deflate:
    """Both directions of RFC 7692 for a client. `bits` and `takeover`: of the client's own direction;
    `server_bits` and `server_takeover`: of what the server sends."""

    def __init__(
        self, bits: int = 15, takeover: bool = True, server_bits: int = 15, server_takeover: bool = True
    ) -> None:
        self._bits, self._takeover = bits, takeover
        self._server_bits, self._server_takeover = server_bits, server_takeover
        self._compressor = zlib.compressobj(wbits=-bits)
        self._decompressor = zlib.decompressobj(-server_bits)

    def compress(self, data: bytes) -> bytes:
        if not self._takeover:
            self._compressor = zlib.compressobj(wbits=-self._bits)
        packed = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return packed.removesuffix(_TAIL)

    def decompress(self, data: bytes) -> bytes:
        """Raises zlib.error for a window that is larger than was agreed."""
        if not self._server_takeover:
            self._decompressor = zlib.decompressobj(-self._server_bits)
        return self._decompressor.decompress(data + _TAIL)

    def message(self, opcode: int, data: bytes) -> bytes:
        """One compressed message in one frame."""
        return frame(opcode, self.compress(data), rsv=RSV1)


def agreed_deflate(extensions: str) -> Deflate:
    """What a server's `Sec-WebSocket-Extensions` means for both directions; AssertionError where it agrees to
    anything else than permessage-deflate."""
    name, *parameters = (part.strip() for part in extensions.split(";"))
    assert name == "permessage-deflate", extensions
    values = dict(_parameter(each) for each in parameters)
    assert len(values) == len(parameters), f"a parameter comes twice: {extensions}"
    assert not set(values) - set(_PARAMETERS), extensions
    return Deflate(
        int(values.get("client_max_window_bits") or 15),
        "client_no_context_takeover" not in values,
        int(values.get("server_max_window_bits") or 15),
        "server_no_context_takeover" not in values,
    )


_PARAMETERS = (
    "client_max_window_bits",
    "server_max_window_bits",
    "client_no_context_takeover",
    "server_no_context_takeover",
)


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    assert not value or 8 <= int(value) <= 15, text
    return name.strip(), value.strip()


def every_split(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """`data` in two, at each place."""
    for at in range(len(data) + 1):
        yield data[:at], data[at:]
