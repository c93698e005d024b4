"""docs/reference/filters.md: its examples mean the same in both notations, each option is in it; and the
filters at work, with a real server and real nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from blastbeat.config import load_config
from blastbeat.config.model import PluginRef, VirtualHostConfig
from blastbeat.events import CloseReason
from blastbeat.interfaces import Validator
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugins import answer, headers, limits, redirect, rewrite
from tests.helpers.server import RunningServer
from tests.helpers.stage import Stage

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "filters.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
OPTIONS: dict[str, Mapping[str, Validator]] = {
    "redirect": redirect.OPTIONS,
    "rewrite": rewrite.OPTIONS,
    "headers": headers.OPTIONS,
    "answer": answer.OPTIONS,
    "limits": limits.OPTIONS,
}
_EXAMPLES = re.compile(r"^```toml\n(.*?)^```\n\n```ini\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = _EXAMPLES.findall(PAGE)

# ---------------------------------------------------------------- the page


def test_the_page_has_a_section_for_each_filter() -> None:
    manager = PluginManager(discover=list)
    manager.load()
    assert set(SECTIONS) == set(OPTIONS) == set(manager.build_registry().names("filter"))


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_is_in_the_table_of_its_filter_and_no_other(name: str) -> None:
    found = re.findall(r"^\| `([\w-]+)` \|", SECTIONS[name], re.MULTILINE)
    assert sorted(found) == sorted(OPTIONS[name])


def test_each_filter_has_an_example() -> None:
    assert len(EXAMPLES) == 1 + len(OPTIONS)
    for name, text in SECTIONS.items():
        toml, ini = _EXAMPLES.findall(text)[0]
        assert name in toml and f"filters = {name} " in ini


def host_of(path: Path, text: str) -> VirtualHostConfig:
    path.write_text(text)
    config, problems = load_config(path)
    assert problems == []
    return config.virtualhosts[0]


@pytest.mark.parametrize("toml, ini", EXAMPLES)
def test_examples_mean_the_same_in_both_notations(tmp_path: Path, toml: str, ini: str) -> None:
    server = '[blastbeat]\nbind = "127.0.0.1:1"\nzmq = "tcp://127.0.0.1:2"\n'
    if "node" not in toml:
        toml = '[vhost."shop.example"]\nnode = "shop"\n' + toml
    if "[blastbeat" not in ini:
        ini = "[blastbeat:shop.example]\nnode = shop\n" + ini
    first = host_of(tmp_path / "a.toml", server + toml)
    second = host_of(tmp_path / "a.ini", server.replace('"', "") + ini)
    assert [validated(each) for each in first.filters] == [validated(each) for each in second.filters]


def validated(ref: PluginRef) -> tuple[str, dict[str, object]]:
    """What the factory would get, comparable."""
    options = {name: OPTIONS[ref.name][name](value) for name, value in ref.options.items()}
    return ref.name, {name: getattr(value, "text", value) for name, value in options.items()}


# ---------------------------------------------------------------- at work

INI = """[blastbeat]
bind = 127.0.0.1:0
zmq = tcp://127.0.0.1:*
stats-freq = 0

[blastbeat:app.test]
node = app
filters = headers response-set="X-Frame-Options: DENY" response-remove=X-Powered-By add="X-A: 2" remove=Cookie
filters = redirect path=/old to=/new{rest} status=301
filters = rewrite pattern='/article/([0-9]+)' to=/index?id={1}
filters = answer path=/page file=page.html
filters = answer path=/gone status=410
"""

TOML = """[blastbeat]
bind = "127.0.0.1:0"
zmq = "tcp://127.0.0.1:*"
stats-freq = 0

[vhost."app.test"]
node = "app"

[[vhost."app.test".filters]]
name = "headers"
response-set = { X-Frame-Options = "DENY" }
response-remove = ["X-Powered-By"]
add = ["X-A: 2"]
remove = "Cookie"

[[vhost."app.test".filters]]
name = "redirect"
path = "/old"
to = "/new{rest}"
status = 301

