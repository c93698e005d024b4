"""The table of options and the model are one: every attribute has an option, every option an attribute."""

from __future__ import annotations

from dataclasses import fields

import pytest

from blastbeat.config.model import RouteConfig, ServerConfig, VirtualHostConfig
from blastbeat.config.option import Option
from blastbeat.config.route_options import NOT_OF_ROUTES, OWN_OPTIONS_OF_ROUTES, ROUTING_OPTIONS
from blastbeat.config.server_options import PLUGINS_OPTIONS, SERVER_OPTIONS
from blastbeat.config.virtualhost_options import INHERITED_OPTIONS, OWN_OPTIONS

ALL = (*SERVER_OPTIONS, *PLUGINS_OPTIONS, *OWN_OPTIONS, *INHERITED_OPTIONS, *ROUTING_OPTIONS)
NOT_ACTIVE = {"cache"}


def attributes(owner: type[ServerConfig] | type[VirtualHostConfig] | type[RouteConfig]) -> set[str]:
    metadata = {"name", "file", "line", "section", "origins"}
    return {field.name for field in fields(owner)} - metadata


def test_every_attribute_has_its_option_and_no_other() -> None:
    server = [option.field for option in (*SERVER_OPTIONS, *PLUGINS_OPTIONS)]
    virtualhost = [option.field for option in (*OWN_OPTIONS, *INHERITED_OPTIONS)]

    assert sorted(server) == sorted(attributes(ServerConfig))
    assert {option.field for option in ROUTING_OPTIONS} == attributes(RouteConfig) - {"policy"}
    assert sorted(virtualhost) == sorted(
        set(attributes(VirtualHostConfig)) - {"route", "routes", "plugin_keys", "plugin_values"}
    )


def test_each_key_of_a_virtualhost_is_one_of_its_routes_or_is_not_and_says_why() -> None:
    of_routes = {option.name for option in OWN_OPTIONS_OF_ROUTES}
    assert of_routes | set(NOT_OF_ROUTES) == {option.name for option in OWN_OPTIONS}
    assert not of_routes & set(NOT_OF_ROUTES)
    assert not {option.name for option in ROUTING_OPTIONS} & {option.name for option in INHERITED_OPTIONS}


def test_a_default_for_virtualhosts_hides_no_option_of_the_server() -> None:
    assert not {option.name for option in SERVER_OPTIONS} & {option.name for option in INHERITED_OPTIONS}


@pytest.mark.parametrize("option", ALL, ids=lambda option: f"{option.scope}-{option.name}")
def test_default_and_example_are_good_values(option: Option) -> None:
    values = option.parse_all(option.example) if option.repeated else [option.parse(option.example)]
    assert values

    if option.default not in (None, "", ()) and not option.unset:
        text = option.default_text()
        parsed = tuple(option.parse_all(text)) if option.repeated else option.parse(text)
        assert parsed == option.default
    assert option.default is not None or option.unset


@pytest.mark.parametrize("option", ALL, ids=lambda option: f"{option.scope}-{option.name}")
def test_every_option_is_explained_in_a_sentence(option: Option) -> None:
    assert option.explanation[0].isupper() or option.explanation.startswith("`")
    assert option.explanation.endswith(".")
    assert "|" not in option.explanation


def test_what_is_not_active_yet() -> None:
    assert {option.name for option in ALL if not option.active} == NOT_ACTIVE
