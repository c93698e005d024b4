"""Tallies: what an exchange adds, which limit an end means, and how long a name keeps its sums."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, Filter, RequestView
from blastbeat.tally import DURATION_BOUNDS, MAX_LIMITS, Durations, Tallies, Tally
from tests.helpers.engine import Engine, request_head, upload_head


def ended(
    status: int = 200, reason: CloseReason = CloseReason.COMPLETE, bytes_in: int = 0, bytes_out: int = 0
) -> SimpleNamespace:
    return SimpleNamespace(status=status, reason=reason, bytes_in=bytes_in, bytes_out=bytes_out)


def test_an_exchange_adds_its_figures() -> None:
    tally = Tally()
    for status, bytes_in, bytes_out in [(200, 1, 10), (204, 2, 0), (503, 0, 30), (0, 4, 0), (101, 0, 0)]:
        tally.add(ended(status, bytes_in=bytes_in, bytes_out=bytes_out))
    assert tally.answers == [1, 1, 2, 0, 0, 1, 0, 0, 0, 0]
    assert (tally.requests, tally.bytes_in, tally.bytes_out, tally.limits) == (5, 7, 40, {})


@pytest.mark.parametrize(
    ("status", "reason", "limit"),
    [
        (200, CloseReason.SLOW_CLIENT, "writequeue-buffer"),
        (200, CloseReason.MEMORY, "memory"),
        (200, CloseReason.LINGER_OVER, "linger"),
        (413, CloseReason.LIMIT, None),  # counted where it is hit: it may be a plugin's
        (403, CloseReason.REFUSED, None),
        (413, CloseReason.COMPLETE, None),  # a node's own
        (504, CloseReason.RESPONSE_TIMEOUT, None),
    ],
)
def test_ends_that_are_a_limits(status: int, reason: CloseReason, limit: str | None) -> None:
    tally = Tally()
    tally.add(ended(status, reason))
    assert tally.limits == ({limit: 1} if limit else {})


def test_limits_are_counted_by_name() -> None:
    tally = Tally()
    for limit in ("sessions", "max-body", "sessions"):
        tally.hit(limit)
    assert tally.limits == {"sessions": 2, "max-body": 1}


def test_names_of_limits_are_bounded() -> None:
    tally = Tally()
    for number in range(MAX_LIMITS + 5):
        tally.hit(f"limit{number}")
    tally.hit("limit0")
    assert len(tally.limits) == MAX_LIMITS + 1
    assert (tally.limits["other"], tally.limits["limit0"]) == (5, 2)


def test_durations_are_sorted_by_their_bounds() -> None:
    durations = Durations()
    for seconds in (0.0, DURATION_BOUNDS[0], DURATION_BOUNDS[0] + 0.001, 1e9):
        durations.add(seconds)
    assert durations.counts[:2] == [2, 1] and durations.counts[-1] == 1
    assert sum(durations.counts) == 4 and durations.total == pytest.approx(1e9, abs=1)


def test_a_name_keeps_its_tally_while_somebody_holds_it() -> None:
    tallies = Tallies()
    tally = tallies.of("a.example")
    tally.hit("sessions")
    assert tallies.of("a.example") is tally
    assert tallies.of("a.example", "/api") is not tally
    del tally
    assert tallies.of("a.example").limits == {}


# ---------------------------------------------------------------- in the engine


def test_a_virtualhost_counts_its_own() -> None:
    engine = Engine()
    other = engine.add_virtualhost("other.test", ["other"])
    session = engine.request(engine.stream())
    assert engine.virtualhost.tally.requests == 0  # it still runs
    engine.respond(session)
    assert (engine.virtualhost.tally.answers[2], other.tally.requests) == (1, 0)
    assert sum(engine.counters.tallies.durations.counts) == 1


def test_a_request_without_a_virtualhost_is_nobodys() -> None:
    """Also on a connection that had one before."""
    engine = Engine()
    stream = engine.stream()
    engine.respond(engine.request(stream))
    engine.request(stream, request_head(authority=b"unknown.test"))
    stream.request_refused(400, "malformed", CloseReason.CLIENT_ERROR)
    unmatched = engine.counters.tallies.unmatched
    assert (unmatched.answers[4], engine.virtualhost.tally.requests) == (2, 1)


def test_the_limit_on_sessions_is_counted() -> None:
    engine = Engine(policy={"sessions": 1})
    engine.request(engine.stream())
    engine.request(engine.stream())
    assert engine.virtualhost.tally.limits == {"sessions": 1}


def test_the_servers_limit_on_sessions_is_told_apart() -> None:
    engine = Engine(max_sessions=1)
    engine.request(engine.stream())
    engine.request(engine.stream())
    assert engine.virtualhost.tally.limits == {"server-sessions": 1}


def test_a_plugins_limit_is_counted() -> None:
    class Full(Filter):
        def on_request(self, view: RequestView) -> Answer:
            return Answer(503, reason=CloseReason.LIMIT, limit="concurrent")

    engine = Engine(filters=[Full()])
    engine.request(engine.stream())
    assert engine.virtualhost.tally.limits == {"concurrent": 1}


def test_the_limit_on_bodies_is_counted() -> None:
    """Whether the length was declared or not."""
    engine = Engine(policy={"max_body": 3})
    engine.request(engine.stream(), upload_head(4))
    stream = engine.stream()
    engine.request(stream, upload_head(), ends=False)
    stream.request_data(b"four")
    assert engine.virtualhost.tally.limits == {"max-body": 2}
