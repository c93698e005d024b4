from __future__ import annotations

from blastbeat.ratelimit import RateLimit


def test_one_line_per_interval_with_the_number_left_out() -> None:
    limit = RateLimit(interval=10)
    assert limit.allow("a", 0.0) == 0
    assert [limit.allow("a", now) for now in (0.0, 5.0, 9.9)] == [None, None, None]
    assert limit.allow("a", 10.0) == 3
    assert limit.allow("a", 10.1) is None
    assert limit.allow("a", 20.0) == 1


def test_keys_do_not_know_each_other() -> None:
    limit = RateLimit(interval=10)
    assert [limit.allow(key, 0.0) for key in ("a", "b", "a")] == [0, 0, None]


def test_many_keys_share_one_line() -> None:
    limit = RateLimit(interval=10, max_keys=2)
    lines = [limit.allow(key, 1.0) for key in range(1000)]
    assert lines[:3] == [0, 0, 0]
    assert lines[3:] == [None] * 997
    assert limit.allow(5000, 11.0) is not None


def test_old_keys_make_room() -> None:
    limit = RateLimit(interval=10, max_keys=2)
    for now in range(0, 1000, 10):
        assert limit.allow(("key", now), float(now)) == 0
    assert len(limit._seen) <= 3


def test_a_busy_key_is_not_forgotten_for_a_new_one() -> None:
    limit = RateLimit(interval=10, max_keys=2)
    limit.allow("old", 0.0)
    limit.allow("busy", 1.0)
    assert limit.allow("old", 10.0) == 0  # now the younger of the two
    assert limit.allow("new", 11.0) == 0  # in the place of "busy"
    assert limit.allow("old", 12.0) is None
