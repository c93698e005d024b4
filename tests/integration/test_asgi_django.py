"""Django's asynchronous side and Channels, in processes of their own: settings are one per process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.helpers.asgi_servers import HOST, Pair, open_websocket
from tests.helpers.source_tree import ROOT
from tests.helpers.stage import Stage
from tests.helpers.waiting import wait_until

APPLICATION = "tests.apps.django_site.asgi:application"


@contextlib.contextmanager
def process(environment: dict[str, str], *arguments: str, hand_over: int | None = None) -> Iterator[None]:
    running = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        pass_fds=() if hand_over is None else (hand_over,),
    )
    try:
        yield
    finally:
        if hand_over is not None:
            running.terminate()
        running.communicate(timeout=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[Pair]:
    environment = {
        "BLASTBEAT_TEST_FOLDER": str(folder),
        "DJANGO_SETTINGS_MODULE": "tests.apps.django_site.settings",
    }
    django = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(django, cwd=ROOT, env={**os.environ, **environment}, check=True, timeout=60)
    stage = Stage(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(stage.close)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = stage.serve()
        program = "tests.helpers.asgi_program"
        stack.enter_context(process(environment, program, APPLICATION, server.endpoint))
        uvicorn = ("uvicorn", "--fd", str(listener.fileno()), "--log-level", "critical", APPLICATION)
        stack.enter_context(process(environment, *uvicorn, hand_over=listener.fileno()))
        wait_until(lambda: server.server.figures().instances_up >= 1, "the node is up")
        yield Pair(server, listener.getsockname()[1])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("method", "path", "size", "status"),
    [
        ("GET", "/async/ticks/300", 0, 200),
        ("HEAD", "/async/ticks/3", 0, 200),
        ("POST", "/async/size/", 0, 200),
        ("POST", "/async/size/", 2_000_000, 200),
        ("POST", "/async/size/", 3_000_000, 400),  # over Django's limit, which reads none of it
        ("GET", "/async/fails/", 0, 500),
        ("GET", "/stream/3000", 0, 200),
        ("GET", "/notes", 0, 301),
        ("GET", "/static/admin/css/base.css", 0, 200),
        ("GET", "/nowhere", 0, 404),
        ("GET", "/admin/", 0, 302),
    ],
)
def test_the_same_as_uvicorn(pair: Pair, method: str, path: str, size: int, status: int) -> None:
    options = {"content": bytes(size)} if size else {}
    assert pair.same(method, path, **options).status_code == status


def test_a_view_is_cancelled_when_its_client_leaves(pair: Pair, folder: Path) -> None:
    for address in (pair.theirs, pair.ours):
        (folder / "left").unlink(missing_ok=True)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"http://{address}/async/hangs/", headers=HOST, timeout=0.5, trust_env=False)
        wait_until((folder / "left").exists, "the view was cancelled")


@pytest.fixture(params=["ours", "theirs"])
def address(pair: Pair, request: pytest.FixtureRequest) -> str:
    return str(getattr(pair, request.param))


def test_a_consumer_of_channels(address: str) -> None:
    with open_websocket(address, "/rooms/tea/", subprotocols=["chat"]) as websocket:
        assert websocket.subprotocol == "chat"
        websocket.send(json.dumps("hello"))
        assert json.loads(websocket.recv()) == {"room": "tea", "user": "AnonymousUser", "said": "hello"}
        websocket.send(json.dumps("leave"))
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv()
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4002, "as you like")


def test_a_consumer_refuses(address: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        open_websocket(address, "/rooms/closed/")
    assert caught.value.response.status_code == 403
