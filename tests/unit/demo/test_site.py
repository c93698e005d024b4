"""The demo's answers, message by message, with the time passed in."""

from __future__ import annotations

import struct

from blastbeat.demo.site import BEAT_SECONDS, BEATS, MAX_STREAMS, Message, Site, read_variables

SID = b"0123456789abcdef"


def packet(**variables: str) -> bytes:
    pairs = [text.encode() for pair in variables.items() for text in pair]
    body = b"".join(struct.pack("<H", len(text)) + text for text in pairs)
    return struct.pack("<BHB", 0, len(body), 0) + body


def ask(site: Site, path: str, method: str = "GET", sid: bytes = SID, now: float = 0.0) -> list[Message]:
    return site.receive(sid, b"uwsgi", packet(REQUEST_METHOD=method, PATH_INFO=path), now)


def new_site() -> Site:
    return Site("demo", 4242)


def fields_of(head: bytes) -> dict[str, str]:
    lines = head.decode("ascii").split("\r\n")
    assert lines[-2:] == ["", ""]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:-2])}


def play(site: Site, steps: int) -> list[Message]:
    """`steps` times what is due, at the time the site itself says."""
    said: list[Message] = []
    for _ in range(steps):
        due = site.next_due()
        assert due is not None
        said += site.due(due)
    return said


def test_a_packet_is_read_to_its_variables_in_order() -> None:
    assert list(read_variables(packet(A="1", B="", C="x y")).items()) == [("A", "1"), ("B", ""), ("C", "x y")]


def test_a_packet_whose_size_counts_its_own_head_reads_the_same() -> None:
    body = packet(A="1")
    assert read_variables(struct.pack("<BHB", 0, len(body), 0) + body[4:]) == {"A": "1"}


def test_bytes_that_are_no_text_are_spelled_out() -> None:
    assert read_variables(b"\0\0\0\0\1\0A\1\0\xff") == {"A": "\\xff"}


def test_a_ping_is_answered_with_a_pong() -> None:
    assert new_site().receive(b"", b"ping", b"", 0.0) == [(b"", b"pong", b"")]


def test_types_the_demo_has_no_use_for_are_passed_over() -> None:
    for type in (b"spawn", b"body", b"websocket", b"msg", b"future"):
        assert new_site().receive(SID, type, b"", 0.0) == []


def test_the_page_is_a_head_with_its_length_and_a_body() -> None:
    (sid, type, head), (body_sid, body_type, body) = ask(new_site(), "/")
    assert (sid, type, body_sid, body_type) == (SID, b"headers", SID, b"body")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert fields_of(head)["content-length"] == str(len(body))
    assert b"process 4242" in body and SID.hex().encode() in body


def test_an_unknown_path_is_not_found() -> None:
    (_, _, head), (_, _, body) = ask(new_site(), "/<b>nowhere</b>")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"/&lt;b&gt;nowhere&lt;/b&gt;" in body


def test_a_head_request_gets_the_head_alone() -> None:
    site = new_site()
    assert [type for _, type, _ in ask(site, "/", "HEAD")] == [b"headers"]
    assert [type for _, type, _ in ask(site, "/stream", "HEAD")] == [b"headers"]
    assert site.next_due() is None


def test_another_method_is_told_which_ones_there_are() -> None:
    (_, _, head), _ = ask(new_site(), "/stream", "POST")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert fields_of(head)["allow"] == "GET, HEAD"


def test_a_stream_says_its_lines_one_by_one_and_ends_with_an_empty_chunk() -> None:
    site = new_site()
    (sid, type, head), *rest = ask(site, "/stream", now=10.0)
    assert (sid, type, rest) == (SID, b"headers", [])
    assert fields_of(head)["transfer-encoding"] == "chunked"
    said = play(site, BEATS)
    assert [(sid, type) for sid, type, _ in said] == [(SID, b"chunk")] * (BEATS + 1)
    assert said[0][2] == f"beat 1 of {BEATS} from process 4242\n".encode()
    assert said[-2][2].startswith(f"beat {BEATS} of {BEATS}".encode())
    assert said[-1][2] == b""
    assert site.next_due() is None


def test_lines_wait_for_their_time() -> None:
    site = new_site()
    ask(site, "/stream", now=10.0)
    assert len(site.due(10.0)) == 1
    assert site.due(10.0 + BEAT_SECONDS / 2) == []
    assert len(site.due(10.0 + BEAT_SECONDS)) == 1


def test_streams_of_several_sessions_do_not_wait_for_each_other() -> None:
    site = new_site()
    ask(site, "/stream", sid=b"one", now=0.0)
    ask(site, "/stream", sid=b"two", now=0.1)
    assert [sid for sid, _, _ in play(site, 4)] == [b"one", b"two", b"one", b"two"]


def test_the_end_of_a_session_ends_its_stream() -> None:
    site = new_site()
    ask(site, "/stream", sid=b"one")
    ask(site, "/stream", sid=b"two")
    assert site.receive(b"one", b"end", b"", 0.0) == []
    assert {sid for sid, _, _ in play(site, 2)} == {b"two"}


def test_streams_are_bounded() -> None:
    site = new_site()
    for number in range(MAX_STREAMS):
        ask(site, "/stream", sid=b"%d" % number)
    (_, _, head), _ = ask(site, "/stream", sid=b"one more")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert len(site.due(0.0)) == MAX_STREAMS
