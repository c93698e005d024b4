"""A running server with auth-jwt: HTTP and WebSockets, keys from files and from a URL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import blastbeat_auth_jwt
from auth_jwt_case import Issuer, ec_key, jwk, key_file, token

Start = Callable[..., Any]


@pytest.fixture
def serve(blastbeat_server: Start) -> Start:
    def start(**options: Any) -> Any:
        authenticator = {"name": "auth-jwt", **options}
        vhosts = {"*": {"request-authenticators": [authenticator]}}
        return blastbeat_server(plugins={"auth-jwt": blastbeat_auth_jwt}, toml={"vhost": vhosts})

    return start


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def say(coded: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {coded}"}


def test_the_node_gets_who_it_is_and_what_the_token_says(
    serve: Start,
    tmp_path: Path,
    blastbeat_node: Start,
    blastbeat_client: Start,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "blastbeat"):
        server = serve(key=key_file(tmp_path), variables=["JWT_MAIL=email"], headers="X-Mail=email")
        node, client = blastbeat_node(), blastbeat_client()
        assert client.get("/")["WWW-Authenticate"] == 'Bearer realm="Restricted"'
        bad = client.get("/", say(token(ec_key("other"))))
        assert (bad.status, "invalid_token" in bad["WWW-Authenticate"]) == (401, True)
        good = token(email="a@example.org")
        assert client.get("/", {**say(good), "X-Mail": "root@example.org"}).status == 200
        variables = node.requests[0].variables
        assert node.requests[0].headers["x-mail"] == "a@example.org"
        assert (variables["REMOTE_USER"], variables["JWT_MAIL"]) == ("anna", "a@example.org")
        views = server.wait_exchanges(3)
        assert [(view.status, view.user) for view in views] == [(401, b""), (401, b""), (200, b"anna")]
        assert views[1].detail == "the signature is wrong"
    assert good not in caplog.text and good not in repr(views)


def test_websockets(serve: Start, tmp_path: Path, blastbeat_node: Start, blastbeat_client: Start) -> None:
    serve(key=key_file(tmp_path), **{"from": "header cookie:session"})
    node = blastbeat_node()
    with pytest.raises(AssertionError, match="401"):
        blastbeat_client().websocket("/")
    websocket = blastbeat_client().websocket("/", {"Cookie": f"session={token()}"})
    websocket.send("hello")
    assert websocket.receive() == "hello"
    assert node.requests[0].variables["REMOTE_USER"] == "anna"
    websocket.close()


def test_without_keys_nobody_gets_in(
    serve: Start, issuer: Issuer, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    server = serve(**{"jwks-url": issuer.url})
    blastbeat_node()
    client = blastbeat_client()
    issuer.answer = (500, b"")
    assert client.get("/").status == 401
    down = client.get("/", say(token(header={"kid": "a"})))
    assert down.status == 503 and "Retry-After" in down
    assert server.counters["auth-jwt.refused"] == server.counters["auth-jwt.without-keys"] == 1


def test_keys_at_a_url_are_fetched_when_the_first_token_comes(
    serve: Start, issuer: Issuer, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    serve(**{"jwks-url": issuer.url})
    blastbeat_node()
    client = blastbeat_client()
    issuer.offer(jwk(ec_key(), kid="a"))
    assert issuer.requests == 0
    for _ in range(3):
        assert client.get("/", say(token(header={"kid": "a"}))).status == 200
    assert client.get("/", say(token(header={"kid": "b"}))).status == 401
    assert issuer.requests == 1
