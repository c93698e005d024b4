"""Error pages and the offline page, as clients get them; and a file that can't be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat import hookimpl
from blastbeat.errors import ConfigError
from blastbeat.interfaces import Answer, Filter, Options, Register, RequestView
from blastbeat.preflight import examine_file
from tests.helpers.client import Response
from tests.helpers.stage import Stage


def pages(folder: Path, **bodies: str) -> dict[str, str]:
    """Files by name, ``.html``."""
    for name, body in bodies.items():
        (folder / f"{name}.html").write_text(body)
    return {name: f"{name}.html" for name in bodies}


def assert_page(response: Response, status: int, body: bytes) -> None:
    assert (response.status, response.body) == (status, body)
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Cache-Control"] == "no-store" and response.framing == "length"


def test_offline_while_no_node_is_there_else_the_page_of_503(stage: Stage) -> None:
    """Named relative to the configuration's folder."""
    pages(stage.folder, busy="<h1>busy", away="<h1>away ü")
    stage.serve(vhost={"error-page": "503 busy.html", "offline": "away.html", "sessions": 1})
    client = stage.client()
    client.get()
    response = client.read_response()
    assert_page(response, 503, "<h1>away ü".encode())
    assert int(response["Retry-After"]) > 0
    client.send_head(method="HEAD")
    response = client.read_response("HEAD")
    assert response.status == 503 and response["Content-Length"] == "11" and "Retry-After" in response
    node = stage.node()
    stage.exchange(node, client)
    second = stage.client()
    second.get()
    response = second.read_response()
    assert_page(response, 503, b"<h1>busy")
    assert "Retry-After" in response


def test_each_virtualhost_has_its_own(stage: Stage) -> None:
    pages(stage.folder, a="a's page", shared="everybody's page")
    stage.serve(
        {"error-page": ["503 shared.html", "404 shared.html", "400 shared.html"]},
        vhosts={
            "a.test": {"node": "a", "error-page": ["503 a.html"]},
            "b.test": {"node": "b"},
            "c.test": {"node": "c", "error-page": []},
        },
    )
    client = stage.client()
    for host, body in (("a.test", b"a's page"), ("b.test", b"everybody's page")):
        client.get(host=host)
        assert_page(client.read_response(), 503, body)
    client.get(host="c.test")
    assert client.read_response()["Content-Type"].startswith("text/plain")
    client.get(host="a.test")
    client.read_response()
    client.get(host="nobody.test")
    assert_page(client.read_response(), 404, b"everybody's page")
    client.send(b"nonsense\r\n\r\n")
    assert_page(client.read_response(), 400, b"everybody's page")
    client.expect_eof()


def test_every_answer_of_the_servers_own(stage: Stage) -> None:
    pages(stage.folder, page="the page")
    stage.serve(
        vhost={
            "error-page": ["502 page.html", "504 page.html", "413 page.html"],
            "response-timeout": 0.2,
            "max-body": 10,
        }
    )
    node = stage.node()
    client = stage.client()
    client.get()
    node.send(node.expect_request().sid, "abort", b"sorry")
    assert_page(client.read_response(), 502, b"the page")
    client.get()
    node.expect("end")
    node.expect_request()
    assert_page(client.read_response(), 504, b"the page")
    client.post(b"x" * 11)
    assert_page(client.read_response(), 413, b"the page")
    node.expect("end")


def test_an_error_of_the_nodes_own_is_its_own(stage: Stage) -> None:
    pages(stage.folder, page="the page")
    stage.serve(vhost={"error-page": "404 page.html"})
    node, client = stage.node(), stage.client()
    client.get()
    node.respond(node.expect_request().sid, b"not here", "404 Not Found")
    assert client.read_response().body == b"not here"


def test_a_filter_that_refuses_without_a_word(stage: Stage) -> None:
    class Refuse(Filter):
        def on_request(self, view: RequestView) -> Answer:
            return Answer(403, b"" if view.request.path == b"/page" else b"its own")

    class Plugin:
        @hookimpl
        def blastbeat_register_filters(self, register: Register) -> None:
            def make(options: Options) -> Filter:
                return Refuse()

            register("refuse", make)

    pages(stage.folder, page="the page")
    stage.serve(vhost={"error-page": "403 page.html", "filters": "refuse"}, plugins=[Plugin()])
    client = stage.client()
    client.get("/page")
    response = client.read_response()
    assert (response.status, response.body) == (403, b"the page")
    client.get("/other")
    assert client.read_response().body == b"its own"


def test_a_page_is_read_when_the_server_starts(stage: Stage) -> None:
    pages(stage.folder, away="as it was")
    stage.serve(vhost={"offline": "away.html"})
    (stage.folder / "away.html").unlink()
    client = stage.client()
    client.get()
    assert client.read_response().body == b"as it was"


def test_a_missing_page_keeps_the_server_from_starting(stage: Stage) -> None:
    with pytest.raises(ConfigError, match="offline = '.*away.html': the page cannot be read: No such file"):
        stage.serve(vhost={"offline": "away.html"})


def test_check_says_so_too(stage: Stage) -> None:
    path = stage.configure(vhost={"offline": "away.html"})
    (problem,) = [each for each in examine_file(path, {}) if each.severity == "error"]
    assert problem.line == path.read_text().splitlines().index('"offline" = "away.html"') + 1
    assert "the page cannot be read" in problem.message
