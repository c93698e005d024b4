"""What holds for a customer: its plan, and its own keys before it."""

from __future__ import annotations

import math

import pytest

from blastbeat_policy.plans import make_terms, merge
from policy_case import validated


def test_a_customers_own_keys_go_before_its_plans() -> None:
    plan = validated({"requests": "10/s", "sessions": 5, "traffic": "1TB"})
    own = {"plan": "bronze", **validated({"requests": "20/s", "traffic": "unlimited"})}
    terms = make_terms("bronze", plan, own)
    assert terms.plan == "bronze"
    assert terms.rates["requests"].per_second == 20
    assert terms.sessions == {"sessions": 5}
    assert terms.traffic is None


def test_each_level_has_a_limit_of_its_own() -> None:
    terms = make_terms(
        "p", validated({"requests": "10/s", "virtualhost-requests": "300/m", "client-requests": 1}), {}
    )
    assert {key: rate.per_second for key, rate in terms.rates.items()} == {
        "requests": 10,
        "virtualhost-requests": 5,
        "client-requests": 1,
    }
    assert terms.rates["virtualhost-requests"].written == "300/m"


@pytest.mark.parametrize(
    ("keys", "at_once"),
    [
        ({"requests": "10/s"}, 10),
        ({"requests": "10/s", "requests-burst": 3}, 3),
        ({"requests": "1/m"}, 1),
        ({"requests": "2.5/s"}, 3),
    ],
)
def test_a_burst_is_what_may_come_at_once(keys: dict[str, object], at_once: int) -> None:
    rate = make_terms("p", validated(keys), {}).rates["requests"]
    assert math.isclose(rate.ahead, (at_once - 1) / rate.per_second)


def test_a_burst_of_bytes_is_a_size() -> None:
    terms = make_terms("p", validated({"download": "1MB/s", "download-burst": "5MB", "upload": "1MB/s"}), {})
    assert terms.rates["download"].ahead == 5
    assert terms.rates["upload"].ahead == pytest.approx(0.1)


def test_the_burst_of_a_limit_that_was_lifted_is_gone_too() -> None:
    plan = validated({"requests": "10/s", "requests-burst": 3})
    assert make_terms("p", plan, validated({"requests": "unlimited"})).rates == {}


def test_maintenance_is_an_answer_with_a_page() -> None:
    assert make_terms("p", validated({"maintenance": False}), {}).maintenance is None
    answer = make_terms("p", {"maintenance-page": b"<p>later"}, validated({"maintenance": "yes"})).maintenance
    assert answer is not None
    assert (answer.status, answer.body) == (503, b"<p>later")
    headers = dict(answer.headers)
    assert headers[b"Retry-After"] == b"600" and headers[b"Content-Type"].startswith(b"text/html")


def test_methods_are_told_as_they_were_listed() -> None:
    terms = make_terms("p", validated({"methods": "POST GET"}), {})
    assert terms.methods == frozenset((b"GET", b"POST")) and terms.allowed == b"POST, GET"


def test_a_table_says_nothing_of_its_plan_in_force() -> None:
    assert merge({"sessions": 1}, {"plan": "gold", "sessions": None}) == {}
