"""One plugin of each kind by `blastbeat new-plugin`: made in an empty folder, installed into a fresh
environment, it passes its own tests and linters, and changes what a real server does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from blastbeat import API_VERSION
from blastbeat.new_plugin import KINDS
from tests.helpers.client import RawClient, Response
from tests.helpers.environment import FreshEnvironment, build, install_blastbeat
from tests.helpers.node import ScriptedNode
from tests.helpers.stage import Stage

pytestmark = pytest.mark.timeout(120)  # an installer and two linters each, on a machine that is busy

NAME = "acme-thing"


@dataclass
class Made:
    """A plugin that was made and installed. `told` is what the command printed."""

    kind: str
    folder: Path
    told: str
    environment: FreshEnvironment


@pytest.fixture(scope="module")
def blastbeat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_blastbeat(tmp_path_factory.mktemp("installed") / "blastbeat")


def make(kind: str, blastbeat: Path, place: Path) -> Made:
    environment = FreshEnvironment(place / "venv", blastbeat)
    empty = place / "empty"
    empty.mkdir()
    told = environment.run("blastbeat", "new-plugin", NAME, "--kind", kind, cwd=empty)
    [folder] = empty.iterdir()
    environment.install(folder)
    return Made(kind, folder, told, environment)


@pytest.fixture(scope="module", params=sorted(KINDS))
def made(request: pytest.FixtureRequest, blastbeat: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(request.param, blastbeat, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mypy's; what it has read of BlastBeat for one kind serves the others."""
    return tmp_path_factory.mktemp("cache")


# ---------------------------------------------------------------- what each kind is


def test_its_own_tests_pass(made: Made) -> None:
    printed = made.environment.run("pytest", "-q", "-p", "no:cacheprovider", cwd=made.folder)
    assert " passed" in printed and "skipped" not in printed


def test_its_linters_are_content(made: Made, cache: Path) -> None:
    made.environment.run("ruff", "check", "--no-cache", ".", cwd=made.folder)
    made.environment.run("ruff", "format", "--no-cache", "--check", ".", cwd=made.folder)
    made.environment.run("mypy", "--cache-dir", str(cache), cwd=made.folder)


def test_its_example_is_good_and_it_is_listed(made: Made) -> None:
    made.environment.run("blastbeat", "check", "--strict", "blastbeat.toml", cwd=made.folder)
    listed = made.environment.run("blastbeat", "plugins", cwd=made.folder)
    api = ".".join(map(str, API_VERSION))
    assert f"{NAME}: active (blastbeat-{NAME} 0.1.0, for API {api})" in listed
    assert f"{KINDS[made.kind].registered} {NAME}" in listed


def test_what_is_said_to_be_next_is_there(made: Made) -> None:
    for path in made.folder.rglob("*"):
        if path.is_file() and not {"__pycache__", ".hypothesis"} & set(path.parts):
            assert str(path.relative_to(made.folder)) in made.told
    assert "python -m pytest" in made.told and "serve blastbeat.toml" in made.told


def test_it_builds(made: Made, tmp_path: Path) -> None:
    build(made.folder, tmp_path)


# ---------------------------------------------------------------- what a client gets


class Served:
    """A `blastbeat serve` of the plugin's own example configuration, on free ports."""

    def __init__(self, made: Made, stage: Stage) -> None:
        self._stage = stage
        config = made.folder / "served.toml"
        example = (made.folder / "blastbeat.toml").read_text()
        # The name of a socket may have about a hundred characters; folders of tests have long names.
        config.write_text("\n".join(line for line in example.splitlines() if not line.startswith("control")))
        self._process = stage.serve_process(
            config,
            *("--bind", "127.0.0.1:0", "--zmq", "tcp://127.0.0.1:*"),
            python=made.environment.python,
            environ={"PYTHONSAFEPATH": "1"},  # not from here
        )
        self._port = self._process.wait_ready()

    def node(self, name: str, announce: bool = True) -> ScriptedNode:
        return self._stage.node(name, endpoint=self._process.wait_endpoint(), announce=announce)

    def client(self) -> RawClient:
        return self._stage.client(address=("127.0.0.1", self._port))

    def wait_line(self, pattern: str) -> str:
        return self._process.wait_match(pattern)


def answer(node: ScriptedNode, client: RawClient, target: str = "/") -> Response:
    """What the client gets for a request that this node answers."""
    client.get(target)
    node.respond(node.expect_request().sid, b"ok")
    return client.read_response()


def show_encoder(served: Served) -> None:
    node, client = served.node("app"), served.client()
    client.get("/path?query", headers=[("User-Agent", "a test")])
    request = node.expect(NAME)
    method, *lines = request.body.split(b"\n")
    assert method == b"GET /path?query 127.0.0.1" and b"user-agent: a test" in lines
    node.send(request.sid, NAME, b"404 text/html\n<h1>not here</h1>")
    response = client.read_response()
    assert (response.status, response["Content-Type"]) == (404, "text/html")
    assert response.body == b"<h1>not here</h1>"


def show_selector(served: Served) -> None:
    rented, own = served.node("rented"), served.node("own")
    for node in (own, own, rented, rented):
        answer(node, served.client())


def show_authenticator(served: Served) -> None:
    node, client = served.node("app"), served.client()
    client.get("/")
    refused = client.read_response()
    assert (refused.status, refused["WWW-Authenticate"]) == (401, "Key")
    client.get("/", headers=[("X-Api-Key", "open-sesame")])
    request = node.expect_request()
    assert request["REMOTE_USER"] == "alice"
    node.respond(request.sid, b"ok")
    assert client.read_response().status == 200


def show_node_authenticator(served: Served) -> None:
    stranger = served.node("app2", announce=False)
    stranger.pong()
    served.wait_line(".*node app2 is refused")
    at_home = served.node("app1")
    for _ in range(4):
        answer(at_home, served.client())


def show_filter(served: Served) -> None:
    node, client = served.node("app"), served.client()
    client.get("/robots.txt")
    assert client.read_response().body == b"User-agent: *\nAllow: /about\nDisallow: /\n"
    assert answer(node, client, "/")["X-Robots-Tag"] == "noindex, nofollow"
    assert "X-Robots-Tag" not in answer(node, client, "/about/us")


SHOWS: dict[str, Callable[[Served], None]] = {
    "encoder": show_encoder,
    "selector": show_selector,
    "authenticator": show_authenticator,
    "node-authenticator": show_node_authenticator,
    "filter": show_filter,
}


def test_a_server_does_what_it_says(made: Made, stage: Stage) -> None:
    SHOWS[made.kind](Served(made, stage))


# ---------------------------------------------------------------- the package


def test_blastbeat_is_the_one_that_was_built(made: Made, blastbeat: Path) -> None:
    """And so the templates came out of its wheel."""
    where = made.environment.print_value("blastbeat.__file__", cwd=made.folder)
    assert Path(where).is_relative_to(blastbeat)
