"""Months in the time zone of the ISP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat_policy.months import Calendar, months_before, parse_month


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_month_begins_at_midnight_of_the_time_zone() -> None:
    rome = Calendar("Europe/Rome")
    assert rome.month_of(at("2026-10-31T22:59:59+00:00")) == "2026-10"
    assert rome.month_of(at("2026-10-31T23:00:00+00:00")) == "2026-11"
    assert rome.end_of("2026-10") == at("2026-10-31T23:00:00+00:00"), "winter time began on the 25th"
    assert Calendar().end_of("2026-12") == at("2027-01-01T00:00:00+00:00")


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),
    st.sampled_from(["UTC", "Europe/Rome", "America/St_Johns", "Pacific/Apia", "Asia/Kolkata"]),
)
def test_the_month_ends_where_the_next_begins(moment: datetime, zone: str) -> None:
    calendar, wall = Calendar(zone), moment.replace(tzinfo=UTC).timestamp()
    month = calendar.month_of(wall)
    end = calendar.end_of(month)
    assert calendar.month_of(end) != month == calendar.month_of(end - 1)
    assert 0 < calendar.seconds_left(wall) <= timedelta(days=31, hours=2).total_seconds()


@pytest.mark.parametrize(
    "text", ["2026", "2026-13", "2026-00", "26-11", "2026-11-01", "", "0000-01", "２０２６-11"]
)
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(ValueError, match="no month"):
        parse_month(text)


def test_months_before() -> None:
    assert months_before("2026-11", 0) == "2026-11"
    assert months_before("2026-11", 11) == "2025-12"
    assert months_before("2026-01", 1) == "2025-12"
    assert months_before("0001-05", 1200) == "0001-01"
