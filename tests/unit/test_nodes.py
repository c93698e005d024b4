"""Liveness, capabilities, drain: `protocol.md` §1, row by row, without a socket."""

from __future__ import annotations

import logging

import pytest

from blastbeat.nodes import NOT_NAMED
from blastbeat.roster import NodeRule
from tests.helpers.node_table import PERIOD, TableStage

PING = (b"ping", b"")
SPAWN = (b"spawn", b"")
DRAIN = (b"drain", b"")
APP, ONE, TWO = b"app", b"app/1", b"app/2"
SID = b"s" * 16


@pytest.fixture
def stage() -> TableStage:
    return TableStage()


# ---------------------------------------------------------------- pings


def test_configured_names_are_pinged_blindly(stage: TableStage) -> None:
    stage.tick()
    assert not stage.instance().is_available
    assert stage.instance().is_gone
    stage.connect(APP)
    stage.wait(PERIOD)
    assert stage.take_sent(APP) == [PING, SPAWN]


def test_one_ping_per_period_while_not_heard_from(stage: TableStage) -> None:
    stage.connect(APP)
    stage.wait(10 * PERIOD)
    assert stage.take_sent(APP).count(PING) == 10


def test_every_second_period_a_ping_while_heard_from(stage: TableStage) -> None:
    """It would think itself lost after three without a word, however much it says itself."""
    stage.connect(APP)
    stage.say(APP)
    stage.take_sent(APP)
    pings = []
    for _ in range(20):
        stage.wait(0.5 * PERIOD)
        stage.say(APP)
        pings.append(stage.take_sent(APP))
    assert pings == 5 * [[], [], [], [PING]]


def test_spawn_once_per_routing_id(stage: TableStage) -> None:
    """Also when it comes back: the server still knows what it did before."""
    for _ in range(3):
        stage.connect(APP)
        stage.say(APP, b"")
        stage.connect(ONE)
        stage.say(ONE, b"")
        stage.wait(PERIOD)
        stage.disconnect(APP)
        stage.disconnect(ONE)
        stage.wait(3 * PERIOD)
        assert stage.instance().is_gone
        assert stage.table.find(ONE) is None
    for identity in (APP, ONE):
        assert stage.take_sent(identity).count(SPAWN) == 1


# ---------------------------------------------------------------- available, silent


