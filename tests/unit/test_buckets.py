"""Token buckets in a bounded table, and what clients are counted under."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.buckets import Buckets, client_of


def test_as_many_at_once_as_it_may_be_ahead() -> None:
    """Ten per second, three at once: two of them come early."""
    buckets = Buckets(10.0, 0.2, 10)
    for _ in range(3):
        assert buckets.wait(b"a", 100.0) == 0
        assert not buckets.charge(b"a", 1, 100.0)
    assert buckets.wait(b"a", 100.0) == pytest.approx(0.1)
    assert buckets.wait(b"a", 100.05) == pytest.approx(0.05)
    assert buckets.wait(b"a", 100.1) == 0
    assert buckets.wait(b"b", 100.0) == 0


def test_who_waits_as_told_is_in_time() -> None:
    buckets, now = Buckets(3.0, 0.0, 10), 1000.0
    for _ in range(100):
        now += buckets.wait(b"a", now)
        assert buckets.wait(b"a", now) == 0
        buckets.charge(b"a", 1, now)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 1000)), min_size=1),
    st.floats(1, 1000),
    st.floats(0, 10),
)
def test_never_more_than_the_rate_and_what_it_may_be_ahead(
    takes: list[tuple[float, int]], rate: float, ahead: float
) -> None:
    buckets, now, taken = Buckets(rate, ahead, 10), 0.0, 0
    for pause, amount in takes:
        now += pause
        allowed_at = now + buckets.take(b"", amount, now)
        assert taken <= rate * (allowed_at + ahead) * 1.001 + 1, "before it goes, the others were in time"
        taken += amount


def test_full_buckets_are_forgotten_first() -> None:
    buckets = Buckets(1.0, 0.0, 3)
    for key, now in ((b"a", 0.0), (b"b", 10.0), (b"c", 10.0)):
        assert not buckets.charge(key, 1, now)
    assert not buckets.charge(b"d", 1, 10.5)
    assert len(buckets) == 3 and buckets.wait(b"b", 10.5) > 0
    assert buckets.charge(b"e", 1, 10.6), "b was in use"
    assert len(buckets) == 3 and buckets.wait(b"b", 10.6) == 0


def test_the_table_shrinks_after_a_rush() -> None:
    buckets = Buckets(1.0, 0.0, 1000)
    for number in range(1000):
        buckets.charge(b"%d" % number, 1, 0.0)
    for number in range(1000):
        buckets.charge(b"later", 1, 100.0 + number)
        buckets.charge(b"once-%d" % number, 1, 100.0 + number)
    assert len(buckets) < 10


def test_the_last_to_be_charged_is_the_last_to_be_forgotten() -> None:
    buckets = Buckets(1.0, 0.0, 2)
    buckets.charge(b"a", 9, 0.0)
    buckets.charge(b"b", 1, 0.0)
    buckets.charge(b"a", 1, 0.0)
    assert buckets.charge(b"c", 1, 0.0)
    assert buckets.wait(b"a", 0.0) > 0 and buckets.wait(b"b", 0.0) == 0


def test_another_rate_leaves_taken_what_was_taken() -> None:
    buckets = Buckets(1.0, 9.0, 10)
    buckets.charge(b"a", 10, 100.0)
    buckets.charge(b"full again", 1, 90.0)
    buckets.set_rate(100.0, 0.0, 100.0)
    assert buckets.wait(b"a", 100.0) == pytest.approx(0.1), "ten units, at the new rate, and none ahead"
    assert buckets.wait(b"full again", 100.0) == 0
    buckets.set_rate(1.0, 9.0, 100.05)
    assert buckets.wait(b"a", 100.05) == 0, "five are missing, ten may be"
    buckets.charge(b"a", 6, 100.05)
    assert buckets.wait(b"a", 100.05) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("one", "other", "are_the_same"),
    [
        (b"192.0.2.1", b"192.0.2.2", False),
        (b"2001:db8::1", b"2001:db8::2:0:0:1", True),
        (b"2001:db8::1", b"2001:db8:0:1::1", False),
        (b"::ffff:192.0.2.1", b"192.0.2.1", True),
        (b"::ffff:192.0.2.1", b"::ffff:192.0.2.2", False),
        (b"fe80::1%eth0", b"fe80::2", True),
        (b"", b"", True),
    ],
)
def test_who_counts_as_one_client(one: bytes, other: bytes, are_the_same: bool) -> None:
    assert (client_of(one) == client_of(other)) is are_the_same


def test_what_is_no_address_counts_as_it_is() -> None:
    assert client_of(b"a:b") == b"a:b"
