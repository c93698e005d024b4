"""The message type `credit`: a decimal number of body bytes that a node has consumed.

Knows no window: whether so much was ever outstanding is the session's business.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.errors import NodeError
from blastbeat.events import Buffer, NodeCredit
from blastbeat.interfaces import Options, Register

MAX_DIGITS = 12
"""Digits of an amount: just below a terabyte at once, more than any window."""


class CreditEncoder:
    """Decodes `credit`."""

    def decode(self, body: Buffer) -> NodeCredit:
        # Looked at before it is copied: the body may be as large as a message can be.
        digits = bytes(body[: MAX_DIGITS + 1])
        if not digits.isdigit() or len(digits) > MAX_DIGITS:
            raise NodeError(f"credit: expected a decimal number of at most {MAX_DIGITS} digits")
        return NodeCredit(int(digits))


def make_encoder(options: Options) -> CreditEncoder:
    return CreditEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("credit", make_encoder)
