"""`blastbeat demo` as its users run it: the page, the stream, and every way to end."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blastbeat.demo.site import BEATS
from tests.helpers.client import RawClient
from tests.helpers.printing import PrintingProcess
from tests.helpers.websocket import WebSocketClient
from tests.helpers.websocket_frames import CLOSE, TEXT

DEMO = [sys.executable, "-m", "blastbeat", "demo", "--port"]


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo that is killed cannot remove its socket's folder; the test's own is removed with it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@contextmanager
def running_demo() -> Iterator[tuple[PrintingProcess, int]]:
    """The demo on a free port, once it says where."""
    with PrintingProcess([*DEMO, "0"]) as demo:
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", demo.wait_line("http://"))
        assert address is not None
        yield demo, int(address[1])
        if demo.is_running:
            demo.send_signal(signal.SIGTERM)
            assert demo.wait() == 0


@contextmanager
def connected(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def get(connection: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, str]:
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def node_process(page: str) -> int:
    found = re.search(r"process (\d+)", page)
    assert found is not None
    return int(found[1])


def test_the_address_is_announced_when_the_node_serves_it() -> None:
    with running_demo() as (_, port), connected(port) as client:
        status, page = get(client, "/")
        assert status == 200
        assert f"127.0.0.1:{port}" in page


def test_the_page_shows_the_request_and_nothing_in_it_is_markup() -> None:
    with running_demo() as (_, port), connected(port) as client:
        _, page = get(client, "/?<script>", **{"User-Agent": "<img src=x onerror=alert(1)>"})
        shown = dict(re.findall(r'<tr><th scope="row">(\w+)</th><td>(.*?)</td></tr>', page))
        assert shown["REQUEST_METHOD"] == "GET"
        assert shown["QUERY_STRING"] == "&lt;script&gt;"
        assert shown["HTTP_USER_AGENT"] == "&lt;img src=x onerror=alert(1)&gt;"


def test_pages_leave_the_connection_usable() -> None:
    with running_demo() as (_, port), connected(port) as client:
        assert get(client, "/")[0] == 200
        first = client.sock
        assert get(client, "/missing")[0] == 404
        assert len(get(client, "/stream")[1].splitlines()) == BEATS
        assert client.sock is first


def test_lines_arrive_while_the_node_still_speaks() -> None:
    with running_demo() as (_, port), connected(port) as client:
        client.request("GET", "/stream")
        response = client.getresponse()
        assert response.readline().startswith(b"beat 1 of")
        # While this stream is open another request is answered: the first line did not wait for the last.
        with connected(port) as other:
            assert get(other, "/")[0] == 200
        assert response.readline().startswith(b"beat 2 of")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_server_and_node(number: signal.Signals) -> None:
    with running_demo() as (demo, _):
        demo.send_signal(number)
        assert demo.wait() == 0
        demo.wait_silent()


def test_a_node_that_dies_is_replaced() -> None:
    with running_demo() as (demo, port), connected(port) as client:
        first = node_process(get(client, "/")[1])
        os.kill(first, signal.SIGKILL)
        demo.wait_line("starting another one")
        # The GET may meet the moment without a node; the server says so, and when to come again.
        while (answer := get(client, "/"))[0] != 200:
            assert answer[0] in (502, 503)
        assert node_process(answer[1]) != first


def test_the_websockets_of_a_node_that_dies_are_told_to_come_again() -> None:
    """Its successor comes within `node-grace`, and knows nothing of them."""
    with running_demo() as (_, port):
        with connected(port) as client:
            first = node_process(get(client, "/")[1])
        chat = WebSocketClient(RawClient(port))
        chat.handshake("/chat")
        os.kill(first, signal.SIGKILL)
        while (message := chat.read()).opcode != CLOSE:
            assert message.opcode == TEXT  # who is here
        assert message.close_code == 1012
        chat.close()


def test_a_node_whose_server_was_killed_ends_by_itself() -> None:
    with running_demo() as (demo, _):
        demo.send_signal(signal.SIGKILL)
        assert demo.wait() == -signal.SIGKILL
        demo.wait_silent()


def test_a_busy_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with PrintingProcess([*DEMO, str(port)]) as demo:
            assert demo.wait() == 3
            demo.wait_silent()
            (line,) = demo.lines
            assert f"127.0.0.1:{port}" in line and "--port" in line


def test_a_long_poll_waits_for_a_knock() -> None:
    with running_demo() as (_, port), connected(port) as waiting, connected(port) as other:
        waiting.request("GET", "/poll")
        told = {"woken": 0}
        while not told["woken"]:  # the poll may still be on its way to the node
            other.request("POST", "/knock")
            told = json.loads(other.getresponse().read())
        answer = json.loads(waiting.getresponse().read())
        assert answer["knock"] == told["knock"]


def test_an_upload_arrives_whole() -> None:
    body = os.urandom(3 * 1024 * 1024)
    with running_demo() as (_, port), connected(port) as client:
        for headers in ({}, {"Transfer-Encoding": "chunked"}):
            pieces = iter([body[:100_000], body[100_000:]]) if headers else body
            client.request("POST", "/upload", pieces, headers, encode_chunked=bool(headers))
            told = json.loads(client.getresponse().read())
            assert told["bytes"] == len(body)
            assert told["sha256"] == hashlib.sha256(body).hexdigest()


def test_the_page_is_told_the_frames_of_its_requests() -> None:
    with running_demo() as (_, port), connected(port) as client:
        word = re.search(r'data-page="([^"]+)"', get(client, "/")[1])
        assert word is not None
        client.request("POST", f"/upload?page={word[1]}", b"abc")
        client.getresponse().read()
        news = json.loads(get(client, f"/frames?page={word[1]}&since=0")[1])
        assert [each["target"] for each in news["requests"]] == ["/", "/upload"]
        travelled = [(direction, kind) for _, direction, kind, *_ in news["requests"][1]["rows"]]
        assert travelled[:2] == [("received", "uwsgi"), ("received", "body")]
        assert ("sent", "headers") in travelled
