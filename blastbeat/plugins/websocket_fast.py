"""The driver for WebSockets in pure Python: small whole messages, as nearly all are, become events at once.

Reads frame headers with the gate's own reader, so it needs no gate before it, and nothing is read twice.
Connections that agree on compression are wsproto's (`websocket_wsproto`); for all others both drivers give
the same events for the same bytes, which `fuzz/websocket_drivers.py` compares.
"""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Sequence

from blastbeat import hookimpl
from blastbeat.events import (
    Buffer,
    WebSocketClose,
    WebSocketEvent,
    WebSocketFailure,
    WebSocketMessage,
    WebSocketPing,
    WebSocketPong,
)
from blastbeat.interfaces import FrameHeaders, Options, Register, WebSocketDriver, WebSocketOptions
from blastbeat.plugins.websocket_deflate import agree
from blastbeat.plugins.websocket_wsproto import NO_CODE, STREAM_ID, BoundedDeflate, WsprotoDriver

NAME = "fast"

_FIN, _OPCODE = 0x80, 0x0F
_TEXT, _BINARY, _CLOSE, _PING = 0x1, 0x2, 0x8, 0x9
_WHOLE_TEXT, _WHOLE_BINARY, _MASKED = _FIN | _TEXT, _FIN | _BINARY, 0x80
_WHOLE = (_WHOLE_TEXT, _WHOLE_BINARY)
_SMALL_HEADER, _SMALL = 6, 125  # bytes: with a length of one byte and the mask; the most such a length says

_PROTOCOL_ERROR, _INVALID_PAYLOAD = 1002, 1007
_NEVER_SENT = (1006, 1015)  # RFC 6455 §7.4.1: for ourselves; on the wire it is the end that is nobody's fault
_NORMAL = 1000
_CLOSE_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013))
_APPLICATION_CODES = range(3000, 5000)
_MAX_REASON = 123

_TEXT_HEADERS = tuple(bytes((_WHOLE_TEXT, size)) for size in range(_SMALL + 1))
_BINARY_HEADERS = tuple(bytes((_WHOLE_BINARY, size)) for size in range(_SMALL + 1))
_XOR = tuple(bytes(value ^ mask for value in range(256)) for mask in range(256))
_FEW = 4096
"""Bytes up to which one long integer is the fastest way to unmask (64 bytes: 0.4 µs, by tables 2.8); above,
its conversion to and fro takes twice as long as tables for every fourth byte."""

_from_bytes = int.from_bytes
_new_decoder = getincrementaldecoder("utf-8")


def unmasked(data: bytes, mask: bytes) -> bytes:
    """`data` with `mask` (4 bytes) applied from its first byte on (RFC 6455 §5.3)."""
    size = len(data)
    if size <= _FEW:
        masks = (mask * ((size + 3) >> 2))[:size]
        return (_from_bytes(data, "little") ^ _from_bytes(masks, "little")).to_bytes(size, "little")
    result = bytearray(data)
    for place, value in enumerate(mask):
        result[place::4] = result[place::4].translate(_XOR[value])
    return bytes(result)


