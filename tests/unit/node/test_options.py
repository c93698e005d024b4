"""The table of options: each has a field in Settings, which travel to workers whole."""

from __future__ import annotations

from dataclasses import fields

import pytest

from blastbeat.node.options import OPTIONS, Option, Settings


def test_each_option_is_a_field_and_each_field_an_option() -> None:
    assert [option.field for option in OPTIONS] == [field.name for field in fields(Settings)]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_defaults_are_within_bounds(option: Option) -> None:
    default = option.default
    if option.kind == "choice":
        assert default in option.choices
    if option.minimum is not None and option.maximum is not None:
        assert (option.zero and default == 0) or option.minimum <= default <= option.maximum
    assert option.variable == f"BLASTBEAT_NODE_{option.name.upper().replace('-', '_')}"


def test_settings_travel_whole() -> None:
    settings = Settings("a:b", ("tcp://x:1", "tcp://y:1"), "shop", workers=3, reload_dir=("/x",))
    assert Settings.from_json(settings.to_json()) == settings
