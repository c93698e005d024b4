"""docs/how-to/websockets.md as it stands: two rooms on one TLS port, many clients in each, real nodes."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.client import RawClient
from tests.helpers.printing import PrintingProcess
from tests.helpers.source_tree import ROOT
from tests.helpers.tls import client_context, write_authority, write_certificate
from tests.helpers.websocket import WebSocketClient

PAGE = (ROOT / "docs" / "how-to" / "websockets.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```(?:python|toml) (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
ROOMS = ("red", "blue")
MEMBERS = 25
"""In each room, as the page says."""


@dataclass(frozen=True)
class Rooms:
    server: PrintingProcess
    port: int
    folder: Path
    nodes: dict[str, PrintingProcess]
    stack: ExitStack

    def connect(self, room: str) -> WebSocketClient:
        raw = RawClient(self.port, tls=client_context(), server_name=f"{room}.example")
        self.stack.callback(raw.close)
        return WebSocketClient(raw)

    def join(self, room: str) -> WebSocketClient:
        """A client whose handshake is done: the node hears of it before any message that follows."""
        client = self.connect(room)
        client.handshake(host=f"{room}.example:8443")
        return client


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    assert set(FILES) == {"chat_node.py", "rooms.toml", "say.py"}
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    text = FILES["rooms.toml"].replace("127.0.0.1:8443", "127.0.0.1:0").replace(":5000", ":*")
    text = text.replace("[blastbeat]\n", "[blastbeat]\nping-freq = 0.05\n")  # nodes are found at once
    (tmp_path / "rooms.toml").write_text(text)
    for room in ROOMS:
        write_certificate(tmp_path, f"{room}.example")
    with ExitStack() as stack:
        run = [sys.executable, "-m", "blastbeat", "rooms.toml"]
        server = stack.enter_context(PrintingProcess(run, tmp_path))
        ready = re.match(r"ready https://127\.0\.0\.1:(\d+) zmq (\S+)", server.wait_line("ready "))
        assert ready is not None
        nodes = {
            room: stack.enter_context(
                PrintingProcess([sys.executable, "chat_node.py", room, ready[2]], tmp_path)
            )
            for room in ROOMS
        }
        made = Rooms(server, int(ready[1]), tmp_path, nodes, stack)
        for room in ROOMS:
            wait_for_node(made, room)
        yield made


def wait_for_node(rooms: Rooms, room: str) -> None:
    """Until it answers a request; before that the server says 503."""
    status = 503
    while status == 503 and rooms.nodes[room].is_running:
        raw = RawClient(rooms.port, tls=client_context(), server_name=f"{room}.example")
        try:
            raw.send_head("/", host=f"{room}.example:8443")
            status = raw.read_response().status
        finally:
            raw.close()
    assert status == 404, rooms.nodes[room].lines


def test_fifty_clients_chat_in_two_rooms(rooms: Rooms) -> None:
    members = {room: [rooms.join(room) for _ in range(MEMBERS)] for room in ROOMS}
    for room, here in members.items():
        here[-1].send_text(f"all in {room}")  # the node hears of it behind every handshake of the room
        for member in here:
            member.expect_text(f"all in {room}")
    for number in range(MEMBERS):
        for room in ROOMS:
            members[room][number].send_text(f"{number} in {room}")
    for room, here in members.items():
        expected = {f"{number} in {room}".encode() for number in range(MEMBERS)}
        heard = [[member.read().payload for _ in range(MEMBERS)] for member in here]
        # All of the room, nothing of the other, each once, and in the same order for everybody.
        assert set(heard[0]) == expected and all(each == heard[0] for each in heard)
    for here in members.values():
        for member in here:
            member.finish(1000, "bye")  # and nothing else had come


def test_who_has_left_is_left_out(rooms: Rooms) -> None:
    gone, stays = rooms.join("red"), rooms.join("red")
    gone.send_text("hello")
    stays.send_text("hello, too")
    for member in (gone, stays):
        assert {member.read().payload, member.read().payload} == {b"hello", b"hello, too"}
    gone.finish()
    for text in ("alone", "still alone"):  # by the second, all that the node sent of the first has come
        stays.send_text(text)
        stays.expect_text(text)
    assert not any("no such session" in line for line in rooms.server.lines), rooms.server.lines


def test_the_wrong_room_for_the_certificate_is_refused(rooms: Rooms) -> None:
    client = rooms.connect("red")
    client.ask(host="blue.example:8443")
    client.expect_refused(421)


def test_the_client_of_the_page(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(write_authority(rooms.folder)))
    red = rooms.join("red")
    with PrintingProcess(
        [sys.executable, "say.py", "red.example", str(rooms.port), "hello from red"], rooms.folder
    ) as said:
        red.expect_text("hello from red")
        said.wait_line("hello from red")
        red.send_text("hello yourself")
        said.wait_line("hello yourself")
        red.expect_text("hello yourself")
        rooms.nodes["red"].send_signal(signal.SIGKILL)
        said.wait_line("closed: 1012")
        red.expect_closed(1012)
        assert said.wait() == 0
