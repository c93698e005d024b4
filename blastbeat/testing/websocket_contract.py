"""What each WebSocket driver must keep, as a class to subclass with pytest.

Writes its clients' frames itself, with a mask of zeros: it knows no driver's idea of a frame, nor the gate's.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import (
    Buffer,
    WebSocketClose,
    WebSocketEvent,
    WebSocketFailure,
    WebSocketMessage,
    WebSocketPing,
    WebSocketPong,
)
from blastbeat.gates.websocket import WebSocketGate
from blastbeat.interfaces import WebSocketDriver, WebSocketDriverFactory, WebSocketOptions
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory
from blastbeat.testing.contract import Contract
from blastbeat.testing.inherited import inherited
from blastbeat.testing.strategies import cut

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_FIN, _COMPRESSED = 0x80, 0xC0
_MAX_MESSAGE = 100_000
_OFFER = b"permessage-deflate; client_max_window_bits"


def _frame(opcode: int, payload: bytes = b"", first: int = _FIN) -> bytes:
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([first | opcode]) + length + bytes(4) + payload


def _verdicts(events: Iterable[WebSocketEvent]) -> list[tuple[object, ...]]:
    """Events without the words of a failure, which are each driver's own."""
    told: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, WebSocketMessage):
            told.append(("message", bytes(event.data), event.is_text))
        elif isinstance(event, WebSocketFailure):
            told.append(("failure", event.code))
        elif isinstance(event, WebSocketClose):
            told.append(("close", event.code, event.reason))
        else:
            told.append(("ping" if isinstance(event, WebSocketPing) else "pong", event.payload))
    return told


