"""Names and instances of one ROUTER; how they come and go is in test_nodes.py."""

from __future__ import annotations

import logging

import pytest

from blastbeat.counters import Counters
from blastbeat.roster import NodeRule, Roster
from tests.helpers.engine_fakes import FakeRouter


class Stage:
    def __init__(self) -> None:
        self.counters = Counters()
        self.roster = Roster(FakeRouter(), self.counters, "ipc:///x")

    def identities(self, name: str) -> list[bytes]:
        return [instance.identity for instance in self.roster.instances(name)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_expected_name_has_its_instance_at_once(stage: Stage) -> None:
    stage.roster.expect("app", NodeRule(2.0, 4, {"weight": 3}))
    (instance,) = stage.roster
    assert stage.roster.find(b"app") is instance
    assert (instance.is_configured, instance.view.node, instance.view.endpoint) == (True, "app", "ipc:///x")
    assert instance.view.options == {"weight": 3}
    assert stage.roster.grace("app") == stage.roster.shortest_grace(9.0) == 2.0


def test_an_empty_roster(stage: Stage) -> None:
    assert (list(stage.roster), stage.identities("app"), stage.roster.find(b"app")) == ([], [], None)
    assert stage.roster.shortest_grace(9.0) == 9.0


def test_newcomers(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Only further instances of expected names, and no more than were allowed."""
    stage.roster.expect("app", NodeRule(2.0, 1))
    with caplog.at_level(logging.WARNING):
        assert stage.roster.newcomer(b"else/1", 0.0) is None
        assert stage.roster.newcomer(b"app/bad word", 0.0) is None
        first = stage.roster.newcomer(b"app/1", 0.0)
        assert stage.roster.newcomer(b"app/2", 0.0) is None
    assert first is not None and not first.is_configured
    assert stage.identities("app") == [b"app", b"app/1"]
    assert stage.counters["messages.dropped.unknown-node"] == 2
    assert stage.counters["messages.dropped.instances"] == 1
    assert "instances = 1" in caplog.text


def test_a_drained_one_makes_room(stage: Stage) -> None:
    stage.roster.expect("app", NodeRule(2.0, 1))
    first = stage.roster.newcomer(b"app/1", 0.0)
    assert first is not None
    first.drained_at = 1.0
    assert stage.roster.newcomer(b"app/2", 2.0) is not None
    assert stage.identities("app") == [b"app", b"app/2"]


def test_a_configured_name_stays_when_its_instance_goes(stage: Stage) -> None:
    stage.roster.expect("app", NodeRule(2.0, 4))
    first = stage.roster.find(b"app")
    assert first is not None
    stage.roster.remove(first)
    again = stage.roster.find(b"app")
    assert again is not None and again is not first
    further = stage.roster.newcomer(b"app/1", 0.0)
    assert further is not None
    stage.roster.remove(further)
    assert stage.roster.find(b"app/1") is None


def test_the_more_generous_rule_holds(stage: Stage) -> None:
    stage.roster.expect("app", NodeRule(2.0, 4, {"weight": 3}))
    stage.roster.expect("app", NodeRule(1.0, 9, {"weight": 5}))
    assert stage.roster.grace("app") == 2.0
    assert [each.view.options for each in stage.roster] == [{"weight": 3}]


def test_replacing_names(stage: Stage) -> None:
    for name in ("kept", "left", "back"):
        stage.roster.expect(name, NodeRule(2.0, 4))
    assert stage.roster.replace({"kept": NodeRule(1.0, 4), "new": NodeRule(3.0, 4)}) == (
        ["new"],
        ["left", "back"],
    )
    assert stage.roster.replace({"kept": NodeRule(1.0, 4), "back": NodeRule(3.0, 4)}) == (["back"], ["new"])
    assert len(stage.roster) == 4  # until they are forgotten
    assert stage.roster.rules == {"kept": NodeRule(1.0, 4), "back": NodeRule(3.0, 4)}
    for name in ("left", "new"):
        (instance,) = stage.roster.instances(name)
        stage.roster.forget(instance)
    assert sorted(each.node for each in stage.roster) == ["back", "kept"] and len(stage.roster) == 2
