"""Hostile on both sides: any bytes of a client, and any messages of a node, whatever session they name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import WebSocketClose, WebSocketMessage, WebSocketPing, WebSocketPong
from tests.helpers.transport_fakes import Wire
from tests.helpers.upgraded import upgrade
from tests.helpers.websocket_frames import Assembler, Deflate, frame, parse_frames
from tests.helpers.websocket_reading import read_frames

MAX = 1000

payloads = st.one_of(
    st.binary(max_size=200), st.text(max_size=50).map(str.encode), st.just(b"\x03\xe8"), st.just(b"x" * 600)
)
frames = st.builds(
    frame,
    st.sampled_from([0, 0, 1, 1, 2, 8, 9, 10, 3, 11]),
    payloads,
    fin=st.sampled_from([True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 4, 2]),
    mask=st.sampled_from([b"abcd", b"\0\0\0\0", None]) | st.binary(min_size=4, max_size=4),
)
deflated = st.builds(lambda data: Deflate().message(1, data), payloads | st.just(bytes(5000)))
sent = st.lists(st.one_of(frames, frames, frames, deflated, st.binary(max_size=20)), max_size=8).map(b"".join)


@given(sent, st.lists(st.integers(1, 40), min_size=1, max_size=20), st.booleans())
def test_any_bytes_in_any_pieces_read_the_same(data: bytes, sizes: list[int], compression: bool) -> None:
    """And nothing but events and codes that a close frame may have comes of them."""
    whole = read_frames([data], MAX, compression)
    pieces, start = [], 0
    for size in sizes * (len(data) + 1):
        pieces.append(data[start : start + size])
        start += size
        if start >= len(data):
            break
    assert read_frames(pieces, MAX, compression) == whole
    assert read_frames([data[at : at + 1] for at in range(len(data))], MAX, compression) == whole
    assert whole.failure in (None, 1002, 1007, 1009)
    for event in whole.events:
        if isinstance(event, WebSocketMessage):
            assert len(event.data) <= MAX
            assert not event.is_text or bytes(event.data).decode() is not None
        elif isinstance(event, WebSocketPing | WebSocketPong):
            assert len(event.payload) <= 125
        else:
            assert isinstance(event, WebSocketClose) and event.reason.decode() is not None


node_types = st.sampled_from(
    "websocket websocket-binary end abort retry headers uwsgi body chunk credit pong drain nonsense".split()
)
node_bodies = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(
        [
            b"",
            b"1000",
            b"4000 bye",
            b"1005",
            b"99999",
            b"1000 \xff",
            b"1000 " + b"x" * 200,
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"999999999999",
        ]
    ),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("node"), st.integers(0, 3), node_types, node_bodies),
        st.tuples(st.just("client"), st.integers(0, 2), st.just(""), sent),
        st.tuples(st.just("time"), st.integers(0, 2), st.just(""), st.just(b"")),
    ),
    max_size=25,
)


@given(steps)
def test_nodes_and_clients_say_what_they_like(script: list[tuple[str, int, str, bytes]]) -> None:
    """Two WebSockets, a request that awaits its response, and a sid of nobody: each session ends once, and
    what WebSocket clients get are whole frames, none behind a close frame."""
    wire = Wire()
    upgraded = [upgrade(wire) for _ in range(2)]
    _, plain = wire.connect()
    plain.receive(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    transports = [transport for _, transport in upgraded] + [plain]
    sids = [sid for _, sid, type, _ in wire.engine.router.sent if type == b"uwsgi"] + [b"\0" * 16]
    instance = wire.engine.instance("app")
    for who, number, type, body in script:
        if who == "node":
            wire.engine.dispatcher.message_received(instance, sids[number], type.encode(), body)
            wire.drain()
        elif who == "time":
            wire.loop.advance((0.3, 15, 30)[number])
        elif transports[number].is_reading() and not transports[number].is_lost:
            transports[number].receive(body)
    for _, transport in upgraded:
        assembler, is_closed = Assembler(), False
        for got in parse_frames(transport.output):
            assert not is_closed, f"{got} behind a close frame"
            assembler.add(got)
            is_closed = got.opcode == 8
    wire.close()
