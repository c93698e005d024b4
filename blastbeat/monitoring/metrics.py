"""Takes a snapshot of the server and writes it down in Prometheus' formats, when somebody scrapes.

Nothing is counted here. What there is to tell is `families`' business; how it is spelled is
prometheus-client's (the extra `metrics`), which is imported only then.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from blastbeat.config.model import Config
from blastbeat.errors import Problem
from blastbeat.monitoring.families import (
    DURATION,
    DURATION_TEXT,
    FAMILIES,
    PREFIX,
    Family,
    Snapshot,
    plugin_families,
)
from blastbeat.monitoring.status import (
    RunningServer,
    describe_nodes,
    describe_profile,
    describe_server,
    describe_tally,
    describe_virtualhost,
    families_of,
    is_without_node,
    wiring_of,
)
from blastbeat.tally import DURATION_BOUNDS, Tally
from blastbeat.virtualhost import VirtualHost

if TYPE_CHECKING:
    from prometheus_client.core import Metric

MAX_LABELLED = 1000
"""Virtualhosts and routes together, and likewise nodes, with series of their own: the first of the
configuration."""


MISSING_CLIENT = "/metrics needs the package prometheus-client: pip install 'blastbeat[metrics]'"


def examine_metrics(config: Config) -> list[Problem]:
    """What `check` says: the package that is missing."""
    if config.server.stats_bind is None or importlib.util.find_spec("prometheus_client") is not None:
        return []
    return [Problem(MISSING_CLIENT, "warning", section="blastbeat", key="stats-bind")]


def take_snapshot(server: RunningServer, now: float, at: float) -> Snapshot:
    """`now` is monotonic, `at` wall clock; seconds."""
    wiring, tallies = wiring_of(server), server.counters.tallies
    families = families_of(wiring.dispatcher.virtualhosts)
    listed = _count_labelled(families)
    rest = families[listed:]
    return Snapshot(
        describe_server(server, at),
        server.counters.snapshot(),
        dict(server.counters.of_plugins),
        [describe_virtualhost(family, wiring) for family in families[:listed]],
        len(families),
        sum(map(is_without_node, families)),
        _sum_up(rest) if rest else None,
        describe_tally(tallies.unmatched),
        list(describe_nodes(families, wiring, now, MAX_LABELLED)),
        tuple(tallies.durations.counts),
        tallies.durations.total,
        describe_profile(server.profile) or (),
    )


def _count_labelled(families: Sequence[Sequence[VirtualHost]]) -> int:
    sizes = accumulate(map(len, families))
    return sum(size <= MAX_LABELLED for size in sizes)


def _sum_up(families: Sequence[Sequence[VirtualHost]]) -> dict[str, object]:
    total = Tally()
    for family in families:
        for each in family:
            total.absorb(each.tally)
    return {
        **describe_tally(total),
        "sessions": sum(family[0].sessions for family in families),
        "websockets": sum(family[0].count.websockets for family in families),
    }


def prepare(accept: str) -> Callable[[Snapshot], tuple[bytes, str]]:
    """What writes a snapshot down as the field `accept` of the request wants it: the text, and its type.

    Raises ImportError where prometheus-client is not installed.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder

    encode, kind = choose_encoder(accept)

    def write(snapshot: Snapshot) -> tuple[bytes, str]:
        registry = CollectorRegistry()
        registry.register(_Collector(snapshot))
        ProcessCollector(registry=registry)
        return encode(registry), kind

    return write


class _Collector:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def describe(self) -> list[Metric]:
        """Nothing: there is one collector per registry, so no name can be taken twice."""
        return []

    def collect(self) -> Iterator[Metric]:
        for family in (*FAMILIES, *plugin_families(self._snapshot.plugin_counters)):
            yield _to_metric(family, self._snapshot)
        yield _durations(self._snapshot)


def _to_metric(family: Family, snapshot: Snapshot) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(PREFIX + family.name, family.text, labels=family.labels)
    for labels, value in family.read(snapshot):
        metric.add_metric(labels, value)
    return metric


def _durations(snapshot: Snapshot) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    bounds = [*map(str, DURATION_BOUNDS), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(snapshot.durations)), strict=True))
    metric = HistogramMetricFamily(PREFIX + DURATION, DURATION_TEXT)
    metric.add_metric((), buckets=buckets, sum_value=snapshot.durations_total)
    return metric
