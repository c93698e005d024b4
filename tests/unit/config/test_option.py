"""An option's bounds, what it says of them, and its default as text."""

from __future__ import annotations

import pytest

from blastbeat.config.names import PluginKind
from blastbeat.config.option import INHERITED, SERVER, Option
from blastbeat.config.values import SIZE, TIME, BadValue, Words

DRAIN = Option("drain", TIME, SERVER, "Explained.", "10s", minimum=1, maximum=3600, zero="not waiting")


def test_bounds_are_inclusive_and_0_stands_beside_them() -> None:
    assert [DRAIN.parse(text) for text in ("1", "1h", "0")] == [1.0, 3600.0, 0.0]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("999ms", "is too small; at least 1s, or 0 for not waiting"),
        (-5, "is too small; at least 1s, or 0 for not waiting"),
        ("2h", "is too large; at most 1h, or 0 for not waiting"),
    ],
)
def test_bounds_are_told_as_they_would_be_written(written: object, message: str) -> None:
    with pytest.raises(BadValue) as refused:
        DRAIN.parse(written)

    assert str(refused.value) == message


def test_a_bound_of_0_is_not_told_twice() -> None:
    linger = Option("linger", SIZE, INHERITED, "Explained.", "1KiB", minimum=0, zero="none")

    with pytest.raises(BadValue, match=r"at least 0$"):
        linger.parse(-1)


def test_the_default_is_the_model_s() -> None:
    methods = Option("retry-methods", Words("", "[A-Z]+", ""), INHERITED, "", "GET", repeated=True)
    selector = Option("selector", PluginKind("selector"), INHERITED, "", "hash")
    key = Option("key", Words("", ".*", ""), SERVER, "", "x")

    assert (DRAIN.default, DRAIN.default_text()) == (10.0, "10s")
    assert methods.default_text() == "GET HEAD OPTIONS"
    assert selector.default_text() == "least-connections"
    assert key.default_text() == ""


def test_an_option_without_attribute_is_a_mistake_of_ours() -> None:
    with pytest.raises(LookupError, match="ServerConfig has no attribute for the option 'colour'"):
        _ = Option("colour", TIME, SERVER, "", "1").default
