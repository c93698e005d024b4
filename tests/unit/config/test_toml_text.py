"""TOML text of values and keys."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import tomli

from blastbeat.config.toml_text import key_text, quote, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (7, "7"),
        (0.5, "0.5"),
        (float("-inf"), "-inf"),
        ("a", '"a"'),
        (["a", 1], '["a", 1]'),
        ({"a": 1, "b c": []}, '{ a = 1, "b c" = [] }'),
        ({}, "{}"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert value_text(value) == text
    assert tomli.loads(f"x = {text}")["x"] == value


@pytest.mark.parametrize("text", ['"', "\\", "\n\t\r", "\0\x7f", "é\U0001f600", "\u2028\U000e0001"])
def test_any_text_is_one_line_of_visible_characters(text: str) -> None:
    assert quote(text).isprintable()
    assert tomli.loads(f"x = {quote(text)}")["x"] == text


def test_what_the_environment_would_replace_is_escaped() -> None:
    assert value_text("${HOME}") == '"$${HOME}"'


def test_not_a_number() -> None:
    assert value_text(float("nan")) == "nan"


def test_keys() -> None:
    assert [key_text(name) for name in ("a-b_1", "a.b", "", "é")] == ["a-b_1", '"a.b"', '""', '"é"']


def test_what_toml_has_not() -> None:
    with pytest.raises(TypeError, match="TOML has no NoneType"):
        value_text(None)
