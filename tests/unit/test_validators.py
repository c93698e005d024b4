"""Validators that plugins take for their options: both notations, and what they say of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blastbeat import validators
from blastbeat.config.validation import is_secret, validate_options
from blastbeat.interfaces import Validator

DIGIT = validators.whole(1, 9)


@pytest.mark.parametrize(
    ("validate", "written", "expected"),
    [
        (DIGIT, "3", 3),
        (DIGIT, 3, 3),
        (validators.status(301, 302), "302", 302),
        (validators.time(1, 60), "2s", 2.0),
        (validators.time(1, 60), 2, 2.0),
        (validators.size(1, 1 << 20), "64KiB", 65536),
        (validators.rate(125, 10**9), "1Mbit/s", 125_000),
        (validators.text, " a b ", "a b"),
        (validators.flag, "no", False),
        (validators.flag, True, True),
        (validators.choice("keep", "drop"), "Drop", "drop"),
        (validators.several(DIGIT), "3", (3,)),
        (validators.several(DIGIT), ["3", 4], (3, 4)),
        (validators.words, "GET, HEAD", ("GET", "HEAD")),
        (validators.words, ["GET", "HEAD"], ("GET", "HEAD")),
        (validators.tokens, "GET X-A", (b"GET", b"X-A")),
        (validators.path_prefix, "/a/b/", b"/a/b"),
        (validators.path_prefix, "/", b"/"),
        (validators.path_prefix, "/a//%62/../c", b"/a/c"),
        (validators.field, "X-A: 1:2", (b"X-A", b"1:2")),
        (validators.field, "X-A:", (b"X-A", b"")),
        (validators.fields, "X-A: 1", ((b"X-A", b"1"),)),
        (validators.fields, ["X-A: 1", "X-B: 2"], ((b"X-A", b"1"), (b"X-B", b"2"))),
        (validators.fields, {"X-A": "1", "X-B": ["2"]}, ((b"X-A", b"1"), (b"X-B", b"2"))),
    ],
)
def test_accepted(validate: Validator, written: object, expected: object) -> None:
    assert validate(written) == expected


@pytest.mark.parametrize(
    ("validate", "written", "words"),
    [
        (DIGIT, "0", "must be from 1 to 9"),
        (DIGIT, "x", "not a whole number"),
        (DIGIT, ["1", "2"], "takes one value"),
        (validators.status(301, 302), "200", "one of 301, 302"),
        (validators.time(1, 60), "2h", "from 1s to 1m"),
        (validators.rate(250, 1000), "1", "from 2kbit/s"),
        (validators.text, 5, "not a text"),
        (validators.text, "a\nb", "printed"),
        (validators.choice("keep", "drop"), "kepp", "one of keep, drop"),
        (validators.several(DIGIT), ["1", "x"], "not a whole number"),
        (validators.words, " ,", "is empty"),
        (validators.tokens, "X-A:", "no name"),
        (validators.path_prefix, "a", "write /app"),
        (validators.path_prefix, "/a?b", "write /app"),
        (validators.field, "X-A", 'write "Name: value"'),
        (validators.field, "X A: 1", "no name of a field"),
        (validators.fields, {"X-A:": "1"}, "no name of a field"),
        (validators.fields, {"X-A": 1}, "not a text"),
    ],
)
def test_refused(validate: Validator, written: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        validate(written)


def test_a_file_starts_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"12345")
    validate = validators.FileContent(5).in_folder(str(tmp_path))
    assert validate("page.html") == str(tmp_path / "page.html")
    assert validators.read_file(str(tmp_path / "page.html"), 5) == b"12345"


def test_several_files_start_there_too(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(b"a")
    (tmp_path / "b.pem").write_bytes(b"b")
    validator = validators.several(validators.FileContent(5))
    _, problems = validate_options({"key": ["a.pem", "b.pem"]}, {"key": validator}, str(tmp_path))
    assert not problems
    options, _ = validate_options({"key": "a.pem"}, {"key": validator}, str(tmp_path))
    assert options["key"] == (str(tmp_path / "a.pem"),)


def test_what_is_wrong_with_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"12345")
    with pytest.raises(ValueError, match=f"{tmp_path}/none.html cannot be read: No such file"):
        validators.FileContent(5, str(tmp_path))("none.html")
    with pytest.raises(ValueError, match=f"{tmp_path}/page.html is longer than 4B"):
        validators.FileContent(4, str(tmp_path))("page.html")


@pytest.mark.parametrize(
    ("written", "per_second"),
    [("10/s", 10), (10, 10), ("60/m", 1), ("60 / min", 1), ("3600/h", 1), ("0.5", 0.5), (2.5, 2.5)],
)
def test_frequencies(written: object, per_second: float) -> None:
    found = validators.frequency(1 / 3600, 1000)(written)
    assert found == per_second and found.written == str(written)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("10/d", "is not a rate"),
        (True, "is not a rate"),
        (["1/s", "2/s"], "more than once"),
        ("0", "must be from 1/h to 1000/s"),
        ("1001/s", "must be from 1/h to 1000/s"),
    ],
)
def test_frequencies_refused(written: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        validators.frequency(1 / 3600, 1000)(written)


def test_fields_that_nodes_may_be_told() -> None:
    assert validators.told_fields("X-Remote-User, X-Forwarded-Email") == (
        b"x-remote-user",
        b"x-forwarded-email",
    )
    for bad in ("", "a b:", "Host", "Content-Length", "Connection", "X-Forwarded-For", "X_User", "Proxy"):
        with pytest.raises(ValueError):
            validators.told_fields(bad)


def test_a_secret_is_validated_like_any_other_value(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    in_file = validators.secret(validators.FileContent(5))

    assert validators.secret(DIGIT)("3") == 3
    assert is_secret(in_file) and is_secret(in_file.in_folder(str(tmp_path)))  # type: ignore[attr-defined]
    assert in_file.in_folder(str(tmp_path))("key") == str(tmp_path / "key")  # type: ignore[attr-defined]
    assert validators.secret(DIGIT).in_folder("/x")("4") == 4  # type: ignore[attr-defined]
    assert not is_secret(DIGIT) and not is_secret(None)
