"""The timer wheel: no deadline is missed, whatever moves it; none is looked at for longer than it asks."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.transport.timers import NOWHERE, TICK, TimerWheel
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.transport_fakes import FakeLoop

SHORTEST = 0.7
SOON = 1e-6  # rounding of sums of seconds


class Moving:
    """Watched: a deadline that the test moves."""

    def __init__(self, clock: FakeClock, due: float = inf) -> None:
        self.is_watched = True
        self.due = due
        self.expired: list[float] = []
        self.looks = 0
        self._clock = clock

    def deadline(self) -> float:
        self.looks += 1
        return self.due

    def expire(self, now: float) -> None:
        assert now == self._clock.now
        assert self.due <= now, "too early"
        assert now <= self.due + TICK + SOON, "too late"
        self.expired.append(now)
        self.due = inf

    def move(self, due: float) -> None:
        assert self._clock.now <= self.due + TICK + SOON, "the deadline before this one was missed"
        self.due = due


class Stage:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop = FakeLoop(self.clock)
        self.wheel = TimerWheel(self.loop.as_loop(), self.clock, SHORTEST)

    def watch(self, due: float = inf) -> Moving:
        watched = Moving(self.clock, due)
        self.wheel.watch(watched)
        return watched

    def advance(self, seconds: float) -> None:
        self.loop.advance(seconds)
        assert not self.loop.failures, self.loop.failures


WAITS = st.floats(0, 5)
TIMEOUTS = st.one_of(st.just(inf), st.floats(SHORTEST, 20))
STEPS = st.lists(st.tuples(WAITS, st.integers(0, 3), TIMEOUTS), max_size=30)


@given(st.floats(0, 1), STEPS)
def test_no_moved_deadline_is_missed(phase: float, steps: list[tuple[float, int, float]]) -> None:
    stage = Stage()
    stage.clock.now += phase
    watched = [stage.watch() for _ in range(4)]
    for wait, which, timeout in steps:
        stage.advance(wait)
        watched[which].move(stage.clock.now + timeout)
    stage.advance(30)
    assert all(each.due == inf for each in watched), "never looked at"


@given(st.floats(0, 1), st.floats(0, 3))
def test_a_deadline_that_is_there_from_the_start(phase: float, timeout: float) -> None:
    stage = Stage()
    stage.clock.now += phase
    watched = stage.watch(stage.clock.now + timeout)
    stage.advance(timeout + TICK + SOON)
    assert len(watched.expired) == 1


def test_a_deadline_that_moves_with_every_byte_costs_next_to_nothing() -> None:
    """However often it moves: the wheel looks once per shortest timeout, and only once then."""
    stage = Stage()
    watched = stage.watch(stage.clock.now + 60)
    for number in range(10_000):
        stage.advance(0.01)
        watched.due = stage.clock.now + (60 if number % 2 else 75)
    assert watched.looks <= 3 * 100 / SHORTEST and not watched.expired


def test_a_past_deadline_is_asked_again_until_it_moves() -> None:
    class Stubborn(Moving):
        def expire(self, now: float) -> None:
            self.expired.append(now)

    stage = Stage()
    watched = Stubborn(stage.clock, stage.clock.now + 1)
    stage.wheel.watch(watched)
    stage.advance(2)
    assert 8 <= len(watched.expired) <= 11


def test_what_is_let_go_is_not_looked_at() -> None:
    stage = Stage()
    one, other = stage.watch(stage.clock.now + 1), stage.watch(stage.clock.now + 1)
    one.is_watched = False
    stage.advance(2)
    assert not one.expired and other.expired


def test_letting_go_within_expire() -> None:
    class Once(Moving):
        def expire(self, now: float) -> None:
            super().expire(now)
            self.is_watched = False

    stage = Stage()
    watched = Once(stage.clock, stage.clock.now + 1)
    stage.wheel.watch(watched)
    stage.advance(5)
    assert watched.expired and stage.loop.timers == 0


def test_the_wheel_stands_still_while_nothing_is_watched() -> None:
    stage = Stage()
    assert stage.loop.timers == 0
    watched = stage.watch()
    assert stage.loop.timers == 1
    watched.is_watched = False
    stage.advance(2)
    assert stage.loop.timers == 0
    again = stage.watch(stage.clock.now + 1)
    stage.advance(2)
    assert again.expired


def test_watching_more_within_a_look() -> None:
    stage = Stage()
    more: list[Moving] = []

    class Parent(Moving):
        def expire(self, now: float) -> None:
            super().expire(now)
            more.append(stage.watch(now + 1))

    stage.wheel.watch(Parent(stage.clock, stage.clock.now + 1))
    stage.advance(3)
    assert len(more[0].expired) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_closed(times: int) -> None:
    stage = Stage()
    watched = stage.watch(stage.clock.now + 1)
    for _ in range(times):
        stage.wheel.close()
    stage.advance(5)
    assert not watched.expired and stage.loop.timers == 0


def test_a_shorter_timeout_than_ever_before() -> None:
    """What is watched may come to have a deadline long before the look that was planned."""
    clock = FakeClock()
    loop = FakeLoop(clock)
    wheel = TimerWheel(loop.as_loop(), clock, 100.0)
    moving = Moving(clock)
    wheel.watch(moving)
    wheel.set_shortest(SHORTEST)
    moving.move(clock.now + SHORTEST)
    loop.advance(2 * SHORTEST)
    assert len(moving.expired) == 1


def test_a_longer_one_costs_fewer_looks() -> None:
    clock = FakeClock()
    loop = FakeLoop(clock)
    wheel = TimerWheel(loop.as_loop(), clock, SHORTEST)
    moving = Moving(clock)
    wheel.watch(moving)
    wheel.set_shortest(100.0)
    loop.advance(50.0)
    assert moving.looks <= 4


# ---------------------------------------------------------------- those that tell


class Telling(Moving):
    """Expected: it tells when its deadline has come nearer."""

    def __init__(self, stage: Stage, due: float = inf) -> None:
        super().__init__(stage.clock, due)
        self.slot = NOWHERE
        self._wheel = stage.wheel
        self._wheel.expect(self)

    def move(self, due: float) -> None:
        super().move(due)
        self._wheel.expect(self)


def test_who_tells_is_not_asked_before_it_is_due() -> None:
    stage = Stage()
    telling = Telling(stage, stage.clock.now + 100)
    looks = telling.looks
    stage.advance(99.8)
    assert telling.looks == looks and not telling.expired
    stage.advance(0.4)
    assert len(telling.expired) == 1
    assert stage.loop.timers == 0, "nobody is expected any more"


def test_a_deadline_that_moves_away_costs_one_look() -> None:
    stage = Stage()
    telling = Telling(stage, stage.clock.now + 10)
    for _ in range(9):
        stage.advance(1)
        telling.due += 1
    looks = telling.looks
    stage.advance(2)
    assert not telling.expired and telling.looks <= looks + 2
    stage.advance(10)
    assert len(telling.expired) == 1


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 50)), max_size=20))
def test_no_deadline_of_who_tells_is_missed(steps: list[tuple[float, float]]) -> None:
    stage = Stage()
    telling = [Telling(stage), Telling(stage)]
    for position, (passes, ahead) in enumerate(steps):
        stage.advance(passes)
        telling[position % 2].move(stage.clock.now + ahead)
    stage.advance(60)
    assert all(each.due == inf and each.slot == NOWHERE for each in telling)
    assert stage.loop.timers == 0


def test_who_is_over_is_let_go_at_once() -> None:
    stage = Stage()
    telling = Telling(stage, stage.clock.now + 10)
    stage.wheel.forget(telling)
    stage.wheel.forget(telling)
    assert telling.slot == NOWHERE and not stage.wheel._expected
    looks = telling.looks
    stage.advance(20)
    assert telling.looks == looks and stage.loop.timers == 0
