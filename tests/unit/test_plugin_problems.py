"""Tests of `blastbeat.plugin_problems`."""

from __future__ import annotations

import pytest

from blastbeat.errors import ConfigError, PluginError, Problem
from blastbeat.plugin_problems import PluginProblems


def test_the_strict_raise_errors_at_once_and_gather_warnings() -> None:
    problems = PluginProblems(strict=True)
    problems.warn("mine", "is old")
    with pytest.raises(PluginError, match="broken"):
        problems.add(PluginError("mine", "broken"))
    assert [str(problem) for problem in problems.found] == ["warning: [plugins]: plugin 'mine': is old"]


def test_others_gather_all_and_keep_the_first_as_it_was_raised() -> None:
    problems = PluginProblems(strict=False)
    problems.warn("mine", "is old")
    first = PluginError("mine", "broken")
    problems.add(first, "mine.py")
    problems.add(ConfigError([Problem("bad", key="one"), Problem("worse", key="two")]))
    assert problems.first is first
    assert [(each.severity, each.key, each.value) for each in problems.found] == [
        ("warning", "", ""),
        ("error", "files", "mine.py"),
        ("error", "one", ""),
        ("error", "two", ""),
    ]
