"""Which metrics there are: names, labels, words, and what each is read from, as one table.

Knows nothing of how they are written down. docs/reference/metrics.md is made from this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blastbeat.counters import COUNTERS, metric_name
from blastbeat.monitoring.node_status import STATES, UP

PREFIX = "blastbeat_"

OTHER = "_other"
"""All virtualhosts without series of their own, in one. No host name begins so."""

DURATION = "request_duration_seconds"
DURATION_TEXT = "How long exchanges took, from the head of the request to their end, streams too."


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Plain values of one moment, so that another thread can write them down. The mappings are those of
    `status`; `rest` sums up the virtualhosts that are not listed, `plugin_counters` says
    what those of `counters` mean that plugins declared."""

    server: Mapping[str, Any]
    counters: Mapping[str, int]
    plugin_counters: Mapping[str, str]
    virtualhosts: Sequence[Mapping[str, Any]]
    virtualhosts_total: int
    virtualhosts_without_node: int
    rest: Mapping[str, Any] | None
    unmatched: Mapping[str, Any]
    nodes: Sequence[Mapping[str, Any]]
    durations: Sequence[int]
    durations_total: float
    plugin_profile: Sequence[Mapping[str, Any]] = ()


Rows = Iterable[tuple[Sequence[str], float]]
"""Label values, and the value."""


@dataclass(frozen=True, slots=True)
class Family:
    """`kind`: "gauge" or "counter", whose name is without `_total` here."""

    kind: str
    name: str
    text: str
    labels: tuple[str, ...]
    read: Callable[[Snapshot], Rows]


# ---------------------------------------------------------------- the server


def _server(name: str, text: str, key: str) -> Family:
    return Family("gauge", name, text, (), lambda snapshot: [((), snapshot.server[key])])


_SERVER = (
    Family(
        "gauge",
        "build_info",
        "Always 1; its labels tell what runs.",
        ("version", "driver"),
        lambda snapshot: [((snapshot.server["version"], snapshot.server["driver"]), 1)],
    ),
    Family(
        "gauge",
        "stopping",
        "1 while the server accepts nothing new and finishes what runs.",
        (),
        lambda snapshot: [((), snapshot.server["state"] != "running")],
    ),
    _server("config_loaded_timestamp_seconds", "When the configuration in force was read.", "loaded_at"),
    _server("config_generation", "The number of the configuration in force; the first is 1.", "generation"),
    Family(
        "gauge",
        "certificate_expiry_timestamp_seconds",
        "When a certificate in use expires, by its file; of the 100 that do so first.",
        ("file",),
        lambda snapshot: [
            ((each["file"],), each["expires_at"])
            for each in snapshot.server["certificates"]
            if each["expires_at"] is not None
        ],
    ),
    _server("connections", "Client connections open now.", "connections"),
    _server("connections_limit", "The key `connections`; 0 is no limit.", "connections_limit"),
    _server("sessions_limit", "The key `sessions` of the server; 0 is no limit.", "sessions_limit"),
    _server("client_queued_bytes", "Bytes that wait for clients that do not keep up.", "client_queued_bytes"),
    _server("client_queued_limit_bytes", "The key `memory`; 0 is no limit.", "client_queued_limit"),
    _server("node_queued_bytes", "Bytes that wait for instances that do not keep up.", "node_queued_bytes"),
    _server("nodes_configured", "Node names that are configured, per ROUTER.", "nodes"),
    _server("nodes_available", "Of these, those with an available instance.", "nodes_up"),
    _server("instances_available", "Available instances, of all nodes.", "instances_up"),
    Family(
        "gauge",
        "virtualhosts_configured",
        "Virtualhosts that are configured.",
        (),
        lambda snapshot: [((), snapshot.virtualhosts_total)],
    ),
    Family(
        "gauge",
        "virtualhosts_without_node",
        "Of these, those that have nodes configured and none there, for themselves or for a route.",
        (),
        lambda snapshot: [((), snapshot.virtualhosts_without_node)],
    ),
)

# ---------------------------------------------------------------- virtualhosts


