"""Tests of `blastbeat.plugin_declarations`: what a plugin may declare, and what is refused with its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blastbeat.config.declared import Pick
from blastbeat.errors import PluginError
from blastbeat.plugin_declarations import Declarations, join
from blastbeat.registry import Registration
from blastbeat.validators import text


def take(values: object) -> None:
    """Receives anything."""


def registered(kind: str, name: str, *options: str) -> Registration:
    return Registration(kind, name, lambda options: None, "policy", "", False, dict.fromkeys(options, text))


def test_what_is_declared_is_joined() -> None:
    first, second = Declarations("policy"), Declarations("billing")
    first({"file": text}, take)
    first.tables("plan", {"rate": text}, take)
    first.virtualhost_keys({"customer": text}, filters=("policy",))
    first.settle([registered("filter", "policy", "customer")])
    second.tables("invoice", {}, take)
    second.settle([])
    declared = join([first, second], {"other": "disabled"})

    assert first.own is not None and first.own[0] == {"file": text}
    assert {kind: each.plugin for kind, each in declared.tables.items()} == {
        "plan": "policy",
        "invoice": "billing",
    }
    assert declared.by_key["customer"].picks == (Pick("filter", "policy", ("customer",)),)
    assert declared.inactive == {"other": "disabled"}
    assert first.sections() == (
        ("[plugin.policy]", ("file",)),
        ("[plan.NAME]", ("rate",)),
        ("[vhost.HOST]", ("customer",)),
    )
    assert second.sections() == (("[invoice.NAME]", ()),)


def test_objects_of_all_three_kinds_get_the_keys_that_they_take() -> None:
    found = Declarations("policy")
    found.virtualhost_keys(
        {"customer": text, "zone": text},
        filters="policy",
        node_authenticators=["inside"],
        request_authenticators=["login"],
    )
    found.settle(
        [
            registered("filter", "policy", "customer", "zone", "more"),
            registered("node-authenticator", "inside", "zone"),
            registered("request-authenticator", "login", "customer"),
        ]
    )
    assert found.host_keys[0].picks == (
        Pick("filter", "policy", ("customer", "zone")),
        Pick("node-authenticator", "inside", ("zone",)),
        Pick("request-authenticator", "login", ("customer",)),
    )


def twice(found: Declarations) -> None:
    found({}, take)
    found({}, take)


def kind_twice(found: Declarations) -> None:
    found.tables("plan", {}, take)
    found.tables("plan", {}, take)


def key_twice(found: Declarations) -> None:
    found.virtualhost_keys({"customer": text})
    found.virtualhost_keys({"customer": text})


def bad(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("declare", "why"),
    [
        (twice, "declares its options twice"),
        (kind_twice, r"declares tables \[plan.NAME\] twice"),
        (key_twice, "declares the key 'customer' of virtualhosts twice"),
        (
            lambda it: it.tables("vhost", {}, take),
            r"tables \[vhost.NAME\], which are BlastBeat's own",
        ),
        (lambda it: it.tables("node", {}, take), "which are BlastBeat's own"),
        (lambda it: it.tables("Plan", {}, take), "a kind of tables is made of a-z"),
        (lambda it: it.tables(bad(None), {}, take), "a kind of tables is made of a-z"),
        (lambda it: it.tables("plan", {"a b": text}, take), r"a key of \[plan.NAME\] is made of"),
        (lambda it: it.tables("plan", {"rate": bad(5)}, take), "the validator of 'rate' can't be called"),
        (lambda it: it.tables("plan", bad(["rate"]), take), "are a mapping of names to validators"),
        (lambda it: it.tables("plan", {}, bad(None)), "what receives the values can't be called"),
        (lambda it: it.virtualhost_keys({"max-body": text}), "the key 'max-body', which is BlastBeat's own"),
        (lambda it: it.virtualhost_keys({"bind": text}), "which is BlastBeat's own"),
        (lambda it: it.virtualhost_keys({"strip-prefix": text}), "which is BlastBeat's own"),
        (lambda it: it.virtualhost_keys({"Customer": text}), "a key of virtualhosts is made of"),
    ],
)
def test_what_is_refused(declare: Callable[[Declarations], None], why: str) -> None:
    with pytest.raises(PluginError, match=f"^plugin 'policy': .*{why}"):
        declare(Declarations("policy"))


def test_keys_pick_only_what_the_plugin_registers_and_what_takes_them() -> None:
    found = Declarations("policy")
    found.virtualhost_keys({"customer": text}, filters=("policy",))
    with pytest.raises(PluginError, match="pick the filter 'policy', which it does not register"):
        found.settle([registered("selector", "policy", "customer")])
    with pytest.raises(PluginError, match="has none of them among its options"):
        found.settle([registered("filter", "policy", "client")])


@pytest.mark.parametrize(
    "declare",
    [
        lambda it: it.tables("plan", {}, take),
        lambda it: it.virtualhost_keys({"customer": text}),
    ],
)
def test_two_plugins_that_declare_the_same_are_both_named(declare: Callable[[Declarations], None]) -> None:
    first, second = Declarations("policy"), Declarations("billing")
    for each in (first, second):
        declare(each)
    first.settle([])
    with pytest.raises(PluginError, match="plugin 'billing': .* which plugin 'policy' declares too; disable"):
        second.refuse_taken([first])
    Declarations("else").refuse_taken([first, second])