def test_selectors_see_since_when_it_is_available(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    view, since = stage.instance().view, stage.now
    stage.wait(2 * PERIOD, answering=[APP])
    assert view.available_since == since < stage.now
    stage.wait(10 * PERIOD)
    assert not stage.instance().is_available
    stage.say(APP)
    assert view.available_since == stage.now, "it was silent in between"


def test_available_when_heard_from(stage: TableStage) -> None:
    stage.connect(APP)
    assert stage.say(APP) is stage.instance()
    assert stage.instance().is_available
    assert stage.take_told() == [("up", APP, "heard from")]


def test_connected_but_never_heard_from_is_available(
    stage: TableStage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stage.connect(APP)
    stage.wait(60 * PERIOD)
    assert stage.instance().is_available
    assert stage.states() == ["up"]
    assert [record.message for record in caplog.records if "has not said anything" in record.message] != []
    stage.disconnect(APP)
    stage.wait(5 * PERIOD)
    stage.connect(APP)
    stage.wait(5 * PERIOD)
    assert stage.instance().is_available
    assert sum("has not said anything" in record.message for record in caplog.records) == 1


def test_heard_from_but_never_answered_a_ping_is_available(stage: TableStage) -> None:
    """An old node that only answers requests: as long as the ROUTER takes its pings."""
    stage.connect(APP)
    stage.say(APP)
    stage.wait(60 * PERIOD)
    assert stage.instance().is_available


def test_that_takes_no_more_pings_is_silent(stage: TableStage) -> None:
    stage.connect(APP)
    stage.wait(PERIOD)
    stage.full.add(APP)
    stage.wait(2 * PERIOD)
    assert stage.instance().is_available
    stage.wait(2 * PERIOD)
    assert not stage.instance().is_available
    assert stage.states() == ["up", "silent"]
    assert stage.instance().is_gone is False
    stage.full.clear()
    stage.wait(PERIOD)
    assert stage.instance().is_available


def test_once_a_ping_was_answered_pongs_decide(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    stage.wait(3 * PERIOD)
    assert stage.instance().is_available
    stage.wait(0.25 * PERIOD)
    assert not stage.instance().is_available
    assert not stage.instance().is_gone
    assert [told[0] for told in stage.told] == ["up", "silent"]
    assert "not heard from for 3.2 s" in stage.told[-1][2]


def test_any_message_brings_a_silent_node_back(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    stage.wait(5 * PERIOD)
    stage.say(APP)
    assert stage.instance().is_available
    assert stage.states() == ["up", "silent", "up"]


def test_sessions_of_a_silent_node_go_on(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    stage.instance().sessions[SID] = object()
    stage.wait(100 * PERIOD)
    assert SID in stage.instance().sessions
    assert stage.states() == ["up", "silent"]


# ---------------------------------------------------------------- gone


def test_gone_after_the_grace() -> None:
    stage = TableStage(grace=2 * PERIOD)
    stage.connect(APP)
    stage.say(APP, b"")
    instance = stage.instance()
    stage.disconnect(APP)
    stage.table.route_lost(stage.now)
    assert not instance.is_available
    stage.wait(1.75 * PERIOD)
    assert not instance.is_gone
    stage.wait(0.25 * PERIOD)
    assert instance.is_gone
    assert stage.states() == ["up", "silent", "gone"]
    assert stage.instance() is not instance


def test_back_within_the_grace(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"batch")
    instance = stage.instance(ONE)
    instance.sessions[SID] = object()
    stage.disconnect(ONE)
    stage.table.route_lost(stage.now)
    stage.wait(0.5 * PERIOD)
    stage.connect(ONE)
    stage.wait(5 * PERIOD, answering=[ONE])
    assert stage.instance(ONE) is instance
    assert instance.is_available
    assert SID in instance.sessions
    assert stage.states() == ["up", "silent", "up"]


def test_each_loss_counts_anew(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    for _ in range(4):
        stage.disconnect(APP)
        stage.wait(0.75 * PERIOD)
        stage.connect(APP)
        stage.wait(PERIOD, answering=[APP])
    assert "gone" not in stage.states()


def test_a_loss_is_found_by_a_ping_also_without_the_monitor(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    stage.disconnect(APP)
    stage.wait(2.25 * PERIOD)
    assert stage.states() == ["up", "silent", "gone"]


def test_a_message_read_after_the_loss_does_not_end_the_grace(stage: TableStage) -> None:
    """What was in ZeroMQ's queue is read after the connection ended."""
    stage.connect(APP)
    stage.say(APP, b"")
    stage.disconnect(APP)
    stage.table.route_lost(stage.now)
    stage.wait(0.5 * PERIOD)
    stage.say(APP)
    assert not stage.instance().is_available
    stage.wait(0.5 * PERIOD)
    assert stage.states()[-1] == "gone"


def test_what_comes_back_after_the_grace_is_new(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"batch credit=5")
    before = stage.instance(ONE)
    stage.disconnect(ONE)
    stage.wait(3 * PERIOD)
    stage.connect(ONE)
    stage.take_sent(ONE)
    stage.say(ONE, b"")
    after = stage.instance(ONE)
    assert after is not before
    assert before.is_gone
    assert (after.capabilities, after.credit) == (frozenset(), 0)
    assert after.is_available
    assert stage.take_sent(ONE) == []


def test_no_grace_at_all() -> None:
    stage = TableStage(grace=0)
    stage.connect(APP)
    stage.say(APP, b"")
    stage.disconnect(APP)
    stage.table.route_lost(stage.now)
    assert stage.states() == ["up"]  # never from within a send
    stage.tick()
    assert stage.states() == ["gone"]


def test_route_lost_asks_everybody(stage: TableStage) -> None:
    for identity in (APP, ONE, TWO):
        stage.connect(identity)
        stage.say(identity, b"")
        stage.take_sent(identity)
    stage.table.route_lost(stage.now)
    assert [stage.take_sent(identity) for identity in (APP, ONE, TWO)] == [[PING]] * 3


# ---------------------------------------------------------------- who may speak


@pytest.mark.parametrize(
    "identity",
    [b"other", b"app/", b"app/a b", b"app/" + b"x" * 65, b"app/a/b", b"/", b"", b"\x00\x80\x00", b"App"],
)
def test_unknown_routing_ids(stage: TableStage, identity: bytes) -> None:
    stage.connect(identity)
    assert stage.say(identity, b"") is None
    assert stage.counters["messages.dropped.unknown-node"] == 1
    assert stage.sent == []


@pytest.mark.parametrize("word", [b"1", b"x" * 64, b"A-z_0.9"])
def test_words_of_instances(stage: TableStage, word: bytes) -> None:
    stage.connect(b"app/" + word)
    assert stage.say(b"app/" + word, b"") is not None


def test_unknown_ids_are_logged_at_a_bounded_rate(
    stage: TableStage, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        stage.say(b"stranger%d" % number)
    assert len(caplog.records) == 1
    stage.now += 60
    stage.say(b"stranger")
    assert "999 more" in caplog.records[-1].message


def test_instances_are_bounded(stage: TableStage) -> None:
    for number in range(6):
        stage.connect(b"app/%d" % number)
        stage.say(b"app/%d" % number, b"")
    assert len(stage.table.instances("app")) == 1 + 4
    assert stage.counters["messages.dropped.instances"] == 2


def test_no_instances_where_they_are_not_wanted() -> None:
    stage = TableStage(max_instances=0)
    stage.connect(ONE)
    assert stage.say(ONE, b"") is None
    assert stage.counters["messages.dropped.instances"] == 1


def test_a_name_expected_twice_takes_the_more_generous_figures(stage: TableStage) -> None:
    stage.table.expect("app", 10 * PERIOD, 1)
    assert len(stage.table.instances("app")) == 1
    stage.connect(APP)
    stage.say(APP, b"")
    stage.disconnect(APP)
    stage.wait(9 * PERIOD)
    assert "gone" not in stage.states()
    for number in range(4):
        assert stage.say(b"app/%d" % number) is not None


def test_names_nobody_expects_have_no_instances(stage: TableStage) -> None:
    assert list(stage.table.instances("other")) == []


# ---------------------------------------------------------------- forgotten


def test_an_instance_long_silent_is_forgotten(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"")
    stage.wait(10 * PERIOD)
    assert stage.table.find(ONE) is not None
    stage.wait(0.25 * PERIOD)
    assert stage.table.find(ONE) is None
    assert stage.states() == ["up", "silent", "gone"]


def test_but_not_with_sessions(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"")
    stage.instance(ONE).sessions[SID] = object()
    stage.wait(20 * PERIOD)
    assert stage.table.find(ONE) is not None


def test_and_never_a_configured_name(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    stage.wait(20 * PERIOD)
    assert stage.states() == ["up", "silent"]


# ---------------------------------------------------------------- who is behind the name


def test_authenticators_see_a_node_when_it_comes(stage: TableStage) -> None:
    stage.connect(APP)
    stage.wait(PERIOD)
    assert stage.admitted == [(APP, None)]
    stage.say(APP, b"", ("10.0.0.1", 5))
    stage.say(APP, b"", ("10.0.0.1", 5))
    assert stage.admitted[1:] == [(APP, "10.0.0.1")]


def test_a_peer_without_an_address_is_seen_too(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"", ("", 5))
    assert stage.admitted == [(ONE, "")]


def test_who_comes_after_a_lost_connection_is_looked_at_again(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"", ("10.0.0.1", 5))
    stage.table.route_lost(stage.now)
    stage.say(ONE, b"", ("10.0.0.1", 5))  # still the same connection
    assert len(stage.admitted) == 1
    stage.table.route_lost(stage.now)
    stage.say(ONE, b"", ("10.0.0.2", 6))
    assert stage.admitted[1:] == [(ONE, "10.0.0.2")]


# ---------------------------------------------------------------- capabilities


def test_words_are_answered_with_a_ping_that_lists_them(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"batch turbo credit=65536 exchange")
    assert stage.take_sent(ONE) == [
        SPAWN,
        (b"ping", b"batch exchange credit=65536"),
        (b"credit", b"1024"),
    ]
    instance = stage.instance(ONE)
    assert instance.capabilities == {"batch", "exchange"}
    assert instance.credit == 65536
    assert instance.view.capabilities == {"batch", "exchange"}


def test_the_same_words_are_not_answered_again(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"batch credit=5")
    stage.take_sent(ONE)
    stage.say(ONE, b"credit=5 batch")
    assert stage.take_sent(ONE) == []


def test_other_words_replace_them(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"batch credit=5")
    stage.take_sent(ONE)
    stage.say(ONE, b"binary credit=6")
    assert stage.take_sent(ONE) == [(b"ping", b"binary credit=6")]
    assert stage.instance(ONE).capabilities == {"binary"}
    assert stage.instance(ONE).credit == 6


def test_an_empty_pong_clears_them(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"batch credit=5")
    stage.take_sent(ONE)
    stage.say(ONE, b"")
    assert stage.take_sent(ONE) == [PING]
    assert (stage.instance(ONE).capabilities, stage.instance(ONE).credit) == (frozenset(), 0)


def test_words_of_a_configured_name_do_not_count(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"batch credit=5")
    assert stage.take_sent(APP) == [SPAWN]
    assert stage.instance().capabilities == frozenset()


# ---------------------------------------------------------------- drain


def test_drain_without_sessions(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"")
    stage.take_sent(ONE)
    stage.table.drain(stage.instance(ONE), stage.now)
    assert stage.take_sent(ONE) == [DRAIN]
    assert stage.states() == ["up", "silent", "gone"]


def test_drain_waits_for_the_last_session(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"")
    instance = stage.instance(ONE)
    instance.sessions.update({b"1": object(), b"2": object()})
    stage.take_sent(ONE)
    stage.table.drain(instance, stage.now)
    assert (instance.draining, instance.is_available) == (True, False)
    stage.say(ONE, b"")
    stage.wait(5 * PERIOD, answering=[ONE])
    assert not instance.is_available
    stage.take_sent(ONE)
    del instance.sessions[b"1"]
    stage.table.session_over(instance)
    assert stage.take_sent(ONE) == []
    del instance.sessions[b"2"]
    stage.table.session_over(instance)
    assert stage.take_sent(ONE) == [DRAIN]


@pytest.mark.parametrize("identity", [APP, ONE])
def test_nothing_follows_a_drain(stage: TableStage, identity: bytes) -> None:
    stage.connect(identity)
    instance = stage.say(identity, b"")
    assert instance is not None
    stage.take_sent(identity)
    stage.table.drain(instance, stage.now)
    stage.table.drain(instance, stage.now)
    stage.table.session_over(instance)
    stage.table.route_lost(stage.now, {99})
    stage.say(identity)
    stage.wait(20 * PERIOD)
    stage.table.route_lost(stage.now, ())
    assert stage.take_sent(identity) == [DRAIN]
    assert not any(each.is_available for each in stage.table.instances("app"))


def test_a_pong_that_crossed_the_end_of_a_drain_says_nothing(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"")
    stage.wait(PERIOD)  # a ping is on its way
    stage.table.drain(stage.instance(ONE), stage.now)
    stage.take_sent(ONE)
    stage.say(ONE, b"")
    assert stage.take_sent(ONE) == []
    assert not stage.instance(ONE).is_available


@pytest.mark.parametrize("identity", [APP, ONE])
def test_a_later_pong_begins_anew(stage: TableStage, identity: bytes) -> None:
    stage.connect(identity)
    before = stage.say(identity, b"")
    assert before is not None
    stage.table.drain(before, stage.now)
    stage.say(identity, b"batch")
    after = stage.instance(identity)
    assert after is not before
    assert after.is_available
    assert not after.draining
    assert after.capabilities == ({"batch"} if identity == ONE else set())


def test_a_drained_name_that_restarts_is_pinged_again(stage: TableStage) -> None:
    """The same configured name, now another program that never speaks first."""
    stage.connect(APP)
    stage.say(APP, b"", ("", 5))
    stage.table.drain(stage.instance(), stage.now)
    stage.take_sent(APP)
    stage.disconnect(APP)
    stage.table.route_lost(stage.now, {5})
    stage.connect(APP)
    stage.wait(PERIOD)
    assert stage.take_sent(APP) == [PING]
    assert stage.instance().is_available


def test_an_unreachable_instance_hears_the_end_of_its_drain_when_it_is_back(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"")
    instance = stage.instance(ONE)
    instance.sessions[SID] = object()
    stage.table.drain(instance, stage.now)
    stage.disconnect(ONE)
    stage.table.route_lost(stage.now)
    instance.sessions.clear()
    stage.table.session_over(instance)
    stage.take_sent(ONE)
    stage.connect(ONE)
    stage.wait(0.5 * PERIOD)
    assert stage.take_sent(ONE) == [PING, DRAIN]


def test_drained_instances_make_room(stage: TableStage) -> None:
    for number in range(8):
        identity = b"app/%d" % number
        stage.connect(identity)
        instance = stage.say(identity, b"")
        assert instance is not None
        stage.table.drain(instance, stage.now)
    assert len(stage.table.instances("app")) == 1 + 4


def test_drained_instances_are_forgotten(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"")
    stage.table.drain(stage.instance(ONE), stage.now)
    stage.wait(11 * PERIOD)
    assert stage.table.find(ONE) is None


# ---------------------------------------------------------------- views


def test_the_view_is_up_to_date(stage: TableStage) -> None:
    stage.connect(ONE)
    stage.say(ONE, b"")
    instance = stage.instance(ONE)
    view = instance.view
    assert (view.node, view.identity, view.endpoint) == ("app", "app/1", "main")
    instance.sessions[SID] = object()
    instance.outbox.put(SID, b"body", b"x" * 100)
    assert instance.view is view
    assert view.sessions == 1
    assert view.queued_bytes >= 100


# ---------------------------------------------------------------- somebody connected


def test_who_connects_is_pinged_and_serves_at_once(stage: TableStage) -> None:
    stage.tick()
    stage.connect(APP)
    stage.table.peer_came(stage.now)
    assert stage.take_sent(APP) == [PING, SPAWN]
    assert stage.instance().is_available
    assert stage.take_told() == [("up", APP, "connected")]
    assert stage.admitted == [(APP, None)]


def test_somebody_elses_coming_changes_nothing(stage: TableStage) -> None:
    """Nobody says who came: it was an instance that speaks first, or not a node at all."""
    stage.connect(ONE)
    stage.table.peer_came(stage.now)
    assert stage.instance().is_gone
    assert stage.sent == []
    assert stage.told == []
    stage.connect(APP)
    stage.table.peer_came(stage.now)
    stage.say(ONE, b"")
    stage.take_sent(APP)
    stage.take_sent(ONE)
    stage.table.peer_came(stage.now)
    assert stage.sent == [], "who is there need not be asked"


def test_a_coming_that_is_told_too_early_is_made_good(stage: TableStage) -> None:
    """The monitor speaks before ZeroMQ has the route; its second round finds it."""
    stage.table.peer_came(stage.now)
    stage.connect(APP)
    stage.now += 0.1
    stage.table.peer_came(stage.now)
    assert stage.instance().is_available


def test_who_connects_and_takes_nothing_is_not_there_yet(stage: TableStage) -> None:
    stage.connect(APP)
    stage.full.add(APP)
    stage.table.peer_came(stage.now)
    assert stage.instance().is_gone
    assert stage.told == []


def test_who_reconnects_within_its_grace_is_available_at_once(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    stage.disconnect(APP)
    stage.table.route_lost(stage.now)
    stage.tick()
    assert stage.states() == ["up", "silent"]
    instance = stage.instance()
    stage.connect(APP)
    stage.now += 0.1
    stage.table.peer_came(stage.now)
    assert stage.instance() is instance
    assert instance.is_available and instance.unreachable_since is None
    assert not instance.is_verified, "it may be somebody else: the next message tells"
    assert stage.states() == ["up"]


def test_only_configured_names_wait_to_be_pinged(stage: TableStage) -> None:
    """An instance speaks first when it has reconnected."""
    stage.connect(ONE)
    stage.say(ONE, b"")
    stage.disconnect(ONE)
    stage.table.route_lost(stage.now)
    stage.connect(ONE)
    stage.take_sent(ONE)
    stage.table.peer_came(stage.now)
    assert stage.take_sent(ONE) == []


def test_a_drained_name_is_not_pinged_when_somebody_comes(stage: TableStage) -> None:
    stage.connect(APP)
    stage.say(APP, b"")
    stage.table.drain(stage.instance(), stage.now)
    assert stage.take_sent(APP)[-1] == DRAIN
    stage.table.peer_came(stage.now)
    assert stage.take_sent(APP) == [], "`drain` was the last word"
    assert stage.instance().is_gone


# ---------------------------------------------------------------- the names of another configuration

RULE = NodeRule(PERIOD, 4)


def come(stage: TableStage, *identities: bytes) -> None:
    for identity in identities:
        stage.connect(identity)
        stage.say(identity, b"")
    stage.take_told()
    stage.sent.clear()


def test_instances_of_names_that_stay_are_kept(stage: TableStage) -> None:
    come(stage, APP, ONE)
    before = list(stage.table)
    stage.table.expect_only({"app": NodeRule(9.0, 1, {"weight": 2})}, stage.now)
    assert list(stage.table) == before and all(each.is_available for each in before)
    assert [each.view.options for each in before] == [{"weight": 2}] * 2
    assert stage.table.shortest_grace == 9.0
    assert (stage.take_told(), stage.sent) == ([], [])


def test_a_name_that_was_added_serves_at_once(stage: TableStage) -> None:
    """Its node has been there, unheard, and waits to be pinged."""
    stage.connect(b"new")
    stage.table.expect_only({"app": RULE, "new": RULE}, stage.now)
    assert stage.instance(b"new").is_available
    assert stage.take_sent(b"new") == [PING, SPAWN]
    assert stage.states() == ["up"]


def test_a_name_that_nobody_names_any_more_is_forgotten(stage: TableStage) -> None:
    come(stage, APP, ONE)
    stage.table.expect_only({"other": RULE}, stage.now)
    assert stage.take_told() == [("silent", APP, NOT_NAMED), ("silent", ONE, NOT_NAMED)]
    stage.tick()
    assert stage.take_told() == [("gone", APP, NOT_NAMED), ("gone", ONE, NOT_NAMED)]
    assert [each.identity for each in stage.table] == [b"other"]
    assert stage.table.heard(APP, stage.now) is None and stage.table.heard(ONE, stage.now) is None
    assert stage.counters["messages.dropped.unknown-node"] == 2


def test_its_sessions_go_on_and_nothing_of_it_is_lost(stage: TableStage) -> None:
    """No new one begins; what waits for it is sent before it is forgotten; it is pinged as before."""
    come(stage, APP, ONE)
    app, one = stage.instance(), stage.instance(ONE)
    app.sessions[SID] = object()
    one.outbox.put(SID, b"body", b"waits")
    stage.table.expect_only({}, stage.now)
    stage.wait(2 * PERIOD, answering=(APP, ONE))
    assert list(stage.table) == [app, one] and not app.is_available
    assert stage.states() == ["silent", "silent"]
    assert stage.table.heard(b"app/2", stage.now) is None
    app.sessions.clear()
    one.outbox.clear()
    stage.tick()
    assert stage.states() == ["gone", "gone"] and not list(stage.table)


def test_a_name_that_leaves_may_go_of_its_own_accord(stage: TableStage) -> None:
    """A lost connection ends its sessions as ever, and nobody waits for it to come back."""
    come(stage, APP)
    stage.instance().sessions[SID] = object()
    stage.table.expect_only({}, stage.now)
    stage.disconnect(APP)
    stage.wait(3 * PERIOD)
    assert stage.states() == ["silent", "gone"] and not list(stage.table)


def test_a_name_that_comes_back_while_it_leaves(stage: TableStage) -> None:
    come(stage, APP)
    app = stage.instance()
    app.sessions[SID] = object()
    stage.table.expect_only({}, stage.now)
    stage.table.expect_only({"app": RULE}, stage.now)
    assert stage.states() == ["silent", "up"]
    assert stage.instance() is app and app.is_available and SID in app.sessions


def test_a_drained_instance_of_a_name_that_leaves_does_not_begin_anew(stage: TableStage) -> None:
    come(stage, ONE)
    stage.table.drain(stage.instance(ONE), stage.now)
    stage.table.expect_only({}, stage.now)
    stage.say(ONE, b"")
    stage.tick()
    assert stage.table.find(ONE) is None


def test_the_last_name_is_told(stage: TableStage) -> None:
    emptied: list[bool] = []
    come(stage, APP)
    stage.instance().sessions[SID] = object()
    stage.table.on_empty = lambda: emptied.append(True)
    stage.table.expect_only({}, stage.now)
    stage.wait(PERIOD, answering=(APP,))
    assert not emptied
    stage.instance().sessions.clear()
    stage.tick()
    assert emptied == [True]


def test_another_name_of_the_router_is_shown_to_selectors(stage: TableStage) -> None:
    stage.table.rename("ipc:///new")
    assert stage.instance().view.endpoint == "ipc:///new"


# ---------------------------------------------------------------- where addresses are looked at

HERE, THERE = ("10.0.0.1", 7), ("10.0.0.2", 8)


@pytest.fixture
def watched(stage: TableStage) -> TableStage:
    """Only HERE may be a node."""
    stage.let_in = {HERE[0]}
    stage.connect(b"app")
    stage.say(b"app", b"", HERE)
    assert stage.instance().is_available
    stage.take_told()
    stage.admitted.clear()
    return stage


def test_each_message_is_looked_at_and_nobody_asked_twice(watched: TableStage) -> None:
    for _ in range(3):
        assert watched.say(b"app", peer=HERE) is not None
    assert watched.admitted == [] and not watched.instance().is_steady


def test_another_address_is_noticed_at_its_first_message(watched: TableStage) -> None:
    """No monitor has told of a lost connection."""
    heard_at = watched.instance().heard_at
    watched.now += 1
    assert watched.say(b"app", b"batch", THERE) is None
    assert watched.admitted == [(b"app", THERE[0])]
    assert watched.instance().heard_at == heard_at, "no sign of life"
    assert watched.counters["messages.dropped.not-authenticated"] == 1
    assert watched.say(b"app", b"", HERE) is watched.instance()
    assert watched.admitted[1:] == [(b"app", HERE[0])]


def test_after_a_lost_connection_nobody_is_let_in_unheard(watched: TableStage) -> None:
    watched.table.route_lost(watched.now, frozenset({HERE[1]}))
    assert watched.admitted == [(b"app", None)] and not watched.instance().allowed
    watched.say(b"app", b"", ("10.0.0.1", 9))
    assert watched.instance().allowed


def test_others_connections_do_not_matter(watched: TableStage) -> None:
    watched.table.route_lost(watched.now, frozenset({99}))
    assert watched.admitted == [] and watched.instance().allowed
    watched.table.route_lost(watched.now, None)
    assert watched.admitted == [(b"app", None)], "whose they were is not known"


def test_without_a_route_nobody_is_let_in(watched: TableStage) -> None:
    watched.disconnect(b"app")
    watched.wait(1)
    assert watched.admitted[0] == (b"app", None)
    watched.connect(b"app")
    watched.wait(1)
    assert not watched.instance().allowed, "connected is not enough"


def test_who_is_turned_away_takes_no_place(watched: TableStage) -> None:
    for number in range(20):
        assert watched.say(b"app/%d" % number, b"", THERE) is None
    assert watched.counters["messages.dropped.instances"] == 0
    assert watched.counters["messages.dropped.not-authenticated"] == 20
    assert watched.say(b"app/1", b"", HERE) is not None
