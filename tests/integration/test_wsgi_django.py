"""A Django project through a server and a node answers as it does through the standard library's server."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import cast
from wsgiref.types import WSGIApplication

import httpx
import pytest

from tests.helpers.printing import PrintingProcess
from tests.helpers.source_tree import ROOT
from tests.helpers.stage import Stage
from tests.helpers.wsgi_servers import Shown, behind_blastbeat, behind_wsgiref, client_of, shown

STYLE = "/static/admin/css/base.css"
HIDDEN = [
    (r'name="csrfmiddlewaretoken" value="\w+"', "TOKEN"),
    (r"csrftoken=\w+", "csrftoken=..."),
    (r'messages="?[^;]+', "messages=..."),  # signed with the time
    (r"sessionid=\w+", "sessionid=..."),
    (r"expires=[^;]+", "expires=..."),
    (r'data-[a-z-]+="\d+"|<td class="[^"]*date[^"]*">.*?</td>|\d\d:\d\d:\d\d|\d+ (minute|second)s?', "WHEN"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project with a database as new."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLASTBEAT_TEST_FOLDER", str(folder))
        patch.setenv("DJANGO_SETTINGS_MODULE", "tests.apps.django_site.settings")
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User

        User.objects.create_superuser("admin", "admin@app.test", "sesame")
        connections.close_all()
    shutil.copy(folder / "database.sqlite3", folder / "new.sqlite3")
    return folder


@pytest.fixture
def application(site: Path) -> WSGIApplication:
    from tests.apps.django_site.wsgi import application

    shutil.copy(site / "new.sqlite3", site / "database.sqlite3")
    return cast(WSGIApplication, application)


def token(response: httpx.Response) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', response.text)
    assert found is not None, response.text
    return found[1]


def form(client: httpx.Client, path: str, **values: str) -> httpx.Response:
    """Gets it, fills it in and sends it."""
    return client.post(path, data={**values, "csrfmiddlewaretoken": token(client.get(path))})


def everything(client: httpx.Client) -> list[Shown]:
    """What a visitor of the project may do."""
    seen: list[Shown] = []

    def see(response: httpx.Response) -> httpx.Response:
        seen.append(shown(response, HIDDEN))
        return response

    see(client.get("/notes"))
    see(client.get("/notes/"))
    see(form(client, "/notes/", note="first & <b>"))
    see(client.post("/notes/", data={"note": "without a token"}))
    see(client.get("/notes/"))
    for size in (1000, 500_000):  # in memory, and in a temporary file
        see(client.post("/upload/", files={"file": (f"{size}.bin", b"z" * size)}))
        see(client.get(f"/download/{size}.bin"))
        see(client.head(f"/download/{size}.bin"))
    for path in (
        "/stream/3000",
        "/names/",
        "/fails/",
        "/static/admin/css/base.css",
        "/static/missing",
        "/%ff",
    ):
        see(client.get(path))
    style = client.get("/static/admin/css/base.css")
    see(
        client.get(
            "/static/admin/css/base.css", headers={"If-Modified-Since": style.headers["Last-Modified"]}
        )
    )
    see(client.get("/admin/", follow_redirects=True))
    see(form(client, "/admin/login/", username="admin", password="wrong", next="/admin/"))
    see(form(client, "/admin/login/", username="admin", password="sesame", next="/admin/"))
    see(client.get("/admin/"))
    see(form(client, "/admin/auth/group/add/", name="printers"))
    see(client.get("/admin/auth/group/"))
    see(form(client, "/admin/auth/group/add/", name="printers"))
    see(client.post("/admin/logout/", data={"csrfmiddlewaretoken": token(client.get("/notes/"))}))
    see(client.get("/admin/"))
    return seen


def test_the_same_answers_as_from_wsgiref(stage: Stage, site: Path, application: WSGIApplication) -> None:
    stage.serve()
    with behind_blastbeat(stage, application) as client:
        here = everything(client)
    shutil.copy(site / "new.sqlite3", site / "database.sqlite3")
    with behind_wsgiref(application) as client:
        there = everything(client)
    for number, (ours, theirs) in enumerate(zip(here, there, strict=True)):
        assert ours == theirs, f"step {number}"
    stage.server.allow_tracebacks = True  # of /fails/, which Django logs
    statuses = [status for status, *_ in here]
    assert statuses.count(500) == 1 and statuses.count(403) == 1 and statuses.count(302) >= 4


def test_the_client_and_its_scheme_as_the_application_sees_them(
    stage: Stage, application: WSGIApplication
) -> None:
    """Without SECURE_PROXY_SSL_HEADER and USE_X_FORWARDED_HOST."""
    stage.serve({"trusted-proxies": ["127.0.0.1"]})
    with behind_blastbeat(stage, application) as client:
        assert client.get("/facts/").json() == {
            "secure": False,
            "host": "app.test",
            "address": "http://app.test/a?b",
            "client": "127.0.0.1",
        }
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
        assert client.get("/facts/", headers=headers).json() == {
            "secure": True,
            "host": "app.test",
            "address": "https://app.test/a?b",
            "client": "192.0.2.7",
        }
        with client_of(str(client.base_url)) as forger:
            forger.headers["Host"] = "evil.test"
            assert forger.get("/facts/").status_code == 404  # the server's, which has no such virtualhost


def test_a_slow_download_holds_no_thread(stage: Stage, site: Path, application: WSGIApplication) -> None:
    (site / "uploads").mkdir(exist_ok=True)
    (site / "uploads" / "big.bin").write_bytes(bytes(20 * 1024 * 1024))
    stage.serve()
    with behind_blastbeat(stage, application, threads=1) as client:
        slow = stage.client(receive_buffer=4096)
        slow.get("/download/big.bin")
        head = slow.read_head()
        assert head["Content-Disposition"] == 'attachment; filename="big.bin"'
        assert client.get("/notes/").status_code == 200
        assert slow.read_exactly(int(head["Content-Length"])) == bytes(20 * 1024 * 1024)


def test_a_project_served_by_one_command(stage: Stage, site: Path, application: WSGIApplication) -> None:
    server = stage.serve()
    command = [sys.executable, "-m", "blastbeat", "node", "tests.apps.django_site.wsgi:application"]
    options = ["--connect", server.endpoint, "--name", "app", "--app-dir", str(ROOT), "--workers", "2"]
    with PrintingProcess(["env", f"BLASTBEAT_TEST_FOLDER={site}", *command, *options]) as node:
        node.wait_line("ready node app")
        with client_of(f"http://127.0.0.1:{server.port}") as client:
            login = form(client, "/admin/login/", username="admin", password="sesame", next="/admin/")
            assert login.status_code == 302
            assert "Site administration" in client.get("/admin/").text
            assert client.get(STYLE).headers["Content-Type"] == "text/css"
            assert client.get("/stream/3000").text.count("\n") == 3000
            data = bytes(3_000_000)
            assert client.post("/upload/", files={"file": ("a.bin", data)}).json()["size"] == len(data)
            assert client.get("/download/a.bin").content == data
