"""The end of all connections: idle ones at once, WebSockets one after the other."""

from __future__ import annotations

from blastbeat.transport.stopping import SPREAD, stop_gradually
from tests.helpers.transport_fakes import Wire
from tests.helpers.upgraded import upgrade

GOODBYE = b"\x88\x02\x03\xf4"  # 1012


def test_websockets_are_told_one_after_the_other() -> None:
    wire = Wire()
    _, idle = wire.connect()
    transports = [upgrade(wire)[1] for _ in range(40)]
    stop_gradually(list(wire.connections), wire.loop.as_loop(), 10.0)
    wire.loop.run()
    assert idle.is_lost
    told = []
    for _ in range(4):
        wire.loop.advance(10.0 * SPREAD / 4)
        told.append(sum(transport.output == GOODBYE for transport in transports))
    assert told[:3] == [11, 21, 31] and told[3] == 40
    wire.close()


def test_one_that_has_ended_by_then_is_left_alone() -> None:
    wire = Wire()
    transports = [upgrade(wire)[1] for _ in range(3)]
    stop_gradually(list(wire.connections), wire.loop.as_loop(), 10.0)
    for transport in transports:
        transport.lose()
    wire.loop.advance(10)
    assert all(transport.output in (b"", GOODBYE) for transport in transports)
    wire.close()


def test_without_a_drain_all_are_told_now() -> None:
    wire = Wire()
    transports = [upgrade(wire)[1] for _ in range(3)]
    stop_gradually(list(wire.connections), wire.loop.as_loop(), 0.0)
    assert all(transport.output == GOODBYE for transport in transports)
    wire.close()
