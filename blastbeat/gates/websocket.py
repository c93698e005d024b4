"""The gate before every WebSocket driver: frame headers checked for grammar, order and limits (RFC 6455 §5).

No library sees a frame whose header did not pass. Payload passes as it comes, so that drivers can fail fast;
what is in it is theirs to check. A driver that reads frames itself has its headers from the same reader, and
no gate before it. Pure, linear in its input; never holds more than a part of one header.
"""

from __future__ import annotations

_FIN, _RSV1, _RSV, _OPCODE = 0x80, 0x40, 0x70, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x2, 0x8, 0x9, 0xA
_MASK_SIZE = 4
_MOST_OF_CONTROL = 125  # bytes of payload (RFC 6455 §5.5)
_LONE_PONG = _FIN | _PONG

PROTOCOL_ERROR = 1002
TOO_BIG = 1009


class FrameHeaders:
    """The frame headers of one client, one after the other.

    `left`: bytes of the current frame's payload that are still to come; whoever passes them on counts them
    down. `is_open`: within a fragmented message. `is_closed`: a close frame came, and nothing may follow it.
    `failure`: the close code and what is wrong, once a header was refused. `max_message`: bytes of a whole
    message as it is sent, all its fragments together. `is_compressed`: permessage-deflate was agreed, so RSV1
    has a meaning (RFC 7692 §6).
    """

    __slots__ = ("_is_compressed", "_size", "failure", "is_closed", "is_open", "left", "max_message")

    def __init__(self, max_message: int, is_compressed: bool = False) -> None:
        self.failure: tuple[int, str] | None = None
        self.left = 0
        self.is_open = False
        self.is_closed = False
        self.max_message = max_message
        self._is_compressed = is_compressed
        self._size = 0  # of the current message, as far as it was announced

    def read_header(self, data: bytes, position: int, end: int) -> int:
        """The size of the header at `position`, which is before `end`. 0 where it is incomplete, or refused
        as soon as it can't become a good one: then `failure` says why."""
        try:
            return self._read(data, position, end)
        except _Refused as refused:
            self.failure = refused.code, refused.detail
            return 0

    def _read(self, data: bytes, position: int, end: int) -> int:
        first = data[position]
        opcode = first & _OPCODE
        self._check_first(first, opcode)
        if position + 1 == end:
            return 0
        length = data[position + 1] & _LENGTH
        if not data[position + 1] & _MASKED:
            raise _Refused(PROTOCOL_ERROR, "a frame that is not masked")
        if opcode >= _CLOSE and length > _MOST_OF_CONTROL:
            raise _Refused(PROTOCOL_ERROR, "a control frame longer than 125 bytes")
        size = 2 + _MASK_SIZE
        if length > 125:
            extra = 2 if length == 126 else 8
            size += extra
            if position + 2 + extra > end:
                return 0
            length = _extended_length(data[position + 2 : position + 2 + extra])
        if opcode < _CLOSE:
            total = length + (self._size if opcode == _CONTINUATION else 0)
            if total > self.max_message:
                raise _Refused(TOO_BIG, f"a message of more than {self.max_message} bytes")
        if position + size > end:
            return 0
        self.left = length
        if opcode < _CLOSE:
            self._size = total
            self.is_open = not first & _FIN
        elif opcode == _CLOSE:
            self.is_closed = True
        return size

    def _check_first(self, first: int, opcode: int) -> None:
        if opcode > _PONG or _BINARY < opcode < _CLOSE:
            raise _Refused(PROTOCOL_ERROR, f"a frame with the reserved opcode {opcode}")
        if first & _RSV:
            begins = opcode in (1, _BINARY)
            if first & _RSV != _RSV1 or not (self._is_compressed and begins):
                raise _Refused(PROTOCOL_ERROR, "a frame with a reserved bit")
        if opcode >= _CLOSE:
            if not first & _FIN:
                raise _Refused(PROTOCOL_ERROR, "a control frame in fragments")
        elif opcode == _CONTINUATION:
            if not self.is_open:
                raise _Refused(PROTOCOL_ERROR, "a continuation of nothing")
        elif self.is_open:
            raise _Refused(PROTOCOL_ERROR, "a message within a message in fragments")


class WebSocketGate(FrameHeaders):
    """The gate of one upgraded connection.

    Feed `receive`; hand what it returns to the driver. `failure`, once it is set, is what is wrong behind the
    bytes that were returned last: nothing passes any more. Nothing passes behind a close frame either.
    """

    __slots__ = ("_header",)

    def __init__(self, max_message: int, is_compressed: bool = False) -> None:
        super().__init__(max_message, is_compressed)
        self._header = b""  # what is here of a header

    def is_lone_pong(self, data: bytes) -> bool:
        """True where `data` is one whole pong, between two frames: no driver needs to see it."""
        return (
            len(data) >= 2 + _MASK_SIZE
            and data[0] == _LONE_PONG
            and _MASKED <= data[1] <= _MASKED + _MOST_OF_CONTROL
            and len(data) == 2 + _MASK_SIZE + data[1] - _MASKED
            and not self.left
            and not self._header
            and not self.is_closed
            and self.failure is None
        )

    def receive(self, data: bytes) -> bytes:
        """Of `data` and what was held of it before, what may pass."""
        if self.failure is not None or (self.is_closed and not self.left):
            return b""
        if self._header:
            data = self._header + data
            self._header = b""
        position = self._walk(data)
        return data if position == len(data) else data[:position]

    def _walk(self, data: bytes) -> int:
        """How far `data` may pass."""
        position, end = 0, len(data)
        while True:
            step = min(self.left, end - position)
            position += step
            self.left -= step
            if self.left or position == end or self.is_closed:
                break
            size = self.read_header(data, position, end)
            if not size:
                if self.failure is None:
                    self._header = data[position:]
                break
            position += size
            # A frame without payload is over with its header, a close frame among them.
        return position


class _Refused(Exception):
    def __init__(self, code: int, detail: str) -> None:
        self.code = code
        self.detail = detail


def _extended_length(data: bytes) -> int:
    """RFC 6455 §5.2: the shortest form, and no more than 63 bits."""
    length = int.from_bytes(data, "big")
    if length >> 63:
        raise _Refused(PROTOCOL_ERROR, "a frame length of more than 63 bits")
    if length <= (125 if len(data) == 2 else 0xFFFF):
        raise _Refused(PROTOCOL_ERROR, "a frame length that is not in its shortest form")
    return length
