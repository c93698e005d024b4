from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.messages import (
    LARGE,
    MAX_PAIRS,
    Capabilities,
    Frame,
    MessageReader,
    MessageWriter,
    is_sid,
    parse_capabilities,
    split_type,
    until_end,
)

SID = bytes(range(16))
MORE, LAST = 2, 1


class FakeFrame:
    def __init__(self, data: bytes, more: bool) -> None:
        self._data = data
        self.more = more

    @property
    def bytes(self) -> bytes:
        return self._data

    @property
    def buffer(self) -> memoryview:
        return memoryview(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def get(self, option: int | str) -> object:
        return None


class Wire:
    """What a ROUTER would hand over: whole messages, frame by frame, then nothing."""

    def __init__(self, *messages: list[bytes]) -> None:
        self.left = [
            FakeFrame(frame, index < len(message) - 1)
            for message in messages
            for index, frame in enumerate(message)
        ]
        self._frames: Iterator[FakeFrame] = iter(self.left)
        self.taken = 0

    def frame(self) -> FakeFrame:
        frame = next(self._frames, None)
        if frame is None:
            raise BlockingIOError
        self.taken += 1
        return frame

    def reader(self) -> MessageReader:
        return MessageReader(lambda: self.frame().bytes, self.frame)


def read_all(reader: MessageReader) -> list[tuple[bytes, bytes, list[tuple[bytes, bytes]]]]:
    messages: list[tuple[bytes, bytes, list[tuple[bytes, bytes]]]] = []
    while True:
        try:
            identity, sid, pairs = reader.read()
        except BlockingIOError:
            return messages
        messages.append((identity, sid, [(name, bytes(body)) for name, body in pairs]))


# ---------------------------------------------------------------- types, sids, words


@pytest.mark.parametrize(
    ("message_type", "expected"),
    [
        (b"body", (b"", b"body")),
        (b"x" * 32, (b"", b"x" * 32)),
        (b"room:msg", (b"room", b"msg")),
        (b"a:b:msg", (b"a:b", b"msg")),
        (b"g" * 64 + b":msg", (b"g" * 64, b"msg")),
        (b"@" + SID + b":msg", (b"@" + SID, b"msg")),
        (b"@" + b":" * 16 + b":msg", (b"@" + b":" * 16, b"msg")),
    ],
)
def test_split_type(message_type: bytes, expected: tuple[bytes, bytes]) -> None:
    assert split_type(message_type) == expected


@pytest.mark.parametrize(
    "message_type",
    [
        b"",
        b"x" * 33,
        b"caf\xc3\xa9",
        b"a b",
        b"a\n",
        b"room:",
        b":msg",
        b"g" * 65 + b":msg",
        b"@" + SID[:15] + b":msg",
        b"@" + SID + b"x:msg",
        b"@:msg",
    ],
)
def test_malformed_types(message_type: bytes) -> None:
    assert split_type(message_type) is None


def test_is_sid() -> None:
    assert is_sid(SID)
    assert not is_sid(b"")
    assert not is_sid(SID[:15])
    assert not is_sid(SID + b"x")


def test_capabilities_are_the_known_words() -> None:
    known = parse_capabilities([b"batch", b"credit=65536", b"turbo", b"batch", b"BINARY", b"exchange"])
    assert known == Capabilities(frozenset({"batch", "exchange"}), 65536)
    assert known.format() == b"batch exchange credit=65536"
    assert parse_capabilities(known.format().split()) == known


@pytest.mark.parametrize(
    "word", [b"credit", b"credit=", b"credit=0", b"credit=-1", b"credit=1e3", b"credit=" + b"9" * 13]
)
def test_credit_must_be_a_number(word: bytes) -> None:
    assert parse_capabilities([word]) == Capabilities()


def test_no_words_no_body() -> None:
    assert parse_capabilities([]).format() == b""


# ---------------------------------------------------------------- reading


def test_a_message() -> None:
    wire = Wire([b"app", SID, b"body", b"data"])
    assert read_all(wire.reader()) == [(b"app", SID, [(b"body", b"data")])]


def test_a_large_body_is_a_view() -> None:
    (pair,) = Wire([b"app", SID, b"body", b"x" * 8192]).reader().read()[2]
    assert isinstance(pair[1], memoryview)
    (pair,) = Wire([b"app", SID, b"body", b"x" * 8191]).reader().read()[2]
    assert isinstance(pair[1], bytes)


def test_a_batch() -> None:
    wire = Wire([b"app", SID, b"headers", b"h", b"body", b"b", b"end", b""])
    expected = [(b"headers", b"h"), (b"body", b"b"), (b"end", b"")]
    assert read_all(wire.reader()) == [(b"app", SID, expected)]


@pytest.mark.parametrize("count", [1, 2, MAX_PAIRS])
def test_as_many_pairs_as_may_be(count: int) -> None:
    wire = Wire([b"app", SID, *[b"body", b"x"] * count])
    assert len(wire.reader().read()[2]) == count


@pytest.mark.parametrize("frames", [1, 2, 4, 6, 2 * MAX_PAIRS + 2, 2 * MAX_PAIRS + 3, 5000])
def test_a_wrong_number_of_frames_is_dropped_whole(frames: int) -> None:
    wire = Wire([b"app", *[b""] * frames], [b"app", SID, b"body", b"next"])
    messages = read_all(wire.reader())
    assert messages[0] == (b"app", b"", [])
    assert messages[-1] == (b"app", SID, [(b"body", b"next")])
    assert all(message == (b"", b"", []) for message in messages[1:-1])


def test_a_message_of_very_many_frames_is_dropped_in_steps() -> None:
    wire = Wire([b"app", *[b""] * 100_000])
    reader = wire.reader()
    before = 0
    while wire.taken < len(wire.left):
        reader.read()
        assert wire.taken - before <= MessageReader.MAX_FRAMES_PER_READ
        before = wire.taken
    with pytest.raises(BlockingIOError):
        reader.read()


@pytest.mark.parametrize(
    "message",
    [
        [b"app", b"s" * 256, b"pong", b""],
        [b"app", SID, b"t" * 98, b""],
        [b"app", SID, b"body", b"", b"t" * 98, b""],
        [b"app", SID, b"body", b"", b"t" * 98, b"", b"body", b""],
    ],
)
def test_a_frame_too_long_for_its_place_is_dropped(message: list[bytes]) -> None:
    wire = Wire(message, [b"app", SID, b"body", b"next"])
    messages = read_all(wire.reader())
    assert messages[0][2] == []
    assert messages[-1] == (b"app", SID, [(b"body", b"next")])


@given(st.lists(st.lists(st.binary(max_size=4), max_size=9), max_size=20))
def test_never_out_of_step(messages: list[list[bytes]]) -> None:
    """Whatever the numbers of frames: each message is either read as it is or dropped."""
    wire = Wire(*([b"id", *message] for message in messages if message))
    read = [(sid if pairs else b"", pairs) for identity, sid, pairs in read_all(wire.reader()) if identity]
    expected: list[tuple[bytes, list[tuple[bytes, bytes]]]] = [
        (message[0], list(zip(message[1::2], message[2::2], strict=True)))
        if len(message) >= 3 and len(message) % 2
        else (b"", [])
        for message in messages
        if message
    ]
    assert read == expected


def test_what_follows_an_end_is_dropped() -> None:
    pairs = [(b"body", b""), (b"end", b""), (b"body", b"late")]
    assert until_end(pairs) == pairs[:2]
    assert until_end(pairs[:1]) == pairs[:1]


# ---------------------------------------------------------------- writing


def written(*pairs: tuple[bytes, bytes], batch: bool) -> list[tuple[object, int]]:
    sent: list[tuple[object, int]] = []
    writer = MessageWriter(
        lambda frame, flags: sent.append((frame, flags)),
        lambda frame, flags: sent.append((frame, flags)),
        more=MORE,
        last=LAST,
    )
    if batch:
        writer.write_batch(b"app", SID, pairs)
    else:
        writer.write(b"app", SID, *pairs[0])
    return sent


@pytest.mark.parametrize("batch", [False, True])
def test_writes_the_order_of_frames(batch: bool) -> None:
    frames = written((b"body", b"data"), batch=batch)
    assert frames == [(b"app", MORE), (SID, MORE), (b"body", MORE), (b"data", LAST)]


def test_writes_a_batch() -> None:
    frames = written((b"body", b"1"), (b"end", b""), batch=True)
    assert [frame for frame, _ in frames] == [b"app", SID, b"body", b"1", b"end", b""]
    assert [flags for _, flags in frames] == [MORE] * 5 + [LAST]


def test_large_bodies_have_a_way_of_their_own() -> None:
    bodies: list[object] = []
    writer = MessageWriter(lambda *_: None, lambda body, _: bodies.append(body), more=MORE, last=LAST)
    small, large = bytes(LARGE - 1), bytes(LARGE)
    writer.write(b"app", SID, b"body", large)
    writer.write(b"app", SID, b"body", small)
    writer.write_batch(b"app", SID, [(b"body", small), (b"body", large), (b"body", b"3")])
    assert bodies == [large, large]


def test_frames_are_what_pyzmq_says() -> None:
    frame: Frame = FakeFrame(b"x", False)
    assert (frame.bytes, frame.more, len(frame)) == (b"x", False, 1)
