"""Tests of `blastbeat.config.declared`: what a virtualhost gets by the keys it sets."""

from __future__ import annotations

from blastbeat.config.declared import NOTHING, Declared, HostKeys, Pick, picks_of
from blastbeat.config.model import Origin, PluginRef, VirtualHostConfig
from blastbeat.validators import text

KEYS = HostKeys(
    {"customer": text, "note": text},
    (Pick("filter", "policy", ("customer",)), Pick("request-authenticator", "login", ("customer", "note"))),
    "policy",
)
DECLARED = Declared(host_keys=(KEYS,))


def host(**keys: str) -> VirtualHostConfig:
    origins = {key: Origin("/etc/b/x.toml", 3, "vhost.a") for key in keys}
    return VirtualHostConfig("a", plugin_keys=keys, origins=origins)


def test_each_key_is_found_by_its_name() -> None:
    assert DECLARED.by_key == {"customer": KEYS, "note": KEYS}


def test_without_a_key_nothing_is_picked() -> None:
    assert list(picks_of(host(), DECLARED)) == []
    assert list(picks_of(host(customer="acme"), NOTHING)) == []


def test_each_object_gets_those_keys_that_are_its_options() -> None:
    found = list(picks_of(host(customer="acme", note="x"), DECLARED))

    assert found == [
        ("customer", "filter", PluginRef("policy", {"customer": "acme"})),
        ("customer", "request-authenticator", PluginRef("login", {"customer": "acme", "note": "x"})),
    ]
    assert {ref.folder for _, _, ref in found} == {"/etc/b"}


def test_one_key_of_several_is_enough_for_all_objects() -> None:
    found = list(picks_of(host(note="x"), DECLARED))

    assert [(key, ref.options) for key, _, ref in found] == [("note", {}), ("note", {"note": "x"})]
