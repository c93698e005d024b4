"""The chunked coding: strict, in any pieces, bounded."""

from __future__ import annotations

import pytest

from blastbeat.errors import BlastBeatError, GrammarError
from blastbeat.events import Buffer
from blastbeat.gates.chunked import MAX_CHUNK_LINE, MAX_EXCESS, ChunkedDecoder, ChunkWalk
from tests.helpers.http1 import each_byte


def decode(*pieces: Buffer, decoder: ChunkedDecoder | None = None) -> tuple[bytes, ChunkedDecoder]:
    decoder = decoder or ChunkedDecoder()
    return b"".join(bytes(part) for piece in pieces for part in decoder.decode(piece)), decoder


@pytest.mark.parametrize(
    ("coded", "payload"),
    [
        (b"0\r\n\r\n", b""),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n1\r\n!\r\n00\r\n\r\n", b"hello!"),
        (b"000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"a\r\n0123456789\r\nA\r\n" + b"\r\n" * 6 + b"0\r\n\r\n", b"0123456789" + b"\r\n" * 5),
        (b'1;a\r\nx\r\n1;a=b;c="d;\\" "\r\nx\r\n0;end\r\n\r\n', b"xx"),
        (b"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", b"x"),
    ],
)
def test_decodes_whole_and_byte_by_byte(coded: bytes, payload: bytes) -> None:
    for pieces in ([coded], each_byte(coded)):
        decoded, decoder = decode(*pieces)
        assert decoded == payload
        assert decoder.finished and decoder.excess == b""


@pytest.mark.parametrize(
    "coded",
    [
        b"\r\n",
        b"\n",
        b"g\r\n",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"5\t\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\r\r\nhello\r\n",
        b"5\rhello\n",
        b"5,5\r\nhello\r\n",
        b"5;\r\nhello\r\n",
        b"5;;a\r\nhello\r\n",
        b"5 ;a\r\nhello\r\n",
        b"5; a\r\nhello\r\n",
        b"5;a =b\r\nhello\r\n",
        b"5;a=\r\nhello\r\n",
        b"5;a=b c\r\nhello\r\n",
        b'5;a="b\r\nhello\r\n',
        b'5;a="b\nc"\r\nhello\r\n',
        b"5;a\nb\r\nhello\r\n",
        b"5;a\x00\r\nhello\r\n",
        b"5;a=\xff\r\nhello\r\n",
        b"5\r\nhello!\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhell\r\n0\r\n\r\n",
        b"1" * 16 + b"\r\n",
        b"f" * 16 + b"\r\n",
        b"0\r\nbad\r\n\r\n",
        b"0\r\nA : b\r\n\r\n",
        b"0\r\n\nGET",
        b"0\r\nA: b\n\r\n",
        b"0\r\nA: b\r\n folded\r\n\r\n",
    ],
)
def test_refuses_whatever_the_pieces(coded: bytes) -> None:
    verdicts = set()
    for pieces in ([coded], [coded[:1], coded[1:]], each_byte(coded)):
        try:
            _, decoder = decode(*pieces)
            verdicts.add("waits" if not decoder.finished else "accepts")
        except GrammarError as error:
            verdicts.add(f"{error.status} {error.reason}")
    assert len(verdicts) == 1
    verdict = verdicts.pop()
    assert verdict.startswith("400 ")


def test_errors_are_both_the_projects_and_value_errors() -> None:
    with pytest.raises(ValueError, match="hexadecimal") as caught:
        ChunkedDecoder().decode(b"zz\r\n")
    assert isinstance(caught.value, BlastBeatError)


def test_what_is_no_size_is_refused_before_its_line_ends() -> None:
    with pytest.raises(GrammarError, match="hexadecimal"):
        ChunkedDecoder().decode(b"G")


def test_begun_and_excess() -> None:
    decoder = ChunkedDecoder()
    assert not decoder.begun
    assert decoder.decode(b"") == [] and not decoder.begun
    decoder.decode(b"1")
    assert decoder.begun and not decoder.finished
    assert decode(b"\r\nx\r\n0\r\n\r\nmore", decoder=decoder)[0] == b"x"
    assert decoder.finished and decoder.excess == b"more"
    assert decoder.decode(b"and more") == [] and decoder.excess == b"and more"


def test_excess_after_trailers_in_pieces() -> None:
    payload, decoder = decode(b"1\r\nx\r\n0\r\nA", b": b\r", b"\n\r\nmore")
    assert (payload, decoder.finished, decoder.excess) == (b"x", True, b"more")


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer(make: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    coded = b"5\r\nhello\r\n0\r\nA: b\r\n\r\nmore"
    for at in range(len(coded) - len(b"more")):
        payload, decoder = decode(make(coded[:at]), make(coded[at:]))
        assert payload == b"hello" and decoder.finished
        assert decoder.excess == b"more"


def test_large_payload_is_not_copied() -> None:
    payload = bytes(20_000)
    coded = b"%x\r\n%b\r\n" % (len(payload), payload)
    (piece,) = ChunkedDecoder().decode(coded)
    assert isinstance(piece, memoryview) and piece.obj is coded and piece == payload
    (piece,) = ChunkedDecoder().decode(memoryview(coded))
    assert isinstance(piece, memoryview) and piece.obj is coded


def test_trailers_are_bounded() -> None:
    decoder = ChunkedDecoder(max_trailers=20, max_trailer_fields=2)
    with pytest.raises(GrammarError, match="longer than 20 bytes"):
        decode(b"0\r\nA:", b" " * 30, decoder=decoder)
    decoder = ChunkedDecoder(max_trailers=100, max_trailer_fields=2)
    with pytest.raises(GrammarError, match="more than 2"):
        decode(b"0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", decoder=decoder)


def line_of(size: int) -> bytes:
    return b"1;" + b"a" * (size - 2)


def test_chunk_lines_are_bounded() -> None:
    longest = line_of(MAX_CHUNK_LINE) + b"\r\nx\r\n0\r\n\r\n"
    for pieces in ([longest], each_byte(longest)):
        assert decode(*pieces)[0] == b"x"
    longer = line_of(MAX_CHUNK_LINE + 1)
    for pieces in ([longer + b"\r\nx"], [longer + b"\r"], each_byte(longer + b"\r\nx")):
        with pytest.raises(GrammarError, match=f"longer than {MAX_CHUNK_LINE} bytes"):
            decode(*pieces)


def test_extensions_out_of_proportion_are_refused() -> None:
    chunk = line_of(MAX_CHUNK_LINE) + b"\r\nx\r\n"
    with pytest.raises(GrammarError, match="out of all proportion"):
        decode(chunk * (MAX_EXCESS // MAX_CHUNK_LINE + 2))


def test_extensions_that_sign_each_chunk_are_not() -> None:
    chunk = b"400;chunk-signature=" + b"a" * 64 + b"\r\n" + bytes(1024) + b"\r\n"
    assert len(decode(chunk * 2000)[0]) == 2000 * 1024


def test_many_tiny_chunks_are_fine() -> None:
    assert decode(b"1\r\nx\r\n" * 10_000)[0] == b"x" * 10_000


def test_the_walk_stops_at_the_trailers() -> None:
    walk = ChunkWalk()
    data = b"1\r\nx\r\n0\r\nA: b\r\n\r\n"
    assert walk.walk(data, 0) == len(b"1\r\nx\r\n0\r\n")
    assert walk.at_trailers
