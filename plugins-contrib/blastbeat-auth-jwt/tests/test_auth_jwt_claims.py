"""What a node is told, and what a token must say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.headers import is_field
from blastbeat_auth_jwt.claims import (
    MAX_VALUE,
    claim_names,
    conditions,
    handed_value,
    is_met,
    quotable,
    scopes_of,
    variables,
)
from blastbeat_auth_jwt.verifying import TokenError


@pytest.mark.parametrize(
    ("value", "handed"),
    [
        ("anna", b"anna"),
        ("", b""),
        ("\u00e9", b"\xc3\xa9"),
        (7, b"7"),
        (True, b"true"),
        (1.5, b"1.5"),
        (["a,b", "c"], b'["a,b","c"]'),
        ({"a": "\n"}, b'{"a":"\\n"}'),
        (None, None),
    ],
)
def test_values_as_they_are_handed_on(value: Any, handed: bytes | None) -> None:
    assert handed_value({"c": value}, "c") == handed
    assert handed_value({}, "c") is None


@pytest.mark.parametrize(
    "value", ["a\r\nX: y", "a\0", " root", "root\u00a0", "\x7f", "\ud800", "x" * (MAX_VALUE + 1)]
)
def test_values_that_could_become_others_on_their_way(value: str) -> None:
    with pytest.raises(TokenError, match="claim c cannot be handed on"):
        handed_value({"c": value}, "c")


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(ATOMS, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=5))
def test_any_value_fits_a_field_or_is_refused(value: Any) -> None:
    try:
        handed = handed_value({"c": value}, "c")
    except TokenError:
        return
    assert handed is None or is_field(b"x", handed)


def test_scopes() -> None:
    assert scopes_of({"scope": "read  write"}) == {"read", "write"}
    assert scopes_of({"scp": ["read", 7, None], "scope": "x"}) == {"read", "x"}
    assert scopes_of({"scope": 7}) == scopes_of({}) == set()


def test_conditions() -> None:
    found = {"groups": ["staff", "a=b"], "email_verified": True, "level": 2, "name": "anna", "no": None}
    met = ["groups=staff", "groups=a=b", "email_verified=true", "level=2", "name=anna"]
    unmet = ["groups=staf", "email_verified=True", "level=3", "other=x", "no=null", "name=", "groups=[]"]
    assert all(is_met(found, *pair) for pair in conditions(met))
    assert not any(is_met(found, *pair) for pair in conditions(unmet))


def test_names_that_are_refused() -> None:
    assert [(each.name, each.claim) for each in variables(["JWT_MAIL=email", "ID=https://x/id"])] == [
        (b"JWT_MAIL", "email"),
        (b"ID", "https://x/id"),
    ]
    for bad in ("mail=email", "HTTP_X=email", "REMOTE_ADDR=ip", "REMOTE_USER=sub", "=x", "X", "X=", 'X=a"b'):
        with pytest.raises(ValueError):
            variables(bad)
    for bad in ("groups", "=x", 'a"=x'):
        with pytest.raises(ValueError):
            conditions(bad)
    with pytest.raises(ValueError):
        claim_names('a b"c')
    for bad in ("", 'a"b', "a\\b", "\u00e9", "x" * 201):
        with pytest.raises(ValueError):
            quotable(bad)
