"""The configuration of the how-to for providers, served as it is written: three customers on two plans."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blastbeat.errors import ConfigError
from blastbeat.testing import Client, RunningServer
from tests.helpers.contrib import CONTRIB
from tests.helpers.source_tree import ROOT

PAGE = ROOT / "docs" / "how-to" / "host-many-customers.md"
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
NODES = {"acme-web": "www.acme.example", "acme-api": "api.acme.example", "bolt": "bolt.example"}


def tables(folder: Path) -> dict[str, Any]:
    """The page's, on free ports and with its files in a folder of the test's."""
    found = tomllib.loads(BLOCKS[0])
    del found["blastbeat"]
    assert found["plugin"]["policy"].pop("file") == "/var/lib/blastbeat/usage.sqlite"
    found["plugin"]["policy"]["file"] = str(folder / "usage.sqlite")
    return found


@pytest.fixture
def site(
    blastbeat_server: Any, blastbeat_node: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RunningServer:
    monkeypatch.syspath_prepend(CONTRIB / "blastbeat-policy" / "src")
    plugins = {"policy": "blastbeat_policy:PolicyPlugin"}
    server: RunningServer = blastbeat_server(plugins=plugins, toml=tables(tmp_path), folder=tmp_path)
    for name in (*NODES, "corp"):
        blastbeat_node(lambda request, name=name: f"{name} {len(request.body)}", name=name)
    return server


@pytest.fixture
def ask(site: RunningServer, blastbeat_client: Callable[..., Client]) -> Callable[..., int]:
    """The status of a request from the client of this number, which has a connection for each virtualhost."""
    clients: dict[tuple[str, int], Client] = {}

    def ask(virtualhost: str, client: int = 1, **request: Any) -> int:
        key = virtualhost, client
        if key not in clients:
            clients[key] = blastbeat_client(virtualhost=virtualhost, source=f"127.0.1.{client}")
        return clients[key].request(request.pop("method", "GET"), "/", **request).status

    return ask


def test_each_customer_is_served(ask: Callable[..., int]) -> None:
    assert {ask(virtualhost) for virtualhost in (*NODES.values(), "corp.example")} == {200}


def test_a_client_over_its_rate(ask: Callable[..., int]) -> None:
    statuses = [ask("www.acme.example") for _ in range(20)]
    assert statuses[:10] == [200] * 10 and 429 in statuses
    assert ask("www.acme.example", 2) == 200, "another client"
    assert [ask("bolt.example") for _ in range(5)] == [200] * 5, "another customer"


def test_a_customer_over_its_rate(ask: Callable[..., int]) -> None:
    """Twelve clients of ten requests each, half of them on either virtualhost."""
    hosts = ("www.acme.example", "api.acme.example")
    statuses = [ask(hosts[number % 2], number % 12) for number in range(120)]
    assert statuses[:40] == [200] * 40 and 429 in statuses
    assert [ask("corp.example", number % 5) for number in range(50)] == [200] * 50


def test_what_a_customer_has_agreed_goes_before_its_plan(ask: Callable[..., int]) -> None:
    body = b"x" * 1_500_000
    assert ask("www.acme.example", method="POST", body=body) == 413
    assert ask("bolt.example", method="POST", body=body) == 200
    assert ask("bolt.example", method="DELETE") == 405
    assert ask("corp.example", method="DELETE") == 200


def test_a_site_that_is_being_moved(site: RunningServer, ask: Callable[..., int], tmp_path: Path) -> None:
    assert ask("www.acme.example") == 200
    change = tomllib.loads(BLOCKS[1])
    page = tmp_path / "moving.html"
    page.write_text("<p>We move.", encoding="utf-8")
    change["customer"]["acme"]["maintenance-page"] = str(page)
    change["customer"]["acme"]["maintenance-networks"] = ["127.0.1.7"]
    toml = tables(tmp_path)
    toml["customer"]["acme"] = change["customer"]["acme"]
    site.reload(toml)
    assert [ask("www.acme.example", client) for client in (1, 7)] == [503, 200]
    assert ask("bolt.example") == 200


def test_one_node_too_many_is_refused(site: RunningServer, tmp_path: Path) -> None:
    toml = tables(tmp_path)
    toml["vhost"]["www.acme.example"]["node"] = ["acme-web", "acme-web2"]
    with pytest.raises(ConfigError, match="customer acme has 3 nodes"):
        site.reload(toml)
