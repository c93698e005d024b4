"""Gate and driver on bytes in any pieces: the same verdict, the same requests, and never another error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from blastbeat.errors import GrammarError
from blastbeat.gates.chunked import ChunkedDecoder
from blastbeat.interfaces import HttpLimits
from tests.helpers.http1 import Reading, each_byte, read_requests

TIGHT = HttpLimits(max_head=120, max_uri=30, max_headers=5)
WIDE = HttpLimits()

# Bytes that mean something to somebody, so that random sequences of them come close to requests.
FRAGMENTS = [
    b"GET / HTTP/1.1\r\n",
    b"POST /a HTTP/1.0\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://b/ HTTP/1.1\r\n",
]
FRAGMENTS += [
    b"Host: a\r\n",
    b"Host:",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:",
    b"chunked",
    b"gzip",
]
FRAGMENTS += [
    b"Content-Length: 5\r\n",
    b"Content-Length:",
    b"Content-Length: 0\r\n",
    b"Expect: 100-continue\r\n",
]
FRAGMENTS += [b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n", b"X: y\r\n", b"hello", b"5\r\nhello\r\n"]
FRAGMENTS += [
    b"0\r\n\r\n",
    b"0\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b";a=b",
    b",",
    b"\0",
    b"#",
    b"\xff",
]
FRAGMENTS += [b"1", b"a", b"X" * 40, b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1"]


@dataclass
class Sent:
    """A valid request as generated: its bytes, and what must come out."""

    data: bytes
    method: bytes
    path: bytes
    body: bytes


names = st.sampled_from([b"X-A", b"accept", b"Cookie", b"TE", b"x_y", b"Content-Lengths", b"!#$%"])
values = st.binary(max_size=20).map(
    lambda text: bytes(byte for byte in text if byte >= 0x20 and byte != 0x7F)
)


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    method = draw(st.sampled_from([b"GET", b"POST", b"M-SEARCH", b"get"]))
    path = b"/" + draw(st.text("abc/?=%.&", max_size=10)).encode()
    fields = [b"Host: a"] + [
        b"%b:%b" % field for field in draw(st.lists(st.tuples(names, values), max_size=4))
    ]
    body = draw(st.binary(max_size=60))
    coded = body
    if draw(st.booleans()):
        fields.append(b"transfer-encoding: Chunked")
        coded = b""
        at = 0
        while at < len(body):
            size = draw(st.integers(1, len(body) - at))
            extension = draw(st.sampled_from([b"", b";a", b';a="\\"";b=c']))
            coded += b"%x%b\r\n%b\r\n" % (size, extension, body[at : at + size])
            at += size
        coded += (
            b"0\r\n"
            + draw(st.sampled_from([b"", b"T: x\r\n", b"Host: b\r\nContent-Length: 7\r\n"]))
            + b"\r\n"
        )
    elif body:
        fields.append(b"Content-Length: %d" % len(body))
    fields = draw(st.permutations(fields))
    head = b"\r\n".join([b"%b %b HTTP/1.1" % (method, path), *fields]) + b"\r\n\r\n"
    empty_lines = b"\r\n" * draw(st.integers(0, 2))
    return Sent(empty_lines + head + coded, method, path, body)


@st.composite
def likely_bytes(draw: st.DrawFn) -> bytes:
    """A valid request with something spliced in or cut out, or fragments at random."""
    fragment = st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=4))
    if draw(st.booleans()):
        return b"".join(draw(st.lists(fragment, max_size=12)))
    data = draw(requests()).data + draw(requests()).data
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 8)))
    return data[:start] + draw(fragment) + data[end:]


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """`data` in pieces, cut at each of `cuts` (taken modulo its length)."""
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in zip(ends, ends[1:], strict=False)]


def assert_same(one: Reading, other: Reading) -> None:
    assert one.refusal == other.refusal
    assert one.complete == other.complete
    assert len(one.requests) == len(other.requests)
    if one.refusal is None:
        assert one.requests == other.requests
        assert one.held == other.held
    else:  # how much of a request that is refused in the end has passed is a matter of the pieces
        shorter, longer = sorted((one.requests[-1].passed, other.requests[-1].passed), key=len)
        assert longer.startswith(shorter)


cuts = st.lists(st.integers(0, 1000), max_size=8)


@given(st.lists(requests(), min_size=1, max_size=5), cuts)
def test_valid_requests_come_out_as_sent_however_cut(sent: list[Sent], cuts: list[int]) -> None:
    data = b"".join(request.data for request in sent)
    for pieces in (split(data, cuts), each_byte(data)):
        reading = read_requests(pieces)
        assert reading.refusal is None and reading.held == 0
        found = [(r.head.method, r.head.path, r.body) for r in reading.complete if r.head is not None]
        assert found == [(request.method, request.path, request.body) for request in sent]


@given(likely_bytes(), cuts, st.sampled_from([TIGHT, WIDE]))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r", [], WIDE)
@example(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", [3], WIDE)
def test_any_pieces_give_the_same_verdict(data: bytes, cuts: list[int], limits: HttpLimits) -> None:
    whole = read_requests([data], limits)
    assert_same(whole, read_requests(split(data, cuts), limits))
    assert_same(whole, read_requests(each_byte(data), limits))


@given(st.binary(max_size=300), cuts)
def test_any_bytes_give_requests_or_a_client_error(data: bytes, cuts: list[int]) -> None:
    assert_same(read_requests([data]), read_requests(split(data, cuts)))


@given(likely_bytes(), st.sampled_from([TIGHT, WIDE]))
def test_what_is_held_is_bounded(data: bytes, limits: HttpLimits) -> None:
    for end in range(0, len(data), 7):
        reading = read_requests(each_byte(data[:end]), limits)
        assert reading.held <= max(limits.max_head, limits.max_uri + 100)


@given(
    st.lists(
        st.sampled_from([b"5\r\nhello\r\n", b"1", b"a;b\r\n", b"0\r\n", b"\r\n", b"\r", b"x", b"A: b\r\n"])
    ),
    cuts,
)
def test_the_decoder_gives_the_same_for_any_pieces(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    outcomes = set()
    for pieces in ([data], split(data, cuts), each_byte(data)):
        decoder = ChunkedDecoder(max_trailers=40, max_trailer_fields=3)
        payload = b""
        verdict = ""
        try:
            for piece in pieces:
                if decoder.finished:
                    break
                payload += b"".join(bytes(part) for part in decoder.decode(piece))
        except GrammarError as error:
            verdict = error.reason
        outcomes.add((verdict, decoder.finished, "" if verdict else payload))
    assert len(outcomes) == 1
