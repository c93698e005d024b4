"""The filter `limits`, and a virtualhost's `bandwidth`: a real server, real nodes, real clients."""

from __future__ import annotations

import time

import pytest

from blastbeat.events import CloseReason
from blastbeat.plugins.limits import SMOOTHING
from blastbeat.transport.paced import PIECE
from tests.helpers.node import head
from tests.helpers.stage import Stage


def test_a_client_over_its_rate(stage: Stage) -> None:
    server = stage.serve(vhost={"filters": "limits client-requests=1/h client-burst=2"})
    stage.app()
    client = stage.client()
    for _ in range(2):
        client.get()
        assert client.read_response().status == 200
    client.get()
    response = client.read_response()
    assert response.status == 429 and 3500 < int(response["Retry-After"]) <= 3600
    view = server.wait_exchanges(3)[2]
    assert (view.reason, view.detail) == (CloseReason.LIMIT, "over the limit client-requests=1/h")
    assert server.counters["limits.client-requests"] == 1


def test_too_many_at_once(stage: Stage) -> None:
    """And one more as soon as one of them is over."""
    server = stage.serve(vhost={"filters": [{"name": "limits", "concurrent": 1}]})
    node, first, second = stage.node(), stage.client(), stage.client()
    first.get()
    request = node.expect_request()
    second.get()
    response = second.read_response()
    assert response.status == 503 and response["Retry-After"] == "1"
    assert server.wait_exchanges(1)[0].reason is CloseReason.LIMIT
    node.respond(request.sid)
    assert first.read_response().status == 200
    stage.exchange(node, second)


@pytest.mark.parametrize("ends", ["length", "close"])
def test_bandwidth_holds_for_all_clients_together(stage: Stage, ends: str) -> None:
    """However the node sends it: here all at once. Everything arrives, and never sooner than the rate allows;
    that it is no later either is shown where the time is a number (test_client_output)."""
    rate, size = 400_000, 60_000
    stage.serve(vhost={"bandwidth": "400kB/s"})
    node = stage.node()
    clients = [stage.client() for _ in range(4)]
    for client in clients:
        client.send_head(version="1.0" if ends == "close" else "1.1")
    sids = [node.expect_request().sid for _ in clients]
    began = time.monotonic()
    for sid in sids:
        length = [] if ends == "close" else [("Content-Length", str(size))]
        node.send(sid, "headers", head(headers=length))
        node.send(sid, "body", b"x" * size)
        if ends == "close":
            node.send(sid, "end")
    for client in clients:
        assert client.read_response().body == b"x" * size
    ahead = SMOOTHING + PIECE / rate
    assert time.monotonic() - began >= len(clients) * size / rate - ahead


def test_bandwidth_and_a_node_with_credit(stage: Stage) -> None:
    """It gets its credit back as what it sent goes, so a response may be longer than what may wait for a
    client."""
    size, window = 262_144, 32_768
    settings = {"writequeue-buffer": "64KiB", "credit": window}
    stage.serve(settings, vhost={"bandwidth": "1MB/s"})
    node, client = stage.node("app/1", "credit=100000"), stage.client()
    node.expect("ping")
    assert int(node.expect("credit").body) == window
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head(headers=[("Content-Length", str(size))]))
    sent = 0
    while sent < size:
        if window == 0:
            window += int(node.expect("credit", sid).body)
        piece = min(window, size - sent)
        node.send(sid, "body", b"x" * piece)
        sent, window = sent + piece, window - piece
    assert client.read_response().body == b"x" * size


def test_an_upload_rate_holds_the_client_back(stage: Stage) -> None:
    """All of it arrives, and never sooner than the rate allows."""
    stage.serve(vhost={"filters": "limits upload=400kB/s"})
    stage.app(handler=lambda request: b"%d" % len(request.body))
    client = stage.client()
    began = time.monotonic()
    client.post(b"x" * 400_000)
    assert client.read_response().body == b"400000"
    assert time.monotonic() - began >= 0.2, "asyncio reads up to 256 KiB at once; the rest waits for them"
