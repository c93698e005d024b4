"""A plugin in a distribution of its own: found by its entry points alone, it serves real requests."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blastbeat.config.model import PluginRef
from blastbeat.interfaces import Encoder, Filter, NodeAuthenticator, RequestAuthenticator, Selector
from blastbeat.plugin_manager import PluginManager
from blastbeat.testing import (
    EncoderContract,
    FilterContract,
    NodeAuthenticatorContract,
    RequestAuthenticatorContract,
    SelectorContract,
    make_candidate,
    make_registered,
    make_request_view,
)
from tests.helpers.server import RunningServer
from tests.helpers.settings import HOST, Table
from tests.helpers.stage import Stage

SAMPLE = Path(__file__).parents[1] / "sample_plugin"
SOURCE = SAMPLE / "src"


def write_metadata(folder: Path) -> None:
    """What an installer would leave behind for the sample, so that no network is needed."""
    project = tomllib.loads((SAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / f"blastbeat_sample-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["blastbeat"].items())
    (info / "entry_points.txt").write_text(f"[blastbeat]\n{points}")


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sample distribution is installed, for this process and those it starts."""
    folder = tmp_path / "site"
    write_metadata(folder)
    monkeypatch.syspath_prepend(str(SOURCE))
    monkeypatch.syspath_prepend(str(folder))
    root = SAMPLE.parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (folder, SOURCE, root))))
    yield
    sys.modules.pop("blastbeat_sample", None)


def sample_module() -> Any:
    return importlib.import_module("blastbeat_sample")


# ---------------------------------------------------------------- found and listed


def test_its_objects_are_registered(sample: None) -> None:
    manager = PluginManager(load=("sample",))
    manager.load()
    registry = manager.build_registry()
    for kind, name in (
        ("encoder", "line"),
        ("selector", "named"),
        ("node-authenticator", "suffix"),
        ("request-authenticator", "token"),
        ("filter", "greeting"),
    ):
        assert registry.owner(kind, name) == "sample"
        made = registry.make(kind, PluginRef(name, {"token": "t"} if name == "token" else {}))
        assert type(made).__module__ == "blastbeat_sample"
    assert registry.owner("selector", "least-connections") == "least-connections"


def test_the_replacement_takes_the_place_of_the_built_in(sample: None) -> None:
    manager = PluginManager()
    manager.load()
    made = manager.build_registry().make("selector", PluginRef("least-connections"))
    assert type(made).__name__ == "NamedSelector"


def test_the_command_line_lists_it(sample: None) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "blastbeat", "plugins"], capture_output=True, text=True, timeout=15, check=True
    )
    assert "sample: active (blastbeat-sample 1.0)" in shown.stdout
    assert "filter greeting" in shown.stdout
    assert "selector least-connections (replaced by sample-replacement)" in shown.stdout
    assert shown.stderr == ""


def test_a_broken_plugin_is_listed_and_keeps_the_server_from_starting(
    sample: None, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "blastbeat_sample.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(broken), os.environ["PYTHONPATH"]]))
    command = [sys.executable, "-m", "blastbeat"]
    listed = subprocess.run([*command, "plugins"], capture_output=True, text=True, timeout=15, check=True)
    assert "sample: failed (blastbeat-sample 1.0)" in listed.stdout
    assert "round-robin: active" in listed.stdout
    config = stage.configure()
    checked = subprocess.run([*command, "check", str(config)], capture_output=True, text=True, timeout=15)
    assert checked.returncode == 78 and "no_such_module_anywhere" in checked.stdout + checked.stderr
    process = stage.serve_process(config)
    assert process.wait() != 0
    assert "plugin 'sample'" in process.stderr and "Traceback" not in process.stderr


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed")
def test_a_real_installer_leaves_the_same_entry_points(tmp_path: Path) -> None:
    target = tmp_path / "target"
    source = tmp_path / "source"
    subprocess.run(["cp", "-r", str(SAMPLE), str(source)], check=True)
    installer = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*installer, *options, str(source)], check=True, timeout=60)
    by_hand = tmp_path / "by-hand"
    write_metadata(by_hand)
    name = "blastbeat_sample-1.0.dist-info/entry_points.txt"
    assert sorted((target / name).read_text().split()) == sorted((by_hand / name).read_text().split())
    assert (target / "blastbeat_sample.py").exists()


# ---------------------------------------------------------------- serving


def serve(stage: Stage, vhost: Table, plugin: str = "sample") -> RunningServer:
    tables: dict[str, Table] = {"plugins": {"load": [plugin]}}
    if plugin == "sample":
        tables["plugin.sample"] = {"text": "good day"}
    return stage.serve(vhost={"node": ["app", "app2"], **vhost}, tables=tables)


