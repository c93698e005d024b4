"""Tests of `blastbeat.config.declared`: what a virtualhost gets by the keys it sets."""

from __future__ import annotations

from dataclasses import replace

from blastbeat.config.declared import NOTHING, Declared, HostKeys, Pick, picks_of, with_picks
from blastbeat.config.model import Origin, PluginRef, RouteConfig, VirtualHostConfig
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


def test_picks_stand_in_front_of_what_a_virtualhost_and_its_routes_list() -> None:
    route = RouteConfig("/x", VirtualHostConfig("a", route="/x", filters=(PluginRef("answer"),)))
    plain = replace(host(customer="acme"), filters=(PluginRef("headers"),), routes=(route,))
    found = with_picks(plain, DECLARED)

    assert [ref.name for ref in found.filters] == ["policy", "headers"]
    assert [ref.name for ref in found.routes[0].policy.filters] == ["policy", "answer"]
    assert [ref.name for ref in found.request_authenticators] == ["login"]
    assert with_picks(host(), DECLARED) == host()
