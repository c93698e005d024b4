"""Starlette behind a real server and a real node, beside uvicorn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.apps import gallery
from tests.helpers.asgi_servers import HOST, Pair, open_websocket, serving_twice
from tests.helpers.waiting import wait_until


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with serving_twice(gallery.application, tmp_path_factory.mktemp("starlette")) as pair:
        pair.server.allow_tracebacks = True  # applications here fail on purpose
        yield pair


PLAIN = {"Accept-Encoding": "identity"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/gallery/about", {}, 200),
        ("GET", "/gallery/file", {"headers": PLAIN}, 200),
        ("HEAD", "/gallery/file", {"headers": PLAIN}, 200),
        ("GET", "/gallery/file", {"headers": {**PLAIN, "Range": "bytes=10-19"}}, 206),
        ("GET", "/gallery/file", {"headers": {**PLAIN, "Range": "bytes=9000000-"}}, 416),
        ("PUT", "/gallery/sizes", {"content": bytes(1_500_000)}, 200),
        ("POST", "/gallery/sizes", {"content": b"x"}, 405),
        ("GET", "/lines", {"headers": PLAIN}, 200),
        ("GET", "/lines", {"headers": {"Accept-Encoding": "gzip"}}, 200),
        ("GET", "/away", {}, 303),
        ("GET", "/nowhere", {}, 404),
    ],
)
def test_the_same_as_uvicorn(pair: Pair, method: str, path: str, options: Any, status: int) -> None:
    assert pair.same(method, path, **options).status_code == status


def test_a_stream_that_fails_is_noticed(pair: Pair) -> None:
    for address in (pair.ours, pair.theirs):
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"http://{address}/fails-late", headers={**HOST, **PLAIN}, trust_env=False)


def test_websockets(pair: Pair) -> None:
    for number, address in enumerate((pair.ours, pair.theirs), start=1):
        with pytest.raises(InvalidStatus) as caught:
            open_websocket(address, "/room")
        response = caught.value.response
        assert (response.status_code, response.body) == (401, b'{"error":"no token"}')
        with open_websocket(address, "/room?token=secret") as websocket:
            websocket.send(b"\x00\xff")
            assert websocket.recv() == b"\x00\xff"
            websocket.close(4003, "enough")
        wait_until(lambda number=number: len(gallery.closed) == number, "it is told")  # type: ignore[misc]
    assert gallery.closed == [(4003, "enough")] * 2
