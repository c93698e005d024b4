"""What comes before HTTP on a TLS address: how many handshakes at once, and how a subject is written."""

from __future__ import annotations

from blastbeat.transport.tls_preface import HANDSHAKES_PER_TURN, HandshakeTurns, format_subject
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.transport_fakes import FakeLoop


def test_handshakes_take_turns_with_everybody_else() -> None:
    loop = FakeLoop(FakeClock())
    turns, done = HandshakeTurns(loop.as_loop()), list[int]()
    for number in range(HANDSHAKES_PER_TURN * 2 + 1):
        turns.run(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == list(range(HANDSHAKES_PER_TURN))
    loop.call_soon(lambda: done.append(-1))
    loop.run()
    assert sorted(done)[1:] == list(range(HANDSHAKES_PER_TURN * 2 + 1))
    assert done.index(-1) == HANDSHAKES_PER_TURN * 2


def test_a_subject() -> None:
    subject = ((("countryName", "CH"),), (("organizationName", "Acme, Inc."),), (("commonName", "#a+b "),))
    assert format_subject(subject) == "CN=\\#a\\+b\\ ,O=Acme\\, Inc.,C=CH"
    assert format_subject(()) == ""


def test_a_subject_can_not_end_a_line() -> None:
    assert format_subject(((("commonName", "a\r\nX: b\u00fc"),),)) == "CN=a\\0D\\0AX: b\\C3\\BC"
