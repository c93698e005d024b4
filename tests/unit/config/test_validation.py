"""Tests of `blastbeat.config.validation`: whatever a plugin's validator does becomes a value or a problem."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.config.validation import SECRET, validate, validate_options
from blastbeat.errors import Problem
from blastbeat.validators import secret, text, whole


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def raising(error: BaseException) -> Any:
    def validator(value: object) -> object:
        raise error

    return validator


def test_values_are_validated_and_everything_wrong_is_told() -> None:
    values, problems = validate_options(
        {"name": " a ", "count": 0, "nmae": "x"}, {"name": text, "count": whole(1, 9)}
    )

    assert values == {"name": "a"}
    assert [(each.key, each.value) for each in problems] == [("count", "0"), ("nmae", "x")]
    assert problems[1].hint == "did you mean 'name'?"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("is no number"), "is no number"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "'x'"),
        (SystemExit(3), "3"),
        (Unprintable(), "Unprintable"),
    ],
)
def test_nothing_a_validator_raises_gets_out(error: BaseException, message: str) -> None:
    found = validate("key", "value", raising(error))

    assert isinstance(found, Problem)
    assert (found.message, found.key, found.value) == (message, "key", "value")


def test_a_validator_may_return_nothing() -> None:
    assert validate("key", "value", lambda value: None) == (None,)


def test_a_secret_is_not_repeated() -> None:
    found = validate("token", 5, secret(text))

    assert isinstance(found, Problem)
    assert found.value == SECRET and "5" not in str(found)
