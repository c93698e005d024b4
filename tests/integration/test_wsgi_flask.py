"""A Flask application through a server and a node answers as it does through wsgiref's server."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from tests.apps.flask_app import app
from tests.helpers.stage import Stage
from tests.helpers.tls import client_context, write_certificate
from tests.helpers.wsgi_servers import behind_blastbeat, behind_wsgiref, client_of, shown

Step = Callable[[httpx.Client], httpx.Response]

STEPS: list[Step] = [
    lambda client: client.get("/"),
    lambda client: client.post("/visits", data={"number": "3"}),
    lambda client: client.get("/"),
    lambda client: client.post("/visits", data={"number": "4"}, follow_redirects=True),
    lambda client: client.post("/visits", data={"number": "x"}),
    lambda client: client.post("/upload", files={"file": ("ä.txt", b"0123456789" * 100_000, "text/plain")}),
    lambda client: client.post("/upload", data={"a": "b"}),
    lambda client: client.put("/raw", content=b"x" * 300_000),
    lambda client: client.get("/stream/2000"),
    lambda client: client.get("/stream/0"),
    lambda client: client.head("/stream/5"),
    lambda client: client.head("/"),
    lambda client: client.get("/file"),
    lambda client: client.head("/file"),
    lambda client: client.get("/file", headers={"Range": "bytes=100-199"}),
    lambda client: client.get("/file", headers={"Range": "bytes=999999-"}),
    lambda client: client.get("/file", headers={"If-None-Match": '"of-bytes"'}),
    lambda client: client.get("/nothing"),
    lambda client: client.get("/fails"),
    lambda client: client.get("/missing"),
    lambda client: client.delete("/"),
    lambda client: client.options("/upload"),
    lambda client: client.get("/path/a%2Fb/%C3%A9%20c;d?x=%26&y", headers={b"X-Name": "e\u00e9".encode()}),
    lambda client: client.get("/path//double/../dots"),
]
HIDDEN = [
    (r"session=[^;]+", "session=..."),  # signed with the time
    (r"HTTP/1\.[01]", "HTTP"),
]


def test_the_same_answers_as_from_wsgiref(stage: Stage) -> None:
    stage.serve()
    with behind_blastbeat(stage, app) as here, behind_wsgiref(app) as there:
        for number, step in enumerate(STEPS):
            assert shown(step(here), HIDDEN) == shown(step(there), HIDDEN), f"step {number}"
    stage.server.allow_tracebacks = True  # of /fails, which Flask logs


def test_an_upload_of_unknown_length(stage: Stage) -> None:
    """Werkzeug reads it, because `wsgi.input_terminated` says that it ends by itself."""
    stage.serve()
    with behind_blastbeat(stage, app) as client:
        answer = client.put("/raw", content=(b"y" * 1000 for _ in range(500))).json()
        assert (answer["size"], answer["length"]) == (500_000, None)


def test_a_response_that_fails_midway_is_cut(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.serve()
    with behind_blastbeat(stage, app) as client:
        with pytest.raises(httpx.RemoteProtocolError), client.stream("GET", "/fails-late") as response:
            assert response.status_code == 200
            response.read()
        assert client.get("/").status_code == 200
    stage.server.allow_tracebacks = True
    assert "the application failed: GET /fails-late" in caplog.text


@pytest.mark.parametrize("is_fixed", [False, True])
def test_the_client_and_its_scheme_as_the_application_sees_them(stage: Stage, is_fixed: bool) -> None:
    """Without ProxyFix; with it, which takes the server's own X-Forwarded-*, nothing is different."""
    stage.serve({"trusted-proxies": ["127.0.0.1"]})
    application = ProxyFix(app, x_for=1, x_proto=1, x_host=1) if is_fixed else app
    with behind_blastbeat(stage, application, root_path="/shop") as client:
        plain = client.get("/shop/facts").json()
        assert plain == {
            "secure": False,
            "host": "app.test",
            "root": "http://app.test/shop/",
            "client": "127.0.0.1",
            "path": "/facts",
            "script": "/shop",
        }
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
        proxied = client.get("/shop/facts", headers=headers).json()
        assert proxied["secure"] and proxied["client"] == "192.0.2.7"
        assert proxied["root"] == "https://app.test/shop/"


def test_a_client_that_speaks_tls(stage: Stage, tmp_path: Path) -> None:
    certificate = str(write_certificate(tmp_path, "app.test"))
    stage.serve({"bind": None, "bind-ssl": "127.0.0.1:0", "certificate": certificate})
    with behind_blastbeat(stage, app):
        with client_of(f"https://127.0.0.1:{stage.server.port}", verify=client_context()) as client:
            facts = client.get("/facts", extensions={"sni_hostname": "app.test"}).json()
            assert facts["secure"] and facts["root"] == "https://app.test/"
            assert facts["client"] == "127.0.0.1"


def test_a_session_in_a_cookie(stage: Stage) -> None:
    stage.serve()
    with behind_blastbeat(stage, app) as client:
        client.post("/visits", data={"number": "3"})
        client.post("/visits", data={"number": "4"})
        assert client.get("/").text == "visits: 7, no question\n"
        with client_of(str(client.base_url)) as other:
            assert re.match("visits: 0", other.get("/").text)
