"""Regular expressions for paths: which are accepted, and which could take too long."""

from __future__ import annotations

import pytest

from blastbeat.plugins.patterns import MAX_PATTERN, parse_pattern


@pytest.mark.parametrize(
    "written",
    [
        r"^/a/(.*)$",
        r"^/(.*)/b/(.*)$",
        r"/article/([0-9]+)/(?P<name>[a-z-]+)",
        r"/(?:[^/]+/)*x",
        r"(?:/[a-z]+)+/x",
        r"(?:[a-z]++/)*",
        r"/([a-z]{1,3})/(\d{4})",
        r"/(en|de)/(.+)",
        r"/(?:a|b|cd)+",
        r"/(?>x*)y",
        r"/(?>a+)+b",
        r"/\.php|/[]\]]",
        r"/a{}",
    ],
)
def test_accepted(written: str) -> None:
    assert parse_pattern(written).pattern == written


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (r"(a+)+b", "could take for ever"),
        (r"(a|ab)*x", "could take for ever"),
        (r"(a?)*x", "could take for ever"),
        (r"(x+x+)+y", "could take for ever"),
        (r"([a-z]*/?)*x", "could take for ever"),
        (r"(?:a{1,2}){20}b", "could take for ever"),
        (r"/(.*)a(.*)b(.*)c", "3 repeats"),
        (r".+[^a]+b+?", "2 repeats"),
        (r"a*(?:(?>a){2,})*?", "could take"),
        (r"x?x?x?x?xxxx", "4 repeats"),
        (r"/(?=a)", "not supported"),
        (r"(?i)/a", "not supported"),
        (r"(a)\1", "refers back"),
        (r"/\x41", r"the escape \\x"),
        ("[", "not a regular expression: unterminated"),
        ("", "not a regular expression"),
        (5, "not a regular expression"),
        ("a" * (MAX_PATTERN + 1), "longer than"),
        ("(" * 400, "not a regular expression"),
    ],
)
def test_refused(written: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_pattern(written)


def test_a_line_break_in_a_path_is_a_character_like_any_other() -> None:
    """`%0a` must not get a path around a rule."""
    assert parse_pattern("/admin/.*").fullmatch("/admin/\nx")
