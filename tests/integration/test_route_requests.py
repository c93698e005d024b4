"""docs/how-to/route-requests.md: its configurations mean the same, and what its table says happens."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from blastbeat.cli import main
from blastbeat.config import load_config
from tests.helpers.app import AppRequest, Handler
from tests.helpers.client import RawClient
from tests.helpers.server import RunningServer
from tests.helpers.stage import Stage

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "route-requests.md"
CLI = PAGE.parents[1] / "reference" / "cli.md"
_BLOCK = re.compile(r"^```(toml|ini) (shop\.\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {name: text for _, name, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8"))}
HOST = "shop.example"


def test_both_notations_mean_the_same(tmp_path: Path) -> None:
    assert set(BLOCKS) == {"shop.toml", "shop.ini"}
    meant = []
    for name, text in BLOCKS.items():
        (tmp_path / name).write_text(text)
        config, problems = load_config(tmp_path / name)
        assert problems == []
        (host,) = config.virtualhosts
        # Only the names differ: in ini they begin with a slash.
        meant.append([replace(each, name="", policy=replace(each.policy, route="")) for each in host.routes])
    assert meant[0] == meant[1] and len(meant[0]) == 7


def test_what_explain_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here and in the reference of the command line; `…` stands for what is left out there."""
    (tmp_path / "shop.toml").write_text(BLOCKS["shop.toml"])
    pages = PAGE.read_text(encoding="utf-8") + CLI.read_text(encoding="utf-8")
    shown = re.findall(r"^    \$ blastbeat explain (.*)\n((?:    .*\n)+)", pages, re.MULTILINE)
    assert len(shown) == 2
    for command, text in shown:
        arguments = [word.replace("shop.toml", str(tmp_path / "shop.toml")) for word in shlex.split(command)]
        assert main(["explain", *arguments]) == 0
        said = capsys.readouterr().out.replace(f"{tmp_path}/", "")
        expected = textwrap.dedent(text)
        before, _, after = expected.partition("  …\n")
        assert said.startswith(before) and said.endswith(after), said


@pytest.fixture
def client(stage: Stage, request: pytest.FixtureRequest) -> RawClient:
    name = str(request.param)
    quote = '"' if name.endswith(".toml") else ""
    text = BLOCKS[name].replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:5000", "127.0.0.1:*")
    text = text.replace("[blastbeat]\n", f"[blastbeat]\ntrusted-proxies = {quote}127.0.0.1{quote}\n")
    path = stage.folder / name
    path.write_text(text)
    stage.use(RunningServer(path))
    for node in ("shop", "api", "shop-next"):
        stage.app(node, answer_as(node))
    return stage.client()


def answer_as(node: str) -> Handler:
    def answer(request: AppRequest) -> bytes:
        seen = request.variables
        return f"{node} {seen['PATH_INFO']}?{seen['QUERY_STRING']}".encode()

    return answer


def ask(client: RawClient, target: str, client_address: str, method: str = "GET", cookie: str = "") -> str:
    headers = [("X-Forwarded-For", client_address)]
    if cookie:
        headers.append(("Cookie", cookie))
    if method == "PUT":
        headers.append(("Content-Length", "0"))
    client.send_head(target, method=method, host=HOST, headers=headers)
    response = client.read_response(method)
    return response.body.decode() if response.status == 200 else str(response.status)


@pytest.mark.parametrize("client", ["shop.toml", "shop.ini"], indirect=True)
def test_who_gets_what(client: RawClient) -> None:
    sides = {ask(client, "/", f"192.0.2.{number}"): f"192.0.2.{number}" for number in range(1, 100)}
    assert set(sides) == {"shop /?", "shop-next /?"}
    for node in ("shop", "shop-next"):
        address = sides[f"{node} /?"]
        assert ask(client, "/products/7", address) == f"{node} /products/7?"
        assert ask(client, "/apis", address) == f"{node} /apis?"
        assert ask(client, "/upload/x", address) == f"{node} /upload/x?"
        assert ask(client, "/upload/x", address, method="PUT") == "shop /upload/x?"
        assert ask(client, "/", address, cookie="beta=yes") == "shop-next /?"
        assert ask(client, "/api/items?page=2", address, cookie="beta=yes") == "api /items?page=2"
        assert ask(client, "/robots.txt", address) == "User-agent: *"
        assert ask(client, "/catalogue/7", address) == "shop /products/7?"
        assert ask(client, "/admin/users", address) == ask(client, "/x/%2e%2e//admin;v=1", address) == "403"
    assert ask(client, "/admin/users", "10.1.2.3") == "shop /admin/users?"
    assert ask(client, "/x/%2e%2e//admin;v=1", "10.1.2.3") == "shop /admin?"