[[vhost."app.test".filters]]
name = "rewrite"
pattern = '/article/([0-9]+)'
to = "/index?id={1}"

[[vhost."app.test".filters]]
name = "answer"
path = "/page"
file = "page.html"

[[vhost."app.test".filters]]
name = "answer"
path = "/gone"
status = 410
"""


@pytest.fixture(params=["ini", "toml"])
def server(stage: Stage, request: pytest.FixtureRequest) -> RunningServer:
    (stage.folder / "page.html").write_text("<p>page")
    path = stage.folder / f"blastbeat.{request.param}"
    path.write_text(INI if request.param == "ini" else TOML)
    return stage.use(RunningServer(path))


def test_a_redirect(stage: Stage, server: RunningServer) -> None:
    client = stage.client()
    for target in ("/old/a?b=c", "//x/%2e%2e/%6fld/a?b=c"):
        client.get(target)
        response = client.read_response()
        assert (response.status, response["Location"]) == (301, "/new/a?b=c")
    client.send_head("/old", method="HEAD")
    response = client.read_response("HEAD")
    assert (response.status, response["Location"], response.body) == (301, "/new", b"")
    view = server.wait_exchanges(3)[0]
    assert (view.reason, view.detail) == (CloseReason.COMPLETE, "redirect")


def test_a_rewrite_and_fields_for_the_node(stage: Stage, server: RunningServer) -> None:
    node, client = stage.node(), stage.client()
    client.get("/article/7?x=1", headers=[("Cookie", "a=b"), ("X-A", "1")])
    request = node.expect_request()
    assert request["REQUEST_URI"] == "/index?id=7&x=1"
    assert (request["PATH_INFO"], request["QUERY_STRING"]) == ("/index", "id=7&x=1")
    assert request["HTTP_X_A"] == "1, 2" and "HTTP_COOKIE" not in request
    node.respond(request.sid, b"seven", headers=[("X-Powered-By", "cgi"), ("X-Frame-Options", "ALLOW")])
    response = client.read_response()
    assert response.body == b"seven" and response.all("X-Frame-Options") == ["DENY"]
    assert response.all("X-Powered-By") == []
    assert server.wait_exchanges(1)[0].target == b"/article/7?x=1"


def test_answers_from_a_file_and_with_an_error(stage: Stage, server: RunningServer) -> None:
    client = stage.client()
    client.get("/page/x")
    response = client.read_response()
    assert (response.status, response.body) == (200, b"<p>page")
    assert response["Content-Type"] == "text/html; charset=utf-8"
    client.get("/gone")
    response = client.read_response()
    assert (response.status, response.body) == (410, b"410 Gone\n")
    assert [view.reason for view in server.wait_exchanges(2)] == [CloseReason.COMPLETE, CloseReason.REFUSED]


def test_fields_are_on_every_response(stage: Stage, server: RunningServer) -> None:
    """Of nodes, of filters behind, and on errors of the server's own."""
    client = stage.client()
    for target, status in (("/old", 301), ("/gone", 410), ("/", 503)):
        client.get(target)
        response = client.read_response()
        assert (response.status, response["X-Frame-Options"]) == (status, "DENY")


def test_a_reload_reads_files_again(stage: Stage) -> None:
    """Also of a virtualhost whose configuration is what it was."""
    page = stage.folder / "page.txt"
    page.write_text("old")
    vhost = {"filters": "answer file=page.txt"}
    stage.serve(vhost=vhost)
    client = stage.client()
    client.get()
    assert client.read_response().body == b"old"
    page.write_text("new")
    stage.reload(vhost=vhost)
    client.get()
    assert client.read_response().body == b"new"


def test_rates_outlive_a_reload_of_others(stage: Stage) -> None:
    bounded = {"node": "app", "filters": "limits client-requests=1/h"}
    stage.serve(vhosts={"app.test": bounded, "other.test": {"node": "app"}})
    stage.app()
    client = stage.client()
    client.get()
    assert client.read_response().status == 200
    stage.reload(vhosts={"app.test": bounded, "other.test": {"node": "app", "max-hops": 3}})
    client.get()
    assert client.read_response().status == 429
