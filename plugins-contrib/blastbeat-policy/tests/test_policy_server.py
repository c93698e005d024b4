"""Policies of a real server, with real nodes and clients."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from blastbeat.errors import ConfigError
from blastbeat.testing import HOLD, Client, NodeRequest, RunningServer, ScriptedNode
from blastbeat_policy import PolicyPlugin
from blastbeat_policy.storage import read_month

ACME, API, BOLT = "www.acme.example", "api.acme.example", "bolt.example"


def configuration(
    plan: Mapping[str, Any], acme: Mapping[str, Any] = {}, **own: Any
) -> dict[str, dict[str, Any]]:
    """Two customers on one plan: acme with two virtualhosts, bolt with one."""
    return {
        "plugin": {"policy": {"file": "usage.sqlite", "write-every": "100ms", **own}},
        "plan": {"bronze": dict(plan)},
        "customer": {"acme": {"plan": "bronze", **acme}, "bolt": {"plan": "bronze"}},
        "vhost": {
            ACME: {"customer": "acme"},
            API: {"customer": "acme"},
            BOLT: {"customer": "bolt"},
        },
    }


class Site:
    """A server with the plugin, its node, and clients with addresses of their own."""

    def __init__(self, server: RunningServer, node: ScriptedNode, new_client: Callable[..., Client]) -> None:
        self.server, self.node = server, node
        self._new_client = new_client
        self._clients = 1

    def client(self, virtualhost: str = ACME, source: str = "") -> Client:
        """From an address that nobody had, unless `source` says which."""
        self._clients += 1
        client: Client = self._new_client(
            virtualhost=virtualhost, source=source or f"127.0.0.{self._clients}", server=self.server
        )
        return client

    def status(self, virtualhost: str = ACME, source: str = "", **request: Any) -> int:
        client = self.client(virtualhost, source)
        response = client.request(request.pop("method", "GET"), "/", **request)
        client.close()
        return response.status

    @property
    def policy(self) -> PolicyPlugin:
        return PLUGINS[self.server]


PLUGINS: dict[RunningServer, PolicyPlugin] = {}


@pytest.fixture
def start(
    blastbeat_server: Any, blastbeat_node: Any, blastbeat_client: Any, tmp_path: Path
) -> Callable[..., Site]:
    def start(toml: Any, answers: Any = None, **options: Any) -> Site:
        plugin = PolicyPlugin()
        server = blastbeat_server(plugins={"policy": plugin}, toml=toml, folder=tmp_path)
        PLUGINS[server] = plugin
        return Site(server, blastbeat_node(answers, server=server, **options), blastbeat_client)

    return start


# ---------------------------------------------------------------- limits


def test_a_customer_over_its_rate_leaves_the_other_alone(start: Callable[..., Site]) -> None:
    site = start(configuration({"requests": "1/h", "requests-burst": 2}))
    assert [site.status(ACME), site.status(API)] == [200, 200]
    refused = site.client(API).get()
    assert refused.status == 429 and 3000 < int(refused["Retry-After"]) <= 3600
    assert [site.status(BOLT), site.status(BOLT)] == [200, 200]
    assert site.server.counted()["policy.requests"] == 1
    assert len(site.node.requests) == 4


def test_a_client_over_its_rate_leaves_the_others_alone(start: Callable[..., Site]) -> None:
    site = start(configuration({"client-requests": "1/h"}))
    assert [site.status(ACME, "127.0.0.99"), site.status(API, "127.0.0.99")] == [200, 429]
    assert site.status(BOLT, "127.0.0.99") == 200, "of another customer it is another client"
    assert site.status(ACME) == 200


def test_sessions_are_counted_while_connections_are_open(start: Callable[..., Site]) -> None:
    site = start(configuration({"sessions": 2}))
    one, other = site.client(ACME), site.client(API)
    assert one.get().status == other.get().status == one.get().status == 200
    third = site.client(ACME)
    refused = third.get()
    assert refused.status == 503 and refused["Retry-After"] == "1"
    third.close()
    assert site.status(BOLT) == 200
    one.close()
    site.server.wait_until(lambda: site.policy.customers.get("acme").sessions.open == 1)
    assert site.status(ACME) == 200
    other.close()
    site.server.wait_idle()
    assert len(site.policy.places) == 0


def test_new_sessions_are_not_requests(start: Callable[..., Site]) -> None:
    site = start(configuration({"new-sessions": "1/h"}))
    client = site.client()
    assert [client.get().status for _ in range(5)] == [200] * 5
    assert site.status() == 429
    assert site.server.counted()["policy.new-sessions"] == 1


def test_a_retried_request_has_one_session(start: Callable[..., Site], blastbeat_node: Any) -> None:
    toml = configuration({"sessions": 1})
    toml["vhost"][ACME]["node"] = ["app", "second"]
    tried: list[str] = []

    def retry_once(request: NodeRequest) -> Any:
        tried.append(request.path)
        if len(tried) == 1:
            request.retry()
            return HOLD
        return 200

    site = start(toml, retry_once)
    blastbeat_node(retry_once, name="second", server=site.server)
    client = site.client()
    assert client.get().status == 200 and len(tried) == 2
    assert site.policy.customers.get("acme").sessions.open == 1
    client.close()
    site.server.wait_idle()
    assert len(site.policy.places) == 0
    assert site.policy.customers.get("acme").account(ACME).sessions == 1


def test_bodies_and_methods(start: Callable[..., Site]) -> None:
    site = start(configuration({"max-body": 10, "methods": "GET POST"}))
    assert site.status(method="POST", body=b"x" * 10) == 200
    assert site.status(method="POST", body=b"x" * 11) == 413
    chunked = site.client()
    chunked.send_request("POST", "/", {"Transfer-Encoding": "chunked"})
    chunked.send(b"8\r\n" + b"x" * 8 + b"\r\n8\r\n" + b"x" * 8 + b"\r\n0\r\n\r\n")
    assert chunked.read_response().status == 413
    refused = site.client().request("DELETE")
    assert refused.status == 405 and refused["Allow"] == "GET, POST"
    counted = site.server.counted()
    assert (counted["policy.max-body"], counted["policy.methods"]) == (2, 1)


def test_maintenance(start: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "moving.html").write_text("<p>We move.", encoding="utf-8")
    toml = configuration(
        {}, {"maintenance": True, "maintenance-page": "moving.html", "maintenance-networks": "127.0.0.200"}
    )
    site = start(toml)
    response = site.client().get()
    assert (response.status, response.text, response["Retry-After"]) == (503, "<p>We move.", "600")
    assert site.status(ACME, "127.0.0.200") == site.status(BOLT) == 200
    del toml["customer"]["acme"]["maintenance"]
    site.server.reload(toml)
    assert site.status() == 200


def test_a_download_is_slowed_down_for_all_of_the_customer(start: Callable[..., Site]) -> None:
    site = start(configuration({"download": "800kbit/s"}), lambda request: b"x" * 40_000)
    client, other = site.client(ACME), site.client(API)
    began = time.monotonic()
    client.get()
    other.get()
    assert time.monotonic() - began > 0.4, "80 kB at 100 kB/s, of which the last 16 kB and a tenth are ahead"


# ---------------------------------------------------------------- WebSockets


def test_messages_of_a_websocket_are_slowed_down(start: Callable[..., Site]) -> None:
    site = start(configuration({"messages": "20/s", "messages-burst": 2}))
    websocket = site.client().websocket()
    began = time.monotonic()
    for number in range(7):
        websocket.send(str(number))
        assert websocket.receive() == str(number)
    assert time.monotonic() - began >= 4 / 20, "two at once, and the last one waits for the one before"
    assert site.server.counted()["policy.messages"] >= 4


def test_messages_of_a_websocket_close_it_where_the_plan_says_so(start: Callable[..., Site]) -> None:
    site = start(configuration({"messages": "1/h", "messages-over": "close"}))
    websocket = site.client().websocket()
    websocket.send("one")
    assert websocket.receive() == "one"
    websocket.send("two")
    assert websocket.wait_close() == 1008


def test_what_runs_is_counted_while_it_runs(start: Callable[..., Site]) -> None:
    site = start(configuration({"traffic": 1000}))
    websocket = site.client().websocket()
    websocket.send("x" * 300)
    assert websocket.receive() == "x" * 300
    assert site.status(API) == 200
    websocket.send("x" * 300)
    site.server.wait_until(lambda: site.policy.customers.get("acme").used >= 900)
    site.status(ACME, method="POST", body=b"x" * 200)
    refused = site.client(API).get()
    assert refused.status == 503 and int(refused["Retry-After"]) > 0
    websocket.send("more")
    assert websocket.wait_close() == 1008
    assert site.status(BOLT) == 200


# ---------------------------------------------------------------- nodes


def test_instances_beyond_the_plan_are_not_let_in(start: Callable[..., Site], blastbeat_node: Any) -> None:
    site = start(configuration({"instances": 1}))
    assert site.status() == 200
    blastbeat_node(418, name="app/two", server=site.server, wait=False)
    site.server.wait_until(lambda: "app/two is refused" in site.server.log)
    assert {site.status() for _ in range(5)} == {200}
    assert site.policy.instances.count("acme") == 1


def test_nodes_from_elsewhere_are_not_let_in(start: Callable[..., Site]) -> None:
    site = start(configuration({}, {"node-networks": "192.0.2.0/24"}), wait=False)
    site.server.wait_node("app")
    assert site.status(BOLT) == 200 and site.status(ACME) == 503


# ---------------------------------------------------------------- reload, restart, what is wrong


def test_a_reload_changes_plans_and_loses_no_count(start: Callable[..., Site]) -> None:
    site = start(configuration({"requests": "1/h", "requests-burst": 2}))
    client = site.client()
    assert client.get().status == 200
    site.server.reload(configuration({"requests": "1/h", "requests-burst": 1}))
    assert site.status() == 429, "the one that was taken stays taken"
    site.server.reload(configuration({"requests": "1000/s"}))
    assert client.get().status == 200, "on the connection it had"
    assert site.policy.customers.get("acme").account(ACME).requests == 2
    with pytest.raises(ConfigError, match="there is no \\[plan.bronze\\]"):
        site.server.reload({**configuration({}), "plan": {"gold": {}}})
    assert client.get().status == 200


def test_usage_survives_a_restart(start: Callable[..., Site], tmp_path: Path) -> None:
    toml = configuration({"traffic": 250})
    first = start(toml, lambda request: b"x" * 150)
    assert first.status() == 200
    first.server.wait_exchanges(1)
    first.server.stop()
    second = start(toml, lambda request: b"x" * 150)
    second.server.wait_until(lambda: second.policy.customers.get("acme").used == 150)
    assert [second.status(API), second.status(ACME), second.status(BOLT)] == [200, 503, 200]
    second.server.stop()
    assert second.policy.ledger is not None
    usage, plans = read_month(str(tmp_path / "usage.sqlite"), second.policy.ledger.month)
    total = {
        where.virtualhost: (each.requests, each.bytes_out, each.refused) for where, each in usage.items()
    }
    assert total == {ACME: (1, 150, {"traffic": 1}), API: (1, 150, {}), BOLT: (1, 150, {})}
    assert plans["acme"].plan == "bronze" and plans["acme"].warned == 100


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"customer": {"acme": {"plan": "brnze"}, "bolt": {"plan": "bronze"}}}, "did you mean 'bronze'"),
        ({"customer": {"acme": {}, "bolt": {"plan": "bronze"}}}, "names no plan"),
        ({"customer": {"bolt": {"plan": "bronze"}}}, "there is no \\[customer.acme\\]"),
        ({"plan": {"bronze": {"nodes": 1}}}, "customer acme has 2 nodes"),
        ({"plan": {"bronze": {"requests-burst": 1}}}, "says how far `requests` may be exceeded"),
        ({"plan": {"bronze": {"request": "1/s"}}}, "did you mean 'requests'"),
        ({"plugin": {"policy": {}}}, "nothing says where their usage is kept"),
        ({"plugin": {"policy": {"file": "nowhere/usage.sqlite"}}}, "does not exist"),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(
    start: Callable[..., Site], change: dict[str, Any], words: str
) -> None:
    toml = {**configuration({}), **change}
    toml["vhost"][API]["node"] = ["api"]
    with pytest.raises(ConfigError, match=words):
        start(toml)


def test_a_file_that_can_not_be_written_costs_a_line_and_no_request(
    start: Callable[..., Site], tmp_path: Path
) -> None:
    (tmp_path / "usage.sqlite").write_bytes(b"this is no database" * 100)
    site = start(configuration({"traffic": "1TB"}))
    assert site.status() == 200
    site.server.wait_until(lambda: "can't be written" in site.server.log)
    assert site.status() == 200
    assert site.server.log.count("can't be written") == 1


def test_the_command_tells_what_was_used(
    start: Callable[..., Site], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = start(configuration({}))
    assert site.status() == 200
    site.server.stop()
    assert site.policy._run_command(["usage", "--json"]) == 0
    customers = json.loads(capsys.readouterr().out)["customers"]
    assert [(each["customer"], each["requests"]) for each in customers] == [("acme", 1), ("bolt", 0)]
