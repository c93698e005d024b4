"""`first`: the family's contract, and who works while who stands by."""

from __future__ import annotations

from blastbeat.interfaces import Selector
from blastbeat.plugins import first_available
from blastbeat.testing import SelectorContract, make_instance, make_registered, make_request


def new_selector() -> Selector:
    selector: Selector = make_registered(first_available, "selector", "first")
    return selector


def choose(*names: str, **sessions: int) -> str:
    candidates = [make_instance(name, sessions=sessions.get(name.replace("/", ""), 0)) for name in names]
    chosen = new_selector().select(candidates, make_request())
    assert chosen is not None
    return chosen.identity


class TestFirst(SelectorContract):
    plugin = first_available
    name = "first"


def test_the_first_does_all_the_work() -> None:
    assert choose("b", "a", "c", b=1000) == "b"


def test_the_next_only_when_it_is_not_offered() -> None:
    assert choose("a", "c") == "a"


def test_its_instances_share_the_work() -> None:
    assert choose("b", "b/1", "b/2", "a", b=3, b1=1, b2=2) == "b/1"
