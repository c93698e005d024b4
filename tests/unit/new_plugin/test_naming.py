"""What a new plugin may be called, and what its parts are called then."""

from __future__ import annotations

import keyword
import re

import pytest

from blastbeat import interfaces
from blastbeat.arguments import NEW_PLUGIN_KINDS
from blastbeat.new_plugin.naming import KINDS, MAX_NAME, RESERVED_TYPES, derive_names
from blastbeat.plugin_sources import built_ins
from blastbeat.registry import KINDS as REGISTERED


def test_the_parts_are_named_after_it() -> None:
    names = derive_names("geo-limits", "filter")
    assert names.distribution == "blastbeat-geo-limits"
    assert names.module == names.entry == "blastbeat_geo_limits"
    assert names.underscored == "geo_limits"
    assert names.class_name == "GeoLimitsFilter"


def test_an_entry_point_may_name_an_object() -> None:
    assert derive_names("lines", "encoder").entry == "blastbeat_lines:Plugin"


def test_the_prefix_may_be_written() -> None:
    assert derive_names("blastbeat-geo", "filter") == derive_names("geo", "filter")


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("geo-filter", "filter", "GeoFilter"),
        ("geo-filter", "selector", "GeoFilterSelector"),
        ("v2", "encoder", "V2Encoder"),
        ("key", "node-authenticator", "KeyAuthenticator"),
        # these are names that a template imports
        ("filter", "filter", "MyFilter"),
        ("request", "encoder", "MyRequestEncoder"),
        ("node", "node-authenticator", "MyNodeAuthenticator"),
    ],
)
def test_the_class_says_what_it_is(name: str, kind: str, expected: str) -> None:
    assert derive_names(name, kind).class_name == expected
    assert not hasattr(interfaces, expected)


@pytest.mark.parametrize(
    ("name", "right"),
    [("My_Plugin", "my-plugin"), ("geo.ip", "geo-ip"), ("a--b", "a-b"), ("Blastbeat_Geo", "geo")],
)
def test_another_spelling_is_told_the_right_one(name: str, right: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(repr(name))} is not spelled .*; write {right}$"):
        derive_names(name, "filter")


@pytest.mark.parametrize(
    "name", ["", "blastbeat-", "-", "-a", "a-", "2fa", "a b", "été", "a\n", "a/b", "../a", "a:b", "@NAME@"]
)
def test_what_is_no_name_is_told_what_one_is(name: str) -> None:
    with pytest.raises(ValueError, match="a name is lower-case letters and digits"):
        derive_names(name, "filter")


def test_a_path_is_told_where_it_belongs() -> None:
    with pytest.raises(ValueError, match="--directory"):
        derive_names("plugins/geo", "filter")


def test_a_name_is_as_long_as_a_message_type_may_be() -> None:
    assert derive_names("a" * MAX_NAME, "encoder").name == "a" * MAX_NAME
    with pytest.raises(ValueError, match="33 characters; 32 are the most"):
        derive_names("a" * (MAX_NAME + 1), "encoder")


@pytest.mark.parametrize("name", [word for word in keyword.kwlist if word.islower()])
def test_words_of_python_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"is a word of Python; choose another one, such as my-{name}"):
        derive_names(name, "selector")


def test_names_of_built_in_plugins_are_taken_for_every_kind() -> None:
    for source in built_ins():
        with pytest.raises(ValueError, match="a plugin that BlastBeat brings itself"):
            derive_names(source.name, "filter")


@pytest.mark.parametrize(
    ("name", "kind"), [("uwsgi", "encoder"), ("headers", "encoder"), ("hash", "selector")]
)
def test_names_of_what_built_in_plugins_offer_are_taken(name: str, kind: str) -> None:
    with pytest.raises(ValueError, match="that BlastBeat brings itself; choose another name, such as my-"):
        derive_names(name, kind)


def test_another_kind_may_have_them() -> None:
    assert derive_names("uwsgi", "filter").name == "uwsgi"


@pytest.mark.parametrize("name", sorted(RESERVED_TYPES))
def test_message_types_of_the_protocol_are_taken(name: str) -> None:
    with pytest.raises(ValueError, match="a message type that the protocol keeps for itself"):
        derive_names(name, "encoder")


def test_the_kinds_are_those_of_the_command_line_and_of_the_registry() -> None:
    assert tuple(KINDS) == NEW_PLUGIN_KINDS
    assert {kind.registered for kind in KINDS.values()} <= set(REGISTERED)
