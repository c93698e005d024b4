"""FastAPI behind a real server and a real node, beside uvicorn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.apps import shop
from tests.helpers.asgi_servers import HOST, Pair, open_websocket, serving_twice
from tests.helpers.waiting import wait_until


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with serving_twice(shop.application, tmp_path_factory.mktemp("fastapi")) as pair:
        pair.server.allow_tracebacks = True  # applications here fail on purpose
        yield pair


TOKEN = {"Token": "secret"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/items/3?q=tea", {}, 200),
        ("HEAD", "/items/3", {}, 405),
        ("GET", "/items/three", {}, 422),
        ("POST", "/orders", {"json": {"item": "tea", "number": 2}, "headers": TOKEN}, 201),
        ("POST", "/orders", {"json": {"item": "tea", "number": 0}, "headers": TOKEN}, 422),
        ("POST", "/orders", {"content": b"{", "headers": TOKEN}, 422),
        ("POST", "/orders", {"json": {"item": "tea", "number": 2}}, 401),
        ("POST", "/upload", {"data": {"note": "n"}, "files": {"file": ("a.bin", bytes(500_000))}}, 200),
        ("GET", "/later", {}, 200),
        ("GET", "/events", {}, 200),
        ("GET", "/openapi.json", {}, 200),
        ("GET", "/docs", {}, 200),
        ("GET", "/docs/", {}, 307),
        ("GET", "/nowhere", {}, 404),
        ("GET", "/fails", {}, 500),
    ],
)
def test_the_same_as_uvicorn(pair: Pair, method: str, path: str, options: Any, status: int) -> None:
    assert pair.same(method, path, **options).status_code == status


def test_events_arrive_as_they_are_sent_and_a_client_that_leaves_ends_the_stream(pair: Pair) -> None:
    for number, address in enumerate((pair.ours, pair.theirs), start=1):
        with (
            httpx.Client(trust_env=False) as client,
            client.stream("GET", f"http://{address}/idle", headers=HOST) as response,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            assert next(response.iter_text()) == "data: 1\n\n"
        wait_until(lambda number=number: len(shop.left) == number, "the generator has ended")  # type: ignore[misc]


def test_websockets(pair: Pair) -> None:
    for address in (pair.ours, pair.theirs):
        with open_websocket(address, "/chat/tea") as websocket:
            websocket.send("hello")
            assert json.loads(websocket.recv()) == {"room": "tea", "text": "hello"}
        for path in ("/chat/closed", "/nowhere"):
            with pytest.raises(InvalidStatus) as caught:
                open_websocket(address, path)
            assert caught.value.response.status_code == 403
