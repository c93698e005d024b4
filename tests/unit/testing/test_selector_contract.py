"""Tests of `blastbeat.testing.selector_contract`: a good selector passes, and each mistake is found."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from blastbeat.events import Request
from blastbeat.interfaces import InstanceView
from blastbeat.testing import SelectorContract, make_instance
from tests.helpers.contract_runs import assert_fails, failures_of


class First:
    """A good one."""

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView | None:
        return candidates[0]


class Offset(First):
    """Forgets that the choice may be one alone."""

    def select(self, candidates: Any, request: Request) -> Any:
        return candidates[1]


class FromElsewhere(First):
    def select(self, candidates: Any, request: Request) -> Any:
        return make_instance("node1")


class NameOnly(First):
    def select(self, candidates: Any, request: Request) -> Any:
        return candidates[0].identity


class Copies(First):
    """Returns what is equal, but not what was offered."""

    def select(self, candidates: Any, request: Request) -> Any:
        one = candidates[0]
        return make_instance(one.identity, sessions=one.sessions, queued_bytes=one.queued_bytes)


class Counts(First):
    def select(self, candidates: Any, request: Request) -> Any:
        candidates[0].sessions += 1
        return candidates[0]


class Sorts(First):
    def select(self, candidates: Any, request: Request) -> Any:
        candidates.sort(key=lambda one: one.identity, reverse=True)
        return candidates[0]


class NeedsAHeader(First):
    def select(self, candidates: Any, request: Request) -> Any:
        return candidates[len(request.header(b"cookie")) % len(candidates)]  # type: ignore[arg-type]


class Remembers(First):
    """The last choice, which may have gone."""

    def __init__(self) -> None:
        self.last: Any = None

    def select(self, candidates: Any, request: Request) -> Any:
        self.last = self.last or candidates[0]
        return self.last


class PerInstance(First):
    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def select(self, candidates: Any, request: Request) -> Any:
        for one in candidates:
            self.seen[one.identity] = self.seen.get(one.identity, 0) + 1
        return candidates[0]


class PerClient(First):
    def __init__(self) -> None:
        self.seen: dict[bytes, str] = {}

    def select(self, candidates: Any, request: Request) -> Any:
        self.seen[request.remote_addr] = candidates[0].identity
        return candidates[0]


GLOBAL: dict[bytes, int] = {}


class PerClientInAGlobal(First):
    def select(self, candidates: Any, request: Request) -> Any:
        GLOBAL[request.remote_addr] = len(GLOBAL)
        return candidates[0]


class Sleeps(First):
    def select(self, candidates: Any, request: Request) -> Any:
        time.sleep(0)
        return candidates[0]


class OverThree(First):
    """Expects the nodes to have what only some have."""

    def expect_nodes(self, nodes: Mapping[str, Any]) -> None:
        self.weights = {name: options["weight"] for name, options in nodes.items()}


class AnyOption(First):
    def expect_nodes(self, nodes: Mapping[str, Any]) -> None:
        self.weights = {name: int(options.get("weight", 1)) for name, options in nodes.items()}
        for options in nodes.values():
            for value in options.values():
                value.strip()


class Declines(First):
    def select(self, candidates: Any, request: Request) -> Any:
        return None


class Flips(First):
    """Wants a list, and no other sequence."""

    def select(self, candidates: Any, request: Request) -> Any:
        return candidates.copy()[0]


def contract(selector: type) -> type[SelectorContract]:
    return type(f"For{selector.__name__}", (SelectorContract,), {"new_selector": lambda self: selector()})


def test_a_good_one_passes() -> None:
    assert failures_of(contract(First)) == {}


@pytest.mark.parametrize(
    ("broken", "test", "saying"),
    [
        (Offset, "test_it_returns_what_it_was_offered", "IndexError"),
        (Offset, "test_whoever_is_left", "IndexError"),
        (FromElsewhere, "test_it_returns_what_it_was_offered", "is not offered"),
        (FromElsewhere, "test_any_round", "is not offered"),
        (NameOnly, "test_it_returns_what_it_was_offered", "is not offered"),
        (Copies, "test_it_returns_what_it_was_offered", "is not offered"),
        (Counts, "test_it_changes_nothing", "changed what it was shown"),
        (Sorts, "test_it_changes_nothing", "changed what it was shown"),
        (Sorts, "test_it_takes_any_sequence", "sort"),
        (Flips, "test_it_takes_any_sequence", "copy"),
        (NeedsAHeader, "test_it_returns_what_it_was_offered", "TypeError"),
        (Remembers, "test_it_returns_what_it_was_offered", "is not offered"),
        (Remembers, "test_an_instance_that_comes_back", "is not offered"),
        (PerInstance, "test_what_it_remembers_of_instances", "no end"),
        (PerClient, "test_what_it_remembers_of_clients", "no end"),
        (PerClientInAGlobal, "test_what_it_remembers_of_clients", "no end"),
        (Sleeps, "test_an_idle_instance_is_taken", "sleep() on the event loop"),
        (OverThree, "test_nodes_without_options", "KeyError"),
        (AnyOption, "test_what_stands_behind_a_node", ""),
        (Declines, "test_an_idle_instance_is_taken", "takes_idle"),
    ],
)
def test_each_mistake_is_found(broken: type, test: str, saying: str) -> None:
    assert_fails(contract(broken), test, saying=saying)


def test_one_that_may_decline_says_so() -> None:
    made = type("Declining", (contract(Declines),), {"takes_idle": False})
    assert failures_of(made) == {}


def test_it_is_made_as_the_configuration_would() -> None:
    from blastbeat.plugins import round_robin

    made = type("Made", (SelectorContract,), {"plugin": round_robin, "name": "round-robin"})
    assert isinstance(made().new_selector(), round_robin.RoundRobin)
    with pytest.raises(NotImplementedError, match=r"return a new selector.*new_selector\(\)"):
        SelectorContract().new_selector()
