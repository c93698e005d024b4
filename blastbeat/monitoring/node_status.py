"""How the nodes of a ROUTER are: each instance's state in words, and why, as plain values for whoever shows
them.

Reads tables and changes nothing; the times are handed in. Knows no page and no terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from blastbeat.instance import NEVER, Instance
from blastbeat.nodes import NodeTable
from blastbeat.virtualhost import VirtualHost

UP, DRAINING, SILENT, GONE = "up", "draining", "silent", "gone"
STATES = (UP, DRAINING, SILENT, GONE)
"""From the best to the worst; a node is as well as its best instance."""

MAX_NAMES = 20
"""Virtualhosts named with one node; the others are only counted."""


def state_of(instance: Instance) -> str:
    """One of STATES."""
    if instance.draining:
        return DRAINING
    if instance.is_available:
        return UP
    return GONE if instance.is_gone else SILENT


def shown_instances(table: NodeTable, name: str) -> Sequence[Instance]:
    """The instances of a node, without the one that stands for the configured name while only others have
    come."""
    instances = table.instances(name)
    return [each for each in instances if not (each.is_gone and each.is_configured)] or instances


def describe_node(table: NodeTable, name: str, users: Sequence[VirtualHost], now: float) -> dict[str, Any]:
    """One node; `users` are the virtualhosts and routes that name it, `now` is monotonic."""
    instances = shown_instances(table, name)
    names = list(dict.fromkeys(user.name for user in users))
    return {
        "name": name,
        "router": instances[0].view.endpoint if instances else "",
        "state": min(map(state_of, instances), key=STATES.index, default=GONE),
        "virtualhosts": names[:MAX_NAMES],
        "virtualhosts_total": len(names),
        "instances": [_describe_instance(each, table, users, now) for each in instances],
    }


def _describe_instance(
    instance: Instance, table: NodeTable, users: Iterable[VirtualHost], now: float
) -> dict[str, Any]:
    view, state = instance.view, state_of(instance)
    refused = [] if instance.is_gone else [user for user in users if user.key not in instance.allowed]
    return {
        "identity": view.identity,
        "address": instance.address or "",
        "state": state,
        "why": _why(instance, state, table, now),
        "last_heard": None if instance.heard_at == NEVER else round(max(0.0, now - instance.heard_at), 1),
        "sessions": view.sessions,
        "queued_bytes": view.queued_bytes,
        "capabilities": _words(instance),
        "refused_by": [" ".join(user.key).rstrip() for user in refused[:MAX_NAMES]],
    }


def _why(instance: Instance, state: str, table: NodeTable, now: float) -> str:
    """Why it gets no new sessions; empty where it gets some."""
    if state == UP:
        return ""
    if instance.drained_at is not None:
        return "drained: its last session is over"
    if state == DRAINING:
        return "takes no new sessions, as it asked"
    if state == GONE:
        return "not connected"
    return table.why_unavailable(instance, now)


def _words(instance: Instance) -> list[str]:
    words = sorted(instance.capabilities)
    return [*words, f"credit={instance.credit}"] if instance.credit else words


def users_of(virtualhosts: Iterable[VirtualHost]) -> Mapping[tuple[int, str], list[VirtualHost]]:
    """Who names a node, by the identity of its table and its name."""
    users: dict[tuple[int, str], list[VirtualHost]] = {}
    for virtualhost in virtualhosts:
        for name in virtualhost.node_names:
            users.setdefault((id(virtualhost.table), name), []).append(virtualhost)
    return users


def available_instances(virtualhost: VirtualHost) -> int:
    """How many may take a new session of it."""
    return len(virtualhost.candidates(virtualhost.node_names, set()))
