"""Tests of `blastbeat.config.node_facts`."""

from __future__ import annotations

import pytest

from blastbeat.config.model import ServerConfig, VirtualHostConfig
from blastbeat.config.node_facts import endpoints_of, instances_of


def test_nodes_connect_to_the_virtualhosts_own_endpoints_else_the_servers() -> None:
    server = ServerConfig(zmq=("tcp://127.0.0.1:5000",))
    assert endpoints_of(VirtualHostConfig("a"), server) == ("tcp://127.0.0.1:5000",)
    assert endpoints_of(VirtualHostConfig("a", zmq=("ipc:///run/a",)), server) == ("ipc:///run/a",)


@pytest.mark.parametrize(
    ("said", "endpoint", "instances"),
    [(None, "ipc:///run/a", 64), (None, "tcp://0.0.0.0:5000", 0), (3, "tcp://0.0.0.0:5000", 3)],
)
def test_instances_are_bounded_by_who_can_connect(said: int | None, endpoint: str, instances: int) -> None:
    assert instances_of(VirtualHostConfig("a", instances=said), (endpoint,)) == instances
