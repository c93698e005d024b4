"""Times, sizes, rates and the other plain values: what is read, what is refused, and with which words."""

from __future__ import annotations

import pytest

from blastbeat.config.values import (
    RATE,
    SIZE,
    SIZE_IN_MIB,
    TIME,
    Account,
    BadValue,
    Choice,
    Count,
    Kind,
    Text,
    Words,
    did_you_mean,
)


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        (TIME, "5", 5.0),
        (TIME, 5, 5.0),
        (TIME, 0.25, 0.25),
        (TIME, "5s", 5.0),
        (TIME, " 2 m ", 120.0),
        (TIME, "500ms", 0.5),
        (TIME, "1.5h", 5400.0),
        (TIME, "1D", 86400.0),
        (TIME, "0", 0.0),
        (SIZE, "65536", 65536),
        (SIZE, "64KiB", 65536),
        (SIZE, "64kib", 65536),
        (SIZE, "8MiB", 8 * 1024 * 1024),
        (SIZE, "1.5 KiB", 1536),
        (SIZE, "1MB", 1_000_000),
        (SIZE_IN_MIB, "64", 64 * 1024 * 1024),
        (SIZE_IN_MIB, 64, 64 * 1024 * 1024),
        (SIZE_IN_MIB, "512KiB", 512 * 1024),
        (RATE, "8", 1000),
        (RATE, "1Mbit/s", 125_000),
        (RATE, "1MiB/s", 1024 * 1024),
        (Count(), "12", 12),
        (Count(), 12, 12),
        (Count(), "-1", -1),
        (Account(), 33, "33"),
        (Account(), "www-data", "www-data"),
        (Choice(("end", "finish")), "Finish", "finish"),
        (Text(), "  a b ", "a b"),
    ],
)
def test_reads(kind: Kind, written: object, expected: object) -> None:
    value = kind.parse(written)

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize("kind", [TIME, SIZE, SIZE_IN_MIB, RATE, Count()])
@pytest.mark.parametrize(
    "written",
    ["", "five", "-", "5 5", "s", "1e3", "٣", "9" * 5000, "5s\n5", True, None, [5], {"a": 5}],
)
def test_refuses_what_is_no_number(kind: Kind, written: object) -> None:
    with pytest.raises(BadValue):
        kind.parse(written)


@pytest.mark.parametrize("written", [float("nan"), float("inf"), 1e19, -1e19])
def test_refuses_numbers_nobody_can_use(written: object) -> None:
    with pytest.raises(BadValue):
        TIME.parse(written)


def test_an_unknown_unit_names_the_known_ones() -> None:
    with pytest.raises(BadValue, match="unknown unit 'M'.*KiB, MiB, GiB") as refused:
        SIZE.parse("8M")

    assert refused.value.hint == "did you mean 'MiB'?"


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (TIME, 0.05, "50ms"),
        (TIME, 75.0, "75s"),
        (TIME, 60.0, "1m"),
        (SIZE, 8 * 1024 * 1024, "8MiB"),
        (SIZE, 65537, "65537B"),
        (SIZE, 0, "0"),
        (RATE, 125_000, "1Mbit/s"),
    ],
)
def test_writes_a_value_so_that_it_reads_the_same(kind: Kind, value: object, text: str) -> None:
    assert kind.format(value) == text
    assert kind.parse(text) == value


def test_a_choice_names_all_and_guesses() -> None:
    with pytest.raises(BadValue, match="one of debug, info") as refused:
        Choice(("debug", "info")).parse("degub")

    assert refused.value.hint == "did you mean 'debug'?"


def test_words_split_at_spaces_and_commas() -> None:
    words = Words("methods", "[A-Z]+", "write methods")

    assert words.parse_all("GET, HEAD  PUT") == ("GET", "HEAD", "PUT")
    with pytest.raises(BadValue, match="'get'.*write methods"):
        words.parse_all("GET get")
    with pytest.raises(BadValue, match="write methods"):
        words.parse_all(5)


def test_text_is_one_printable_line() -> None:
    for bad in ("a\nb", "a\0b", 5):
        with pytest.raises(BadValue):
            Text().parse(bad)


def test_guesses_forgive_underscores_and_capitals() -> None:
    assert did_you_mean("PING_FREQ", ["bind", "ping-freq"]) == "did you mean 'ping-freq'?"
    assert did_you_mean("colour", ["bind", "ping-freq"]) == ""
    assert did_you_mean("x" * 100_000, ["bind"]) == ""
