"""Which nodes a customer may have."""

from __future__ import annotations

from blastbeat.interfaces import NodeAuthenticator, NodeView
from blastbeat.testing import NodeAuthenticatorContract, make_candidate
from blastbeat_policy.nodes import Instances, PolicyNodes
from policy_case import Case

ENDPOINT = "tcp://127.0.0.1:5000"


class TestPolicyNodes(NodeAuthenticatorContract):
    forgets_by_notice = True
    accepted = (make_candidate(address="10.1.2.3"), make_candidate(address="::ffff:10.1.2.3"))
    denied = (make_candidate(address="192.0.2.1"), make_candidate(address="", heard=False))

    def new_authenticator(self) -> NodeAuthenticator:
        return PolicyNodes(Case(node_networks="10.0.0.0/8").customer, Instances())


class TestPolicyNodesInNumber(NodeAuthenticatorContract):
    accepted = (
        make_candidate(identity=b"node1"),
        make_candidate(identity=b"node1/a"),
        make_candidate(identity=b"node1"),
        make_candidate(identity=b"node1", virtualhost="other.example"),
    )
    denied = (make_candidate(identity=b"node1/b"), make_candidate(identity=b"node1", endpoint="ipc:///run/x"))

    def new_authenticator(self) -> NodeAuthenticator:
        return PolicyNodes(Case(instances=2).customer, Instances())


def down(identity: str, state: str) -> NodeView:
    return NodeView(identity.partition("/")[0], identity, ENDPOINT, state, "for a test")


def test_one_that_is_gone_makes_room_one_that_is_silent_does_not() -> None:
    instances = Instances()
    nodes = PolicyNodes(Case(instances=1).customer, instances)
    assert nodes.authenticate(make_candidate(identity=b"node1/a"))
    instances.node_down(down("node1/a", "silent"))
    assert not nodes.authenticate(make_candidate(identity=b"node1/b"))
    instances.node_down(down("node1/a", "gone"))
    assert nodes.authenticate(make_candidate(identity=b"node1/b"))
    instances.node_down(down("node1/b", "drained"))
    assert instances.count("acme") == 0


def test_a_smaller_plan_keeps_those_that_are_there() -> None:
    case, instances = Case(instances=2), Instances()
    nodes = PolicyNodes(case.customer, instances)
    assert nodes.authenticate(make_candidate(identity=b"node1/a"))
    assert nodes.authenticate(make_candidate(identity=b"node1/b"))
    case.change(instances=1)
    assert nodes.authenticate(make_candidate(identity=b"node1/b"))
    assert not nodes.authenticate(make_candidate(identity=b"node1/c"))


def test_customers_have_places_of_their_own() -> None:
    case, instances = Case(instances=1), Instances()
    case.customers.take_customers({"acme": {"plan": "bronze"}, "bolt": {"plan": "bronze"}})
    for name in ("acme", "bolt"):
        assert PolicyNodes(case.customers.get(name), instances).authenticate(make_candidate())
