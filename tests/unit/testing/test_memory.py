"""Tests of `blastbeat.testing.memory`: wherever something is kept, it is found."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest

from blastbeat.testing.memory import size_of_all

KEPT: list[bytes] = []


class Holder:
    def __init__(self, kept: Any) -> None:
        self.kept = kept


class Slotted:
    __slots__ = ("kept",)

    def __init__(self, kept: Any) -> None:
        self.kept = kept


def fill(add: Callable[[bytes], object]) -> None:
    for number in range(1000):
        add(b"client %d" % number)


def enclosing() -> Any:
    kept: set[bytes] = set()
    return lambda key: kept.add(key)


CASES: dict[str, Callable[[], tuple[Any, Callable[[bytes], object]]]] = {
    "list": lambda: (found := Holder([]), found.kept.append),
    "texts as keys": lambda: (found := Holder({}), lambda key: found.kept.update({key.decode(): 1})),
    "ordered": lambda: (found := Holder(OrderedDict()), lambda key: found.kept.update({key: 1})),
    "deque": lambda: (found := Holder(deque()), found.kept.append),
    "slot": lambda: (found := Slotted(set()), found.kept.add),
    "bytes that grow": lambda: (found := Holder(bytearray()), found.kept.extend),
    "closure": lambda: (found := Holder(enclosing()), found.kept),
    "cache": lambda: (found := Holder(lru_cache(None)(bytes)), found.kept),
    "method": lambda: (Holder((found := Holder([])).kept.append), found.kept.append),
    "module": lambda: (Holder(None), KEPT.append),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_kept_is_found(case: str) -> None:
    subject, add = CASES[case]()
    before = size_of_all(subject)
    fill(add)
    assert size_of_all(subject) - before > 8000


def test_what_keeps_nothing_stays_as_it_is() -> None:
    subject = Holder([1, 2, 3])
    before = size_of_all(subject)
    fill(lambda key: subject.kept.append(key) or subject.kept.pop())
    assert size_of_all(subject) - before < 1000
