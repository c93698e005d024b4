"""The filter `limits`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from blastbeat.counters import COUNTERS
from blastbeat.errors import ConfigError
from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, Filter, Pace, RequestView
from blastbeat.plugins import limits
from blastbeat.plugins.limits import REQUEST_OPTIONS
from blastbeat.testing import FilterContract, make_registered, make_request_view


def make(**options: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return make_registered(limits, "filter", "limits", named)


class TestLimitsOfRequests(FilterContract):
    plugin = limits
    name = "limits"
    options = {"requests": "5/s", "client-requests": "2/s", "concurrent": 5, "client-concurrent": "3"}


class TestLimitsOfBytes(FilterContract):
    plugin = limits
    name = "limits"
    options = {"download": "1Mbit/s", "client-download": 1000, "upload": "1MiB/s", "client-upload": "8"}


class TestLimitsOfBoth(FilterContract):
    plugin = limits
    name = "limits"
    options = {"client-requests": 2, "upload": "1MiB/s", "download": "1MiB/s"}


class Table:
    """Views of requests with one clock, and what they counted."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.counted: Counter[str] = Counter()

    def view(self, address: bytes = b"192.0.2.1") -> RequestView:
        view = make_request_view(remote_addr=address)
        view.now = lambda: self.time
        view.count = self.count
        return view

    def count(self, name: str) -> None:
        assert name in COUNTERS
        self.counted[name] += 1

    def ask(self, subject: Any, address: bytes = b"192.0.2.1") -> Answer | None:
        """The verdict on a request that is over at once."""
        view = self.view(address)
        verdict: Answer | None = subject.on_request(view)
        subject.on_closed(view)
        return verdict


# ---------------------------------------------------------------- requests


def test_a_rate_of_each_client() -> None:
    table, subject = Table(), make(client_requests="10/s", client_burst=2)
    assert [table.ask(subject) for _ in range(2)] == [None, None]
    refused = table.ask(subject)
    assert refused == Answer(
        429,
        b"",
        [(b"Retry-After", b"1")],
        CloseReason.LIMIT,
        "over the limit client-requests=10/s",
        limit="client-requests",
    )
    assert table.ask(subject, b"192.0.2.2") is None
    table.time += 0.1
    assert table.ask(subject) is None
    assert table.counted == {"limits.client-requests": 1}


def test_a_rate_of_all_clients_together() -> None:
    table, subject = Table(), make(requests="60/m", burst="1")
    assert table.ask(subject, b"192.0.2.1") is None
    refused = table.ask(subject, b"192.0.2.2")
    assert refused is not None and (refused.status, refused.detail) == (429, "over the limit requests=60/m")
    table.time += 1
    assert table.ask(subject, b"192.0.2.2") is None


def test_what_is_refused_counts_for_nothing() -> None:
    table, subject = Table(), make(requests="1/h", burst=2, client_requests="1/h")
    assert table.ask(subject, b"192.0.2.1") is None
    for _ in range(10):
        assert table.ask(subject, b"192.0.2.1") is not None
    assert table.ask(subject, b"192.0.2.2") is None


def test_without_a_burst_it_is_a_seconds_worth() -> None:
    table, subject = Table(), make(client_requests=3)
    assert [table.ask(subject) is None for _ in range(4)] == [True, True, True, False]
    table, subject = Table(), make(client_requests="1/m")
    assert [table.ask(subject) is None for _ in range(2)] == [True, False]


def test_retry_after_is_when_it_would_pass() -> None:
    table, subject = Table(), make(client_requests="1/m")
    table.ask(subject)
    table.time += 10.5
    refused = table.ask(subject)
    assert refused is not None and refused.headers == [(b"Retry-After", b"50")]


def test_how_many_at_once() -> None:
    table, subject = Table(), make(concurrent=3, client_concurrent=2)
    views = [table.view(), table.view()]
    assert [subject.on_request(view) for view in views] == [None, None]
    refused = table.ask(subject)
    assert refused == Answer(
        503,
        b"",
        [(b"Retry-After", b"1")],
        CloseReason.LIMIT,
        "over the limit client-concurrent=2",
        limit="client-concurrent",
    )
    other = table.view(b"192.0.2.2")
    assert subject.on_request(other) is None
    refused = table.ask(subject, b"192.0.2.3")
    assert refused is not None and refused.detail == "over the limit concurrent=3"
    subject.on_closed(views[0])
    subject.on_closed(views[0])
    assert table.ask(subject) is None
    assert table.counted == {"limits.client-concurrent": 1, "limits.concurrent": 1}


