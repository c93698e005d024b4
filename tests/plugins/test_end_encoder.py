"""The message type `end`."""

from __future__ import annotations

import pytest

from blastbeat.events import NodeEnd
from tests.helpers.encoders import encoder


@pytest.mark.parametrize("container", [bytes, memoryview])
@pytest.mark.parametrize("body", [b"", b"1000", b"1001 going away", b"4000 " + b"x" * 123, b"\xff\0"])
def test_the_detail_is_handed_on(body: bytes, container: type[bytes] | type[memoryview]) -> None:
    end = encoder("end").decode(container(body))
    assert end == NodeEnd(body)
    assert isinstance(end.detail, bytes)


def test_a_detail_no_close_frame_can_carry_counts_as_none() -> None:
    assert encoder("end").decode(b"4000 " + b"x" * 124) == NodeEnd(b"")
