"""The status of a server: what is told of it and of each virtualhost, and which of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blastbeat import __version__
from blastbeat.config.model import Address, NodeRef, RouteConfig, VirtualHostConfig
from blastbeat.errors import ControlError
from blastbeat.monitoring.status import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    MAX_NAMED,
    Query,
    describe_profile,
    wiring_of,
)
from blastbeat.plugin_profile import PluginProfile
from blastbeat.routes import RouteTable
from blastbeat.virtualhost import VirtualHost
from tests.helpers.engine import Engine, request_head, upload_head
from tests.helpers.engine_fakes import encode_plainly, take_first
from tests.helpers.settings import HOST
from tests.helpers.status import STARTED_AT, StatusStage


def names(status: dict[str, Any]) -> list[str]:
    return [each["name"] for each in status["virtualhosts"]]


def test_the_server_as_a_whole() -> None:
    stage = StatusStage(sessions=7, connections=0)
    stage.engine.request(stage.engine.stream())
    server = stage.status()["server"]
    assert (server["version"], server["state"], server["uptime"]) == (__version__, "running", 10.0)
    assert (server["started_at"], server["loaded_at"], server["generation"]) == (STARTED_AT, STARTED_AT, 1)
    assert (server["addresses"], server["endpoints"]) == (["127.0.0.1:8080"], ["tcp://127.0.0.1:5000"])
    assert (server["sessions"], server["sessions_limit"], server["connections_limit"]) == (1, 7, 0)
    assert (server["nodes"], server["nodes_up"], server["instances_up"]) == (1, 1, 1)
    assert server["config_file"] == "blastbeat.toml"


def test_when_certificates_expire() -> None:
    assert StatusStage().status()["server"]["certificates"] == [
        {"file": "soon.pem", "expires_at": STARTED_AT + 86400.0, "days_left": 0},
        {"file": "never.pem", "expires_at": None, "days_left": None},
    ]


def test_a_server_that_stops_says_so() -> None:
    stage = StatusStage()
    stage.engine.dispatcher.is_stopping = True
    assert stage.status()["server"]["state"] == "stopping"


def test_json_can_say_all_of_it() -> None:
    status = StatusStage().status()
    assert json.loads(json.dumps(status)) == status
    assert status["counters"]["requests.received"] == 0 and status["process"]["pid"]


def test_nobody_is_asked_before_it_runs() -> None:
    stage = StatusStage()
    stage.server.wiring = None  # type: ignore[misc]
    with pytest.raises(AssertionError):
        wiring_of(stage.server)


# ---------------------------------------------------------------- a virtualhost


def test_what_a_virtualhost_answered() -> None:
    engine = Engine(policy={"sessions": 1, "max_body": 3, "alias": ("www.app.test",)})
    stage = StatusStage(engine)
    engine.respond(engine.request(engine.stream(), upload_head(0)), b"answer")
    engine.request(engine.stream(), upload_head(4))
    [told] = stage.status()["virtualhosts"]
    assert (told["name"], told["aliases"], told["state"]) == (HOST, ["www.app.test"], "up")
    assert told["answers"] == {"none": 0, "1xx": 0, "2xx": 1, "3xx": 0, "4xx": 1, "5xx": 0}
    assert (told["requests"], told["bytes_out"] > 6, told["limits_hit"]) == (2, True, {"max-body": 1})
    assert (told["sessions"], told["sessions_limit"], told["websockets"]) == (1, 1, 0)
    assert (told["nodes"], told["instances_available"], told["routes"]) == (["app"], 1, [])


def test_addresses_of_its_own() -> None:
    stage = StatusStage(Engine(policy={"bind": (Address("127.0.0.1", 81),)}))
    assert stage.status()["virtualhosts"][0]["addresses"] == ["127.0.0.1:81"]


def test_what_waits_for_its_clients() -> None:
    class Slow:
        def queued_bytes(self) -> int:
            return 5

        def close_for_memory(self) -> None:
            pass

    stage = StatusStage()
    stage.account.update(Slow(), HOST, 5)
    assert stage.status()["virtualhosts"][0]["queued_bytes"] == 5


def test_what_is_held_for_it() -> None:
    engine = Engine(here={}, policy={"hold": 5.0})
    stage = StatusStage(engine)
    engine.request(engine.stream())
    assert stage.status()["virtualhosts"][0]["held"] == 1


def test_requests_of_no_virtualhost_are_told_apart() -> None:
    stage = StatusStage()
    stage.engine.request(stage.engine.stream(), request_head(authority=b"nowhere.test"))
    assert stage.status()["unmatched"]["answers"]["4xx"] == 1


def route_of(engine: Engine, name: str, *nodes: str) -> VirtualHost:
    """A route of the engine's virtualhost."""
    whole = engine.virtualhost
    policy = VirtualHostConfig(HOST, route=name, nodes=tuple(map(NodeRef, nodes)))
    route = VirtualHost(
        policy,
        engine.table,
        select=take_first,
        request_type=b"uwsgi",
        encode_request=encode_plainly,
        whole=whole,
    )
    whole.routes = RouteTable([(RouteConfig(name, policy, path=name), route)], HOST)
    engine.dispatcher.virtualhosts += (route,)
    return route


