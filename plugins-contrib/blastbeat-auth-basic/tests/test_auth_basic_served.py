"""A running server with auth-basic: what clients see, what nodes are told, what the access log says."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import blastbeat_auth_basic
from auth_basic_case import ANNA, BERT, write
from blastbeat_auth_basic import checks as checks_module

Start = Callable[..., Any]


def say(user: str, password: str) -> dict[str, str]:
    coded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {coded}"}


@pytest.fixture
def users(tmp_path: Path) -> Path:
    return write(tmp_path, ANNA, BERT)


@pytest.fixture
def serve(blastbeat_server: Start, users: Path) -> Start:
    def start(**options: Any) -> Any:
        authenticator = {"name": "auth-basic", "file": str(users), **options}
        vhosts = {"*": {"request-authenticators": [authenticator]}}
        return blastbeat_server(plugins={"auth-basic": blastbeat_auth_basic}, toml={"vhost": vhosts})

    return start


def test_the_node_gets_what_the_right_password_lets_in(
    serve: Start, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    server = serve(realm="The shop", header="X-Remote-User")
    node, client = blastbeat_node(), blastbeat_client()
    asked = client.get("/")
    assert asked.status == 401
    assert asked["WWW-Authenticate"] == 'Basic realm="The shop", charset="UTF-8"'
    assert client.get("/", say("anna", "Sesame")).status == 401
    assert client.get("/", {**say("anna", "sesame"), "X-Remote-User": "root"}).status == 200
    assert client.get("/", say("b\u00e9rt", "s\u00e9cret 1")).status == 200
    assert [request.variables["REMOTE_USER"] for request in node.requests] == ["anna", "b\u00c3\u00a9rt"]
    assert [request.headers["x-remote-user"] for request in node.requests] == ["anna", "b\u00c3\u00a9rt"]
    assert not any("authorization" in request.headers for request in node.requests)
    views = server.wait_exchanges(4)
    assert server.counters["auth-basic.refused"] == 2
    assert [(view.status, view.user) for view in views] == [
        (401, b""),
        (401, b""),
        (200, b"anna"),
        (200, "b\u00e9rt".encode()),
    ]
    assert "esame" not in repr(views)


def test_a_websocket_needs_a_password_too(
    serve: Start, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    serve()
    blastbeat_node()
    with pytest.raises(AssertionError, match="401"):
        blastbeat_client().websocket("/")
    websocket = blastbeat_client().websocket("/", say("anna", "sesame"))
    websocket.send("hello")
    assert websocket.receive() == "hello"
    websocket.close()


def test_a_slow_check_stops_nobody(
    serve: Start, blastbeat_node: Start, blastbeat_client: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a password is checked, who is known goes through, and who leaves leaves nothing behind."""
    server = serve(checks="1", waiting="1")
    blastbeat_node()
    known, slow, full, gone = (blastbeat_client() for _ in range(4))
    assert known.get("/", say("anna", "sesame")).status == 200
    begun, go_on = threading.Event(), threading.Event()

    def fits(password: bytes, hashed: bytes) -> bool:
        begun.set()
        assert go_on.wait(5)
        return False

    monkeypatch.setattr(checks_module, "fits", fits)
    gone.send_request("GET", "/", say("anna", "first guess"))
    assert begun.wait(5)
    assert known.get("/", say("anna", "sesame")).status == 200
    refused = full.get("/", say("anna", "third guess"))
    assert refused.status == 429 and refused["Retry-After"] == "1"
    assert server.counters["auth-basic.limited"] == 1
    gone.close()
    server.wait_exchanges(4)
    go_on.set()
    # Until the thread has ended, the check of the one that left still counts for this client.
    while (status := slow.get("/", say("anna", "second guess")).status) == 429:
        pass
    assert status == 401


def test_a_changed_file_is_in_force_without_a_reload(
    serve: Start, users: Path, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    serve()
    blastbeat_node()
    client = blastbeat_client()
    assert client.get("/", say("anna", "sesame")).status == 200
    users.write_text(ANNA.replace("anna", "inga"))
    # Looked at once a second by the server's clock: until then the old ones hold.
    while (status := client.get("/", say("anna", "sesame")).status) == 200:
        pass
    assert status == 401
    assert client.get("/", say("inga", "sesame")).status == 200


def test_no_password_gets_into_a_log(
    serve: Start,
    blastbeat_node: Start,
    blastbeat_client: Start,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "blastbeat"):
        server = serve()
        blastbeat_node()
        client = blastbeat_client()
        for headers in (say("anna", "sesame"), say("sesame", "anna"), say("anna\n", "sesame")):
            client.get("/", headers)
        server.wait_exchanges(3)
    assert "sesame" not in caplog.text.lower() and "c2VzYW1l" not in caplog.text


def test_a_broken_file_is_told_with_its_place(serve: Start, users: Path) -> None:
    from blastbeat.errors import ConfigError

    users.write_text("anna:sesame\n")
    with pytest.raises(ConfigError, match=r"users, line 1: the password of anna is no hash"):
        serve()
