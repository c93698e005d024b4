"""Whatever bytes come, what is written stays in its quotes and speaks to no terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.log_text import (
    escape,
    escape_each,
    escape_word,
    format_common_time,
    format_time,
    json_string,
    to_bytes,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"plain text~!", "plain text~!"),
        (b'a"b', 'a\\"b'),
        (b"a\\b", "a\\\\b"),
        (b"\r\n\t\0\x1b[31m\x7f", "\\x0d\\x0a\\x09\\x00\\x1b[31m\\x7f"),
        ("é".encode(), "\\xc3\\xa9"),
        (b"\x9b\xff", "\\x9b\\xff"),
    ],
)
def test_escape(value: bytes, written: str) -> None:
    assert escape(value) == written


def test_a_word_has_no_blank_and_is_never_empty() -> None:
    assert escape_word(b"a b") == "a\\x20b"
    assert escape_word(b"") == "-"


@pytest.mark.parametrize("text", ["plain", "é", "\udcff", "a\ud800b", "\x1b[0m", "\x00\udc80"])
def test_any_text_has_bytes(text: str) -> None:
    assert escape(to_bytes(text)).isprintable()


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (b"plain", "plain"),
        (b'a"b\\c\n', 'a"b\\c\n'),
        ("é€".encode(), "é€"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("é", "é"),
        ("\udcff", "\\udcff"),
        ("\x7f", "\x7f"),
    ],
)
def test_a_json_string_means(value: bytes | str, meaning: str) -> None:
    assert json.loads(json_string(value)) == meaning


@given(st.binary() | st.text())
def test_a_json_string_is_printable_ascii(value: bytes | str) -> None:
    written = json_string(value)
    assert written.isascii() and written.isprintable()
    json.loads(written).encode("utf-8")  # no lone surrogate


def test_times_are_utc() -> None:
    assert format_time(0.0) == "1970-01-01T00:00:00.000Z"
    assert format_time(951782399.9999) == "2000-02-28T23:59:59.999Z"
    assert format_common_time(951782399) == "28/Feb/2000:23:59:59 +0000"
    assert format_common_time(0) == "01/Jan/1970:00:00:00 +0000"


@given(st.lists(st.binary() | st.text('ab "', max_size=5).map(str.encode), min_size=1))
def test_many_at_once_are_what_each_would_be(values: list[bytes]) -> None:
    assert escape_each(values) == [escape(value) for value in values]


def test_values_that_hold_the_quote_between_them_are_told_apart() -> None:
    assert escape_each((b'a"b', b"")) == ['a\\"b', ""]
    assert escape_each((b"a", b'"')) == ["a", '\\"']