def test_routes_stand_below_their_virtualhost() -> None:
    stage = StatusStage()
    stage.engine.add_virtualhost("other.test", ["app"])
    route_of(stage.engine, "/api", "app").tally.hit("rate")
    status = stage.status()
    assert names(status) == [HOST, "other.test"] and status["virtualhosts_total"] == 2
    [route] = status["virtualhosts"][0]["routes"]
    assert (route["name"], route["nodes"], route["limits_hit"]) == ("/api", ["app"], {"rate": 1})


@pytest.mark.parametrize(
    ("here", "route_nodes", "missing"),
    [
        (["app"], (), []),
        (["app"], ("app",), []),
        (["app"], ("gone",), [f"{HOST} route /part"]),
        ([], (), [HOST]),
        ([], ("gone",), [HOST]),
    ],
)
def test_it_is_down_when_a_part_of_it_has_no_node(
    here: list[str], route_nodes: tuple[str, ...], missing: list[str]
) -> None:
    stage = StatusStage(Engine(here={}))
    route_of(stage.engine, "/part", *route_nodes)
    for identity in here:
        stage.engine.node(identity)
    status = stage.status()
    assert status["virtualhosts"][0]["state"] == ("down" if missing else "up")
    assert (status["virtualhosts_without_node"], status["without_node"]) == (len(missing), missing)


def test_a_virtualhost_without_nodes_waits_for_none() -> None:
    stage = StatusStage()
    stage.engine.add_virtualhost("answers.test", [])
    assert stage.status()["virtualhosts"][1]["state"] == "up"


# ---------------------------------------------------------------- which of them


@pytest.fixture
def stage() -> StatusStage:
    stage = StatusStage()
    for number in range(30):
        stage.engine.add_virtualhost(f"site{number}.test", ["app"], {"alias": (f"www.site{number}.test",)})
    return stage


def test_all_by_default(stage: StatusStage) -> None:
    status = stage.status()
    assert len(status["virtualhosts"]) == status["virtualhosts_matching"] == 31
    assert (status["offset"], status["limit"]) == (0, DEFAULT_LIMIT)


def test_one_by_its_name(stage: StatusStage) -> None:
    status = stage.status(virtualhost="site3.test")
    assert names(status) == ["site3.test"] and status["virtualhosts_total"] == 31
    assert names(stage.status(virtualhost="site")) == []


@pytest.mark.parametrize("search", ["SITE29", "www.site29.t"])
def test_those_with_a_text_in_their_names(stage: StatusStage, search: str) -> None:
    assert names(stage.status(search=search)) == ["site29.test"]


def test_a_page_of_them(stage: StatusStage) -> None:
    status = stage.status(search="site", offset=10, limit=3)
    assert names(status) == ["site10.test", "site11.test", "site12.test"]
    assert (status["virtualhosts_matching"], status["offset"], status["limit"]) == (30, 10, 3)


def test_nodes_are_those_of_the_listed_ones(stage: StatusStage) -> None:
    stage.engine.add_virtualhost("own.test", ["own"])
    assert [node["name"] for node in stage.status(virtualhost="own.test")["nodes"]] == ["own"]
    assert [node["name"] for node in stage.status()["nodes"]] == ["app", "own"]


def test_many_without_a_node_are_counted_but_not_all_named() -> None:
    stage = StatusStage(Engine(here={}))
    for number in range(MAX_NAMED + 5):
        stage.engine.add_virtualhost(f"site{number}.test", ["app"])
    status = stage.status()
    assert status["virtualhosts_without_node"] == MAX_NAMED + 6 and len(status["without_node"]) == MAX_NAMED


def test_a_query_from_texts_or_values() -> None:
    assert Query.parse({}) == Query()
    parsed = Query("a.test", "b", 10, 20)
    assert Query.parse({"virtualhost": "a.test", "search": "b", "offset": "10", "limit": "20"}) == parsed
    assert Query.parse({"virtualhost": "a.test", "search": "b", "offset": 10, "limit": 20}) == parsed


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"limit": "many"}, "limit = many: expected a number from 0 to"),
        ({"limit": -1}, "limit = -1"),
        ({"limit": MAX_LIMIT + 1}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"limit": None}, "limit"),
        ({"limit": "0" * 5000}, "limit"),
        ({"offset": "٣"}, "offset"),
        ({"host": "x"}, "unknown: host; known: virtualhost, search, offset, limit"),
    ],
)
def test_a_query_that_is_none(arguments: dict[str, object], error: str) -> None:
    with pytest.raises(ControlError, match=error):
        Query.parse(arguments)


def test_what_plugins_cost() -> None:
    seconds = iter([0.0, 1.5, 2.0, 2.25])
    profile = PluginProfile(lambda: next(seconds))
    call = profile.timed("mine", "hook node_up", len)
    call("ab")
    with pytest.raises(TypeError):
        call(1)
    assert describe_profile(None) is None
    assert describe_profile(profile) == [
        {
            "plugin": "mine",
            "place": "hook node_up",
            "calls": 2,
            "errors": 1,
            "seconds": 1.75,
            "longest_seconds": 1.5,
            "waited_seconds": 0.0,
        }
    ]
