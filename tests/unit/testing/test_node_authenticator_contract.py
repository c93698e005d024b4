"""Tests of `blastbeat.testing.node_authenticator_contract`: a good one passes, and each mistake is found."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from blastbeat.interfaces import NodeCandidate
from blastbeat.testing import NodeAuthenticatorContract, make_candidate
from tests.helpers.contract_runs import assert_fails, failures_of


class ByName:
    """A good one."""

    def authenticate(self, candidate: NodeCandidate) -> bool:
        return candidate.node == "good"


class Anybody(ByName):
    def authenticate(self, candidate: Any) -> Any:
        return True


class Nobody(ByName):
    def authenticate(self, candidate: Any) -> Any:
        return False


class Truthy(ByName):
    def authenticate(self, candidate: Any) -> Any:
        return candidate.node == "good" or None


class RaisesWithoutAddress(ByName):
    def authenticate(self, candidate: Any) -> Any:
        ip_address(candidate.address)
        return candidate.node == "good"


class NeedsText(ByName):
    def authenticate(self, candidate: Any) -> Any:
        return candidate.identity.decode().partition("/")[0] == "good"


class OpensTheDoor(ByName):
    """Who came in once keeps it open for all."""

    def __init__(self) -> None:
        self.is_open = False

    def authenticate(self, candidate: Any) -> Any:
        self.is_open = self.is_open or candidate.node == "good"
        return self.is_open


class KeepsAll(ByName):
    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def authenticate(self, candidate: Any) -> Any:
        self.seen.add(candidate.identity)
        return candidate.node == "good"


class ReadsAFile(ByName):
    def authenticate(self, candidate: Any) -> Any:
        with open(__file__) as file:
            return file.readable() and candidate.node == "good"


class OddFlag(ByName):
    watches_peers = "yes"


def contract(authenticator: type, **changes: Any) -> type[NodeAuthenticatorContract]:
    values = {
        "new_authenticator": lambda self: authenticator(),
        "accepted": [make_candidate("good")],
        "denied": [make_candidate("bad")],
        **changes,
    }
    return type(f"For{authenticator.__name__}", (NodeAuthenticatorContract,), values)


def test_a_good_one_passes() -> None:
    assert failures_of(contract(ByName)) == {}


@pytest.mark.parametrize(
    ("broken", "test", "saying"),
    [
        (Anybody, "test_it_judges_as_said", "accepted"),
        (Nobody, "test_it_judges_as_said", "denied"),
        (Truthy, "test_strange_candidates", "returned None"),
        (RaisesWithoutAddress, "test_strange_candidates", "ValueError"),
        (NeedsText, "test_strange_candidates", "UnicodeDecodeError"),
        (NeedsText, "test_any_candidate", "UnicodeDecodeError"),
        (OpensTheDoor, "test_it_judges_the_same_in_any_order", "otherwise"),
        (KeepsAll, "test_what_it_remembers", "no end"),
        (ReadsAFile, "test_it_judges_as_said", "open() on the event loop"),
        (OddFlag, "test_whether_it_watches_peers", "watches_peers"),
    ],
)
def test_each_mistake_is_found(broken: type, test: str, saying: str) -> None:
    assert_fails(contract(broken), test, saying=saying)


@pytest.mark.parametrize("changes", [{"accepted": []}, {"denied": []}])
def test_a_contract_that_was_not_filled_in_is_found(changes: dict[str, Any]) -> None:
    assert_fails(contract(ByName, **changes), "test_there_is_something_to_judge", saying="fill")


def test_reading_files_can_be_allowed() -> None:
    assert failures_of(contract(ReadsAFile, may_open_files=True)) == {}
