"""The parts as a server gets them: by name, with what the configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blastbeat.errors import ConfigError
from blastbeat.interfaces import Filter, NodeAuthenticator
from blastbeat.testing import FilterContract, NodeAuthenticatorContract, make_candidate, make_registered
from blastbeat_policy import PolicyPlugin


def make(kind: str, plugin: PolicyPlugin, **options: str) -> Any:
    return make_registered(plugin, kind, "policy", options, plugin_name="policy")


class TestPolicyAsRegistered(FilterContract):
    def new_filter(self) -> Filter:
        made: Filter = make("filter", PolicyPlugin(), customer="acme")
        return made


class TestPolicyOfNodesAsRegistered(NodeAuthenticatorContract):
    accepted = (make_candidate(), make_candidate(address=""))
    denied = (make_candidate(identity=b"node1/2"),)

    def new_authenticator(self) -> NodeAuthenticator:
        plugin = PolicyPlugin()
        made: NodeAuthenticator = make("node-authenticator", plugin, customer="acme")
        plugin.customers.take_plans({"bronze": {"instances": 1}})
        plugin.customers.take_customers({"acme": {"plan": "bronze"}})
        return made


@pytest.mark.parametrize("kind", ["filter", "node-authenticator"])
def test_it_must_be_said_whose_policy(kind: str) -> None:
    with pytest.raises(ConfigError, match="whose policy"):
        make(kind, PolicyPlugin())


def test_books_are_kept_from_the_start_to_the_stop(tmp_path: Path) -> None:
    plugin = PolicyPlugin()
    plugin._take_options({"file": str(tmp_path / "usage.sqlite"), "timezone": "Europe/Rome"})
    plugin.customers.get("acme").account("a.example").requests += 1
    plugin.blastbeat_server_started()
    plugin.blastbeat_server_stopped()
    plugin.blastbeat_server_stopped()
    assert (tmp_path / "usage.sqlite").stat().st_size > 0
    assert not (tmp_path / "usage.sqlite-wal").exists(), "closed in order"
    assert plugin.customers.calendar.timezone == "Europe/Rome"


def test_a_server_that_never_started_is_stopped_without_a_word() -> None:
    PolicyPlugin().blastbeat_server_stopped()
