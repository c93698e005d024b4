"""The tables of WebSocket cases, on the level of gate and driver: whole, and in small pieces."""

from __future__ import annotations

import pytest

from blastbeat.events import (
    WebSocketClose,
    WebSocketFailure,
    WebSocketMessage,
    WebSocketPing,
)
from blastbeat.gates.websocket import WebSocketGate
from blastbeat.interfaces import WebSocketDriverFactory, WebSocketOptions
from blastbeat.plugins.websocket_fast import FastDriverFactory
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory
from tests.conformance.websocket import (
    cases_close,
    cases_control,
    cases_fragments,
    cases_framing,
    cases_utf8,
)
from tests.conformance.websocket.case import MAX_MESSAGE, Case, Told
from tests.helpers.websocket_frames import cut

DRIVERS = {"wsproto": WsprotoDriverFactory({}), "fast": FastDriverFactory({})}
TABLES = (cases_framing, cases_control, cases_fragments, cases_utf8, cases_close)
CASES = {
    f"{table.__name__.rpartition('_')[2]}: {name}": case
    for table in TABLES
    for name, case in table.CASES.items()
}


def outcome(factory: WebSocketDriverFactory, pieces: list[bytes]) -> tuple[list[Told], int | None, bool]:
    """What is told, the code it ends with, and whether that is a failure."""
    _, driver = factory.negotiate([], WebSocketOptions(max_message=MAX_MESSAGE))
    gate, told = WebSocketGate(MAX_MESSAGE), list[Told]()
    for piece in pieces:
        for event in driver.receive_data(gate.receive(piece)):
            if isinstance(event, WebSocketMessage):
                told.append(("text" if event.is_text else "binary", bytes(event.data)))
            elif isinstance(event, WebSocketClose | WebSocketFailure):
                return told, event.code, isinstance(event, WebSocketFailure)
            else:
                told.append(("ping" if isinstance(event, WebSocketPing) else "pong", event.payload))
        if gate.failure is not None:
            return told, gate.failure[0], True
    return told, None, True


@pytest.mark.parametrize("factory", DRIVERS.values(), ids=list(DRIVERS))
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_case(case: Case, factory: WebSocketDriverFactory) -> None:
    for size in (1 << 22, 997) if len(case.data) > 5000 else (1 << 22, 1, 3):
        told, code, is_failure = outcome(factory, cut(case.data, size))
        assert code == case.code and is_failure is case.is_failure
        assert told == list(case.told)
