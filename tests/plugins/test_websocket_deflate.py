"""permessage-deflate: what is agreed on, and messages through zlib."""

from __future__ import annotations

import zlib

import pytest

from blastbeat.plugins.websocket_deflate import Deflater, Inflater, TooBig, agree

OFFERS = {
    b"permessage-deflate": b"permessage-deflate",
    b"permessage-deflate; client_max_window_bits": b"permessage-deflate; client_max_window_bits=12",
    b"permessage-deflate; client_max_window_bits=10": b"permessage-deflate; client_max_window_bits=10",
    b'permessage-deflate; server_max_window_bits="9"': b"permessage-deflate; server_max_window_bits=9",
    b"permessage-deflate; server_max_window_bits=15": b"permessage-deflate; server_max_window_bits=12",
    b"permessage-deflate; server_no_context_takeover; client_no_context_takeover": (
        b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    ),
    b"permessage-deflate; server_max_window_bits=8, permessage-deflate": b"permessage-deflate",
    b"x-webkit-deflate-frame": None,
    b"permessage-deflate; server_max_window_bits": None,
    b"permessage-deflate; server_max_window_bits=16": None,
    b"permessage-deflate; server_max_window_bits=09": None,
    b"permessage-deflate; client_max_window_bits=7": None,
    b"permessage-deflate; server_no_context_takeover=1": None,
    b"permessage-deflate; server_no_context_takeover; server_no_context_takeover": None,
    b"permessage-deflate; unknown": None,
    b"permessage-deflate; =": None,
}


@pytest.mark.parametrize(("offer", "answer"), OFFERS.items(), ids=[str(each) for each in OFFERS])
def test_offers(offer: bytes, answer: bytes | None) -> None:
    agreement = agree([offer], 12)
    assert (agreement.answer if agreement is not None else None) == answer


@pytest.mark.parametrize(
    "offer",
    [
        b"permessage-deflate",
        b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        b"permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
    ],
)
def test_messages_come_back(offer: bytes) -> None:
    agreement = agree([offer], 12)
    assert agreement is not None
    deflater, inflater = Deflater(agreement), Inflater(agreement, 100_000)
    for message in (b"hello " * 1000, b"", b"hello " * 1000, bytes(range(256)) * 10):
        deflated = deflater.deflate(message)
        assert inflater.feed(deflated[:5]) + inflater.feed(deflated[5:]) + inflater.finish() == message


def test_a_bomb_is_not_inflated() -> None:
    agreement = agree([b"permessage-deflate"], 12)
    assert agreement is not None
    bomb = zlib.compressobj(wbits=-15)
    data = bomb.compress(b"0" * 10_000_000) + bomb.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(TooBig):
        Inflater(agreement, 1_000_000).feed(data)


def test_a_message_with_a_last_block() -> None:
    """RFC 7692, section 7.2.3.4."""
    agreement = agree([b"permessage-deflate"], 12)
    assert agreement is not None
    inflater = Inflater(agreement, 100)
    assert inflater.feed(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00") + inflater.finish() == b"Hello"
    assert inflater.feed(b"\xf2\x48\xcd\xc9\xc9\x07\x00") + inflater.finish() == b"Hello"


def test_a_last_block_every_two_bytes_is_copied_no_further_than_a_step() -> None:
    agreement = agree([b"permessage-deflate"], 12)
    assert agreement is not None
    blocks = b"\x03\x00" * 2000
    inflater = Inflater(agreement, 100)
    assert inflater.feed(blocks + b"\xf3\x48\xcd\xc9\xc9\x07\x00") + inflater.finish() == b"Hello"
