"""The message type `pong`."""

from __future__ import annotations

import pytest

from blastbeat.events import NodePong
from blastbeat.plugins.pong_encoder import MAX_BODY
from tests.helpers.encoders import encoder


@pytest.mark.parametrize("container", [bytes, memoryview])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ()),
        (b"pong", ()),
        (b"batch", (b"batch",)),
        (
            b"batch binary accept exchange credit=65536",
            (b"batch", b"binary", b"accept", b"exchange", b"credit=65536"),
        ),
        (b"  exchange\tbatch\r\n", (b"exchange", b"batch")),
        (b"batch batch", (b"batch",)),
        (b"credit=1 credit=2", (b"credit=1",)),
        (b"Batch batching batch=1 x credit", ()),
        (b"credit= credit=0 credit=01 credit=-1 credit=1x credit=1.5 credit=\xb2", ()),
        (b"credit=999999999999", (b"credit=999999999999",)),
        (b"credit=1000000000000", ()),
        (b"\xff\0binary", ()),
        (b"later-word binary", (b"binary",)),
    ],
)
def test_known_words_are_told(
    body: bytes, words: tuple[bytes, ...], container: type[bytes] | type[memoryview]
) -> None:
    assert encoder("pong").decode(container(body)) == NodePong(words)


def test_a_long_body_holds_no_words() -> None:
    pong = encoder("pong")
    assert pong.decode(b"batch" + b" " * (MAX_BODY - 5)) == NodePong((b"batch",))
    assert pong.decode(b"batch" + b" " * (MAX_BODY - 4)) == NodePong(())
