"""The gate: what passes when, what it holds, and how early it refuses. Smuggling has a file of its own."""

from __future__ import annotations

import pytest

from blastbeat.errors import ClientError
from blastbeat.gates.http1 import MAX_EMPTY_LINES, Http1Gate
from blastbeat.interfaces import HttpLimits
from tests.helpers.http1 import each_byte

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CONTINUED = b"POST / HTTP/1.1\r\nHost: a\r\n"


def new_gate(max_head: int = 1024, max_uri: int = 100, max_headers: int = 5) -> Http1Gate:
    return Http1Gate(HttpLimits(max_head, max_uri, max_headers))


def refusal(gate: Http1Gate, data: bytes) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        gate.receive(data)
    return caught.value.status, caught.value.reason


class TestHead:
    def test_passes_whole_and_uncopied(self) -> None:
        gate = new_gate()
        assert gate.receive(GET) is GET
        assert gate.head_begun and gate.head_complete and gate.request_complete
        assert gate.buffered == 0

    def test_nothing_passes_before_it_is_complete(self) -> None:
        gate = new_gate()
        for at, byte in enumerate(each_byte(GET)[:-1]):
            assert gate.receive(byte) == b""
            assert gate.buffered == at + 1 and gate.head_begun and not gate.head_complete
        assert gate.receive(GET[-1:]) == GET
        assert gate.request_complete

    @pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
    def test_every_kind_of_buffer(self, make: type[bytes] | type[bytearray] | type[memoryview]) -> None:
        gate = new_gate()
        assert gate.receive(make(GET[:9])) + gate.receive(make(GET[9:])) == GET

    def test_empty_lines_before_it_are_dropped(self) -> None:
        for pieces in ([b"\r\n\r\n" + GET], each_byte(b"\r\n\r\n" + GET)):
            gate = new_gate()
            assert b"".join(gate.receive(piece) for piece in pieces) == GET

    def test_empty_lines_are_no_beginning(self) -> None:
        gate = new_gate()
        for byte in each_byte(b"\r\n\r\n\r"):
            gate.receive(byte)
            assert not gate.head_begun
        gate.receive(b"\nG")
        assert gate.head_begun

    def test_empty_lines_are_bounded(self) -> None:
        gate = new_gate()
        gate.receive(b"\r\n" * MAX_EMPTY_LINES)
        assert refusal(gate, b"\r\n")[0] == 400

    @pytest.mark.parametrize("data", [b"\rG", b"\n", b"\r\n\n", b"\r\r\n", b"\r\n\rX"])
    def test_empty_lines_end_in_crlf(self, data: bytes) -> None:
        assert refusal(new_gate(), data)[0] == 400

    def test_every_byte_of_other_protocols_is_not_awaited(self) -> None:
        assert refusal(new_gate(), b"\x16") == (400, "a TLS handshake on a port that speaks plain HTTP")
        assert refusal(new_gate(), b"PRI * HTTP/2.0\r\n")[0] == 505

    def test_a_bad_line_is_refused_before_the_head_ends(self) -> None:
        assert refusal(new_gate(), CONTINUED + b"X : y\r\n")[0] == 400
        assert refusal(new_gate(), b"GET / HTTP/1.1\nHost: a\n\n")[0] == 400

    @pytest.mark.parametrize("pieces", [[GET[:5], GET[5:]], [GET]])
    def test_the_quick_and_the_slow_reading_agree(self, pieces: list[bytes]) -> None:
        gate = new_gate()
        assert b"".join(gate.receive(piece) for piece in pieces) == GET


class TestLimits:
    def test_target(self) -> None:
        longest = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 99)
        assert new_gate().receive(longest) == longest
        longer = longest.replace(b"/", b"/a", 1)
        assert refusal(new_gate(), longer) == (414, "the request target is longer than 100 bytes")

    def test_an_endless_target_is_refused_early(self) -> None:
        gate = new_gate()
        with pytest.raises(ClientError) as caught:
            for byte in each_byte(b"GET /" + b"a" * 1000):
                gate.receive(byte)
        assert caught.value.status == 414

    def test_head(self) -> None:
        longest = CONTINUED + b"X: " + b"a" * (1024 - len(CONTINUED) - 7) + b"\r\n\r\n"
        assert len(longest) == 1024
        for pieces in ([longest], each_byte(longest)):
            gate = new_gate()
            assert b"".join(gate.receive(piece) for piece in pieces) == longest
        assert refusal(new_gate(), longest.replace(b"X", b"XX")) == (
            431,
            "the request head is longer than 1024 bytes",
        )

    def test_an_endless_head_is_refused_early(self) -> None:
        assert refusal(new_gate(), CONTINUED + b"X: " + b"a" * 1024)[0] == 431

    def test_a_request_line_may_be_all_of_the_head(self) -> None:
        gate = new_gate(max_head=20, max_uri=100)
        assert refusal(gate, b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 50))[0] == 431

    def test_fields(self) -> None:
        most = CONTINUED + b"X: y\r\n" * 4 + b"\r\n"
        assert new_gate().receive(most) == most
        more = CONTINUED + b"X: y\r\n" * 5 + b"\r\n"
        expected = (431, "more than 5 header fields in the request head")
        assert refusal(new_gate(), more) == expected
        assert refusal(new_gate(), more[:-2]) == expected

    def test_trailers_have_the_limits_of_a_head(self) -> None:
        assert refusal(new_gate(), CHUNKED + b"0\r\n" + b"X: y\r\n" * 6)[0] == 431
        assert refusal(new_gate(), CHUNKED + b"0\r\nX: " + b"y" * 1024)[0] == 431