def test_its_encoder_writes_requests_and_reads_responses(sample: None, stage: Stage) -> None:
    serve(stage, {"request-encoder": "line"})
    node, client = stage.node(), stage.client()
    client.get("/path?x=1")
    request = node.expect("line")
    assert request.body == b"GET /path?x=1"
    node.send(request.sid, "line", b"200 well read")
    response = client.read_response()
    assert (response.status, response.body) == (200, b"well read")


def test_its_selector_chooses(sample: None, stage: Stage) -> None:
    serve(stage, {"selector": {"name": "named", "prefer": "app2"}})
    stage.node("app")
    preferred = stage.node("app2")
    for _ in range(3):
        stage.exchange(preferred, stage.client())


def test_its_replacement_chooses_where_the_default_would(sample: None, stage: Stage) -> None:
    serve(stage, {}, "sample-replacement")
    stage.node("app")
    preferred = stage.node("app2")
    for _ in range(3):
        stage.exchange(preferred, stage.client())


def test_its_request_authenticator_judges(sample: None, stage: Stage) -> None:
    serve(stage, {"request-authenticators": [{"name": "token", "token": "secret"}]})
    node, client = stage.node(), stage.client()
    client.get("/")
    denied = client.read_response()
    assert (denied.status, denied["WWW-Authenticate"]) == (401, "Token")
    client.get("/", headers=[("X-Token", "secret")])
    request = node.expect_request()
    assert request["REMOTE_USER"] == "sample"
    node.respond(request.sid, b"ok")
    assert client.read_response().body == b"ok"


def test_its_node_authenticator_judges(sample: None, stage: Stage) -> None:
    serve(stage, {"node-authenticators": ["identity", {"name": "suffix", "suffix": "2"}]})
    admitted = stage.node("app2")
    stage.node("app")
    for _ in range(3):
        stage.exchange(admitted, stage.client())


def test_its_filter_answers_and_marks(sample: None, stage: Stage) -> None:
    serve(stage, {"filters": ["greeting"]})
    node, client = stage.node(), stage.client()
    client.get("/greeting")
    assert client.read_response().body == b"good day"
    client.get("/")
    node.respond(node.expect_request().sid, b"ok")
    assert client.read_response()["X-Sample"] == "yes"


def test_in_a_process_of_its_own_with_the_access_log_beside_it(sample: None, stage: Stage) -> None:
    config = stage.configure(vhost={"filters": ["greeting"]})
    process = stage.serve_process(config)
    client = stage.client(address=("127.0.0.1", process.wait_ready()))
    client.get("/greeting")
    assert client.read_response().body == b"hello"
    client.get("/", host="nobody.example")
    assert client.read_response().status == 404
    client.close()
    process.send_signal()
    assert process.wait() == 0
    served, strayed = [line for line in process.stderr.splitlines() if '] "GET /' in line]
    assert '"GET /greeting HTTP/1.1" 200 ' in served and f" virtualhost={HOST} " in served
    assert '"GET / HTTP/1.1" 404 ' in strayed and 'host="nobody.example"' in strayed


# ---------------------------------------------------------------- it keeps the contracts


@pytest.mark.usefixtures("sample")
class TestLineEncoder(EncoderContract):
    valid_bodies = (b"200 ok", b"404 ", b"599 \xff")
    invalid_bodies = (b"", b"200", b"20x ok", b"100 ok")

    def new_encoder(self) -> Encoder:
        encoder: Encoder = sample_module().LineEncoder()
        return encoder


@pytest.mark.usefixtures("sample")
class TestNamedSelector(SelectorContract):
    def new_selector(self) -> Selector:
        selector: Selector = make_registered(sample_module(), "selector", "named", {"prefer": "node2"})
        return selector


@pytest.mark.usefixtures("sample")
class TestSuffixAuthenticator(NodeAuthenticatorContract):
    accepted = (make_candidate("app-blue"),)
    denied = (make_candidate("blue-app"),)

    def new_authenticator(self) -> NodeAuthenticator:
        judge: NodeAuthenticator = sample_module().SuffixAuthenticator("blue")
        return judge


@pytest.mark.usefixtures("sample")
class TestTokenAuthenticator(RequestAuthenticatorContract):
    allowed = (make_request_view(headers=[(b"x-token", b"secret")]),)
    denied = (make_request_view(), make_request_view(headers=[(b"x-token", b"Secret")]))

    def new_authenticator(self) -> RequestAuthenticator:
        judge: RequestAuthenticator = sample_module().TokenAuthenticator("secret")
        return judge


@pytest.mark.usefixtures("sample")
class TestGreetingFilter(FilterContract):
    def new_filter(self) -> Filter:
        greeting: Filter = sample_module().GreetingFilter()
        return greeting
