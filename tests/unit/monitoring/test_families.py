"""The table of metrics: names in the field's conventions, and each sample read from the right figure."""

from __future__ import annotations

import re

import pytest

from blastbeat.counters import COUNTERS
from blastbeat.monitoring.families import BY_LAST_WORD, FAMILIES, OTHER, Family, Snapshot, plugin_families
from blastbeat.monitoring.node_status import STATES
from blastbeat.tally import DURATION_BOUNDS

NO_ANSWERS = dict.fromkeys(("none", "1xx", "2xx", "3xx", "4xx", "5xx"), 0)
TALLY = {"answers": {**NO_ANSWERS, "2xx": 3}, "bytes_in": 10, "bytes_out": 20, "limits_hit": {"rate": 2}}
TALLY |= {"messages_in": 8, "messages_out": 9}
PART = {**TALLY, "instances_available": 4, "held": 5}
INSTANCES = [
    {"state": "up", "sessions": 1, "queued_bytes": 10, "last_heard": 2.0},
    {"state": "silent", "sessions": 2, "queued_bytes": 20, "last_heard": None},
]
SNAPSHOT = Snapshot(
    server={
        "version": "1", "driver": "h11", "state": "stopping", "loaded_at": 9.0, "generation": 2,
        "connections": 3, "connections_limit": 4, "sessions": 5, "sessions_limit": 6,
        "client_queued_bytes": 7, "client_queued_limit": 8, "node_queued_bytes": 9,
        "nodes": 10, "nodes_up": 11, "instances_up": 12,
        "certificates": [
            {"file": "a.pem", "expires_at": 13.0, "days_left": 0},
            {"file": "b.pem", "expires_at": None, "days_left": None},
        ],
    },
    counters=dict.fromkeys(COUNTERS, 0)
    | {"messages.dropped.type": 7, "hops.retried": 8, "policy.too-large": 9},
    plugin_counters={"policy.too-large": "bodies over a plan's size"},
    virtualhosts=[
        {**PART, "name": "a.test", "state": "up", "sessions": 6, "websockets": 2, "queued_bytes": 7,
         "routes": [{**PART, "name": "/api"}]},
    ],
    virtualhosts_total=31,
    virtualhosts_without_node=1,
    rest={**TALLY, "sessions": 30, "websockets": 4},
    unmatched={**TALLY, "answers": {**NO_ANSWERS, "4xx": 1}},
    nodes=[
        {"name": "app", "router": "main", "state": "up", "instances": INSTANCES},
        {"name": "away", "router": "main", "state": "gone", "instances": []},
    ],
    durations=(0,) * (len(DURATION_BOUNDS) + 1),
    durations_total=0.0,
)  # fmt: skip


def read(name: str) -> dict[tuple[str, ...], float]:
    """All samples of a family by their labels."""
    family = next(family for family in FAMILIES if family.name == name)
    rows = [(tuple(labels), float(value)) for labels, value in family.read(SNAPSHOT)]
    assert len(dict(rows)) == len(rows), "two samples with the same labels"
    return dict(rows)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_and_labels_are_in_the_fields_conventions(family: Family) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
    assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
    assert not re.search(r"_(ms|kb|mb|percent)$", family.name)
    assert family.text.endswith(".") and "\n" not in family.text
    assert family.kind in ("gauge", "counter")
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in family.labels)


def test_no_name_is_taken_twice() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_sample_has_the_labels_of_its_family(family: Family) -> None:
    for labels, value in family.read(SNAPSHOT):
        assert len(labels) == len(family.labels)
        assert all(isinstance(label, str) for label in labels)
        assert float(value) >= 0


def test_the_server() -> None:
    assert read("build_info") == {("1", "h11"): 1}
    assert read("stopping") == {(): 1}
    assert read("config_loaded_timestamp_seconds") == {(): 9}
    assert (read("nodes_configured"), read("nodes_available")) == ({(): 10}, {(): 11})
    assert (read("virtualhosts_configured"), read("virtualhosts_without_node")) == ({(): 31}, {(): 1})


def test_requests_of_virtualhosts_routes_the_others_and_nobody() -> None:
    requests = read("requests")
    assert requests["a.test", "", "2xx"] == requests["a.test", "/api", "2xx"] == 3
    assert requests[OTHER, "", "2xx"] == 3
    assert requests["", "", "4xx"] == 1
    assert len(requests) == 4 * 6


def test_what_is_told_of_each_virtualhost() -> None:
    assert read("request_body_bytes")["a.test", ""] == 10
    assert read("response_body_bytes")["a.test", "/api"] == 20
    assert read("limits_hit")["a.test", "", "rate"] == 2
    assert read("sessions") == {("a.test",): 6, (OTHER,): 30}
    assert read("websockets") == {("a.test",): 2, (OTHER,): 4}


def test_messages_of_websockets() -> None:
    messages = read("websocket_messages")
    assert messages["a.test", "", "in"] == messages["a.test", "/api", "in"] == 8
    assert messages["a.test", "", "out"] == messages[OTHER, "", "out"] == 9
    assert read("virtualhost_up") == {("a.test",): 1}
    assert read("virtualhost_queued_bytes") == {("a.test",): 7}
    assert read("virtualhost_instances") == {("a.test", ""): 4, ("a.test", "/api"): 4}
    assert read("held_requests") == {("a.test", ""): 5, ("a.test", "/api"): 5}


def test_nodes_are_told_without_the_words_of_their_instances() -> None:
    assert read("node_up") == {("app", "main"): 1, ("away", "main"): 0}
    assert read("node_instances")["app", "main", "silent"] == 1
    assert {labels[2] for labels in read("node_instances")} == set(STATES)
    assert read("node_sessions") == {("app", "main"): 3, ("away", "main"): 0}
    assert read("node_queue_bytes")["app", "main"] == 30
    assert read("node_last_heard_seconds") == {("app", "main"): 2}


def test_counters_that_differ_in_their_last_word_are_one_family() -> None:
    dropped = read("messages_dropped")
    assert dropped["type",] == 7 and dropped["frames",] == 0
    assert read("hops_retried") == {(): 8}
    assert ("503",) in read("answers") and ("complete",) in read("exchanges")


def test_each_counter_is_told_once() -> None:
    told = sum(
        len(list(family.read(SNAPSHOT)))
        for family in FAMILIES
        if family.kind == "counter" and not {"virtualhost"} & set(family.labels)
    )
    with_virtualhosts = {"bytes.in", "bytes.out"} | {name for name in COUNTERS if name.endswith("xx")}
    assert told == len(COUNTERS) - len(with_virtualhosts | {"responses.none"})
    assert all(any(name.startswith(f"{group}.") for name in COUNTERS) for group in BY_LAST_WORD)


def test_a_plugins_counter_has_a_family_that_is_none_of_ours() -> None:
    (family,) = plugin_families(SNAPSHOT.plugin_counters)
    assert (family.kind, family.name, family.text, family.labels) == (
        "counter",
        "plugin_policy_too_large",
        "Bodies over a plan's size.",
        (),
    )
    assert list(family.read(SNAPSHOT)) == [((), 9)]
    assert not any(each.name.startswith("plugin_") for each in FAMILIES)


def test_a_certificate_that_says_no_moment_has_no_series() -> None:
    assert read("certificate_expiry_timestamp_seconds") == {("a.pem",): 13.0}
