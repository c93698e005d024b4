"""Ticks: several per period, neither in a rush nor too rare, and none after the stop."""

from __future__ import annotations

import pytest

from blastbeat.transport.heartbeat import MAX_INTERVAL, MIN_INTERVAL, TICKS_PER_PERIOD, Heartbeat
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.transport_fakes import FakeLoop

SOON = 1e-6  # rounding of sums of seconds


class Ticks:
    """A heartbeat and the times of its ticks, as seconds from the start."""

    def __init__(self, period: float) -> None:
        self.clock = FakeClock()
        self.loop = FakeLoop(self.clock)
        self.times: list[float] = []
        self.heartbeat = Heartbeat(self.tick, period)
        self._begin = self.clock.now

    def tick(self) -> None:
        self.times.append(self.clock.now - self._begin)

    def start(self) -> None:
        self.heartbeat.start(self.loop.as_loop())


@pytest.mark.parametrize(
    ("period", "interval"),
    [
        (2.0, 2.0 / TICKS_PER_PERIOD),
        (0.001, MIN_INTERVAL),
        (0.0, MIN_INTERVAL),
        (3600.0, MAX_INTERVAL),
    ],
)
def test_the_first_tick_comes_at_once_and_then_one_per_interval(period: float, interval: float) -> None:
    ticks = Ticks(period)
    ticks.start()
    assert ticks.times == [], "not before the loop's next turn"
    ticks.loop.advance(3 * interval + SOON)
    assert ticks.times == pytest.approx([0, interval, 2 * interval, 3 * interval])


def test_no_tick_after_the_stop() -> None:
    ticks = Ticks(1.0)
    ticks.heartbeat.stop()
    ticks.start()
    ticks.loop.advance(0)
    ticks.heartbeat.stop()
    ticks.heartbeat.stop()
    ticks.loop.advance(10)
    assert ticks.times == [0]
    assert ticks.loop.timers == 0


def test_stopped_by_a_tick() -> None:
    ticks = Ticks(1.0)

    def stop() -> None:
        ticks.tick()
        heartbeat.stop()

    heartbeat = Heartbeat(stop, 1.0)
    heartbeat.start(ticks.loop.as_loop())
    ticks.loop.advance(10)
    assert ticks.times == [0]
    assert ticks.loop.timers == 0


def test_a_tick_that_fails_is_not_the_last() -> None:
    ticks = Ticks(1.0)

    def fail() -> None:
        ticks.tick()
        raise ValueError("a fault in a plugin")

    Heartbeat(fail, 1.0).start(ticks.loop.as_loop())
    ticks.loop.advance(1.0 + SOON)
    assert len(ticks.times) == 1 + TICKS_PER_PERIOD
    assert len(ticks.loop.failures) == len(ticks.times)


def test_another_period() -> None:
    ticks = Ticks(4.0)
    ticks.start()
    ticks.loop.advance(1.5)
    ticks.heartbeat.set_period(0.4)
    ticks.loop.advance(1.01)
    assert ticks.times[:3] == pytest.approx([0.0, 1.0, 2.0])  # the tick that was planned stays
    assert ticks.times[3:] == pytest.approx([2.1, 2.2, 2.3, 2.4, 2.5])
