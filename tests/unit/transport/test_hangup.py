"""A client that ends while nothing is read from it is noticed; where nobody tells, nothing breaks."""

from __future__ import annotations

import asyncio

import pytest

from blastbeat.transport import hangup
from blastbeat.transport.hangup import FIN_RECEIVED, INTERVAL, RESET, HangupWatch
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.transport_fakes import FakeLoop, FakeTransport

ESTABLISHED = 1


class Stage:
    def __init__(self) -> None:
        self.loop = FakeLoop(FakeClock())
        self.transport = FakeTransport(self.loop, asyncio.Protocol())
        self.found: list[int] = []
        self.watch = HangupWatch(self.loop.as_loop(), self.transport, self.found.append)

    def advance(self, looks: float) -> None:
        self.loop.advance(looks * INTERVAL)
        assert not self.loop.failures


@pytest.mark.skipif(hangup.TCP_INFO is None, reason="only Linux tells")
@pytest.mark.parametrize("state", [RESET, FIN_RECEIVED])
def test_found_at_every_look_until_stopped(state: int) -> None:
    stage = Stage()
    stage.watch.start()
    stage.watch.start()
    stage.advance(3)
    assert stage.found == []
    stage.transport.socket.state = state
    stage.advance(2)
    assert stage.found == [state, state]
    stage.watch.stop()
    stage.watch.stop()
    stage.advance(3)
    assert len(stage.found) == 2 and stage.loop.timers == 0


@pytest.mark.skipif(hangup.TCP_INFO is None, reason="only Linux tells")
def test_nothing_is_looked_at_before_the_start() -> None:
    stage = Stage()
    stage.transport.socket.state = RESET
    stage.advance(3)
    assert not stage.found
    stage.watch.start()
    stage.advance(0.9)
    assert not stage.found
    stage.advance(0.2)
    assert stage.found == [RESET]
    stage.watch.stop()


def test_where_the_kernel_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "TCP_INFO", None)
    stage = Stage()
    stage.watch.start()
    assert stage.loop.timers == 0
    stage.watch.stop()
