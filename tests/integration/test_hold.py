"""Requests that wait for an instance: a redeploy nobody notices, and the bounds of waiting."""

from __future__ import annotations

import threading

import pytest

from blastbeat.events import CloseReason
from tests.helpers.app import AppRequest
from tests.helpers.client import ConnectionEnded, RawClient
from tests.helpers.server import RunningServer
from tests.helpers.settings import Table
from tests.helpers.stage import Stage

HOLD: Table = {"hold": 30}


def wait_held(server: RunningServer, number: int) -> None:
    """Returns once so many requests wait."""
    wiring = server.server.wiring
    assert wiring is not None
    server.wait_until(lambda: wiring.dispatcher.holding.size == number, f"{number} requests held")


# ---------------------------------------------------------------- a node that comes


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_request_waits_for_its_node(stage: Stage, method: str) -> None:
    server = stage.serve(vhost=HOLD)
    client = stage.client()
    client.send_head("/early", method=method)
    wait_held(server, 1)
    node = stage.node()
    request = node.expect_request()
    assert (request["REQUEST_METHOD"], request["REQUEST_URI"]) == (method, "/early")
    node.respond(request.sid, b"at last")
    assert client.read_response(method).body == b"at last"
    assert server.counters["requests.held"] == 1


def test_the_order_of_arrival(stage: Stage) -> None:
    server = stage.serve(vhost=HOLD)
    clients = []
    for number in range(20):
        clients.append(stage.client())
        clients[-1].get(f"/{number}")
        wait_held(server, number + 1)
    node = stage.node()
    for number, client in enumerate(clients):
        request = node.expect_request()
        assert request["REQUEST_URI"] == f"/{number}"
        node.respond(request.sid, b"%d" % number)
        assert client.read_response().body == b"%d" % number


def test_an_upload_stays_with_its_client(stage: Stage) -> None:
    """Megabytes of it: nothing is read but what came first; then every byte arrives."""
    server = stage.serve(vhost=HOLD)
    client = stage.client()
    body = bytes(range(256)) * 32 * 1024  # 8 MiB, more than the system's buffers hold
    client.send_head(method="POST", headers=[("Content-Length", str(len(body)))])
    wait_held(server, 1)
    sent = 0
    while client.can_send(0.2):
        sent += client.send_some(memoryview(body)[sent:])
    assert sent < len(body)
    node = stage.node()
    sid = node.expect_request().sid
    sender = threading.Thread(target=client.send, args=(body[sent:],))
    sender.start()
    assert node.expect_body(sid, len(body)) == body
    sender.join()
    node.respond(sid, b"thanks")
    assert client.read_response().body == b"thanks"


def test_100_continue_comes_with_the_node(stage: Stage) -> None:
    server = stage.serve(vhost=HOLD)
    client = stage.client()
    client.send_head(method="POST", headers=[("Content-Length", "2"), ("Expect", "100-continue")])
    wait_held(server, 1)
    assert not client.wait_input(0)
    node = stage.node()
    assert client.read_head().status == 100
    client.send(b"hi")
    sid = node.expect_request().sid
    assert node.expect_body(sid, 2) == b"hi"
    node.respond(sid)
    assert client.read_response().status == 200


# ---------------------------------------------------------------- redeploys


def test_a_connection_whose_node_has_gone_waits_for_the_next(stage: Stage) -> None:
    server = stage.serve(vhost=HOLD)
    old, client = stage.node("app/1"), stage.client()
    sid = stage.exchange(old, client)
    old.close()
    server.wait_counter("nodes.gone")
    client.post(b"data")
    wait_held(server, 1)
    new = stage.node("app/2")
    request = new.expect_request()
    assert request.sid != sid and new.expect_body(request.sid, 4) == b"data"
    new.respond(request.sid, b"by the new one")
    assert client.read_response().body == b"by the new one"