def test_two_of_them_side_by_side() -> None:
    """Each keeps its own count of one and the same exchange."""
    table, one, two = Table(), make(concurrent=1), make(concurrent=1)
    view = table.view()
    assert one.on_request(view) is None and two.on_request(view) is None
    one.on_closed(view)
    assert table.ask(one) is None and table.ask(two) is not None
    two.on_closed(view)
    assert table.ask(two) is None


def test_the_clients_it_remembers_are_bounded_and_counted() -> None:
    table, subject = Table(), make(client_requests="1/h", clients=100)
    for number in range(150):
        table.ask(subject, b"10.0.0.%d" % number)
    assert table.counted == {"limits.clients-forgotten": 50}


# ---------------------------------------------------------------- bytes


def pace_of(subject: Any, view: RequestView) -> Pace:
    pace: Pace | None = subject.on_output(view)
    assert pace is not None
    return pace


def test_a_download_rate_of_all_clients() -> None:
    table, subject = Table(), make(download="100kB/s")
    one, two = (pace_of(subject, table.view(address)) for address in (b"192.0.2.1", b"192.0.2.2"))
    assert one(10_000) == 0
    assert two(20_000) == 0, "a tenth of a second may be ahead"
    assert one(10_000) == pytest.approx(0.2)
    assert two(10_000) == pytest.approx(0.3)
    table.time += 10
    assert one(10_000) == 0


def test_a_download_rate_of_each_client() -> None:
    table, subject = Table(), make(client_download="100kB/s", download="400kB/s")
    one, two = (pace_of(subject, table.view(address)) for address in (b"192.0.2.1", b"192.0.2.2"))
    assert one(50_000) == 0 and one(1) == pytest.approx(0.4)
    assert two(1) == pytest.approx(0.025, abs=0.001), "only what all together are over"


def test_an_upload_rate_holds_back_what_follows() -> None:
    table, subject = Table(), make(upload="100kB/s", client_upload="50kB/s")
    view = table.view()
    assert subject.on_data(view, "out", 10**9) == 0
    assert subject.on_data(view, "in", 50_000) == pytest.approx(0.9)
    assert subject.on_data(table.view(b"192.0.2.2"), "in", 50_000) == pytest.approx(0.9)
    assert subject.on_data(table.view(b"192.0.2.3"), "in", 1) == pytest.approx(0.9, abs=0.001)
    assert subject.on_output(view) is None


def test_a_download_limit_is_not_asked_about_data() -> None:
    assert type(make(download="1MB/s")).on_data is Filter.on_data
    assert type(make(client_requests=1)).on_output is Filter.on_output


def test_both() -> None:
    table, subject = Table(), make(client_requests="1/h", download="100kB/s", upload="100kB/s")
    assert table.ask(subject) is None and table.ask(subject) is not None
    pace = pace_of(subject, table.view())
    assert pace(30_000) == 0 and pace(1) == pytest.approx(0.2)
    assert subject.on_data(table.view(), "in", 30_000) == pytest.approx(0.2)


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "limits nothing"),
        ({"clients": 1000}, "limits nothing"),
        ({"burst": 3}, "`burst` says how far `requests`"),
        ({"requests": 3, "client_burst": 3}, "`client-burst` says how far `client-requests`"),
        ({"requests": "10/d"}, "is not a rate"),
        ({"requests": "0"}, "from 1/h"),
        ({"requests": True}, "is not a rate"),
        ({"concurrent": 0}, "from 1 to"),
        ({"download": "fast"}, "is not a rate"),
        ({"download": "1B/s"}, "from 1kbit/s"),
        ({"clients": 10, "requests": 1}, "from 100 to"),
        ({"client_request": 1}, "did you mean 'client-requests'"),
    ],
)
def test_options_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**options)


def test_each_limit_of_requests_has_its_counter() -> None:
    counted = {name for name in REQUEST_OPTIONS if not name.endswith("burst")}
    assert {f"limits.{name}" for name in counted} <= set(COUNTERS)
