"""Rates and sessions at three levels."""

from __future__ import annotations

import pytest

from blastbeat_policy.meters import Keys, Meter, SessionCount
from blastbeat_policy.plans import Rate

ONE: Keys = (b"192.0.2.1", b"a.example", b"")
OTHER_CLIENT: Keys = (b"192.0.2.2", b"a.example", b"")
OTHER_HOST: Keys = (b"192.0.2.1", b"b.example", b"")


def rate(per_second: float, at_once: int = 1) -> Rate:
    return Rate(per_second, (at_once - 1) / per_second, f"{per_second:g}/s")


def test_the_limit_that_takes_longest_tells() -> None:
    meter = Meter("requests", 100)
    meter.apply({"client-requests": rate(2), "virtualhost-requests": rate(4), "requests": rate(1, 3)}, 0.0)
    assert meter.longest(ONE, 10.0) == (0.0, "")
    meter.charge(ONE, 1, 10.0)
    assert meter.longest(ONE, 10.0) == (0.5, "client-requests")
    assert meter.longest(OTHER_CLIENT, 10.0) == (0.25, "virtualhost-requests")
    meter.charge(OTHER_HOST, 1, 10.0)
    meter.charge(OTHER_HOST, 1, 10.0)
    assert meter.longest(OTHER_CLIENT, 10.0) == (1.0, "requests")
    assert meter.written("client-requests") == "2/s"


def test_new_rates_leave_taken_what_was_taken() -> None:
    meter = Meter("requests", 100)
    meter.apply({"requests": rate(1), "client-requests": rate(1)}, 0.0)
    meter.charge(ONE, 1, 10.0)
    meter.apply({"requests": rate(10), "virtualhost-requests": rate(1)}, 10.0)
    assert [reason for reason, _, _ in meter.parts] == ["virtualhost-requests", "requests"]
    wait, reason = meter.longest(ONE, 10.0)
    assert wait == pytest.approx(0.1) and reason == "requests"
    meter.apply({}, 10.0)
    assert meter.longest(ONE, 10.0) == (0.0, "") and not meter.parts


def test_a_table_of_clients_that_is_full_forgets_and_tells() -> None:
    meter = Meter("requests", 2)
    meter.apply({"client-requests": rate(0.001)}, 0.0)
    assert not any(meter.charge((client, b"a.example", b""), 1, 0.0) for client in (b"1", b"2"))
    assert meter.charge((b"3", b"a.example", b""), 1, 0.0)


def test_taking_waits_for_what_was_taken_before() -> None:
    meter = Meter("download", 100)
    meter.apply({"download": Rate(1000, 0.0, ""), "client-download": Rate(500, 0.0, "")}, 0.0)
    assert meter.take(ONE, 1000, 0.0) == 0
    assert meter.take(ONE, 1000, 0.0) == 2
    assert meter.take(OTHER_CLIENT, 1000, 0.0) == 2, "of its own nothing, of all together two seconds' worth"


def test_sessions_are_counted_at_each_level() -> None:
    count = SessionCount()
    count.apply({"client-sessions": 1, "virtualhost-sessions": 2, "sessions": 3})
    count.add(ONE)
    assert count.reached(ONE) == ("client-sessions", 1)
    assert count.reached(OTHER_CLIENT) is None
    count.add(OTHER_CLIENT)
    assert count.reached((b"192.0.2.3", b"a.example", b"")) == ("virtualhost-sessions", 2)
    count.add((b"192.0.2.3", b"b.example", b""))
    assert count.reached((b"192.0.2.4", b"c.example", b"")) == ("sessions", 3)
    assert count.open == 3
    for keys in (ONE, OTHER_CLIENT, (b"192.0.2.3", b"b.example", b"")):
        count.remove(keys)
    assert count.open == 0 and count.reached(ONE) is None
    assert count._counts == ({}, {}, {}), "nothing is left of those who have gone"


def test_a_lower_limit_takes_nothing_from_who_is_there() -> None:
    count = SessionCount()
    count.add(ONE)
    count.add(ONE)
    count.apply({"sessions": 1})
    assert count.reached(OTHER_HOST) == ("sessions", 1)
    count.remove(ONE)
    count.remove(ONE)
    assert count.reached(OTHER_HOST) is None