def test_a_request_the_old_node_never_answered(stage: Stage) -> None:
    """Its node dies with it; it is safe to repeat, and waits for the successor."""
    server = stage.serve(vhost=HOLD)
    old, client = stage.node(), stage.client()
    client.get("/unlucky")
    old.expect_request()
    old.close()
    wait_held(server, 1)
    old.reconnect()
    request = old.expect_request()
    old.respond(request.sid, b"done")
    assert client.read_response().body == b"done"
    assert server.wait_exchanges(1)[0].hops == 1


def test_the_old_one_drains_and_the_new_one_comes(stage: Stage) -> None:
    """The only instance says `drain` and answers what it has; whoever comes meanwhile waits."""
    server = stage.serve(vhost=HOLD)
    old, busy, idle = stage.node("app/old"), stage.client(), stage.client()
    stage.exchange(old, idle)
    busy.get("/slow")
    request = old.expect_request()
    old.send(b"", "drain")
    while old.receive().type != b"end":  # of the idle session
        pass
    idle.get("/next")
    wait_held(server, 1)
    old.respond(request.sid, b"slow")
    assert busy.read_response().body == b"slow"
    new = stage.node("app/new")
    request = new.expect_request()
    new.respond(request.sid, b"next")
    assert idle.read_response().body == b"next"


class Load:
    """Clients that never stop asking, and note what they are answered."""

    def __init__(self, stage: Stage, number: int) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.wrong: list[object] = []
        self._port = stage.server.port
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in range(number)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        client = RawClient(self._port)
        try:
            count = 0
            while not self._stopping.is_set():
                count += 1
                expected = b"GET /%d-%d " % (number, count)
                client.get(f"/{number}-{count}")
                response = client.read_response()
                self.answers.append((response.status, response.body))
                if (response.status, response.body) != (200, expected):
                    self.wrong.append((response, expected))
        except (ConnectionEnded, AssertionError, OSError) as error:
            self.wrong.append(error)
        finally:
            client.close()

    def wait_answers(self, more: int) -> None:
        target = len(self.answers) + more
        while len(self.answers) < target and not self.wrong:
            self._stopping.wait(0.01)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(10)


def test_a_redeploy_under_load(stage: Stage) -> None:
    """The node dies without a word and is back much later, three times: no request fails, none is lost."""
    server = stage.serve(vhost={**HOLD, "node-grace": 0.1})
    node = stage.app()
    load = Load(stage, 8)
    try:
        for round in range(3):
            load.wait_answers(50)
            node.close()
            wait_held(server, 8)  # everybody waits
            assert server.counters["nodes.gone"] == round + 1
            node.restart()
        load.wait_answers(50)
    finally:
        load.stop()
    assert not load.wrong, load.wrong[:3]
    assert server.counters["requests.held-over"] == server.counters["requests.held-refused"] == 0


def test_a_rolling_redeploy_under_load(stage: Stage) -> None:
    """Instances follow each other, the next sometimes there before the last has gone, sometimes not: a POST
    that arrives in between waits too, for no node has seen it."""
    server = stage.serve(vhost={**HOLD, "node-grace": 0.1})
    node = stage.app("app/0")
    load = Load(stage, 8)
    try:
        for number in range(1, 5):
            load.wait_answers(40)
            if number % 2:
                following = stage.app(f"app/{number}")
                node.close()
            else:
                node.close()
                wait_held(server, 8)
                client = stage.client()
                client.post(b"while it is away", "/p")
                wait_held(server, 9)
                following = stage.app(f"app/{number}")
                assert client.read_response().body == b"POST /p while it is away"
            node = following
        load.wait_answers(40)
    finally:
        load.stop()
    assert not load.wrong, load.wrong[:3]


