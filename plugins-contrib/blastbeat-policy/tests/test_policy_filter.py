"""What becomes of requests, bytes and messages under a customer's terms."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason
from blastbeat.interfaces import Filter, Pace, RequestView
from blastbeat.testing import FilterContract
from policy_case import Case, retry_after

ALL_TERMS: dict[str, Any] = {
    "requests": "1000/s",
    "client_requests": "1000/s",
    "new_sessions": "1000/s",
    "sessions": 1000,
    "download": "1MB/s",
    "upload": "1MB/s",
    "messages": "1000/s",
    "max_body": "1MB",
    "traffic": "1TB",
}


class TestPolicyFilter(FilterContract):
    def new_filter(self) -> Filter:
        return Case(**ALL_TERMS).new_filter()


class TestPolicyFilterWithoutTerms(FilterContract):
    def new_filter(self) -> Filter:
        return Case().new_filter()


class TestPolicyFilterThatRefuses(FilterContract):
    def new_filter(self) -> Filter:
        return Case(maintenance=True).new_filter()


# ---------------------------------------------------------------- rates


@pytest.mark.parametrize(
    ("level", "again", "elsewhere"),
    [
        ("client-", {"remote_addr": b"192.0.2.1", "virtualhost": "b"}, {"remote_addr": b"192.0.2.2"}),
        ("virtualhost-", {"remote_addr": b"192.0.2.2"}, {"remote_addr": b"192.0.2.1", "virtualhost": "b"}),
        ("", {"remote_addr": b"192.0.2.2", "virtualhost": "b"}, None),
    ],
)
@pytest.mark.parametrize("name", ["requests", "new-sessions"])
def test_a_rate_holds_at_its_level(name: str, level: str, again: Any, elsewhere: Any) -> None:
    case = Case(**{f"{level}{name}": "30/m", f"{level}{name}-burst": 1})
    subject = case.new_filter()
    assert case.ask(subject, remote_addr=b"192.0.2.1") is None
    refused = case.ask(subject, **again)
    assert refused is not None and refused.status == 429 and retry_after(refused) == 2
    assert refused.reason is CloseReason.LIMIT and refused.limit == f"policy.{level}{name}"
    assert "30/m" in refused.detail
    assert case.counted == {f"policy.{level}{name}": 1}
    if elsewhere is not None:
        assert case.ask(subject, **elsewhere) is None
    case.now += 2
    assert case.ask(subject, **again) is None


def test_two_customers_have_nothing_to_do_with_each_other() -> None:
    case = Case(requests="1/h")
    case.customers.take_customers({"acme": {"plan": "bronze"}, "other": {"plan": "bronze"}})
    assert case.ask(case.new_filter("acme")) is None
    assert case.ask(case.new_filter("acme")) is not None
    assert case.ask(case.new_filter("other")) is None


def test_filters_of_one_customer_share_its_limits() -> None:
    case = Case(requests="1/h")
    assert case.ask(case.new_filter(), virtualhost="a") is None
    assert case.ask(case.new_filter(), virtualhost="b") is not None


def test_who_was_refused_has_taken_nothing() -> None:
    case = Case(requests="1/m", client_requests="1/h")
    subject = case.new_filter()
    assert case.ask(subject) is None
    for _ in range(10):
        assert case.ask(subject) is not None
    case.now += 60
    assert case.ask(subject, remote_addr=b"192.0.2.99") is None, "of the customer's rate one has come back"


def test_a_request_in_a_session_opens_none() -> None:
    case = Case(new_sessions="1/h", sessions=1)
    subject = case.new_filter()
    assert case.ask(subject) is None
    for _ in range(10):
        assert subject.on_request(case.view(opens=False)) is None
    assert case.counted == {}


def test_the_limit_that_lasts_longest_is_told() -> None:
    case = Case(requests="1/m", new_sessions="1/h")
    subject = case.new_filter()
    assert case.ask(subject) is None
    refused = case.ask(subject)
    assert refused is not None and refused.limit == "policy.new-sessions" and retry_after(refused) == 3600


def test_clients_beyond_the_table_are_counted() -> None:
    case = Case(client_requests="1/h")
    subject = case.new_filter()
    for number in range(105):
        assert case.ask(subject, remote_addr=b"10.0.0.%d" % number) is None
    assert case.counted == {"policy.clients-forgotten": 5}


# ---------------------------------------------------------------- sessions


@pytest.mark.parametrize("level", ["client-", "virtualhost-", ""])
def test_sessions_are_bounded_while_they_last(level: str) -> None:
    case = Case(**{f"{level}sessions": 1})
    subject = case.new_filter()
    view = case.view()
    assert subject.on_request(view) is None
    refused = case.ask(subject)
    assert refused is not None and refused.status == 503 and retry_after(refused) == 1
    assert case.counted == {f"policy.{level}sessions": 1}
    case.places.opened(view.connection.id, b"sid")
    subject.on_closed(view)
    assert case.ask(subject) is not None, "the session is still there"
    case.places.closed(b"sid")
    assert case.ask(subject) is None


# ---------------------------------------------------------------- what no waiting helps against


def test_methods() -> None:
    case = Case(methods="GET HEAD")
    assert case.ask(method=b"HEAD") is None
    refused = case.ask(method=b"DELETE")
    assert refused is not None and refused.status == 405
    assert list(refused.headers) == [(b"Allow", b"GET, HEAD")]
    assert case.counted == {"policy.methods": 1}


def test_a_body_that_says_it_is_too_large() -> None:
    case = Case(max_body=100)
    assert case.ask(method=b"POST", content_length=100) is None
    refused = case.ask(method=b"POST", content_length=101)
    assert refused is not None and refused.status == 413
    assert case.counted == {"policy.max-body": 1}


def test_a_body_that_turns_out_to_be_too_large() -> None:
    case = Case(max_body=100)
    subject, view = case.new_filter(), case.view(method=b"POST", chunked=True)
    assert subject.on_request(view) is None
    assert subject.on_data(view, "in", 100) == 0
    with pytest.raises(ClientError) as caught:
        subject.on_data(view, "in", 1)
    assert (caught.value.status, caught.value.limit) == (413, "policy.max-body")
    assert case.counted == {"policy.max-body": 1}


def test_messages_of_a_websocket_are_no_body() -> None:
    case = Case(max_body=100)
    subject, view = case.new_filter(), case.view(upgrade=True)
    assert subject.on_request(view) is None
    assert subject.on_data(view, "in", 1000) == 0


def test_maintenance_has_a_page_and_a_door() -> None:
    case = Case(maintenance=True, maintenance_retry_after="1h", maintenance_networks="192.0.2.0/24")
    assert case.ask(remote_addr=b"192.0.2.5") is None
    refused = case.ask(remote_addr=b"198.51.100.1")
    assert refused is not None and refused.status == 503 and retry_after(refused) == 3600
    assert case.counted == {"policy.maintenance": 1}


# ---------------------------------------------------------------- traffic


@pytest.mark.parametrize("key", ["traffic", "virtualhost-traffic"])
def test_traffic_that_is_used_up(key: str) -> None:
    case = Case(**{key: 1000})
    subject, view = case.new_filter(), case.view()
    assert subject.on_request(view) is None
    subject.on_data(view, "in", 400)
    subject.on_data(view, "out", 599)
    assert case.ask(subject) is None
    subject.on_data(view, "out", 1)
    refused = case.ask(subject)
    assert refused is not None and refused.status == 503 and refused.limit == f"policy.{key}"
    assert retry_after(refused) == 14 * 86_400, "until the month ends"
    elsewhere = case.ask(subject, virtualhost="b")
    assert (elsewhere is None) is (key == "virtualhost-traffic")
    case.customer.offset = case.customer.account("www.acme.example").offset = -1000
    assert case.ask(subject) is None, "another month"


def test_a_websocket_ends_when_the_traffic_is_used_up() -> None:
    case = Case(traffic=1000)
    subject, view = case.new_filter(), case.view(upgrade=True)
    assert subject.on_request(view) is None
    subject.on_message(view, "out", 1000)
    subject.on_data(view, "out", 1000)
    with pytest.raises(ClientError) as caught:
        subject.on_message(view, "out", 1)
    assert caught.value.limit == "policy.traffic" and case.counted == {"policy.traffic": 1}


def test_everything_is_counted_for_its_virtualhost() -> None:
    case = Case(requests="1/h")
    subject, view = case.new_filter(), case.view(virtualhost="a")
    assert subject.on_request(view) is None and case.ask(subject, virtualhost="b") is not None
    case.places.opened(view.connection.id, b"sid")
    subject.on_data(view, "in", 10)
    subject.on_data(view, "out", 200)
    subject.on_message(view, "in", 1)
    for _ in range(3):
        subject.on_message(view, "out", 1)
    one, other = case.customer.account("a"), case.customer.account("b")
    assert (one.requests, one.sessions, one.bytes_in, one.bytes_out) == (1, 1, 10, 200)
    assert (one.messages_in, one.messages_out, sum(one.refused)) == (1, 3, 0)
    assert (other.requests, sum(other.refused), case.customer.traffic) == (0, 1, 210)


def test_a_filter_that_is_listed_twice_counts_once() -> None:
    case = Case(requests="1/h")
    subject, again, view = case.new_filter(), case.new_filter(), case.view()
    assert subject.on_request(view) is None and again.on_request(view) is None
    assert case.customer.account("www.acme.example").requests == 1


# ---------------------------------------------------------------- bandwidth


def pace_of(subject: Filter, view: RequestView) -> Pace:
    assert subject.on_request(view) is None
    pace = subject.on_output(view)
    assert pace is not None
    return pace


def test_downloads_of_all_virtualhosts_share_the_customers_rate() -> None:
    case = Case(download="8kbit/s")
    subject = case.new_filter()
    one, other = pace_of(subject, case.view(virtualhost="a")), pace_of(subject, case.view(virtualhost="b"))
    assert one(1000) == 0
    assert other(1000) == pytest.approx(0.9), "a tenth of a second may be ahead"
    case.now += 1
    assert one(1) == pytest.approx(0.9)


def test_a_new_rate_holds_for_downloads_that_run() -> None:
    case = Case(download="8kbit/s")
    pace = pace_of(case.new_filter(), case.view())
    assert pace(2000) == 0
    case.change(download="80kbit/s")
    assert pace(1) == pytest.approx(0.1)


def test_uploads_pause_for_what_they_took() -> None:
    case = Case(client_upload="8kbit/s")
    subject, view = case.new_filter(), case.view()
    assert subject.on_request(view) is None
    assert subject.on_data(view, "in", 2000) == pytest.approx(1.9)
    other = case.view(remote_addr=b"192.0.2.2")
    assert subject.on_request(other) is None
    assert subject.on_data(other, "in", 50) == 0


def test_what_is_not_limited_is_not_paced() -> None:
    case = Case()
    subject, view = case.new_filter(), case.view()
    assert subject.on_request(view) is None and subject.on_output(view) is None


# ---------------------------------------------------------------- messages


def test_messages_over_the_rate_slow_their_client_down() -> None:
    case = Case(client_messages="2/s", client_messages_burst=3)
    subject, view = case.new_filter(), case.view(upgrade=True)
    assert subject.on_request(view) is None
    waits = []
    for _ in range(4):
        subject.on_message(view, "in", 5)
        waits.append(subject.on_data(view, "in", 5))
    assert waits == [0, 0, pytest.approx(0.5), pytest.approx(1.0)]
    assert case.counted == {"policy.client-messages": 2}
    assert subject.on_data(view, "in", 5) == 0, "asked for once"


def test_messages_over_the_rate_close_it_where_the_plan_says_so() -> None:
    case = Case(messages="1/s", messages_over="close")
    subject, view = case.new_filter(), case.view(upgrade=True)
    assert subject.on_request(view) is None
    subject.on_message(view, "in", 5)
    with pytest.raises(ClientError) as caught:
        subject.on_message(view, "in", 5)
    assert caught.value.limit == "policy.messages" and case.counted == {"policy.messages": 1}


def test_a_flood_of_messages_in_one_read_closes_it() -> None:
    case = Case(messages="1/s", messages_burst=5)
    subject, view = case.new_filter(), case.view(upgrade=True)
    assert subject.on_request(view) is None
    for _ in range(14):
        subject.on_message(view, "in", 5)
    with pytest.raises(ClientError, match="11 s ahead"):
        for _ in range(2):
            subject.on_message(view, "in", 5)


def test_messages_of_nodes_are_not_limited() -> None:
    case = Case(messages="1/h", messages_over="close")
    subject, view = case.new_filter(), case.view(upgrade=True)
    assert subject.on_request(view) is None
    for _ in range(5):
        subject.on_message(view, "out", 5)
    assert case.counted == {}
