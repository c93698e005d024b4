"""The status address of a running server: nodes that come, fall silent and leave, customers that are not
disturbed, and everything an HTTP client may do there."""

from __future__ import annotations

import json
import socket
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from blastbeat import hookimpl
from blastbeat.errors import StartError
from blastbeat.interfaces import Answer, Filter, Register, RegisterCounter, RequestView
from blastbeat.monitoring import service
from blastbeat.plugin_sources import Named
from blastbeat.transport.control_client import ask
from tests.helpers.client import RawClient, Response
from tests.helpers.control import config_of
from tests.helpers.server import RunningServer
from tests.helpers.settings import HOST, VHOST_DEFAULTS, Table
from tests.helpers.stage import Stage

PING_FREQ = 0.1


def serve(stage: Stage, server: Table | None = None, vhost: Table | None = None) -> RunningServer:
    return stage.serve({"stats-bind": "127.0.0.1:0", "ping-freq": PING_FREQ, **(server or {})}, vhost)


def looker(stage: Stage) -> RawClient:
    """A connection to the status address."""
    address = stage.server.server.monitoring.address
    assert address is not None
    return stage.client(address=(address.host, address.port))


def get(stage: Stage, target: str, *, method: str = "GET", host: str = "127.0.0.1") -> Response:
    client = looker(stage)
    client.send_head(target, method=method, host=host)
    response = client.read_response(method)
    client.close()
    return response


def status(stage: Stage, **query: object) -> dict[str, Any]:
    response = get(stage, f"/status.json?{urllib.parse.urlencode(query)}")
    assert response.status == 200, response.body
    found: dict[str, Any] = json.loads(response.body)
    return found


def metrics(stage: Stage) -> dict[str, float]:
    """All samples by name and labels, those that are empty left out."""
    response = get(stage, "/metrics")
    assert response.status == 200, response.body
    families = text_string_to_metric_families(response.body.decode())
    return {
        " ".join([sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()) if v)]): sample.value
        for family in families
        for sample in family.samples
    }


def states(stage: Stage) -> dict[str, str]:
    return {
        instance["identity"]: instance["state"]
        for node in status(stage)["nodes"]
        for instance in node["instances"]
    }


def wait_for(stage: Stage, condition: Callable[[], bool], what: str) -> None:
    """Asks again after each turn of the server's loop."""
    for _ in range(5000):
        if condition():
            return
        stage.server.call(lambda: None)
    pytest.fail(f"never came true: {what}")


# ---------------------------------------------------------------- what is seen


def test_a_nodes_life(stage: Stage) -> None:
    """It comes, falls silent, speaks again, drains and is gone; status and metrics say the same."""
    server = serve(stage)
    assert states(stage) == {"app": "gone"}
    assert status(stage)["without_node"] == [HOST]
    node = stage.node("app/1")
    server.wait_counter("nodes.up")
    assert states(stage) == {"app/1": "up"}
    assert status(stage)["virtualhosts_without_node"] == 0
    assert metrics(stage)["blastbeat_node_up node=app router=tcp://127.0.0.1:*"] == 1
    server.wait_counter("nodes.silent")  # it answers no ping while nobody reads for it
    [told] = status(stage)["nodes"][0]["instances"]
    assert told["state"] == "silent" and told["why"].startswith("not heard from for")
    assert metrics(stage)["blastbeat_node_up node=app router=tcp://127.0.0.1:*"] == 0
    node.pong()
    server.wait_counter("nodes.up", 2)
    client = stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(b"", "drain")
    wait_for(stage, lambda: states(stage)["app/1"] == "draining", "it drains")
    node.respond(sid, b"last")
    assert client.read_response().body == b"last"
    client.close()
    node.close()
    wait_for(stage, lambda: states(stage) == {"app": "gone"}, "it is gone")


def test_requests_are_told_of_their_virtualhost(stage: Stage) -> None:
    server = serve(stage)
    node, client = stage.node(), stage.client()
    client.post(b"four")
    request = node.expect_request()
    node.expect_body(request.sid, 4)
    assert status(stage)["virtualhosts"][0]["sessions"] == 1
    node.respond(request.sid, b"answer")
    client.read_response()
    client.get(host="nowhere.test")
    assert client.read_response().status == 404
    client.close()
    server.wait_exchanges(2)
    told = status(stage)
    [virtualhost] = told["virtualhosts"]
    assert (virtualhost["bytes_in"], virtualhost["bytes_out"]) == (4, 6)
    assert virtualhost["answers"]["2xx"] == 1 and told["unmatched"]["answers"]["4xx"] == 1
    samples = metrics(stage)
    assert samples[f"blastbeat_requests_total code_class=2xx virtualhost={HOST}"] == 1
    assert samples["blastbeat_request_duration_seconds_count"] == 2


def test_limits_that_were_hit(stage: Stage) -> None:
    serve(stage, vhost={"sessions": 1})
    node, first, second = stage.node(), stage.client(), stage.client()
    first.get()
    node.expect_request()
    second.get()
    assert second.read_response().status == 503
    assert status(stage)["virtualhosts"][0]["limits_hit"] == {"sessions": 1}
    assert metrics(stage)[f"blastbeat_limits_hit_total limit=sessions virtualhost={HOST}"] == 1


def test_who_looks_is_no_customer(stage: Stage) -> None:
    """Counted, logged and limited apart: also while customers have taken every connection."""
    server = serve(stage, {"connections": 1})
    customer = stage.client()
    server.wait_counter("connections.accepted")
    for path in ("/", "/status.json", "/metrics", "/healthz"):
        assert get(stage, path).status == 200
    assert (
        server.counted().keys() <= {"connections.accepted"} and server.counters["connections.accepted"] == 1
    )
    assert not server.exchanges and status(stage)["server"]["connections"] == 1
    customer.close()


