"""How nodes and instances are told: state and why, who is shown, and who does not admit them."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.config.model import NodeRef, VirtualHostConfig
from blastbeat.instance import Instance
from blastbeat.monitoring.node_status import (
    DRAINING,
    GONE,
    MAX_NAMES,
    SILENT,
    UP,
    available_instances,
    describe_node,
    state_of,
    users_of,
)
from blastbeat.virtualhost import VirtualHost
from tests.helpers.engine_fakes import encode_plainly, take_first
from tests.helpers.node_table import PERIOD, TableStage


@pytest.fixture
def stage() -> TableStage:
    return TableStage()


def user(stage: TableStage, name: str = "a.test", *nodes: str, route: str = "") -> VirtualHost:
    """A virtualhost, or a route, that names these nodes."""
    config = VirtualHostConfig(name, route=route, nodes=tuple(map(NodeRef, nodes or ("app",))))
    return VirtualHost(
        config, stage.table, select=take_first, request_type=b"uwsgi", encode_request=encode_plainly
    )


def come(stage: TableStage, identity: bytes, words: bytes = b"", *, admitted: bool = True) -> Instance:
    stage.connect(identity)
    instance = stage.say(identity, words)
    assert instance is not None
    if admitted:
        instance.allowed.add(("a.test", ""))
    return instance


def told(stage: TableStage, *users: VirtualHost) -> dict[str, Any]:
    return describe_node(stage.table, "app", users or (user(stage),), stage.now)


def test_a_node_that_never_came(stage: TableStage) -> None:
    node = told(stage)
    [instance] = node["instances"]
    assert (node["name"], node["router"], node["state"]) == ("app", "main", GONE)
    assert (instance["identity"], instance["state"], instance["why"]) == ("app", GONE, "not connected")
    assert (instance["last_heard"], instance["refused_by"]) == (None, [])


def test_one_that_serves(stage: TableStage) -> None:
    come(stage, b"app", b"")
    stage.now += 2.5
    node = told(stage)
    assert node["state"] == UP and node["virtualhosts"] == ["a.test"]
    [instance] = node["instances"]
    assert (instance["state"], instance["why"], instance["address"]) == (UP, "", "1.2.3.4")
    assert (instance["last_heard"], instance["sessions"], instance["queued_bytes"]) == (2.5, 0, 0)


def test_one_that_fell_silent(stage: TableStage) -> None:
    instance = come(stage, b"app")
    stage.wait(4 * PERIOD)
    assert state_of(instance) == SILENT
    assert told(stage)["instances"][0]["why"].startswith("not heard from for 4")


def test_one_whose_connection_is_lost(stage: TableStage) -> None:
    stage = TableStage(grace=100.0)
    instance = come(stage, b"app")
    stage.disconnect(b"app")
    stage.table.unreachable(instance, stage.now)
    assert (state_of(instance), told(stage)["instances"][0]["why"]) == (SILENT, "its connection is lost")


def test_one_that_drains(stage: TableStage) -> None:
    instance = come(stage, b"app/1")
    instance.sessions[b"sid"] = object()
    stage.table.drain(instance, stage.now)
    assert state_of(instance) == DRAINING
    assert told(stage)["instances"][0]["why"] == "takes no new sessions, as it asked"
    instance.sessions.clear()
    stage.table.session_over(instance)
    assert told(stage)["instances"][0]["why"] == "drained: its last session is over"


def test_the_name_itself_is_not_shown_while_only_others_came(stage: TableStage) -> None:
    come(stage, b"app/1", b"batch credit=10")
    node = told(stage)
    assert [each["identity"] for each in node["instances"]] == ["app/1"]
    assert node["instances"][0]["capabilities"] == ["batch", "credit=10"]
    come(stage, b"app")
    assert [each["identity"] for each in told(stage)["instances"]] == ["app", "app/1"]


def test_a_node_is_as_well_as_its_best_instance(stage: TableStage) -> None:
    come(stage, b"app/1")
    stage.wait(4 * PERIOD)
    assert told(stage)["state"] == SILENT
    come(stage, b"app/2")
    assert told(stage)["state"] == UP


def test_who_does_not_admit_it_is_named(stage: TableStage) -> None:
    come(stage, b"app")
    node = told(stage, user(stage), user(stage, "b.test"), user(stage, "a.test", route="/api"))
    assert node["instances"][0]["refused_by"] == ["b.test", "a.test /api"]


def test_names_are_told_once_and_not_all_of_very_many(stage: TableStage) -> None:
    users = [user(stage, f"{number}.test") for number in range(MAX_NAMES + 3)]
    come(stage, b"app", admitted=False)
    node = told(stage, *users, users[0])
    assert node["virtualhosts_total"] == MAX_NAMES + 3 and len(node["virtualhosts"]) == MAX_NAMES
    assert len(node["instances"][0]["refused_by"]) == MAX_NAMES


def test_a_name_that_is_not_there_any_more(stage: TableStage) -> None:
    node = describe_node(stage.table, "left", (user(stage),), stage.now)
    assert (node["state"], node["router"], node["instances"]) == (GONE, "", [])


def test_who_names_a_node() -> None:
    first, second = TableStage(), TableStage()
    virtualhosts = [user(first, "a.test", "app", "other"), user(first, "b.test"), user(second, "c.test")]
    users = users_of(virtualhosts)
    assert {(name, tuple(each.name for each in using)) for (_, name), using in users.items()} == {
        ("app", ("a.test", "b.test")),
        ("other", ("a.test",)),
        ("app", ("c.test",)),
    }


def test_instances_that_may_take_a_session(stage: TableStage) -> None:
    come(stage, b"app/1")
    come(stage, b"app/2", admitted=False)
    assert available_instances(user(stage)) == 1
