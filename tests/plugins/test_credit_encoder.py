"""The message type `credit`."""

from __future__ import annotations

import pytest

from blastbeat.errors import NodeError
from blastbeat.events import NodeCredit
from tests.helpers.encoders import encoder


@pytest.mark.parametrize("container", [bytes, memoryview])
@pytest.mark.parametrize(
    ("body", "amount"), [(b"0", 0), (b"1", 1), (b"0065536", 65536), (b"999999999999", 999_999_999_999)]
)
def test_an_amount_is_read(body: bytes, amount: int, container: type[bytes] | type[memoryview]) -> None:
    assert encoder("credit").decode(container(body)) == NodeCredit(amount)


@pytest.mark.parametrize(
    "body",
    [b"", b"-1", b"+1", b" 1", b"1 ", b"1\n", b"1.5", b"1_0", b"0x1", b"many", b"\xb2", b"\xd9\xa1"]
    + [b"1000000000000", b"0000000000001", b"9" * 100_000],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(NodeError, match="expected a decimal number of at most 12 digits"):
        encoder("credit").decode(body)
