"""Errors as their readers see them."""

from __future__ import annotations

import pytest

from blastbeat.errors import (
    BlastBeatError,
    ClientError,
    ConfigError,
    GrammarError,
    NodeError,
    PluginError,
    Problem,
    StartError,
)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (Problem("is missing"), "error: is missing"),
        (Problem("is old", severity="warning", file="b.toml"), "b.toml: warning: is old"),
        (Problem("no file", file="b.toml", hint="name one"), "b.toml: error: no file; name one"),
        (Problem("unknown key", section="blastbeat", key="bnd"), "error: [blastbeat] bnd: unknown key"),
        (
            Problem("no port", "error", "b.toml", 3, "vhost.a", "bind", "localhost", "write host:port"),
            "b.toml:3: error: [vhost.a] bind = 'localhost': no port; write host:port",
        ),
    ],
)
def test_problems_say_where_what_and_what_would_be_right(problem: Problem, expected: str) -> None:
    assert str(problem) == expected


def test_values_cannot_break_the_line() -> None:
    assert "\n" not in str(Problem("is odd", key="bind", value="a\nb\x1b[2J"))
    assert "\x1b" not in str(Problem("is odd", key="bind", value="a\nb\x1b[2J"))


def test_a_bad_configuration_tells_everything_at_once() -> None:
    problems = [Problem("one"), Problem("two")]
    error = ConfigError(problems)
    assert error.problems == tuple(problems) and str(error) == "error: one\nerror: two"


def test_what_is_wrong_is_in_the_text() -> None:
    assert str(PluginError("my", "no such option")) == "plugin 'my': no such option"
    assert str(ClientError(400, "no host")) == "400 no host"
    assert str(NodeError("no colon")) == "no colon" and not NodeError("").retryable
    assert NodeError("", retryable=True).retryable
    assert (GrammarError(431, "too long").status, str(GrammarError(431, "too long"))) == (431, "too long")


def test_one_base_for_what_is_raised_on_purpose() -> None:
    for error in (ConfigError, StartError, PluginError, ClientError, NodeError, GrammarError):
        assert issubclass(error, BlastBeatError)
    assert issubclass(GrammarError, ValueError)