def test_more_wait_than_the_node_takes_at_once(stage: Stage) -> None:
    """A slow node with a tiny queue: those it has no room for wait on, and all are answered in the end."""
    taken: list[str] = []

    def handler(request: AppRequest) -> bytes:
        taken.append(request.variables["REQUEST_URI"])
        return request.variables["REQUEST_URI"].encode()

    server = stage.serve({"node-queue": "64KiB", "session-share": "32KiB", "high-water-mark": 10}, HOLD)
    clients = []
    for number in range(150):
        client = stage.client()
        client.get(f"/{number}?" + "x" * 4000)
        wait_held(server, number + 1)
        clients.append(client)
    stage.app(handler=handler)
    for number, client in enumerate(clients):
        assert client.read_response().body.startswith(b"/%d?" % number)
    assert [int(target[1:].partition("?")[0]) for target in taken] == list(range(150))


# ---------------------------------------------------------------- nobody comes


def test_the_time_is_over(stage: Stage) -> None:
    server = stage.serve(vhost={"hold": 0.1})
    client = stage.client()
    for _ in range(2):
        client.get()
        response = client.read_response()
        assert response.status == 503 and int(response["Retry-After"]) > 0
    views = server.wait_exchanges(2)
    assert all(view.reason is CloseReason.NO_INSTANCE and view.duration >= 0.1 for view in views)
    assert server.counters["requests.held-over"] == 2


def test_the_queue_is_bounded(stage: Stage) -> None:
    server = stage.serve(vhost={**HOLD, "hold-queue": 3})
    waiting = [stage.client() for _ in range(3)]
    for client in waiting:
        client.get()
    wait_held(server, 3)
    refused = stage.client()
    refused.get()
    response = refused.read_response()
    assert response.status == 503 and "Retry-After" in response
    node = stage.node()
    for _ in waiting:
        node.respond(node.expect_request().sid, b"served")
    assert [client.read_response().body for client in waiting] == [b"served"] * 3
    assert server.counters["requests.held-refused"] == 1


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("has_body", [False, True])
def test_a_client_leaves(stage: Stage, how: str, has_body: bool) -> None:
    """Noticed at once, also while nothing is read from it; the node that comes hears nothing of it."""
    server = stage.serve(vhost=HOLD)
    client = stage.client()
    if has_body:
        client.send_head(method="POST", headers=[("Content-Length", "100")])
        client.send(b"some of it")
    else:
        client.get()
    wait_held(server, 1)
    getattr(client, how)()
    wait_held(server, 0)
    assert server.wait_exchanges(1)[0].reason is CloseReason.CLIENT_LEFT
    stage.expect_nothing(stage.node())


def test_the_server_stops(stage: Stage) -> None:
    """Whoever waits is answered at once, rather than cut when `drain` is over."""
    server = stage.serve({"drain": 60}, HOLD)
    client = stage.client()
    client.get()
    wait_held(server, 1)
    server.request_stop()
    response = client.read_response()
    assert (response.status, response["Connection"]) == (503, "close") and "Retry-After" in response
    client.expect_eof()
    assert server.exchanges[0].reason is CloseReason.SERVER_STOP


def test_pipelined_requests_wait_one_behind_the_other(stage: Stage) -> None:
    server = stage.serve(vhost=HOLD)
    client = stage.client()
    for number in range(3):
        client.get(f"/{number}")
    wait_held(server, 1)
    stage.app()
    assert [client.read_response().body for _ in range(3)] == [b"GET /%d " % each for each in range(3)]
    assert server.counters["requests.held"] == 1


def test_other_virtualhosts_go_on(stage: Stage) -> None:
    server = stage.serve(
        vhosts={
            "away.test": {"node": ["away"], "hold": 30},
            "app.test": {"node": ["app"], "node-grace": 0.2},
        }
    )
    waiting = stage.client()
    waiting.get(host="away.test")
    wait_held(server, 1)
    stage.exchange(stage.node(), stage.client())
    away = stage.node("away")
    away.respond(away.expect_request().sid, b"back")
    assert waiting.read_response().body == b"back"
