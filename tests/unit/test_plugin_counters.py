"""Which counters plugins may declare."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import PluginError
from blastbeat.plugin_counters import MAX_COUNTERS, counter_adder, join_counters


def test_counters_are_declared_under_the_plugins_name() -> None:
    found: dict[str, str] = {}
    register = counter_adder("my-policy", found)
    register("my-policy.requests", "requests over a rate")
    register("my-policy.refused.too-large.2", "and more")
    assert found == {
        "my-policy.requests": "requests over a rate",
        "my-policy.refused.too-large.2": "and more",
    }


@pytest.mark.parametrize(
    "name",
    ["requests", "policy", "policy.", "policies.requests", "other.requests", "policy.Requests", "policy.a b"]
    + ["policy..a", "policy.a.", "policy.a_b", "policy.a.b.c.d.e", f"policy.{'a' * 51}", "policy.\n", 5],
)
def test_other_names_are_refused(name: Any) -> None:
    with pytest.raises(PluginError, match="plugin 'policy'"):
        counter_adder("policy", {})(name, "something")


@pytest.mark.parametrize("meaning", ["", " ", "two\nlines", "\x1b[1m", "a" * 201, 5, None])
def test_each_says_what_it_counts(meaning: Any) -> None:
    with pytest.raises(PluginError, match=r"policy\.requests"):
        counter_adder("policy", {})("policy.requests", meaning)


def test_one_of_the_servers_own_is_refused() -> None:
    with pytest.raises(PluginError, match="the server's own"):
        counter_adder("sessions", {})("sessions.opened", "something")


def test_one_is_declared_once() -> None:
    register = counter_adder("policy", {})
    register("policy.requests", "something")
    with pytest.raises(PluginError, match="twice"):
        register("policy.requests", "something")


def test_there_is_a_limit() -> None:
    register = counter_adder("policy", {})
    for number in range(MAX_COUNTERS):
        register(f"policy.{number}", "something")
    with pytest.raises(PluginError, match="by reason rather than by who"):
        register("policy.more", "something")


def test_two_that_metrics_cannot_tell_apart() -> None:
    known = {"a-b.c": "one"}
    with pytest.raises(PluginError, match=r"'a\.b-c', in metrics the same as 'a-b\.c'"):
        join_counters("a", {"a.fine": "other", "a.b-c": "another"}, known)
    assert known == {"a-b.c": "one"}
    join_counters("a", {"a.fine": "other"}, known)
    assert known == {"a-b.c": "one", "a.fine": "other"}
    with pytest.raises(PluginError):
        join_counters("a", {"a.x-y": "one", "a.x.y": "two"}, known)