def test_the_command_tells_the_same(stage: Stage) -> None:
    path = stage.folder / "control.sock"
    serve(stage, {"control": str(path)})
    told, shown = ask(config_of(path), "status", {"limit": 1}), status(stage, limit=1)
    assert told.keys() == shown.keys()
    assert told["virtualhosts"] == shown["virtualhosts"] and told["nodes"] == shown["nodes"]


def test_while_the_server_stops(stage: Stage) -> None:
    server = serve(stage)
    node, client, looking = stage.node(), stage.client(), looker(stage)
    client.get()
    sid = node.expect_request().sid
    server.request_stop()
    assert get(stage, "/healthz").status == 503
    looking.send_head("/status.json", host="127.0.0.1")
    assert json.loads(looking.read_response().body)["server"]["state"] == "stopping"
    node.respond(sid, b"last")
    assert client.read_response().body == b"last"
    client.close()
    looking.read_to_eof()
    looking.close()
    server.join()


# ---------------------------------------------------------------- HTTP


class Teapots:
    """A plugin that counts what it refuses."""

    @hookimpl
    def blastbeat_register_counters(self, register: RegisterCounter) -> None:
        register("teapots.refused", "requests for coffee")

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("teapot", lambda options: Teapot())


class Teapot(Filter):
    def on_request(self, view: RequestView) -> Answer:
        view.count("teapots.refused")
        return Answer(418, limit="coffee")


def test_counters_of_a_plugin_are_told_like_the_servers_own(stage: Stage) -> None:
    settings = {"stats-bind": "127.0.0.1:0"}
    stage.serve(settings, {"filters": "teapot"}, plugins=[Named("teapots", Teapots())])
    assert metrics(stage)["blastbeat_plugin_teapots_refused_total"] == 0
    for _ in range(3):
        client = stage.client()
        client.get()
        assert client.read_response().status == 418
    told = status(stage)
    assert told["counters"]["teapots.refused"] == 3
    assert told["plugin_counters"] == {"teapots.refused": "requests for coffee"}
    assert told["virtualhosts"][0]["limits_hit"] == {"coffee": 3}
    assert metrics(stage)["blastbeat_plugin_teapots_refused_total"] == 3


@pytest.mark.parametrize("path", ["/", "/status.css", "/status.js", "/status.json", "/metrics", "/healthz"])
def test_head_tells_the_length_and_nothing_else(stage: Stage, path: str) -> None:
    serve(stage)
    response = get(stage, path, method="HEAD")
    assert response.status == 200 and int(response["Content-Length"]) > 0 and response.body == b""


def test_many_requests_on_one_connection(stage: Stage) -> None:
    serve(stage)
    client = looker(stage)
    for _ in range(3):
        client.send_head("/healthz", host="localhost")
        assert client.read_response().body == b"ok\n"
    client.close()


def test_an_upload_is_refused(stage: Stage) -> None:
    serve(stage)
    client = looker(stage)
    client.send_head("/", method="POST", host="127.0.0.1", headers=[("Content-Length", "1000000")])
    response = client.read_response()
    assert (response.status, response["Allow"], response["Connection"]) == (405, "GET, HEAD", "close")
    client.close()


def test_another_name_is_refused(stage: Stage) -> None:
    serve(stage)
    assert get(stage, "/status.json", host="evil.example").status == 421


def test_what_is_no_request_is_refused(stage: Stage) -> None:
    serve(stage)
    client = looker(stage)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert client.read_response().status == 400
    client.close()


def test_who_leaves_before_the_answer(stage: Stage) -> None:
    serve(stage)
    for _ in range(20):
        client = looker(stage)
        client.send_head("/metrics", host="127.0.0.1")
        client.reset()
    assert get(stage, "/healthz").status == 200


# ---------------------------------------------------------------- starting


def test_off_by_default(stage: Stage) -> None:
    assert stage.serve().server.monitoring.address is None


def test_an_address_in_use(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"127.0.0.1:{port}"):
            stage.serve({"stats-bind": f"127.0.0.1:{port}"})


def test_without_prometheus_client_the_start_warns(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise ModuleNotFoundError("prometheus_client")

    monkeypatch.setattr(service, "prepare", fail)
    [warning] = serve(stage).server.warnings
    assert "blastbeat[metrics]" in warning
    assert get(stage, "/metrics").status == 501 and get(stage, "/status.json").status == 200


# ---------------------------------------------------------------- read again


def test_figures_go_on_when_the_configuration_is_read_again(stage: Stage) -> None:
    """A virtualhost that changed keeps its sums, and the status tells which configuration is in force."""
    server = serve(stage)
    node, client = stage.node(), stage.client()
    stage.exchange(node, client)
    server.wait_exchanges(1)
    before = status(stage)["server"]
    stage.configure(
        {"stats-bind": "127.0.0.1:0", "ping-freq": PING_FREQ},
        vhosts={HOST: {**VHOST_DEFAULTS, "sessions": 7}, "new.test": {"node": ["app"]}},
    )
    server.reload()
    told = status(stage)
    assert (before["generation"], told["server"]["generation"]) == (1, 2)
    assert told["server"]["loaded_at"] > before["loaded_at"]
    changed, new = told["virtualhosts"]
    assert (changed["requests"], changed["sessions_limit"]) == (1, 7)
    assert (new["name"], new["state"], new["requests"]) == ("new.test", "up", 0)
    client.close()
