"""The rounds a monitor makes of what ZeroMQ tells it; `tests/integration/test_monitor.py` has a real one."""

from __future__ import annotations

from itertools import pairwise

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.transport.monitor import MAX_DESCRIPTORS, MAX_EVENTS_PER_PASS, ROUND_INTERVAL
from tests.helpers.monitor_fakes import MonitorStage

SOON = 1e-5  # rounding of sums of seconds
NOBODY: set[int] = set()


@pytest.fixture
def stage() -> MonitorStage:
    return MonitorStage()


# ---------------------------------------------------------------- rounds


def test_who_comes_is_told_at_once_and_once_more(stage: MonitorStage) -> None:
    """The event may come before ZeroMQ has the route."""
    stage.connect()
    assert stage.came == [0]
    stage.wait(10 * ROUND_INTERVAL)
    assert stage.came == pytest.approx([0, ROUND_INTERVAL])
    assert stage.lost == []
    assert stage.loop.timers == 0


def test_who_leaves_is_told_at_once_and_once_more(stage: MonitorStage) -> None:
    stage.disconnect(7)
    assert stage.lost == [(0, {7})]
    stage.wait(10 * ROUND_INTERVAL)
    assert stage.lost == [(0, {7}), (ROUND_INTERVAL, NOBODY)]
    assert stage.came == []
    assert stage.loop.timers == 0


def test_many_that_come_are_one_round_per_interval(stage: MonitorStage) -> None:
    for _ in range(100):
        stage.connect()
        stage.wait(ROUND_INTERVAL / 50)
    stage.wait(10 * ROUND_INTERVAL)
    assert stage.came == pytest.approx([0, ROUND_INTERVAL, 2 * ROUND_INTERVAL, 3 * ROUND_INTERVAL])


def test_many_that_leave_are_named_together(stage: MonitorStage) -> None:
    stage.disconnect(1)
    for descriptor in (2, 3, 4):
        stage.disconnect(descriptor)
    stage.wait(10 * ROUND_INTERVAL)
    assert [descriptors for _, descriptors in stage.lost] == [{1}, {2, 3, 4}, NOBODY]


def test_what_comes_right_after_the_last_round_waits_too(stage: MonitorStage) -> None:
    stage.connect()
    stage.wait(ROUND_INTERVAL + SOON)
    stage.connect()
    assert len(stage.came) == 2
    stage.wait(10 * ROUND_INTERVAL)
    assert stage.came == pytest.approx([ROUND_INTERVAL * number for number in range(4)])


def test_after_a_quiet_interval_a_round_comes_at_once(stage: MonitorStage) -> None:
    stage.connect()
    stage.wait(2 * ROUND_INTERVAL + SOON)
    stage.disconnect(5)
    assert stage.lost == [(stage.now, {5})]
    assert len(stage.came) == 2


def test_coming_does_not_repeat_leaving(stage: MonitorStage) -> None:
    """Each is told twice; one does not keep the other going."""
    stage.disconnect(1)
    for _ in range(5):
        stage.connect()
        stage.wait(ROUND_INTERVAL)
    stage.wait(10 * ROUND_INTERVAL)
    assert len(stage.lost) == 2
    assert len(stage.came) in (6, 7)


pauses = st.sampled_from([0.0, 0.001, 0.03, 0.06, 0.1, 0.15, 0.4])


@given(st.lists(st.tuples(st.booleans(), pauses), max_size=30))
def test_rounds_whatever_happens(happenings: list[tuple[bool, float]]) -> None:
    """Never two in an interval, none that is told nothing; after each event one at the interval's end at
    the latest, and one more an interval later; each descriptor once."""
    stage = MonitorStage()
    connects, disconnects = [], []
    for descriptor, (connects_now, pause) in enumerate(happenings):
        if connects_now:
            connects.append(stage.now)
            stage.connect()
        else:
            disconnects.append(stage.now)
            stage.disconnect(descriptor)
        stage.wait(pause)
    stage.wait(1)
    assert stage.loop.timers == 0
    losses = [time for time, _ in stage.lost]
    for rounds, events in ((stage.came, connects), (losses, disconnects)):
        assert len(rounds) <= 2 * len(events)
        for event in events:
            after = [time for time in rounds if time >= event]
            assert after[0] <= event + ROUND_INTERVAL + SOON
            assert after[1] <= event + 2 * ROUND_INTERVAL + SOON
    rounds = sorted({*losses, *stage.came})
    assert all(later - earlier >= ROUND_INTERVAL - SOON for earlier, later in pairwise(rounds))
    told = [descriptor for _, descriptors in stage.lost for descriptor in descriptors or ()]
    assert sorted(told) == [number for number, (connects_now, _) in enumerate(happenings) if not connects_now]


# ---------------------------------------------------------------- bounds, ends


def test_more_descriptors_than_are_remembered_are_all(stage: MonitorStage) -> None:
    stage.disconnect(0)
    stage.disconnect(*range(1, MAX_DESCRIPTORS + 2))
    stage.wait(10 * ROUND_INTERVAL)
    assert [descriptors for _, descriptors in stage.lost] == [{0}, None, NOBODY]


def test_a_flood_of_events_leaves_the_loop_its_turn(stage: MonitorStage) -> None:
    events = 3 * MAX_EVENTS_PER_PASS + 1
    left = [events]

    def others() -> None:
        left.append(len(stage.socket.events))
        if left[-1]:
            stage.loop.call_soon(others)

    for _ in range(events - 1):
        stage.socket.put(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, 0)
    stage.loop.call_soon(others)
    stage.fail_handshake(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
    assert stage.counters["nodes.handshake-failed"] == events
    assert max(earlier - later for earlier, later in pairwise(left)) == MAX_EVENTS_PER_PASS


@pytest.mark.parametrize(
    "event",
    [
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
        zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    ],
)
def test_a_failed_handshake_is_counted_and_no_round(stage: MonitorStage, event: int) -> None:
    stage.fail_handshake(event)
    assert stage.counters["nodes.handshake-failed"] == 1
    assert stage.came == []
    assert stage.lost == []
    assert stage.loop.timers == 0


def test_what_was_said_before_the_start_is_heard() -> None:
    """The descriptor announces it only once, maybe before anybody listens."""
    stage = MonitorStage(is_started=False)
    stage.disconnect(3)
    assert stage.lost == []
    stage.start()
    assert stage.lost == [(0, {3})]


def test_closed_it_is_still(stage: MonitorStage) -> None:
    stage.connect()
    stage.socket.put(zmq.EVENT_DISCONNECTED, 3)
    stage.monitor.close()
    assert stage.socket.is_closed and stage.socket.is_disabled
    assert stage.loop.readers == stage.loop.timers == 0
    stage.wait(10 * ROUND_INTERVAL)
    assert stage.came == [0]
    assert stage.lost == []