def _unmasked(opcode: int, payload: bytes) -> bytes:
    """A frame as a server sends it."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([_FIN | opcode]) + length + payload


def _all_told(driver: WebSocketDriver, pieces: Iterable[bytes]) -> list[tuple[object, ...]]:
    """What a driver tells of pieces, up to the first end."""
    events: list[WebSocketEvent] = []
    for piece in pieces:
        events += driver.receive_data(piece)
        if events and isinstance(events[-1], WebSocketFailure | WebSocketClose):
            break
    return _verdicts(events)


_MESSAGES = st.one_of(
    st.text(max_size=300).map(lambda text: (text.encode("utf-8", "replace"), True)),
    st.binary(max_size=300).map(lambda data: (data, False)),
)
_FRAMES = st.builds(
    _frame,
    st.sampled_from([_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG]),
    st.sampled_from([b"", b"a", b"\xe2\x82", b"\xac", b"\xff", b"\x03\xe8bye", b"\x03\xed", b"x" * 130]),
    st.sampled_from([_FIN, 0]),
)


class WebSocketDriverContract(Contract):
    """Drivers that keep this are exchangeable: the same events and close codes for the same bytes."""

    kind: ClassVar[str] = "websocket-driver"

    def new_factory(self) -> WebSocketDriverFactory:
        made: WebSocketDriverFactory = self.make()
        return made

    def new_driver(self) -> WebSocketDriver:
        """One without extensions."""
        return self.new_factory().negotiate([], WebSocketOptions(max_message=_MAX_MESSAGE))[1]

    def told(self, data: bytes, size: int = 1 << 20) -> list[tuple[object, ...]]:
        """What a new driver tells of `data` in pieces of `size` bytes, up to the first end."""
        driver, events = self.new_driver(), list[WebSocketEvent]()
        for start in range(0, len(data), size):
            events += driver.receive_data(data[start : start + size])
            if events and isinstance(events[-1], WebSocketFailure | WebSocketClose):
                break
        return _verdicts(events)

    def test_events_are_the_same_however_the_bytes_come(self) -> None:
        word = "h\u00e9\U0001f600".encode()
        data = (
            _frame(_TEXT, word[:2], first=0)
            + _frame(_PING, b"p")
            + _frame(_CONTINUATION, b"", first=0)
            + _frame(_CONTINUATION, word[2:])
            + _frame(_BINARY, b"\xff" * 300)
            + _frame(_TEXT)
            + _frame(_PONG, b"q")
            + _frame(_CLOSE, b"\x0f\xa0bye")
        )
        expected = [
            ("ping", b"p"),
            ("message", word, True),
            ("message", b"\xff" * 300, False),
            ("message", b"", True),
            ("pong", b"q"),
            ("close", 4000, b"bye"),
        ]
        for size in (1, 2, 3, 7, 1 << 20):
            assert self.told(data, size) == expected, size

    def test_what_is_not_whole_is_told_of(self) -> None:
        driver = self.new_driver()
        assert driver.held == 0
        whole = _frame(_TEXT, b"x" * 1000)
        driver.receive_data(whole[:-1])
        assert 900 <= driver.held <= 1000
        driver.receive_data(whole[-1:])
        assert driver.held == 0

    def test_text_that_is_none_fails_as_soon_as_it_is_there(self) -> None:
        # Surrogates with their last byte: Python's own decoder does not tell sooner.
        for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90", b"\xf8"):
            begun = _frame(_TEXT, b"good" + bad + b"." * 100)[: 6 + 4 + len(bad)]
            assert self.told(begun) == [("failure", 1007)], bad
            assert self.told(begun, 1) == [("failure", 1007)], bad
            in_pieces = b"".join(_frame(0 if at else _TEXT, bad[at : at + 1], 0) for at in range(len(bad)))
            assert self.told(in_pieces) == [("failure", 1007)], bad

    def test_text_that_ends_within_a_character_fails(self) -> None:
        assert self.told(_frame(_TEXT, b"\xe2\x82")) == [("failure", 1007)]
        assert self.told(_frame(_BINARY, b"\xe2\x82")) == [("message", b"\xe2\x82", False)]

    def test_what_came_before_a_failure_is_told(self) -> None:
        data = _frame(_TEXT, b"good") + _frame(_TEXT, b"\xc0")
        assert self.told(data) == [("message", b"good", True), ("failure", 1007)]

    def test_close_frames(self) -> None:
        assert self.told(_frame(_CLOSE)) == [("close", 1005, b"")]
        assert self.told(_frame(_CLOSE, b"\x03")) == [("failure", 1002)]
        assert self.told(_frame(_CLOSE, b"\x03\xe8\xff")) == [("failure", 1007)]
        reason = b"r" * 123
        assert self.told(_frame(_CLOSE, b"\x03\xe8" + reason)) == [("close", 1000, reason)]

    def test_close_codes(self) -> None:
        for code in (
            1000,
            1001,
            1002,
            1003,
            1007,
            1008,
            1009,
            1010,
            1011,
            1012,
            1013,
            3000,
            3999,
            4000,
            4999,
        ):
            assert self.told(_frame(_CLOSE, code.to_bytes(2, "big"))) == [("close", code, b"")], code
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
            assert self.told(_frame(_CLOSE, code.to_bytes(2, "big"))) == [("failure", 1002)], code

    def test_what_is_sent_is_one_frame_each(self) -> None:
        driver, out = self.new_driver(), list[Buffer]()
        driver.send_message(b"hi", True, out)
        driver.send_message(memoryview(b"\xff"), False, out)
        driver.send_message(b"x" * 126, False, out)
        driver.send_ping(b"1", out)
        driver.send_pong(b"2", out)
        driver.send_close(1012, b"bye", out)
        sent = (
            b"\x81\x02hi\x82\x01\xff\x82\x7e\x00\x7e" + b"x" * 126 + b"\x89\x011\x8a\x012\x88\x05\x03\xf4bye"
        )
        assert b"".join(out) == sent
        out.clear()
        self.new_driver().send_close(1005, b"", out)
        assert b"".join(out) == b"\x88\x00"

    def test_nothing_is_agreed_to_that_is_not_wanted_or_not_understood(self) -> None:
        factory = self.new_factory()
        assert factory.negotiate([_OFFER], WebSocketOptions())[0] == b""
        for offers in ([], [b""], [b";"], [b"\xff="], [b"x-unknown"], [b"permessage-deflate; unknown=1"]):
            assert factory.negotiate(offers, WebSocketOptions(compression=True))[0] == b"", offers

    def test_compressed_messages(self) -> None:
        options = WebSocketOptions(max_message=_MAX_MESSAGE, compression=True)
        answer, driver = self.new_factory().negotiate([_OFFER], options)
        if not answer:
            return  # a driver need not know the extension
        compressor = zlib.compressobj(wbits=-9)
        message = b"ha" * 500
        deflated = (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        data = _frame(_TEXT, deflated[:3], _COMPRESSED - _FIN) + _frame(_PING)
        data += _frame(_CONTINUATION, deflated[3:]) + _frame(_TEXT, b"plain")
        expected = [("ping", b""), ("message", message, True), ("message", b"plain", True)]
        assert _verdicts(driver.receive_data(data)) == expected

    def test_a_bomb_is_refused(self) -> None:
        options = WebSocketOptions(max_message=_MAX_MESSAGE, compression=True)
        answer, driver = self.new_factory().negotiate([_OFFER], options)
        if answer:
            compressor = zlib.compressobj(wbits=-9)
            deflated = compressor.compress(bytes(10 * _MAX_MESSAGE)) + compressor.flush(zlib.Z_SYNC_FLUSH)
            events = driver.receive_data(_frame(_BINARY, deflated[:-4], _COMPRESSED))
            assert _verdicts(events) == [("failure", 1009)]

    @inherited
    @given(messages=st.lists(_MESSAGES, max_size=6), data=st.data())
    def test_any_messages_in_any_pieces_are_told(
        self, messages: list[tuple[bytes, bool]], data: st.DataObject
    ) -> None:
        sent, expected = b"", list[tuple[object, ...]]()
        for payload, is_text in messages:
            places = data.draw(st.lists(st.integers(0, len(payload)), max_size=3))
            frames = cut(payload, places) or [b""]
            for number, piece in enumerate(frames):
                opcode = _CONTINUATION if number else _TEXT if is_text else _BINARY
                sent += _frame(opcode, piece, _FIN if number == len(frames) - 1 else 0)
                if data.draw(st.booleans()):
                    sent += _frame(_PING, b"%d" % number)
                    expected.append(("ping", b"%d" % number))
            # Behind the last fragment a ping comes behind the message.
            last_ping = [expected.pop()] if sent.endswith(_frame(_PING, b"%d" % (len(frames) - 1))) else []
            expected += [("message", payload, is_text), *last_ping]
        assert self.told(sent, data.draw(st.integers(1, 40))) == expected

    @inherited
    @given(pieces=st.lists(st.binary(max_size=60) | _FRAMES, max_size=8), size=st.integers(1, 30))
    def test_whatever_passes_the_gate_is_told_as_the_reference_does(
        self, pieces: list[bytes], size: int
    ) -> None:
        gate, passed = WebSocketGate(_MAX_MESSAGE), list[bytes]()
        sent = b"".join(pieces)
        for start in range(0, len(sent), size):
            passed.append(gate.receive(sent[start : start + size]))
        reference = WsprotoDriverFactory({}).negotiate([], WebSocketOptions(max_message=_MAX_MESSAGE))[1]
        assert _all_told(self.new_driver(), passed) == _all_told(reference, passed)

    @inherited
    @given(messages=st.lists(_MESSAGES, max_size=4))
    def test_what_is_sent_is_read_again(self, messages: list[tuple[bytes, bool]]) -> None:
        driver, out = self.new_driver(), list[Buffer]()
        for payload, is_text in messages:
            driver.send_message(payload, is_text, out)
        expected = b"".join(
            _unmasked(_TEXT if is_text else _BINARY, payload) for payload, is_text in messages
        )
        assert b"".join(out) == expected

    def test_connections_share_nothing(self) -> None:
        factory, options = self.new_factory(), WebSocketOptions(max_message=_MAX_MESSAGE)
        one, other = factory.negotiate([], options)[1], factory.negotiate([], options)[1]
        assert not one.receive_data(_frame(_TEXT, b"begun", first=0))
        assert _verdicts(other.receive_data(_frame(_TEXT, b"whole"))) == [("message", b"whole", True)]

    def test_what_a_connection_remembers_is_bounded(self) -> None:
        driver = self.new_driver()

        def meet(number: int) -> None:
            driver.receive_data(_frame(_TEXT, b"%d" % number) + _frame(_PING, b"%d" % number))
            driver.send_message(b"%d" % number, True, [])

        self.check_remembering(driver, meet)

    def test_pongs_are_told(self) -> None:
        assert self.new_driver().receive_data(_frame(_PONG, b"x")) == [WebSocketPong(1, b"x")]
