"""Sending without waiting: order, nothing lost, nothing left lying, and few attempts that cannot succeed."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from blastbeat.instance import Instance, Outcome
from blastbeat.messages import MAX_PAIRS
from blastbeat.outbox import MESSAGE_OVERHEAD
from blastbeat.transport.sender import (
    MAX_GATHERED,
    MAX_SENDS_PER_FLUSH,
    RETRY_INTERVAL,
    RETRY_PAUSE,
)
from tests.helpers.sender_stage import APP, BOUND, SHARE, Said, SenderStage

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
ONE = b"app/1"


@pytest.fixture
def stage() -> SenderStage:
    return SenderStage()


def body(size: int) -> bytes:
    """A body that counts as `size` bytes in an outbox."""
    return b"x" * (size - MESSAGE_OVERHEAD)


# ---------------------------------------------------------------- gathering


def test_what_is_sent_waits_for_the_others_of_its_turn(stage: SenderStage) -> None:
    instance = stage.node()
    stage.is_pass_due = False
    for number in (b"1", b"2"):
        stage.sender.send(instance, A, b"body", number)
    assert stage.socket.messages == []
    assert stage.sender.has_gathered()
    assert stage.is_pass_due
    stage.sender.send_gathered()
    assert not stage.sender.has_gathered()
    assert stage.take_sent() == {A: [(b"body", b"1"), (b"body", b"2")]}


def test_more_than_a_turns_worth_goes_at_once(stage: SenderStage) -> None:
    instance = stage.node()
    half = body(MAX_GATHERED // 2)
    for _ in range(2):
        stage.sender.send(instance, A, b"body", half)
    assert stage.socket.messages == []
    stage.sender.send(instance, A, b"body", b"x")
    assert not stage.sender.has_gathered()
    assert [len(data) for _, data in stage.take_sent()[A]] == [len(half), len(half), 1]
    stage.sender.send(instance, A, b"body", half)
    assert stage.sender.has_gathered(), "the count begins anew"


def test_an_offer_does_not_overtake_what_was_sent_before(stage: SenderStage) -> None:
    instance = stage.node()
    stage.sender.send(instance, A, b"end", b"")
    assert stage.sender.offer(instance, B, b"uwsgi", b"head")
    assert not stage.sender.has_gathered()
    assert list(stage.take_sent()) == [A, B]


def test_many_small_ones_are_as_much_as_a_large_one(stage: SenderStage) -> None:
    """One read of a WebSocket client may bring thousands of empty messages."""
    instance = stage.node()
    for _ in range(MAX_GATHERED // MESSAGE_OVERHEAD):
        stage.sender.send(instance, A, b"websocket", b"")
    assert stage.socket.messages == []
    stage.sender.send(instance, A, b"websocket", b"")
    assert not stage.sender.has_gathered()


def test_what_goes_now_or_not_at_all(stage: SenderStage) -> None:
    instance = stage.node()
    stage.sender.send(instance, A, b"body", b"before")
    assert stage.sender.hand_over(instance, B, b"uwsgi", b"head")
    assert list(stage.take_sent()) == [A, B]
    stage.socket.room[APP] = 0
    assert not stage.sender.hand_over(instance, B, b"uwsgi", b"full")
    stage.sender.offer(instance, A, b"uwsgi", b"waits")
    assert not stage.sender.hand_over(instance, B, b"uwsgi", b"blocked")
    stage.socket.room[APP] = 10
    stage.sender.retry()
    assert stage.take_sent() == {A: [(b"uwsgi", b"waits")]}


def test_nothing_overtakes_what_waits(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    stage.sender.send(instance, A, b"body", b"1")
    stage.sender.send_gathered()
    stage.socket.room[APP] = inf
    stage.sender.send(instance, A, b"body", b"2")
    stage.sender.send_gathered()
    assert stage.take_sent() == {}
    stage.sender.retry()
    assert stage.take_sent() == {A: [(b"body", b"1"), (b"body", b"2")]}
    stage.sender.send(instance, A, b"body", b"3")
    stage.sender.send_gathered()
    assert stage.take_sent() == {A: [(b"body", b"3")]}
    assert stage.counters["messages.queued"] == 2


def test_what_a_session_adds_while_others_are_sent_goes_with_them(stage: SenderStage) -> None:
    """It is told that it may write, by an `end` of another, in the middle of what was gathered."""
    instance = stage.node()
    stage.socket.room[APP] = 0
    stage.sender.send(instance, A, b"body", body(BOUND))
    stage.sender.send(instance, B, b"body", body(SHARE // 3))
    stage.sender.send_gathered()
    assert stage.queued(instance, B) > BOUND
    stage.on_writable = lambda instance, sid: stage.sender.send(instance, sid, b"body", b"added")
    stage.sender.send(instance, A, b"end", b"")
    stage.sender.send(instance, B, b"body", b"gathered before")
    stage.sender.send_gathered()
    assert stage.writable == [B]
    assert not stage.sender.has_gathered()
    stage.on_writable = None
    stage.socket.room[APP] = inf
    stage.sender.retry()
    assert [data for _, data in stage.take_sent()[B]][1:] == [b"gathered before", b"added"]


# ---------------------------------------------------------------- what becomes of an offer


def test_an_offer_to_who_takes_nothing_is_queued_until_the_bound(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    assert stage.sender.offer(instance, A, b"uwsgi", body(BOUND))
    assert stage.sender.offer(instance, B, b"uwsgi", body(MESSAGE_OVERHEAD))
    assert not stage.sender.offer(instance, C, b"uwsgi", b"")
    assert stage.counters["messages.queued"] == 2
    stage.socket.room[APP] = inf
    stage.run(2 * RETRY_INTERVAL)
    assert list(stage.take_sent()) == [A, B]


def test_an_offer_without_a_route_leaves_nothing_behind(stage: SenderStage) -> None:
    instance = stage.node()
    del stage.socket.room[APP]
    assert not stage.sender.offer(instance, A, b"uwsgi", b"")
    assert instance.unreachable_since == stage.clock.now
    assert stage.socket.refusals == 1
    assert not stage.sender.offer(instance, B, b"uwsgi", b"")
    assert stage.socket.refusals == 1, "known by now: nothing was tried"
    assert not instance.outbox


def test_who_drains_is_offered_nothing_that_would_have_to_wait(stage: SenderStage) -> None:
    instance = stage.node()
    instance.sessions[A] = object()
    stage.table.drain(instance, stage.clock.now)
    stage.socket.room[APP] = 0
    assert not stage.sender.offer(instance, B, b"uwsgi", b"")
    assert not instance.outbox


def test_after_an_offer_a_read_pass_is_asked_for(stage: SenderStage) -> None:
    """ZeroMQ may have news by then that it will not announce."""
    instance = stage.node()
    stage.is_pass_due = False
    assert stage.sender.offer(instance, A, b"uwsgi", b"")
    assert stage.is_pass_due


# ---------------------------------------------------------------- end, gone


def test_an_end_alone_is_tried_again(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    stage.sender.send(instance, A, b"end", b"")
    stage.sender.send_gathered()
    assert instance.is_blocked
    stage.socket.room[APP] = inf
    stage.run(2 * RETRY_INTERVAL)
    assert stage.take_sent() == {A: [(b"end", b"")]}


def test_a_session_that_ends_before_its_head_went_was_never_there(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    assert stage.sender.offer(instance, A, b"uwsgi", b"")
    stage.sender.send(instance, A, b"end", b"")
    stage.sender.send_gathered()
    assert not instance.is_blocked
    stage.socket.room[APP] = inf
    assert stage.sender.offer(instance, B, b"uwsgi", b"")
    assert list(stage.take_sent()) == [B]


def test_end_to_who_takes_nothing_discards_what_its_session_has_waiting(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    for sid in (A, B, A):
        stage.sender.send(instance, sid, b"body", b"")
    stage.sender.send(instance, A, b"end", b"why")
    stage.sender.send_gathered()
    stage.socket.room[APP] = inf
    stage.sender.retry()
    assert stage.take_sent() == {A: [(b"end", b"why")], B: [(b"body", b"")]}


def test_who_comes_back_is_sent_to_at_once(stage: SenderStage) -> None:
    """Not by way of its queue: a WebSocket handshake may not wait there."""
    gone = stage.node()
    del stage.socket.room[APP]
    stage.ping(gone)
    stage.clock.now += 31
    stage.table.tick(stage.clock.now)
    assert gone.is_gone
    stage.socket.room[APP] = inf
    stage.table.peer_came(stage.clock.now)
    back = stage.table.find(APP)
    assert back is not None and not back.is_gone
    assert stage.sender.offer(back, A, b"uwsgi", b"head")
    assert not back.outbox
    assert stage.take_sent() == {A: [(b"uwsgi", b"head")]}


def test_who_is_gone_gets_nothing(stage: SenderStage) -> None:
    instance = stage.node(ONE)
    stage.sender.send(instance, A, b"body", b"gathered before it was gone")
    del stage.socket.room[ONE]
    stage.ping(instance)
    stage.clock.now += 31
    stage.table.tick(stage.clock.now)
    assert stage.gone == [ONE]
    stage.socket.room[ONE] = inf
    stage.sender.send(instance, A, b"end", b"")
    assert not stage.sender.offer(instance, B, b"uwsgi", b"")
    stage.sender.send_gathered()
    assert not stage.sender.retry()
    assert stage.socket.messages == []
    assert stage.counters["messages.dropped.no-route"] == 2


def test_what_waited_for_who_comes_back_goes_with_the_first_ping(stage: SenderStage) -> None:
    instance = stage.node()
    del stage.socket.room[APP]
    for number in (b"1", b"2"):
        stage.sender.send(instance, A, b"body", number)
    stage.sender.send_gathered()
    assert stage.socket.refusals == 1
    assert not stage.sender.retry(), "without a route nothing is tried but pings"
    assert stage.socket.refusals == 1
    assert stage.ping(instance) is Outcome.NO_ROUTE
    stage.socket.room[APP] = inf
    assert stage.ping(instance) is Outcome.TAKEN
    assert stage.take_sent() == {A: [(b"body", b"1"), (b"body", b"2")]}
    assert not instance.is_blocked and instance.unreachable_since is None


def test_a_route_that_is_lost_while_the_outbox_is_sent(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    for number in (b"1", b"2", b"3"):
        stage.sender.send(instance, A, b"body", number)
    stage.sender.send_gathered()
    del stage.socket.room[APP]
    assert stage.sender.flush(instance) is Outcome.NO_ROUTE
    assert instance.unreachable_since is not None
    refusals = stage.socket.refusals
    assert not stage.sender.retry()
    assert stage.socket.refusals == refusals
    stage.socket.room[APP] = 2
    assert stage.ping(instance) is Outcome.TAKEN, "the ping and one more"
    assert stage.take_sent() == {A: [(b"body", b"1")]}
    stage.socket.room[APP] = inf
    stage.run(2 * RETRY_INTERVAL)
    assert stage.take_sent() == {A: [(b"body", b"2"), (b"body", b"3")]}


# ---------------------------------------------------------------- trying again


def test_the_timer_tries_until_all_is_gone(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    for number in range(3):
        stage.sender.send(instance, A, b"body", b"%d" % number)
    stage.sender.send_gathered()
    for number in range(3):
        assert stage.loop.timers == 1
        stage.socket.room[APP] = 1
        stage.loop.advance(RETRY_INTERVAL)
        assert stage.take_sent() == {A: [(b"body", b"%d" % number)]}
    stage.loop.advance(RETRY_INTERVAL)
    assert stage.loop.timers == 0


def test_no_attempt_is_repeated_within_the_pause(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    stage.sender.send(instance, A, b"body", b"")
    stage.sender.send_gathered()
    before = stage.socket.refusals
    for _ in range(10):
        stage.sender.maybe_retry(stage.clock.now)
    assert stage.socket.refusals == before + 1
    stage.clock.now += 2 * RETRY_PAUSE
    stage.sender.maybe_retry(stage.clock.now)
    assert stage.socket.refusals == before + 2


def test_one_flush_is_bounded(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    for number in range(MAX_SENDS_PER_FLUSH + 1):
        stage.sender.send(instance, A, b"body", b"%d" % number)
    stage.sender.send_gathered()
    stage.socket.room[APP] = inf
    assert stage.sender.flush(instance) is Outcome.TAKEN
    assert len(stage.take_sent()[A]) == MAX_SENDS_PER_FLUSH
    assert instance.is_blocked
    stage.run(2 * RETRY_INTERVAL)
    assert stage.take_sent() == {A: [(b"body", b"%d" % MAX_SENDS_PER_FLUSH)]}


def test_closed_it_has_no_timer(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    stage.sender.send(instance, A, b"body", b"")
    stage.sender.send_gathered()
    stage.sender.close()
    assert stage.loop.timers == 0
    assert stage.sender.retry(), "by hand it can still be tried"
    assert stage.loop.timers == 0


def test_what_is_there_together_is_one_message_to_who_takes_batches(stage: SenderStage) -> None:
    instance = stage.node(ONE, "batch")
    for sid, number in ((A, b"1"), (A, b"2"), (B, b"3"), (A, b"4")):
        stage.sender.send(instance, sid, b"body", number)
    sent = stage.counters["messages.sent"]
    stage.sender.send_gathered()
    assert stage.socket.messages == [
        (ONE, A, b"body", b"1", b"body", b"2"),
        (ONE, B, b"body", b"3"),
        (ONE, A, b"body", b"4"),
    ]
    assert stage.counters["messages.sent"] == sent + 4


def test_a_batch_has_no_more_pairs_than_a_node_takes(stage: SenderStage) -> None:
    instance = stage.node(ONE, "batch")
    for _ in range(MAX_PAIRS + 1):
        stage.sender.send(instance, A, b"body", b"x")
    stage.sender.send_gathered()
    assert [len(message) // 2 - 1 for message in stage.socket.messages] == [MAX_PAIRS, 1]


def test_a_batch_that_is_refused_waits_in_its_order(stage: SenderStage) -> None:
    instance = stage.node(ONE, "batch")
    stage.socket.room[ONE] = 0
    for number in (b"1", b"2", b"3"):
        stage.sender.send(instance, A, b"body", number)
    stage.sender.send_gathered()
    assert stage.socket.refusals == 1
    stage.socket.room[ONE] = inf
    stage.sender.retry()
    assert stage.take_sent(ONE) == {A: [(b"body", b"1"), (b"body", b"2"), (b"body", b"3")]}


# ---------------------------------------------------------------- who hears of it


def test_batches_for_who_takes_them(stage: SenderStage) -> None:
    instance = stage.node(ONE, "batch")
    stage.socket.room[ONE] = 0
    for number in (b"1", b"2"):
        stage.sender.send(instance, A, b"body", number)
    stage.sender.send_gathered()
    sent = stage.counters["messages.sent"]
    stage.socket.room[ONE] = 1
    stage.sender.retry()
    assert stage.socket.messages == [(ONE, A, b"body", b"1", b"body", b"2")]
    assert stage.counters["messages.sent"] == sent + 2


def test_a_crowded_instance_is_told_of_once(stage: SenderStage) -> None:
    instance = stage.node()
    instance.sessions.update({A: object(), B: object()})
    stage.socket.room[APP] = 0
    for _ in range(3):
        stage.sender.send(instance, A, b"body", body(BOUND))
    stage.sender.send_gathered()
    assert stage.crowded == [APP]
    stage.socket.room[APP] = inf
    stage.sender.retry()
    assert sorted(stage.writable) == [A, B], "also who had nothing waiting"


@pytest.mark.parametrize("by_end", [False, True])
def test_who_has_room_again_is_told_of(stage: SenderStage, by_end: bool) -> None:
    """Whether ZeroMQ took something, or a session that had much waiting ended."""
    instance = stage.node()
    stage.socket.room[APP] = 0
    stage.ready.clear()
    stage.sender.offer(instance, A, b"uwsgi", body(BOUND))
    stage.sender.offer(instance, B, b"uwsgi", body(SHARE))
    assert not stage.sender.offer(instance, C, b"uwsgi", b"") and not stage.ready
    if by_end:
        stage.sender.send(instance, A, b"end", b"")
        stage.sender.send_gathered()
    else:
        stage.socket.room[APP] = 1
        stage.sender.retry()
    assert stage.ready == [APP]
    assert stage.sender.offer(instance, C, b"uwsgi", b"")


def test_a_session_over_its_share_hears_when_it_may_go_on(stage: SenderStage) -> None:
    instance = stage.node()
    stage.socket.room[APP] = 0
    for _ in range(3):
        stage.sender.send(instance, A, b"body", body(SHARE // 2))
    stage.sender.send_gathered()
    for expected in ([], [A], [A]):
        stage.socket.room[APP] = 1
        stage.sender.retry()
        assert stage.writable == expected


# ---------------------------------------------------------------- anything

identities = st.sampled_from([APP, ONE])
sizes = st.sampled_from([0, 100, 100, 600, 600, 2000, MAX_GATHERED])


class SenderMachine(RuleBasedStateMachine):
    """Sessions say things while their nodes take none, some or all of it, or are away within their grace."""

    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.stage = SenderStage()
        self.instances: dict[bytes, Instance] = {APP: self.stage.node(), ONE: self.stage.node(ONE, "batch")}
        self.owner: dict[bytes, bytes] = {}
        self.said: dict[bytes, list[Said]] = {}
        self.heard: dict[bytes, list[Said]] = {}
        self.ended: set[bytes] = set()
        self.number = 0
        self.stage.on_writable = self.writable

    def _say(self, sid: bytes, type: bytes, size: int) -> None:
        self.number += 1
        data = (b"%d " % self.number).ljust(size)
        self.said[sid].append((type, data))
        self.stage.sender.send(self.instances[self.owner[sid]], sid, type, data)

    def writable(self, instance: Instance, sid: bytes) -> None:
        if sid not in self.ended:  # its `end` may be among what is gathered
            self._say(sid, b"body", 300)

    # ------------------------------------------------------------ what may happen

    @rule(target=sessions, identity=identities, size=sizes)
    def offer(self, identity: bytes, size: int) -> bytes:
        self.number += 1
        sid = b"%016d" % self.number
        instance = self.instances[identity]
        self.owner[sid] = identity
        if self.stage.sender.offer(instance, sid, b"uwsgi", b"h" * size):
            self.said[sid] = [(b"uwsgi", b"h" * size)]
            instance.sessions[sid] = object()
        else:
            assert instance.unreachable_since is not None or instance.outbox.is_full()
        assert not self.stage.sender.has_gathered() or self.stage.writable
        return sid

    @rule(sid=sessions, size=sizes)
    def send(self, sid: bytes, size: int) -> None:
        if sid in self.said and sid not in self.ended:
            self._say(sid, b"body", size)

    @rule(sid=sessions)
    def end(self, sid: bytes) -> None:
        if sid in self.said and sid not in self.ended:
            self.ended.add(sid)
            self._say(sid, b"end", 0)
            del self.instances[self.owner[sid]].sessions[sid]

    @rule(identity=identities, room=st.sampled_from([0, 0, 1, 3, inf]))
    def room(self, identity: bytes, room: float) -> None:
        self.stage.socket.room[identity] = room

    @rule(identity=identities)
    def unroute(self, identity: bytes) -> None:
        self.stage.socket.room.pop(identity, None)

    @rule(identity=identities)
    def ping(self, identity: bytes) -> None:
        self.stage.ping(self.instances[identity])

    @rule(identity=identities)
    def flush(self, identity: bytes) -> None:
        self.stage.sender.flush(self.instances[identity])

    @rule()
    def send_gathered(self) -> None:
        self.stage.sender.send_gathered()
        assert not self.stage.sender.has_gathered()

    @rule()
    def read_pass(self) -> None:
        self.stage.read_pass()

    @rule(seconds=st.sampled_from([RETRY_PAUSE, RETRY_INTERVAL]))
    def wait(self, seconds: float) -> None:
        self.stage.loop.advance(seconds)

    # ------------------------------------------------------------ what must hold

    @invariant()
    def order_is_kept(self) -> None:
        for identity in self.instances:
            for sid, messages in self.stage.take_sent(identity).items():
                assert self.owner[sid] == identity
                self.heard.setdefault(sid, []).extend(messages)
        for sid, heard in self.heard.items():
            said = self.said[sid]
            if heard[-1][0] == b"end":
                assert heard[-1] == said[-1]
                assert heard[:-1] == said[: len(heard) - 1]
            else:
                assert heard == said[: len(heard)]

    @invariant()
    def nothing_lies(self) -> None:
        assert not self.stage.loop.failures, self.stage.loop.failures
        assert self.stage.is_pass_due or not self.stage.sender.has_gathered()
        for instance in self.instances.values():
            waits = instance.outbox and instance.unreachable_since is None
            assert not waits or (instance.is_blocked and self.stage.loop.timers)

    def teardown(self) -> None:
        """Once all have a route and room, everything arrives, without another word from the outside."""
        for identity, instance in self.instances.items():
            self.stage.socket.room[identity] = inf
            if instance.unreachable_since is not None:
                self.ping(identity)
        self.stage.is_pass_due |= self.stage.sender.has_gathered()
        self.stage.run(20 * RETRY_INTERVAL)
        self.order_is_kept()
        for sid, said in self.said.items():
            heard = self.heard.get(sid, [])
            if sid not in self.ended:
                assert heard == said
            elif heard:
                assert heard[-1] == said[-1], "the node knows the session and must hear of its end"
        assert not any(instance.outbox or instance.is_blocked for instance in self.instances.values())


SenderMachine.TestCase.settings = settings(stateful_step_count=60)
TestSender = SenderMachine.TestCase
