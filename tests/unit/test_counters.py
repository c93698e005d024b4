"""Counters: a closed list of names, each with words and a shape."""

from __future__ import annotations

import re

import pytest

from blastbeat.counters import COUNTERS, Counters, metric_name


def test_they_begin_at_nothing_and_add_up() -> None:
    counters = Counters()
    assert set(counters.snapshot()) == set(COUNTERS) and not any(counters.snapshot().values())
    counters.add("requests.received")
    counters.add("requests.received", 2)
    assert counters["requests.received"] == 3
    assert sum(counters.snapshot().values()) == 3


def test_a_snapshot_stays_as_it_was() -> None:
    counters = Counters()
    before = counters.snapshot()
    counters.add("sessions.opened")
    assert before["sessions.opened"] == 0


def test_each_server_has_its_own() -> None:
    Counters().add("sessions.opened")
    assert Counters()["sessions.opened"] == 0


def test_a_name_that_is_not_declared_is_a_defect_that_shows() -> None:
    counters = Counters()
    with pytest.raises(KeyError):
        counters.add("requests.recieved")
    with pytest.raises(KeyError):
        counters["requests.recieved"]


def test_plugins_declare_their_own() -> None:
    counters = Counters()
    with pytest.raises(KeyError):
        counters.add("policy.requests")
    counters.declare({"policy.requests": "requests over a rate"})
    counters.add("policy.requests")
    assert counters.snapshot()["policy.requests"] == 1
    assert counters.of_plugins == {"policy.requests": "requests over a rate"}
    assert "policy.requests" not in Counters() and "policy.requests" not in COUNTERS


def test_the_name_of_a_metric() -> None:
    assert metric_name("policy.too-large") == metric_name("policy.too.large") == "policy_too_large"


@pytest.mark.parametrize(("name", "meaning"), COUNTERS.items())
def test_names_have_one_shape_and_words(name: str, meaning: str) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z]+(-[a-z]+)*){1,2}|answers\.\d{3}|responses\.\dxx", name)
    assert meaning and not meaning.endswith(".") and "|" not in meaning
