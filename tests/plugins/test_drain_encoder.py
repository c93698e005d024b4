"""The message type `drain`."""

from __future__ import annotations

import pytest

from blastbeat.events import NodeDrain
from tests.helpers.encoders import encoder


@pytest.mark.parametrize("body", [b"", b"anything \xff\0", memoryview(b"x" * 100_000)])
def test_its_body_says_nothing(body: bytes | memoryview) -> None:
    assert encoder("drain").decode(body) == NodeDrain()
