"""The server's figures at one moment, and the line of them that is logged every `stats-freq` seconds.

Reads what is counted anyway, so that a request pays nothing for it. Knows neither the clock nor who else
asks: the status page and the control socket take the same figures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from blastbeat.instance import Instance

log = logging.getLogger(__name__)

LINES_LOST = ("log.lines-lost.access", "log.lines-lost.error")


@dataclass(frozen=True, slots=True)
class Figures:
    """`at` is monotonic, seconds. `nodes_known` counts configured names per ROUTER, `nodes_up` those of them
    with an available instance. Bytes wait for clients that do not keep up, and for instances that do not."""

    at: float
    counters: Mapping[str, int]
    connections: int = 0
    sessions: int = 0
    nodes_up: int = 0
    nodes_known: int = 0
    instances_up: int = 0
    client_bytes: int = 0
    node_bytes: int = 0


def take_figures(
    at: float,
    counters: Mapping[str, int],
    tables: Iterable[Iterable[Instance]] = (),
    *,
    connections: int = 0,
    sessions: int = 0,
    client_bytes: int = 0,
) -> Figures:
    """The figures now; `counters` is copied. `tables` holds the instances of each ROUTER."""
    known = up = instances_up = node_bytes = 0
    for table in tables:
        available: dict[str, bool] = {}
        for instance in table:
            available[instance.node] = available.get(instance.node, False) or instance.is_available
            instances_up += instance.is_available
            node_bytes += instance.outbox.size
        known += len(available)
        up += sum(available.values())
    return Figures(
        at, dict(counters), connections, sessions, up, known, instances_up, client_bytes, node_bytes
    )


def figures_since(before: Figures, now: Figures) -> dict[str, int | float]:
    """What a line says, by name: sums since `before` and `requests_per_second`, then what there is now."""
    seconds = now.at - before.at

    def grown(*names: str) -> int:
        return sum(now.counters[name] - before.counters[name] for name in names)

    requests = grown("requests.received")
    return {
        "seconds": round(seconds, 1),
        "requests": requests,
        "requests_per_second": round(requests / seconds, 1) if seconds > 0 else 0.0,
        "responses_4xx": grown("responses.4xx"),
        "responses_5xx": grown("responses.5xx"),
        "bytes_in": grown("bytes.in"),
        "bytes_out": grown("bytes.out"),
        "connections": now.connections,
        "sessions": now.sessions,
        "nodes_up": now.nodes_up,
        "nodes_known": now.nodes_known,
        "instances_up": now.instances_up,
        "client_bytes": now.client_bytes,
        "node_bytes": now.node_bytes,
        "log_lines_lost": grown(*LINES_LOST),
    }


class CallLater(Protocol):
    """The event loop's, or a test's."""

    def __call__(self, seconds: float, callback: Callable[[], None], /) -> Cancellable: ...


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class FiguresLog:
    """Logs a line of figures every `period` seconds; none while the period is 0."""

    def __init__(self, call_later: CallLater, take: Callable[[], Figures]) -> None:
        self._call_later = call_later
        self._take = take
        self._period = 0.0
        self._before: Figures | None = None
        self._timer: Cancellable | None = None

    def set_period(self, period: float) -> None:
        """From now on, with 0 never. The same period again changes nothing."""
        if period == self._period:
            return
        self._period = period
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if period:
            self._before = self._take()
            self._timer = self._call_later(period, self._tell)

    def _tell(self) -> None:
        assert self._before is not None
        self._timer = self._call_later(self._period, self._tell)
        now = self._take()
        figures = figures_since(self._before, now)
        self._before = now
        text = " ".join(f"{name}={value}" for name, value in figures.items())
        log.info("figures: %s", text, extra={"figures": figures})
