"""The reference driver for WebSockets: wsproto's frame protocol, with a bounded permessage-deflate.

Keeps the pieces of a message until it is whole. Answers nothing by itself: pings and close frames are told,
and their answers are asked for. It sees only frames whose headers passed the gate.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, Frame, FrameProtocol, Opcode, ParseFailed, RsvBits

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
from blastbeat.interfaces import Options, Register, WebSocketDriver, WebSocketOptions
from blastbeat.plugins.websocket_deflate import (
    COMPRESS_FROM,
    Agreement,
    Deflater,
    Inflater,
    TooBig,
    agree,
)

NAME = "wsproto"
STREAM_ID = 1
NO_CODE = 1005


class BoundedDeflate(Extension):
    """permessage-deflate as wsproto wants an extension; its own inflates without a bound."""

    name = "permessage-deflate"

    def __init__(self, agreement: Agreement, max_message: int) -> None:
        self._inflater = Inflater(agreement, max_message)
        self._deflater = Deflater(agreement)
        self._max_message = max_message
        self._is_message_compressed = False
        self._is_frame_compressed = False
        self.failure = ""

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool | str:
        return False  # that is what clients do

    def frame_inbound_header(
        self, proto: object, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        if opcode.iscontrol():
            self._is_frame_compressed = False
        else:
            if opcode is not Opcode.CONTINUATION:
                self._is_message_compressed = rsv.rsv1
            self._is_frame_compressed = self._is_message_compressed
        return RsvBits(True, False, False)

    def frame_inbound_payload_data(self, proto: object, data: bytes) -> bytes | CloseReason:
        return self._inflated(self._inflater.feed, data) if self._is_frame_compressed else data

    def frame_inbound_complete(self, proto: object, fin: bool) -> bytes | CloseReason | None:
        if not (fin and self._is_frame_compressed):
            return None
        return self._inflated(self._inflater.finish)

    def _inflated(self, step: Callable[..., bytes], *data: bytes) -> bytes | CloseReason:
        try:
            return step(*data)
        except TooBig:
            self.failure = f"a message that inflates to more than {self._max_message} bytes"
            return CloseReason.MESSAGE_TOO_BIG
        except zlib.error:
            self.failure = "a message that is not deflated"
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA

    def frame_outbound(
        self, proto: object, opcode: Opcode, rsv: RsvBits, data: bytes, fin: bool
    ) -> tuple[RsvBits, bytes]:
        if opcode.iscontrol() or len(data) < COMPRESS_FROM:
            return rsv, data
        return RsvBits(True, rsv.rsv2, rsv.rsv3), self._deflater.deflate(data)


class WsprotoDriver:
    """One upgraded connection. See `drivers.WebSocketDriver`."""

    __slots__ = ("_deflate", "_frames", "_message")

    def __init__(self, deflate: BoundedDeflate | None = None) -> None:
        self._deflate = deflate
        self._frames = FrameProtocol(client=False, extensions=[deflate] if deflate is not None else [])
        self._message: bytearray | None = None  # what is here of one in pieces

    @property
    def held(self) -> int:
        """Bytes of a message in pieces."""
        return len(self._message) if self._message is not None else 0

    def receive_data(self, data: Buffer) -> Sequence[WebSocketEvent]:
        """Events that `data` completes."""
        events: list[WebSocketEvent] = []
        self._frames.receive_bytes(data)  # type: ignore[arg-type]  # any buffer will do
        try:
            for frame in self._frames.received_frames():
                self._take(frame, events)
        except ParseFailed as error:
            detail = self._deflate.failure if self._deflate is not None else ""
            events.append(WebSocketFailure(STREAM_ID, int(error.code), detail or str(error)))
        return events

    def _take(self, frame: Frame, events: list[WebSocketEvent]) -> None:
        payload = frame.payload
        if isinstance(payload, tuple):
            events.append(WebSocketClose(STREAM_ID, int(payload[0]), payload[1].encode()))
        elif isinstance(payload, str):
            self._take_data(payload.encode(), True, frame.message_finished, events)
        elif frame.opcode is Opcode.PING:
            events.append(WebSocketPing(STREAM_ID, payload))
        elif frame.opcode is Opcode.PONG:
            events.append(WebSocketPong(STREAM_ID, payload))
        else:
            self._take_data(payload, False, frame.message_finished, events)

    def _take_data(self, data: Buffer, is_text: bool, is_whole: bool, events: list[WebSocketEvent]) -> None:
        message = self._message
        if message is not None:
            message += data
            data = message
        elif not is_whole:
            self._message = bytearray(data)
        if is_whole:
            self._message = None
            events.append(WebSocketMessage(STREAM_ID, data, is_text))

    def send_message(self, data: Buffer, is_text: bool, out: list[Buffer]) -> None:
        """One message as one frame."""
        out.append(self._frames.send_data(str(data, "utf-8") if is_text else bytes(data)))

    def send_ping(self, payload: bytes, out: list[Buffer]) -> None:
        """A ping."""
        out.append(self._frames.ping(payload))

    def send_pong(self, payload: bytes, out: list[Buffer]) -> None:
        """The answer to one."""
        out.append(self._frames.pong(payload))

    def send_close(self, code: int, reason: bytes, out: list[Buffer]) -> None:
        """A close frame, without a code where `code` is 1005."""
        if code == NO_CODE:
            out.append(self._frames.close())
        else:
            out.append(self._frames.close(code, reason.decode()))


class WsprotoDriverFactory:
    """Makes a driver per connection. See `drivers.WebSocketDriverFactory`."""

    def __init__(self, options: Options) -> None:
        """Takes no options: the registry refuses any."""

    def negotiate(self, offers: Sequence[bytes], options: WebSocketOptions) -> tuple[bytes, WebSocketDriver]:
        """With permessage-deflate, where it is wanted and offered as it can be met."""
        agreement = agree(offers, options.window_bits) if options.compression else None
        if agreement is None:
            return b"", WsprotoDriver()
        return agreement.answer, WsprotoDriver(BoundedDeflate(agreement, options.max_message))


@hookimpl
def blastbeat_register_websocket_drivers(register: Register) -> None:
    register(NAME, WsprotoDriverFactory)
