"""Regular expressions for paths, of the kind that a hostile path can't make slow.

Python's `re` tries every way there is: `(a+)+b` takes minutes for 30 characters. What is accepted here takes
at most the square of the path's length, and the length has a bound. An expression is refused where two of its
parts could share out the same characters in too many ways; possessive repeats (`a++`) never give any back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

MAX_PATH = 1024
"""Characters of a path that an expression is tried on."""

MAX_PATTERN = 500
"""Characters of an expression."""

MAX_SHARED = 1
"""Repeats whose characters the part behind them could take as well. Each multiplies the tries by the path's
length, and a try takes as long as what it reads."""

FLAGS = re.ASCII | re.DOTALL

_SAMPLES = [*map(chr, range(256)), "\u0100", "\udc80"]
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?:|\(\?>|\(\?P<\w+>|\(\?|[^\\]", re.DOTALL)
_REPEAT = re.compile(r"([*+?]|\{(\d*)(,?)(\d*)\})([+?]?)")
_ZERO_WIDTH = {"^", "$", r"\A", r"\Z", r"\b", r"\B"}
_OPENING = {"(", "(?:", "(?>"}

Characters: TypeAlias = frozenset[str]
Sequence: TypeAlias = "list[Part]"


@dataclass
class Part:
    """A character class, or a group of alternatives; repeated between `least` and `most` times (-1: any)."""

    characters: Characters = frozenset()
    alternatives: list[Sequence] = field(default_factory=list)
    least: int = 1
    most: int = 1
    keeps: bool = False  # possessive: of the times it took, it never gives one back
    is_atomic: bool = False  # what is in it never gives back either

    @property
    def first(self) -> Characters:
        """What it can begin with."""
        if not self.alternatives:
            return self.characters
        return frozenset().union(*(_first(each, frozenset()) for each in self.alternatives))

    @property
    def may_be_empty(self) -> bool:
        return self.least == 0 or any(
            all(part.may_be_empty for part in sequence) for sequence in self.alternatives
        )


def parse_pattern(value: object) -> re.Pattern[str]:
    """A validator. Matches are to be made with `fullmatch`, of paths of up to MAX_PATH characters."""
    if not isinstance(value, str) or not value:
        raise ValueError("is not a regular expression; write for example ^/article/([0-9]+)$")
    if len(value) > MAX_PATTERN:
        raise ValueError(f"is longer than {MAX_PATTERN} characters")
    try:
        pattern = re.compile(value, FLAGS)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    tokens = _Tokens(value)
    alternatives = _read_alternatives(tokens)
    shared = max(_shared(sequence, frozenset()) for sequence in alternatives)
    if shared > MAX_SHARED:
        raise ValueError(
            f"could take very long: {shared} repeats can each leave characters to what follows, one may;"
            " write [^/]+ for .+, or make some possessive, as in [a-z]*+"
        )
    return pattern


class _Tokens:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def next(self) -> str:
        """The next token, empty at the end."""
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def repeat(self) -> tuple[int, int, bool] | None:
        """How often what was just read may come, and whether it is possessive; None where it says nothing."""
        match = _REPEAT.match(self.text, self.position)
        if match is None or match[1] in ("{}",):
            return None
        self.position = match.end()
        sign, low, comma, high, suffix = match.groups()
        if sign in "*+?":
            least, most = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}[sign]
        else:
            least = int(low or 0)
            most = (int(high) if high else -1) if comma else least
        return least, most, suffix == "+"


def _read_alternatives(tokens: _Tokens) -> list[Sequence]:
    """Up to the end, or the parenthesis that closes the group; its grammar was checked by `re`."""
    alternatives: list[Sequence] = [[]]
    while (token := tokens.next()) not in ("", ")"):
        if token == "|":
            alternatives.append([])
        elif token not in _ZERO_WIDTH:
            alternatives[-1].append(_read_part(token, tokens))
    return alternatives


def _read_part(token: str, tokens: _Tokens) -> Part:
    if token in _OPENING or token.startswith("(?P<"):
        part = Part(alternatives=_read_alternatives(tokens), is_atomic=token == "(?>")
    elif token.startswith("("):
        raise ValueError("has a group of a kind that is not supported; write (…), (?:…) or (?P<name>…)")
    elif re.fullmatch(r"\\[1-9]", token):
        raise ValueError(f"refers back with {token}, which is not supported")
    else:
        part = Part(_characters(token))
    repeat = tokens.repeat()
    if repeat is not None:
        part.least, part.most, part.keeps = repeat
    return part


def _characters(token: str) -> Characters:
    """What a token for one character stands for, among the samples."""
    try:
        matches = re.compile(token, FLAGS).fullmatch
    except re.error:  # the beginning of something longer, such as \x41
        raise ValueError(f"has the escape {token}, which is not supported; write the character") from None
    return frozenset(character for character in _SAMPLES if matches(character))


def _first(sequence: Sequence, follow: Characters) -> Characters:
    """What can come first: of the parts up to one that can't be empty, else what follows them."""
    found: Characters = frozenset()
    for part in sequence:
        found |= part.first
        if not part.may_be_empty:
            return found
    return found | follow


def _shared(sequence: Sequence, follow: Characters) -> int:
    """How many repeats can leave characters to what comes behind them. Raises ValueError where there is no
    bound."""
    return sum(_shared_of(part, behind) for part, behind in _with_what_follows(sequence, follow))


def _with_what_follows(sequence: Sequence, follow: Characters) -> Iterator[tuple[Part, Characters]]:
    for position, part in enumerate(sequence):
        yield part, _first(sequence[position + 1 :], follow)


def _shared_of(part: Part, follow: Characters) -> int:
    is_variable = part.least != part.most
    shares = is_variable and not part.keeps and bool(part.first & follow)
    if not part.alternatives:
        return int(shares)
    is_loop = part.most not in (0, 1)
    behind = follow | part.first if is_loop else follow
    if part.is_atomic:
        behind = frozenset()
    inner = max(_shared(sequence, behind) for sequence in part.alternatives)
    if is_loop and (inner or _is_ambiguous(part)):
        raise ValueError(
            "could take for ever: a repeated group can match the same text in several ways;"
            " make the repeats in it possessive, as in (?:[a-z]++/)*"
        )
    return inner + int(shares)


def _is_ambiguous(part: Part) -> bool:
    """Whether its alternatives can begin alike, or it can match nothing."""
    seen: Characters = frozenset()
    for sequence in part.alternatives:
        first = _first(sequence, frozenset())
        if first & seen or all(each.may_be_empty for each in sequence):
            return True
        seen |= first
    return False