class TestBody:
    def test_passes_as_it_comes_and_uncopied(self) -> None:
        gate = new_gate()
        assert gate.receive(POST) is POST
        assert gate.head_complete and not gate.request_complete
        pieces = [b"he", b"l", b"lo"]
        assert [gate.receive(piece) is piece for piece in pieces] == [True] * 3
        assert gate.request_complete

    def test_what_follows_is_held_back(self) -> None:
        gate = new_gate()
        assert gate.receive(POST + b"hel") == POST + b"hel"
        assert gate.receive(b"lo" + GET) == b"lo"
        assert gate.request_complete and gate.buffered == len(GET)
        assert gate.receive(b"GET") == b""
        assert gate.buffered == len(GET) + 3

    def test_chunks_pass_with_their_framing(self) -> None:
        gate = new_gate()
        body = b"5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n"
        assert gate.receive(CHUNKED + body) == CHUNKED + body
        assert gate.request_complete

    def test_payload_passes_as_it_comes_lines_when_complete(self) -> None:
        gate = new_gate()
        steps = [
            (CHUNKED, CHUNKED),
            (b"5", b""),
            (b"\r", b""),
            (b"\nhe", b"5\r\nhe"),
            (b"llo\r", b"llo"),
            (b"\n0\r", b"\r\n"),
            (b"\n", b"0\r\n"),
            (b"\r", b""),
        ]
        for given, passed in steps:
            assert gate.receive(given) == passed
            assert not gate.request_complete
        assert gate.receive(b"\nGET") == b"\r\n"
        assert gate.request_complete and gate.buffered == 3

    @pytest.mark.parametrize("split", range(30))
    def test_trailers_are_checked_and_dropped(self, split: int) -> None:
        body = b"1\r\nx\r\n0\r\nContent-Length: 5\r\nHost:\r\n\r\n"
        gate = new_gate()
        passed = gate.receive(CHUNKED + body[:split]) + gate.receive(body[split:] + b"rest")
        assert passed == CHUNKED + b"1\r\nx\r\n0\r\n\r\n"
        assert gate.request_complete and gate.buffered == 4

    def test_bad_chunks_and_trailers_are_refused(self) -> None:
        for body in (b"5 \r\n", b"1\r\nxx\r\n", b"0\r\nX : y\r\n"):
            assert refusal(new_gate(), CHUNKED + body)[0] == 400


class TestRequests:
    def test_one_at_a_time(self) -> None:
        gate = new_gate()
        assert gate.receive(GET + POST + b"hello" + CHUNKED) == GET
        assert gate.next_request() == POST + b"hello"
        assert gate.request_complete
        assert gate.next_request() == CHUNKED
        assert not gate.request_complete and gate.buffered == 0
        assert gate.receive(b"0\r\n\r\n" + GET[:4]) == b"0\r\n\r\n"
        assert gate.next_request() == b""
        assert gate.head_begun and not gate.head_complete
        assert gate.receive(GET[4:]) == GET

    def test_nothing_held(self) -> None:
        gate = new_gate()
        gate.receive(GET)
        assert gate.next_request() == b""
        assert not (gate.head_begun or gate.head_complete or gate.request_complete)

    def test_a_bad_one_is_refused_when_its_turn_comes(self) -> None:
        gate = new_gate()
        assert gate.receive(GET + b"BAD\r\n") == GET
        with pytest.raises(ClientError):
            gate.next_request()

    def test_a_refused_connection_stays_refused(self) -> None:
        gate = new_gate()
        first = refusal(gate, b"BAD\r\n")
        assert refusal(gate, GET) == first
        assert gate.buffered == 0
        with pytest.raises(ClientError):
            gate.next_request()

    def test_chunks_refused_while_some_are_held_leave_nothing_behind(self) -> None:
        gate = new_gate()
        gate.receive(CHUNKED + b"1;" + b"a" * 500)
        assert refusal(gate, b"a" * 1000)[0] == 400
        assert gate.buffered == 0
