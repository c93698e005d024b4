"""What stands behind a node's name: handed to its selector, and what that refuses is told at its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blastbeat.config.model import NodeRef, Origin, PluginRef, VirtualHostConfig
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options
from blastbeat.node_options import hand_over


class Plain:
    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView | None:
        return None


class Curious(Plain):
    def __init__(self, error: str = "") -> None:
        self.error = error
        self.nodes: Mapping[str, Options] = {}

    def expect_nodes(self, nodes: Mapping[str, Options]) -> None:
        self.nodes = nodes
        if self.error:
            raise ValueError(self.error)


CONFIG = VirtualHostConfig(
    "a.test",
    nodes=(NodeRef("one", {"weight": 3}), NodeRef("two")),
    selector=PluginRef("curious"),
    origins={"node": Origin("x.toml", 7, 'vhost."a.test"')},
)


def test_it_is_told_every_node() -> None:
    selector = Curious()
    assert hand_over(selector, CONFIG) == []
    assert selector.nodes == {"one": {"weight": 3}, "two": {}}


def test_what_it_refuses_is_an_error_at_its_line() -> None:
    (problem,) = hand_over(Curious("node one: no"), CONFIG)
    assert str(problem) == 'x.toml:7: error: [vhost."a.test"] node: node one: no'


def test_what_nobody_looks_at_is_a_warning() -> None:
    (problem,) = hand_over(Plain(), CONFIG)
    assert problem.severity == "warning"
    assert problem.message == "node one: weight: the selector curious does not look at that"
    assert hand_over(Plain(), VirtualHostConfig("a.test", nodes=(NodeRef("one"),))) == []