class FastDriver(FrameHeaders):
    """One upgraded connection without extensions. See `interfaces.WebSocketDriver`."""

    __slots__ = (
        "_decoder",
        "_first",
        "_header",
        "_is_between",
        "_mask",
        "_message",
        "_most",
        "_payload",
        "_text",
        "held",
    )

    checks_frames = True

    def __init__(self, max_message: int) -> None:
        super().__init__(max_message)
        self.held = 0  # bytes of a message in pieces
        self._most = min(_SMALL, max_message)
        self._is_between = True  # two frames and two messages, and nothing is over
        self._header = b""  # what is here of a header
        self._first = 0  # the first byte of the current frame
        self._mask = b""  # of it, from the next byte on
        self._payload = b""  # what is here of a control frame's
        self._message: bytearray | None = None  # what is here of one in pieces
        self._text = False  # it is one
        self._decoder: IncrementalDecoder | None = None  # of a text in pieces

    def receive_data(self, data: Buffer) -> Sequence[WebSocketEvent]:
        """Events that `data` completes."""
        if type(data) is not bytes:
            data = bytes(data)
        # One small message by itself, as interactive clients send them, takes no loop.
        if self._is_between and len(data) >= _SMALL_HEADER and len(data) == data[1] - _MASKED + _SMALL_HEADER:
            message = self._read_small(data, 0)
            if message is not None:
                return [message]
        return self._read_all(data)

    def _read_small(self, data: bytes, position: int) -> WebSocketMessage | None:
        """The message at `position` where it is small, in one frame, and all here."""
        first, size, start = data[position], data[position + 1] - _MASKED, position + _SMALL_HEADER
        if not 0 <= size <= self._most or first not in _WHOLE or len(data) < start + size:
            return None
        masks = (data[start - 4 : start] * ((size + 3) >> 2))[:size]
        masked = _from_bytes(data[start : start + size], "little")
        message = (masked ^ _from_bytes(masks, "little")).to_bytes(size, "little")
        if first == _WHOLE_TEXT and not message.isascii() and not _is_utf8(message):
            return None
        return WebSocketMessage(STREAM_ID, message, first == _WHOLE_TEXT)

    def _read_all(self, data: bytes) -> Sequence[WebSocketEvent]:
        events: list[WebSocketEvent] = []
        if self.failure is not None or (self.is_closed and not self.left):
            return events
        position = 0
        if self.left:
            position = self._read_on(data, 0, events)
        elif self._header:
            data, self._header = self._header + data, b""
        end = len(data)
        while position < end:
            if not self.is_open and end - position >= _SMALL_HEADER:
                message = self._read_small(data, position)
                if message is not None:
                    events.append(message)
                    position += _SMALL_HEADER + len(message.data)
                    continue
            position = self._read_frame(data, position, events)
        is_midway = self.left or self._header or self.is_open
        self._is_between = not (is_midway or self.is_closed or self.failure is not None)
        return events

    # ------------------------------------------------------------ all kinds of frames

    def _read_frame(self, data: bytes, position: int, events: list[WebSocketEvent]) -> int:
        """Where the next frame begins, or the end of `data`."""
        size = self.read_header(data, position, len(data))
        if size:
            self._first = data[position]
            position += size
            self._mask = data[position - 4 : position]
            return self._read_on(data, position, events)
        if self.failure is None:
            self._header = data[position:]
        else:
            self._fail(*self.failure, events)
        return len(data)

    def _read_on(self, data: bytes, position: int, events: list[WebSocketEvent]) -> int:
        """The payload of the current frame, as far as it is here. Where the next frame begins, or the end."""
        stop = min(position + self.left, len(data))
        piece = unmasked(data[position:stop], self._mask)
        self.left -= len(piece)
        if self.left:
            turn = len(piece) & 3
            self._mask = self._mask[turn:] + self._mask[:turn]
        if self._first & _CLOSE:
            self._take_control(piece, events)
        else:
            self._take_piece(piece, events)
        return len(data) if self.failure is not None or self.is_closed else stop

    def _take_control(self, piece: bytes, events: list[WebSocketEvent]) -> None:
        payload = self._payload + piece
        if self.left:
            self._payload = payload
            return
        self._payload = b""
        opcode = self._first & _OPCODE
        if opcode == _PING:
            events.append(WebSocketPing(STREAM_ID, payload))
        elif opcode == _CLOSE:
            self._take_close(payload, events)
        else:
            events.append(WebSocketPong(STREAM_ID, payload))

    def _take_close(self, payload: bytes, events: list[WebSocketEvent]) -> None:
        code, reason = NO_CODE, payload[2:]
        if payload:
            code = _from_bytes(payload[:2], "big")
            if len(payload) == 1:
                return self._fail(_PROTOCOL_ERROR, "a close frame with half a code", events)
            if code not in _CLOSE_CODES and code not in _APPLICATION_CODES:
                return self._fail(_PROTOCOL_ERROR, f"a close frame with the code {code}", events)
            if not _is_utf8(reason):
                return self._fail(_INVALID_PAYLOAD, "the reason of a close frame is not UTF-8", events)
        events.append(WebSocketClose(STREAM_ID, code, reason))

    def _take_piece(self, piece: bytes, events: list[WebSocketEvent]) -> None:
        """Of a message: all of it, or what goes behind what is here."""
        opcode = self._first & _OPCODE
        is_last = self._first & _FIN and not self.left
        if opcode and self._message is None:
            self._text = opcode == _TEXT
            if is_last:
                if self._text and not _is_utf8(piece):
                    return self._fail_text(events)
                events.append(WebSocketMessage(STREAM_ID, piece, self._text))
                return
            self._message = bytearray()
            self._decoder = _new_decoder() if self._text else None
        if self._decoder is not None:
            try:
                self._decoder.decode(piece, bool(is_last))
            except UnicodeDecodeError:
                return self._fail_text(events)
        message = self._message
        assert message is not None
        message += piece
        self.held = len(message)
        if is_last:
            self._message = self._decoder = None
            self.held = 0
            events.append(WebSocketMessage(STREAM_ID, message, self._text))

    def _fail_text(self, events: list[WebSocketEvent]) -> None:
        self._fail(_INVALID_PAYLOAD, "a text that is not UTF-8", events)

    def _fail(self, code: int, detail: str, events: list[WebSocketEvent]) -> None:
        self.failure = code, detail
        events.append(WebSocketFailure(STREAM_ID, code, detail))

    # ------------------------------------------------------------ what is sent

    def send_message(self, data: Buffer, is_text: bool, out: list[Buffer]) -> None:
        """One message as one frame; a large one is not copied."""
        size = len(data)
        if size <= _SMALL:
            out.append((_TEXT_HEADERS if is_text else _BINARY_HEADERS)[size] + data)
            return
        first = _WHOLE_TEXT if is_text else _WHOLE_BINARY
        if size <= 0xFFFF:
            out.append(bytes((first, 126)) + size.to_bytes(2, "big"))
        else:
            out.append(bytes((first, 127)) + size.to_bytes(8, "big"))
        out.append(data)

    def send_ping(self, payload: bytes, out: list[Buffer]) -> None:
        """A ping."""
        out.append(bytes((_FIN | _PING, len(payload))) + payload)

    def send_pong(self, payload: bytes, out: list[Buffer]) -> None:
        """The answer to one."""
        out.append(bytes((_FIN | _PING + 1, len(payload))) + payload)

    def send_close(self, code: int, reason: bytes, out: list[Buffer]) -> None:
        """A close frame, without a code where `code` is 1005."""
        payload = b""
        if code != NO_CODE:
            code = _NORMAL if code in _NEVER_SENT else code
            text = reason[:_MAX_REASON].decode("utf-8", "ignore") if len(reason) > _MAX_REASON else reason
            payload = code.to_bytes(2, "big") + (text.encode() if isinstance(text, str) else text)
        out.append(bytes((_FIN | _CLOSE, len(payload))) + payload)


def _is_utf8(data: bytes) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


class FastDriverFactory:
    """Makes a driver per connection. See `interfaces.WebSocketDriverFactory`."""

    def __init__(self, options: Options) -> None:
        """Takes no options: the registry refuses any."""

    def negotiate(self, offers: Sequence[bytes], options: WebSocketOptions) -> tuple[bytes, WebSocketDriver]:
        """With permessage-deflate, where it is wanted and offered as it can be met: that is wsproto's."""
        agreement = agree(offers, options.window_bits) if options.compression else None
        if agreement is None:
            return b"", FastDriver(options.max_message)
        return agreement.answer, WsprotoDriver(BoundedDeflate(agreement, options.max_message))


@hookimpl
def blastbeat_register_websocket_drivers(register: Register) -> None:
    register(NAME, FastDriverFactory)
