"""Runs a contract in this process as pytest would, and tells which of its tests fail.

Knows the marks that contracts use, `parametrize` alone; they use no fixtures, so that this is all of it.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import pytest


def tests_of(contract: type) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each test with its arguments: what pytest calls it, the method, the arguments."""
    for name, method in inspect.getmembers(contract, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(method, "pytestmark", ()) if mark.name == "parametrize"]
        choices = []
        for mark in marks:
            names, values = mark.args[:2]
            assert isinstance(names, str) and "," not in names
            choices.append([(names, value) for value in values])
        for combination in itertools.product(*choices):
            shown = "-".join(str(value) for _, value in combination)
            yield f"{name}[{shown}]" if shown else name, name, dict(combination)


def failures_of(contract: type, *, only: str = "") -> dict[str, BaseException]:
    """What fails, by its name, of the tests whose name begins with `only`; a new object for each, as pytest
    has it."""
    found: dict[str, BaseException] = {}
    for shown, name, arguments in tests_of(contract):
        if name.startswith(only):
            try:
                getattr(contract(), name)(**arguments)
            except (Exception, pytest.fail.Exception) as error:
                found[shown] = error
    return found


def assert_fails(contract: type, test: str, *, saying: str = "") -> None:
    """`test` of the contract (all its parameters) finds what is broken, and says so with `saying`."""
    found = failures_of(contract, only=test)
    assert found, f"{test} lets {contract.__name__} pass"
    assert any(saying in _words(error) for error in found.values()), [_words(each) for each in found.values()]


def _words(error: BaseException) -> str:
    notes = getattr(error, "__notes__", ())
    inner = [_words(each) for each in error.exceptions] if isinstance(error, BaseExceptionGroup) else []
    return "\n".join([f"{type(error).__name__}: {error}", *notes, *inner])
