"""What holds for a customer: the keys of its plan, and its own before them.

Pure: from validated tables to figures. Knows neither requests nor who keeps the limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, Options
from blastbeat.networks import Networks
from blastbeat_policy.keys import BYTES_PER_SECOND, DEFAULT_RETRY, PER_SECOND, PREFIXES

SMOOTHING = 0.1
"""Seconds that a rate of bytes may be ahead where no burst is set: what timers are late by is made up for."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` units, `ahead` of it by so many seconds; `written` is for people."""

    per_second: float
    ahead: float
    written: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that holds for one customer. `rates` and `sessions` are by key (``"client-requests"``); a
    limit that is None or not there does not hold. Sizes are bytes, times seconds."""

    plan: str = ""
    rates: Mapping[str, Rate] = field(default_factory=dict)
    sessions: Mapping[str, int] = field(default_factory=dict)
    traffic: int | None = None
    virtualhost_traffic: int | None = None
    max_body: int | None = None
    methods: frozenset[bytes] | None = None
    allowed: bytes = b""
    nodes: int | None = None
    instances: int | None = None
    node_networks: Networks | None = None
    closes_on_messages: bool = False
    maintenance: Answer | None = None
    maintenance_networks: Networks | None = None


def merge(plan: Options, own: Options) -> dict[str, Any]:
    """The values in force: the customer's own before its plan's, without those that are `unlimited`."""
    merged = {**plan, **own}
    merged.pop("plan", None)
    return {key: value for key, value in merged.items() if value is not None}


def make_terms(plan_name: str, plan: Options, own: Options) -> Terms:
    """The terms of a customer with this plan and these overrides, both validated by `keys`."""
    values = merge(plan, own)
    names = values.get("methods")
    return Terms(
        plan=plan_name,
        rates=_rates(values),
        sessions={
            f"{prefix}sessions": values[f"{prefix}sessions"]
            for prefix in PREFIXES
            if f"{prefix}sessions" in values
        },
        traffic=values.get("traffic"),
        virtualhost_traffic=values.get("virtualhost-traffic"),
        max_body=values.get("max-body"),
        methods=None if names is None else frozenset(names),
        allowed=b", ".join(names or ()),
        nodes=values.get("nodes"),
        instances=values.get("instances"),
        node_networks=_networks(values, "node-networks"),
        closes_on_messages=values.get("messages-over") == "close",
        maintenance=_maintenance(values) if values.get("maintenance") else None,
        maintenance_networks=_networks(values, "maintenance-networks"),
    )


def _networks(values: Options, key: str) -> Networks | None:
    return Networks(values[key], ()) if key in values else None


def _rates(values: Options) -> dict[str, Rate]:
    found = {}
    for prefix in PREFIXES:
        for name in (*PER_SECOND, *BYTES_PER_SECOND):
            key = f"{prefix}{name}"
            if key in values:
                found[key] = _rate(values[key], values.get(f"{key}-burst"), name in BYTES_PER_SECOND)
    return found


def _rate(rate: float, burst: int | None, is_bytes: bool) -> Rate:
    if is_bytes:
        return Rate(rate, SMOOTHING if burst is None else burst / rate, f"{rate} bytes/s")
    at_once = burst or max(1, math.ceil(rate))
    # A request is let through when it would have been on time at the rate, or up to burst - 1 early.
    return Rate(rate, (at_once - 1) / rate, getattr(rate, "written", "") or f"{rate:g}/s")


def _maintenance(values: Options) -> Answer:
    page: bytes = values.get("maintenance-page", b"")
    retry = math.ceil(values.get("maintenance-retry-after", DEFAULT_RETRY))
    headers = [(b"Retry-After", b"%d" % retry), (b"Cache-Control", b"no-store")]
    if page:
        headers.append((b"Content-Type", b"text/html; charset=utf-8"))
    return Answer(503, page, headers, CloseReason.REFUSED, "the customer is in maintenance", "maintenance")
