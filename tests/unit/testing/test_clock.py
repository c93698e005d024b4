"""Tests of `blastbeat.testing.clock`."""

from __future__ import annotations

import pytest

from blastbeat.testing import FakeClock, make_request_view


def test_it_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock()
    before = clock.monotonic(), clock.wall()
    assert (clock.monotonic(), clock.wall()) == before
    assert clock.advance(2.5) == clock.now == before[0] + 2.5
    assert (clock.monotonic(), clock.wall()) == (before[0] + 2.5, before[1] + 2.5)


def test_a_view_can_be_given_it() -> None:
    clock = FakeClock(now=5)
    view = make_request_view()
    view.now = clock
    clock.advance(1)
    assert view.now() == 6


def test_it_never_goes_back() -> None:
    with pytest.raises(ValueError, match="never goes back"):
        FakeClock().advance(-1)
