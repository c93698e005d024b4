"""What a section gives, and which of several sections an option's value comes from."""

from __future__ import annotations

from blastbeat.config.model import Origin
from blastbeat.config.options import VIRTUALHOST_KEYS
from blastbeat.config.rows import COMMAND_LINE, Row, Section
from blastbeat.config.settings import Settings, inherit
from blastbeat.config.virtualhost_options import INHERITED_OPTIONS


def settings(label: str, **given: object) -> Settings:
    found = Settings(Section("virtualhost", label, label, f"{label}.toml", 1), VIRTUALHOST_KEYS)
    for line, (name, value) in enumerate(given.items(), start=2):
        name = name.replace("_", "-")
        found.given[name] = [(Row(name, value, f"{label}.toml", line), (value,))]
    return found


def test_the_nearest_section_that_says_something_counts() -> None:
    near, far = settings("near", linger=1), settings("far", linger=2, max_hops=3)
    values, origins = inherit(INHERITED_OPTIONS, (near, far))
    assert values == {"linger": 1, "max_hops": 3}
    assert origins == {"linger": Origin("near.toml", 2, "near"), "max-hops": Origin("far.toml", 3, "far")}


def test_the_one_timeout_stands_in_for_both_where_none_is_nearer() -> None:
    near, far = settings("near", timeout=9.0), settings("far", response_timeout=1.0, idle_timeout=2.0)
    values, _ = inherit(INHERITED_OPTIONS, (near, far))
    assert values == {"timeout": 9.0, "response_timeout": 9.0, "idle_timeout": 9.0}
    values, _ = inherit(INHERITED_OPTIONS, (far, near))
    assert values == {"timeout": 9.0, "response_timeout": 1.0, "idle_timeout": 2.0}


def test_what_was_written_but_cannot_be_used_is_known() -> None:
    found = settings("a", linger=1)
    found.bad.add("hold")
    assert found.has("linger") and found.has("hold") and not found.has("timeout")


def test_a_repeated_option_has_all_its_values_and_the_first_ones_place() -> None:
    found = settings("a")
    found.given["alias"] = [
        (Row("alias", "b", "a.toml", 3), ("b",)),
        (Row("alias", "c d", "a.toml", 4), ("c", "d")),
    ]
    assert found.value("alias") == ("b", "c", "d")
    assert found.origin("alias") == Origin("a.toml", 3, "a")


def test_the_command_line_is_no_section() -> None:
    found = settings("a")
    found.given["linger"] = [(Row("linger", "1", COMMAND_LINE, 0), (1,))]
    assert found.origin("linger") == Origin(COMMAND_LINE, 0, "")
