"""WebSockets, gate and driver together: any split gives the same verdict, any bytes give one, and what is
sent comes back. Each driver is held to the same."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import Buffer, WebSocketClose, WebSocketEvent, WebSocketFailure, WebSocketMessage
from blastbeat.gates.websocket import WebSocketGate
from blastbeat.interfaces import WebSocketDriverFactory, WebSocketOptions
from blastbeat.plugins.websocket_deflate import Deflater, Inflater, agree
from blastbeat.plugins.websocket_fast import FastDriverFactory
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory
from tests.helpers.websocket_frames import CLOSE, Deflate, frame, masked, parse_frames

DRIVERS = {"wsproto": WsprotoDriverFactory({}), "fast": FastDriverFactory({})}
MAX_MESSAGE = 2000

drivers = pytest.mark.parametrize("factory", DRIVERS.values(), ids=list(DRIVERS))
compressions = pytest.mark.parametrize("is_compressed", [False, True])

payloads = st.one_of(st.binary(max_size=140), st.text(max_size=40).map(str.encode))
frames = st.builds(
    frame,
    st.sampled_from([0, 0, 1, 1, 2, 8, 9, 10, 3]),
    payloads,
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 4, 2]),
    mask=st.one_of(st.binary(min_size=4, max_size=4), st.none()),
)
streams = st.one_of(st.lists(frames, max_size=8).map(b"".join), st.binary(max_size=300))


def verdict(factory: WebSocketDriverFactory, pieces: list[bytes], is_compressed: bool) -> list[object]:
    """What gate and driver tell of `pieces`, as the connection asks them; of a failure the code only."""
    options = WebSocketOptions(max_message=MAX_MESSAGE, compression=is_compressed)
    answer, driver = factory.negotiate([b"permessage-deflate"], options)
    gate, told = WebSocketGate(MAX_MESSAGE, bool(answer)), list[object]()
    for piece in pieces:
        events: list[WebSocketEvent] = list(driver.receive_data(gate.receive(piece)))
        for event in events:
            if isinstance(event, WebSocketFailure):
                return [*told, event.code]
            told.append(event)
            if isinstance(event, WebSocketClose):
                return told
        if gate.failure is not None:
            return [*told, gate.failure[0]]
    return told


@drivers
@compressions
@given(data=streams, cuts=st.lists(st.integers(0, 600), max_size=12))
def test_any_bytes_give_the_same_verdict_however_they_come(
    factory: WebSocketDriverFactory, is_compressed: bool, data: bytes, cuts: list[int]
) -> None:
    at = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[start:end] for start, end in zip(at, at[1:], strict=False)]
    whole = verdict(factory, [data], is_compressed)
    assert verdict(factory, pieces, is_compressed) == whole
    codes = [each for each in whole if isinstance(each, int)]
    assert set(codes) <= {1002, 1007, 1009} and len(codes) <= 1


@given(data=streams, cut=st.integers(0, 300))
def test_what_the_gate_lets_pass_is_a_beginning_of_what_came(data: bytes, cut: int) -> None:
    gate = WebSocketGate(MAX_MESSAGE)
    out = gate.receive(data[:cut]) + gate.receive(data[cut:])
    assert data.startswith(out)
    if gate.failure is None and len(out) < len(data):
        # Only a part of one header is held, or what follows a close frame.
        assert len(data) - len(out) < 14 or any(byte & 0x0F == CLOSE for byte in out)


@drivers
@compressions
@given(messages=st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=5))
def test_what_is_sent_is_what_a_client_reads(
    factory: WebSocketDriverFactory, is_compressed: bool, messages: list[str | bytes]
) -> None:
    options = WebSocketOptions(max_message=MAX_MESSAGE, compression=is_compressed)
    _, driver = factory.negotiate([b"permessage-deflate"], options)
    client, out = Deflate(), list[Buffer]()
    for message in messages:
        data = message.encode() if isinstance(message, str) else message
        driver.send_message(data, isinstance(message, str), out)
    read = [
        (client.decompress(each.payload) if each.rsv else each.payload, each.opcode == 1)
        for each in parse_frames(b"".join(out))
    ]
    assert read == [
        (message.encode() if isinstance(message, str) else message, isinstance(message, str))
        for message in messages
    ]


@drivers
@given(messages=st.lists(st.binary(max_size=300), max_size=5), takeover=st.booleans())
def test_what_a_client_deflates_comes_back(
    factory: WebSocketDriverFactory, messages: list[bytes], takeover: bool
) -> None:
    offer = b"permessage-deflate" + (b"" if takeover else b"; client_no_context_takeover")
    options = WebSocketOptions(max_message=MAX_MESSAGE, compression=True)
    _, driver = factory.negotiate([offer], options)
    client = Deflate(takeover=takeover)
    events = driver.receive_data(b"".join(client.message(2, each) for each in messages))
    assert events == [WebSocketMessage(1, each, False) for each in messages]


@given(
    message=st.binary(max_size=3000),
    server=st.integers(9, 15),
    client=st.integers(9, 15),
    own=st.integers(9, 15),
)
def test_deflate_keeps_to_the_windows_agreed_on(message: bytes, server: int, client: int, own: int) -> None:
    offer = b"permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%d" % (server, client)
    agreement = agree([offer], own)
    assert agreement is not None
    assert agreement.deflate_bits == min(server, own) and agreement.inflate_bits == min(client, own)
    reader = zlib.decompressobj(-agreement.deflate_bits)
    assert reader.decompress(Deflater(agreement).deflate(message) + b"\x00\x00\xff\xff") == message
    inflater = Inflater(agreement, len(message))
    packed = Deflate(bits=agreement.inflate_bits).compress(message)
    assert inflater.feed(packed) + inflater.finish() == message


@given(offers=st.lists(st.one_of(st.binary(max_size=60), st.text('permssag-dflt;=," 0189_').map(str.encode))))
def test_any_offer_gets_an_answer_or_none(offers: list[bytes]) -> None:
    agreement = agree(offers, 12)
    assert agreement is None or agreement.answer.startswith(b"permessage-deflate")


@given(payload=st.binary(max_size=50), mask=st.binary(min_size=4, max_size=4))
def test_masks_of_the_helper_undo_themselves(payload: bytes, mask: bytes) -> None:
    assert masked(masked(payload, mask), mask) == payload
