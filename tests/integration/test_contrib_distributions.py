"""Each distribution in plugins-contrib as its users get it: built, installed alone into a fresh environment,
found by its entry point, and serving. Its own tests run with ours, and in `.ci/fresh_install.py` where it is
installed.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers.client import RawClient
from tests.helpers.contrib import Distribution, distributions
from tests.helpers.environment import FreshEnvironment, build, install_blastbeat
from tests.helpers.node import ScriptedNode
from tests.helpers.settings import Table, configuration
from tests.helpers.stage import Stage

pytestmark = pytest.mark.timeout(120)  # an installer each, on a machine that is busy


@dataclass(frozen=True)
class Installed:
    distribution: Distribution
    environment: FreshEnvironment
    sdist: Path
    wheel: Path
    folder: Path


@pytest.fixture(scope="module")
def blastbeat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_blastbeat(tmp_path_factory.mktemp("installed") / "blastbeat")


@pytest.fixture(scope="module", params=distributions(), ids=lambda found: found.name)
def installed(
    request: pytest.FixtureRequest, blastbeat: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """From its sdist, so that nothing is missing there."""
    distribution: Distribution = request.param
    folder = tmp_path_factory.mktemp(distribution.name)
    sdist, wheel = build(distribution.folder, folder)
    environment = FreshEnvironment(folder / "venv", blastbeat)
    environment.install(sdist)
    return Installed(distribution, environment, sdist, wheel, folder)


def test_what_is_built_is_complete(installed: Installed) -> None:
    module = installed.distribution.module
    with zipfile.ZipFile(installed.wheel) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    source = installed.distribution.source
    files = {path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert packed == {f"{module}/{path.relative_to(source)}" for path in files}
    with tarfile.open(installed.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"README.md", "pyproject.toml", f"src/{module}/py.typed"} <= names
    assert any(name.startswith("tests/test_") for name in names)


def test_it_is_found_by_its_entry_point_alone(installed: Installed) -> None:
    distribution = installed.distribution
    [plugin] = distribution.entry_points
    listed = installed.environment.run("blastbeat", "plugins", cwd=installed.folder)
    version = distribution.project["version"]
    assert re.search(
        rf"^{plugin}: active \({distribution.name} {re.escape(version)}[,)]", listed, re.MULTILINE
    )
    assert "failed" not in listed
    for other in distributions():
        assert other is distribution or f"({other.name} " not in listed


# ---------------------------------------------------------------- serving


@dataclass(frozen=True)
class Case:
    """A configuration that uses it, and what a client gets therefore."""

    show: Callable[[ScriptedNode, RawClient], None]
    virtualhost: Table
    tables: Mapping[str, Table] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def ask(client: RawClient, method: str = "GET") -> int:
    """The status of what the server answers itself."""
    client.send_head(method=method)
    return client.read_response().status


def refuses_strangers(node: ScriptedNode, client: RawClient) -> None:
    assert ask(client) == 401


def fails_closed(node: ScriptedNode, client: RawClient) -> None:
    assert ask(client) == 503


def refuses_methods(node: ScriptedNode, client: RawClient) -> None:
    assert ask(client, "DELETE") == 405


def serves(node: ScriptedNode, client: RawClient) -> None:
    client.get("/")
    node.respond(node.expect_request().sid, b"ok")
    assert client.read_response().body == b"ok"


def speaks_json(node: ScriptedNode, client: RawClient) -> None:
    client.get("/")
    request = node.expect("json")
    node.send(request.sid, "json", b'{"status": 404, "headers": {"Content-Length": "0"}}')
    assert client.read_response().status == 404


CASES = {
    "blastbeat-auth-basic": Case(
        refuses_strangers,
        {"request-authenticators": [{"name": "auth-basic", "file": "users"}]},
        files={"users": "anna:$2b$05$qt6okDhEzA2yiijOU6CBHegjPsJDacp/jecYYQvAFndxkB9yJbL3a\n"},
    ),
    "blastbeat-auth-jwt": Case(
        refuses_strangers,
        {"request-authenticators": [{"name": "auth-jwt", "secret": "secret"}]},
        files={"secret": "s" * 32},
    ),
    "blastbeat-forward-auth": Case(
        fails_closed,
        # nobody listens there
        {"request-authenticators": [{"name": "forward-auth", "url": "http://127.0.0.1:9/"}]},
    ),
    "blastbeat-json-encoder": Case(speaks_json, {"request-encoder": "json"}),
    "blastbeat-policy": Case(
        refuses_methods,
        {"customer": "acme"},
        {
            "plugin.policy": {"file": "usage.sqlite"},
            "plan.bronze": {"methods": ["GET"]},
            "customer.acme": {"plan": "bronze"},
        },
    ),
    "blastbeat-rendezvous": Case(serves, {"selector": {"name": "rendezvous", "key": "path"}}),
}


def test_a_server_does_what_it_says(installed: Installed, stage: Stage, tmp_path: Path) -> None:
    case = CASES[installed.distribution.name]
    for name, text in case.files.items():
        (tmp_path / name).write_text(text)
    config = tmp_path / "blastbeat.toml"
    config.write_text(configuration(vhost=case.virtualhost, tables=case.tables))
    assert "0 errors, 0 warnings" in installed.environment.run(
        "blastbeat", "check", str(config), cwd=tmp_path
    )
    environ = {"PYTHONSAFEPATH": "1"}  # not from here
    process = stage.serve_process(config, python=installed.environment.python, environ=environ)
    node = stage.node(endpoint=process.wait_endpoint())
    case.show(node, stage.client(address=("127.0.0.1", process.wait_ready())))
