"""Tables and keys that a plugin declares, in a server that runs: they pick its objects and are taken over."""

from __future__ import annotations

import pytest

from blastbeat.errors import ConfigError
from tests.helpers.declaring import Customers
from tests.helpers.settings import HOST, Table
from tests.helpers.stage import Stage

TABLES: dict[str, Table] = {"customer.acme": {"plan": "gold"}, "plan.gold": {"rate": 5}}


def customer_of(stage: Stage) -> str:
    client = stage.client()
    client.get("/customer")
    return client.read_response().body.decode()


def test_a_key_picks_the_filter_and_the_tables_are_there(stage: Stage) -> None:
    plugin = Customers()
    stage.serve(vhost={"customer": "acme"}, tables=TABLES, plugins=[plugin])

    assert customer_of(stage) == "acme gold"
    assert plugin.received == [("customer", {"acme": {"plan": "gold"}}), ("plan", {"gold": {"rate": 5}})]


def test_what_the_plugin_finds_wrong_keeps_the_server_from_starting(stage: Stage) -> None:
    plugin = Customers()
    with pytest.raises(ConfigError) as caught:
        stage.serve(vhost={"customer": "acme"}, tables={"plan.gold": {}}, plugins=[plugin])
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == ("customer", "there is no [customer.acme]")
    assert problem.section == f'vhost."{HOST}"' and problem.line
    assert not plugin.received
