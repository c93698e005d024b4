"""The real clock, and the `Date` field it makes."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

from blastbeat.transport.clock import DateField, SystemClock


def test_system_clock() -> None:
    clock = SystemClock()
    before, between, after = time.monotonic(), clock.monotonic(), time.monotonic()
    assert before <= between <= after
    before, between, after = time.time(), clock.wall(), time.time()
    assert before <= between <= after


def test_date_is_now_in_the_only_form_that_may_be_sent() -> None:
    """IMF-fixdate, RFC 9110 §5.6.7."""
    field = DateField()
    before = int(time.time())
    value = field.now().decode()
    after = int(time.time())
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT", value)
    assert before <= parsedate_to_datetime(value).timestamp() <= after


def test_date_is_made_once_per_second() -> None:
    field = DateField()
    first, second = field.now(), field.now()
    assert first is second or first != second  # the second may have ended between them
