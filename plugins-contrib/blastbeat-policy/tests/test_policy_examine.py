"""What `check` says of plans and customers."""

from __future__ import annotations

from typing import Any

from blastbeat.interfaces import ConfigView, TableView, VirtualHostView
from blastbeat_policy.examine import examine
from policy_case import validated

FILE = "/var/lib/blastbeat/usage.sqlite"


def config(
    plans: dict[str, dict[str, Any]],
    owners: dict[str, dict[str, Any]],
    virtualhosts: list[VirtualHostView],
) -> ConfigView:
    return ConfigView(
        virtualhosts=virtualhosts,
        tables={
            "plan": {name: TableView("plan", name, validated(keys)) for name, keys in plans.items()},
            "customer": {name: TableView("customer", name, validated(keys)) for name, keys in owners.items()},
        },
    )


def host(name: str, customer: str = "", nodes: tuple[str, ...] = ("app",), zmq: str = "tcp://*:5000") -> Any:
    values = {"customer": customer} if customer else {}
    return VirtualHostView(name, values, nodes=nodes, endpoints=(zmq,))


def found(view: ConfigView, file: str | None = FILE) -> list[tuple[str, str]]:
    return [(each.severity, f"{each.key}: {each.message}") for each in examine(view, file)]


def test_a_good_configuration() -> None:
    view = config({"bronze": {"nodes": 1}}, {"acme": {"plan": "bronze"}}, [host("a", "acme"), host("b")])
    assert found(view) == [] == found(config({}, {}, []), None)


def test_nodes_are_counted_once_over_all_virtualhosts_of_a_customer() -> None:
    hosts = [host("a", "acme", ("one", "two")), host("b", "acme", ("two",)), host("c", "bolt", ("three",))]
    customers: dict[str, dict[str, Any]] = {"acme": {"plan": "bronze"}, "bolt": {"plan": "bronze"}}
    assert found(config({"bronze": {"nodes": 2}}, customers, hosts)) == []
    hosts.append(host("d", "acme", ("two",), "tcp://*:5001"))
    assert found(config({"bronze": {"nodes": 2}}, customers, hosts)) == [
        ("error", "node: customer acme has 3 nodes with those of this virtualhost, its plan allows 2")
    ]
    customers["acme"]["nodes"] = 3
    assert found(config({"bronze": {"nodes": 2}}, customers, hosts)) == []


def test_names_that_are_nobodys() -> None:
    view = config(
        {"bronze": {}}, {"acme": {"plan": "bronz"}, "bolt": {}}, [host("a", "acm"), host("b", "bolt")]
    )
    problems = list(examine(view, FILE))
    assert [each.message for each in problems if each.severity == "error"] == [
        "there is no [plan.bronz]; plans: bronze",
        "names no plan",
        "there is no [customer.acm]; customers: acme, bolt",
    ]
    assert [each.hint for each in problems][0] == "did you mean 'bronze'?"
    assert ("warning", ": no virtualhost belongs to this customer") in found(view)


def test_a_burst_needs_its_rate() -> None:
    plans: dict[str, dict[str, Any]] = {"bronze": {"requests": "1/s"}, "odd": {"client-upload-burst": 5}}
    view = config(plans, {"acme": {"plan": "bronze", "requests-burst": 5}}, [host("a", "acme")])
    assert found(view) == [
        ("error", "client-upload-burst: says how far `client-upload` may be exceeded, which is not set")
    ]


def test_usage_must_be_kept_somewhere_or_nowhere_on_purpose() -> None:
    view = config({"bronze": {}}, {"acme": {"plan": "bronze"}}, [host("a", "acme")])
    assert found(view, "") == []
    ((severity, message),) = found(view, None)
    assert severity == "error" and "where their usage is kept" in message
