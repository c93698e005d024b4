"""Streams, line by line, with the time passed in."""

from __future__ import annotations

from blastbeat.demo.request import Message, Request
from blastbeat.demo.streams import BEAT_SECONDS, BEATS, MAX_STREAMS, Streams
from tests.helpers.demo import SID, fields_of


def new_streams() -> Streams:
    return Streams(4242)


def begin(streams: Streams, sid: bytes = SID, now: float = 0.0) -> list[Message]:
    return streams.begin(Request(sid, {"REQUEST_METHOD": "GET"}, 0), now)


def play(streams: Streams, steps: int) -> list[Message]:
    """`steps` times what is due, at the time they say themselves."""
    said: list[Message] = []
    for _ in range(steps):
        due = streams.next_due()
        assert due is not None
        said += streams.due(due)
    return said


def test_a_stream_says_its_lines_one_by_one_and_ends_with_an_empty_chunk() -> None:
    streams = new_streams()
    (sid, type, head), *rest = begin(streams, now=10.0)
    assert (sid, type, rest) == (SID, b"headers", [])
    assert fields_of(head)["transfer-encoding"] == "chunked"
    said = play(streams, BEATS)
    assert [(sid, type) for sid, type, _ in said] == [(SID, b"chunk")] * (BEATS + 1)
    assert said[0][2] == f"beat 1 of {BEATS} from process 4242\n".encode()
    assert said[-2][2].startswith(f"beat {BEATS} of {BEATS}".encode())
    assert said[-1][2] == b""
    assert streams.next_due() is None


def test_lines_wait_for_their_time() -> None:
    streams = new_streams()
    begin(streams, now=10.0)
    assert len(streams.due(10.0)) == 1
    assert streams.due(10.0 + BEAT_SECONDS / 2) == []
    assert len(streams.due(10.0 + BEAT_SECONDS)) == 1


def test_streams_of_several_sessions_do_not_wait_for_each_other() -> None:
    streams = new_streams()
    begin(streams, sid=b"one", now=0.0)
    begin(streams, sid=b"two", now=0.1)
    assert [sid for sid, _, _ in play(streams, 4)] == [b"one", b"two", b"one", b"two"]


def test_the_end_of_a_session_ends_its_stream() -> None:
    streams = new_streams()
    begin(streams, sid=b"one")
    begin(streams, sid=b"two")
    streams.forget(b"one")
    assert {sid for sid, _, _ in play(streams, 2)} == {b"two"}


def test_streams_are_bounded() -> None:
    streams = new_streams()
    for number in range(MAX_STREAMS):
        begin(streams, sid=b"%d" % number)
    (_, _, head), _ = begin(streams, sid=b"one more")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert len(streams.due(0.0)) == MAX_STREAMS
