"""The pages that name every option are as the options are: the reference and the example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blastbeat.config import load_config
from blastbeat.config.option import Option
from blastbeat.config.reference import GROUPS, main, refresh
from blastbeat.config.route_options import OWN_OPTIONS_OF_ROUTES

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "reference" / "configuration.md"
EXAMPLE = ROOT / "blastbeat.toml.example"

_SET = re.compile(r"^#?([a-z][a-z-]*) = ")
_SECTION = re.compile(r"^#?\[(\w+)(?:.*\.(route)\.)?")


def test_the_reference_is_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert set(re.findall(r"<!-- options: (\w+) -->", page)) == set(GROUPS)
    assert refresh(page) == page, "run: python -m blastbeat.config.reference docs/reference/configuration.md"


def test_only_the_tables_are_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- options: plugins -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")

    assert main([str(page)]) == 0

    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- options: plugins -->\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "| `load` | names, repeated | `*` |" in text
    assert "old" not in text


def test_the_command_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "PAGE" in capsys.readouterr().err


def test_the_example_loads_without_a_word() -> None:
    config, problems = load_config(EXAMPLE, environ={})

    assert problems == []
    assert [virtualhost.name for virtualhost in config.virtualhosts] == ["localhost:8080"]


def shown_in_example() -> dict[str, set[str]]:
    """The keys below each section's heading, commented out or not; each must have a comment above it."""
    found: dict[str, set[str]] = {}
    section, above = "", ""
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if heading := _SECTION.match(line):
            section = heading[2] or heading[1]
        elif key := _SET.match(line):
            assert above.startswith("# ") or section == "plugin", f"{key[1]} is not explained"
            found.setdefault(section, set()).add(key[1])
        above = line
    return found


def names(options: tuple[Option, ...]) -> set[str]:
    return {option.name for option in options}


def test_the_example_names_every_key() -> None:
    shown = shown_in_example()

    assert shown[""] == {"include"}
    assert shown["blastbeat"] == names(GROUPS["server"]) | names(GROUPS["inherited"])
    assert shown["vhost"] >= names(GROUPS["virtualhost"])
    assert shown["vhost"] <= names(GROUPS["virtualhost"]) | names(GROUPS["inherited"])
    assert shown["route"] == names(GROUPS["routing"]) | names(OWN_OPTIONS_OF_ROUTES)
    assert shown["plugins"] == names(GROUPS["plugins"])


def test_everything_in_the_example_is_good_and_the_defaults_are_the_defaults(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    everything = tmp_path / "all.toml"
    everything.write_text(re.sub(r"(?m)^#(?=[a-z\[])", "", text), encoding="utf-8")

    config, _ = load_config(everything, environ={})

    assert [route.path for route in config.virtualhosts[0].routes] == ["/api"]
    for option in GROUPS["server"]:
        if option.default not in (None, "", ()) and not option.unset:
            assert getattr(config.server, option.field) == option.default, option.name
    (virtualhost,) = config.virtualhosts
    for option in GROUPS["inherited"]:
        # `selector` is shown once more as a table; the two timeouts follow `timeout` no longer when set.
        if option.default not in (None, "", ()) and not option.unset and option.name != "selector":
            assert getattr(virtualhost, option.field) == option.default, option.name