def _policies(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Labels and figures of each virtualhost and each route."""
    for virtualhost in snapshot.virtualhosts:
        name = virtualhost["name"]
        yield (name, ""), virtualhost
        for route in virtualhost["routes"]:
            yield (name, route["name"]), route


def _tallies(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """The same, with the sum of the others, and what belongs to no virtualhost."""
    yield from _policies(snapshot)
    if snapshot.rest is not None:
        yield (OTHER, ""), snapshot.rest
    yield ("", ""), snapshot.unmatched


def _requests(snapshot: Snapshot) -> Rows:
    for labels, tally in _tallies(snapshot):
        for code_class, count in tally["answers"].items():
            yield (*labels, code_class), count


def _limits_hit(snapshot: Snapshot) -> Rows:
    for labels, tally in _tallies(snapshot):
        for limit, count in tally["limits_hit"].items():
            yield (*labels, limit), count


def _of_each(key: str) -> Callable[[Snapshot], Rows]:
    return lambda snapshot: [((each["name"],), each[key]) for each in snapshot.virtualhosts]


def _with_rest(key: str) -> Callable[[Snapshot], Rows]:
    def read(snapshot: Snapshot) -> Rows:
        yield from _of_each(key)(snapshot)
        if snapshot.rest is not None:
            yield (OTHER,), snapshot.rest[key]

    return read


def _messages(snapshot: Snapshot) -> Rows:
    for labels, tally in _tallies(snapshot):
        for direction in ("in", "out"):
            yield (*labels, direction), tally[f"messages_{direction}"]


_VIRTUALHOSTS = (
    Family(
        "counter",
        "requests",
        "Requests that are over, by the class of their answer; `none` had none. Without a virtualhost: those "
        "that none was found for.",
        ("virtualhost", "route", "code_class"),
        _requests,
    ),
    Family(
        "counter",
        "request_body_bytes",
        "Bytes of request bodies, counted when their request is over.",
        ("virtualhost", "route"),
        lambda snapshot: ((labels, tally["bytes_in"]) for labels, tally in _tallies(snapshot)),
    ),
    Family(
        "counter",
        "response_body_bytes",
        "Bytes of response bodies, counted when their request is over.",
        ("virtualhost", "route"),
        lambda snapshot: ((labels, tally["bytes_out"]) for labels, tally in _tallies(snapshot)),
    ),
    Family(
        "counter",
        "limits_hit",
        "Requests that ran into a limit, by its key. A limit that was never hit has no series.",
        ("virtualhost", "route", "limit"),
        _limits_hit,
    ),
    Family("gauge", "sessions", "Sessions open now, of the virtualhost with its routes.",
           ("virtualhost",), _with_rest("sessions")),
    Family("gauge", "websockets", "Sessions that are open WebSockets now, likewise.",
           ("virtualhost",), _with_rest("websockets")),
    Family("counter", "websocket_messages", "Messages of WebSocket clients (`in`) and for them (`out`).",
           ("virtualhost", "route", "direction"), _messages),
    Family("gauge", "virtualhost_up", "1 where every part of it that has nodes configured has one available.",
           ("virtualhost",), lambda snapshot: [((each["name"],), each["state"] == "up")
                                               for each in snapshot.virtualhosts]),
    Family("gauge", "virtualhost_queued_bytes", "Bytes that wait for its clients that do not keep up.",
           ("virtualhost",), _of_each("queued_bytes")),
    Family("gauge", "virtualhost_instances", "Instances that may take a new session of it.",
           ("virtualhost", "route"),
           lambda snapshot: [(labels, each["instances_available"]) for labels, each in _policies(snapshot)]),
    Family("gauge", "held_requests", "Requests that wait for an instance now (`hold`).",
           ("virtualhost", "route"),
           lambda snapshot: [(labels, each["held"]) for labels, each in _policies(snapshot)]),
)  # fmt: skip

# ---------------------------------------------------------------- nodes


def _node_sum(key: str) -> Callable[[Snapshot], Rows]:
    return lambda snapshot: [
        ((node["name"], node["router"]), sum(each[key] for each in node["instances"]))
        for node in snapshot.nodes
    ]


def _node_instances(snapshot: Snapshot) -> Rows:
    for node in snapshot.nodes:
        states = [each["state"] for each in node["instances"]]
        for state in STATES:
            yield (node["name"], node["router"], state), states.count(state)


def _last_heard(snapshot: Snapshot) -> Rows:
    for node in snapshot.nodes:
        heard = [each["last_heard"] for each in node["instances"] if each["last_heard"] is not None]
        if heard:
            yield (node["name"], node["router"]), min(heard)


_NODE = ("node", "router")
_NODES = (
    Family("gauge", "node_up", "1 where an instance of the node is available.", _NODE,
           lambda snapshot: [((node["name"], node["router"]), node["state"] == UP)
                             for node in snapshot.nodes]),
    Family("gauge", "node_instances", "Instances of the node, by state.", (*_NODE, "state"),
           _node_instances),
    Family("gauge", "node_sessions", "Sessions on the instances of the node.", _NODE, _node_sum("sessions")),
    Family("gauge", "node_queue_bytes", "Bytes that wait for the instances of the node.", _NODE,
           _node_sum("queued_bytes")),
    Family("gauge", "node_last_heard_seconds",
           "Time since any instance of the node said something; none while none has.", _NODE, _last_heard),
)  # fmt: skip

# ---------------------------------------------------------------- what plugins cost


def _profile(key: str) -> Callable[[Snapshot], Rows]:
    return lambda snapshot: [((each["plugin"], each["place"]), each[key]) for each in snapshot.plugin_profile]


_PLACE = ("plugin", "place")
_PLUGINS = (
    Family("counter", "profile_calls",
           "Calls of plugins by place. This and the other four have series only where that is measured.",
           _PLACE, _profile("calls")),
    Family("counter", "profile_errors", "Of these, those that raised what is no refusal.", _PLACE,
           _profile("errors")),
    Family("counter", "profile_seconds", "How long they held the event loop.", _PLACE, _profile("seconds")),
    Family("gauge", "profile_longest_seconds", "How long they did so at most without a pause.", _PLACE,
           _profile("longest_seconds")),
    Family("counter", "profile_waited_seconds", "How long request authenticators awaited something.", _PLACE,
           _profile("waited_seconds")),
)  # fmt: skip

# ---------------------------------------------------------------- counters

BY_LAST_WORD = {
    "messages.dropped": ("reason", "Messages from nodes that were dropped."),
    "connections.given-up": ("reason", "Client connections that were given up."),
    "exchanges": ("reason", "Exchanges by the reason of their end."),
    "answers": ("code", "Requests that the server answered itself, by status."),
    "log.lines-lost": ("log", "Lines of a log that could not be written, or not in time."),
}
"""Counters that differ in their last word are one family, the word a label: its name, and what they are."""

_TOLD_OF_VIRTUALHOSTS = {"bytes.in", "bytes.out"} | {
    f"responses.{word}" for word in ("1xx", "2xx", "3xx", "4xx", "5xx", "none")
}


def _counter_families(names: Iterable[str]) -> Iterator[Family]:
    """Of all counters but those that are the sum of a family with virtualhosts."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if name not in _TOLD_OF_VIRTUALHOSTS:
            group = name.rpartition(".")[0]
            groups.setdefault(group if group in BY_LAST_WORD else name, []).append(name)
    for group, members in groups.items():
        label, text = BY_LAST_WORD.get(group, ("", ""))
        text = text or _sentence(COUNTERS[group])
        labels = (label,) if label else ()
        yield Family("counter", metric_name(group), text, labels, _reading(members, bool(label)))


def _sentence(meaning: str) -> str:
    return f"{meaning[0].upper()}{meaning[1:].removesuffix('.')}."


def _reading(members: Sequence[str], is_labelled: bool) -> Callable[[Snapshot], Rows]:
    rows = [((name.rpartition(".")[2],) if is_labelled else (), name) for name in members]
    return lambda snapshot: [(labels, snapshot.counters[name]) for labels, name in rows]


FAMILIES: tuple[Family, ...] = (*_SERVER, *_VIRTUALHOSTS, *_NODES, *_PLUGINS, *_counter_families(COUNTERS))


def plugin_families(meanings: Mapping[str, str]) -> Iterator[Family]:
    """Of the counters that plugins declared: under a word of their own, so that none is one of ours."""
    for name, meaning in meanings.items():
        read = _reading([name], is_labelled=False)
        yield Family("counter", f"plugin_{metric_name(name)}", _sentence(meaning), (), read)
