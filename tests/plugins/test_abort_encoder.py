"""The message type `abort`."""

from __future__ import annotations

import pytest

from blastbeat.events import NodeAbort
from blastbeat.plugins.abort_encoder import MAX_REASON
from tests.helpers.encoders import encoder


@pytest.mark.parametrize("container", [bytes, memoryview])
@pytest.mark.parametrize("body", [b"", b"database gone", b"\xff\r\n\0"])
def test_the_reason_is_handed_on(body: bytes, container: type[bytes] | type[memoryview]) -> None:
    abort = encoder("abort").decode(container(body))
    assert abort == NodeAbort(body)
    assert isinstance(abort.reason, bytes)


def test_a_long_reason_is_cut() -> None:
    assert encoder("abort").decode(b"x" * 10_000) == NodeAbort(b"x" * MAX_REASON)
