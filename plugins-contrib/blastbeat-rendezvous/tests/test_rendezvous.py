"""The selector as the server makes it: contract, options, weights, keys, and which of them move."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import ConfigError
from blastbeat.interfaces import ExpectsClock, ExpectsNodes, Options, Selector
from blastbeat.testing import SelectorContract, make_request
from rendezvous_case import KEYS, assert_shares, choose, instances, make, owners, relaxed, with_weights

names = st.text("abcdef", min_size=1, max_size=6)
weights = st.dictionaries(names, st.integers(1, 1000), min_size=2, max_size=10)
keys = st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=40)


class Bounded(SelectorContract):
    max_entries = 4096  # names whose numbers `blastbeat.request_keys` remembers


class TestContract(Bounded):
    def new_selector(self) -> Selector:
        return make()


class TestContractByCookie(Bounded):
    def new_selector(self) -> Selector:
        return make({"key": "cookie:a"})


class TestContractWithEverything(Bounded):
    def new_selector(self) -> Selector:
        selector = make({"zone": "a b", "spill": "70%", "slow-start": "30s", "busy": 5, "key": "path"})
        assert isinstance(selector, ExpectsNodes) and isinstance(selector, ExpectsClock)
        return selector


# ---------------------------------------------------------------- shares


@pytest.mark.parametrize(
    "given",
    [{"a": 1, "b": 1}, {"a": 3, "b": 1}, {"a": 99, "b": 1, "c": 50}, dict.fromkeys("abcdefghij", 7)],
)
def test_each_node_gets_the_part_of_its_weight(given: dict[str, int]) -> None:
    found = owners(with_weights(given), instances(*given))
    assert_shares(found, {name: weight / sum(given.values()) for name, weight in given.items()})


def test_a_nodes_share_does_not_grow_with_its_instances() -> None:
    found = owners(with_weights({"a": 1, "b": 1}), instances("a", "a/1", "a/2", "b"))
    assert_shares(found, {"a": 1 / 6, "a/1": 1 / 6, "a/2": 1 / 6, "b": 1 / 2})


def test_a_node_that_nobody_described_weighs_one() -> None:
    assert_shares(owners(with_weights({"a": 3}), instances("a", "b")), {"a": 3 / 4, "b": 1 / 4})


# ---------------------------------------------------------------- movement


@relaxed
@given(weights, keys, st.data())
def test_only_the_keys_of_a_node_that_goes_move(
    given: dict[str, int], keys: list[bytes], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sorted(given)))
    order = data.draw(st.permutations(sorted(given.keys() - {gone})))
    selector = with_weights(given)
    for request in (make_request(remote_addr=key) for key in keys):
        before = choose(selector, instances(*given), request)
        after = choose(selector, instances(*order), request)
        assert after == before or before == gone, "and a node that comes takes keys for itself only"


@relaxed
@given(weights, keys, st.integers(2, 50), st.data())
def test_keys_only_move_to_a_node_whose_weight_grows(
    given: dict[str, int], keys: list[bytes], factor: int, data: st.DataObject
) -> None:
    grown = data.draw(st.sampled_from(sorted(given)))
    before = with_weights(given)
    after = with_weights({**given, grown: min(1000, given[grown] * factor)})
    for request in (make_request(remote_addr=key) for key in keys):
        old, new = (choose(selector, instances(*given), request) for selector in (before, after))
        assert new in (old, grown)


@pytest.mark.parametrize("others", [1, 4, 9])
def test_a_node_that_comes_takes_its_share_and_no_more(others: int) -> None:
    nodes = [f"node{number}" for number in range(others)]
    selector = make()
    old, new = owners(selector, instances(*nodes)), owners(selector, instances(*nodes, "new"))
    moved = ["moved" if one != other else "stayed" for one, other in zip(old, new, strict=True)]
    assert {other for one, other in zip(old, new, strict=True) if one != other} == {"new"}
    assert_shares(moved, {"moved": 1 / (others + 1), "stayed": others / (others + 1)})


def test_instances_that_change_their_names_move_no_key_to_another_node() -> None:
    selector = make()
    before = owners(selector, instances("a/1", "a/2", "b/1"))
    after = owners(selector, instances("a/1", "a/7", "b/9"))
    for old, new in zip(before, after, strict=True):
        assert old[0] == new[0] and (new in ("a/1", "a/7") if old == "a/2" else True)
        assert old != "a/1" or new in ("a/1", "a/7")


# ---------------------------------------------------------------- the same everywhere

PROGRAM = """
from rendezvous_case import KEYS, instances, make, owners
nodes = {name: {"weight": weight, "zone": zone} for name, weight, zone in
         (("a", 1, "x"), ("b", 2, "x"), ("c", 3, "y"), ("d", 4, "y"))}
selector = make({"zone": "x", "spill": "90%"}, nodes)
print(owners(selector, instances("a", "a/1", "c", "d", "d/1")))
"""


def test_every_process_chooses_the_same() -> None:
    folder = Path(__file__).parent
    path = os.pathsep.join(map(str, (folder, folder.parent / "src", *filter(None, sys.path))))
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
        for seed in ("0", "1", "4000")
    }
    assert len(printed) == 1 and "'d/1'" in printed.pop()


def test_what_was_chosen_is_fixed_for_good() -> None:
    """An upgrade that moves all keys would empty every cache."""
    selector = with_weights({"node1": 1, "node2": 2, "node3": 3})
    found = [choose(selector, instances("node1", "node2", "node3"), request) for request in KEYS[:8]]
    assert found == ["node3", "node2", "node3", "node2", "node3", "node3", "node3", "node3"]


# ---------------------------------------------------------------- keys

CANDIDATES = instances(*(f"node{number}" for number in range(50)))


@pytest.mark.parametrize(
    ("key", "same", "other"),
    [
        ("address", {"target": b"/x"}, {"remote_addr": b"192.0.2.9"}),
        ("path", {"target": b"/a/./b?q", "remote_addr": b"192.0.2.9"}, {"target": b"/a/c"}),
        ("header:X-User", {"remote_addr": b"192.0.2.9"}, {"headers": [(b"x-user", b"bob")]}),
        ("cookie:id", {"remote_addr": b"192.0.2.9"}, {"headers": [(b"cookie", b"id=8")]}),
    ],
)
def test_what_has_the_same_key_goes_to_the_same_node(
    key: str, same: dict[str, object], other: dict[str, object]
) -> None:
    base: dict[str, object] = {"target": b"/a/b", "headers": [(b"x-user", b"ann"), (b"cookie", b"id=7")]}
    selector = make({"key": key})
    found = [choose(selector, CANDIDATES, make_request(**base | each)) for each in ({}, same, other)]
    assert found[0] == found[1] != found[2]


def test_without_a_key_the_address_decides() -> None:
    request = make_request(remote_addr=b"192.0.2.9")
    assert choose(make({"key": "cookie:id"}), CANDIDATES, request) == choose(make(), CANDIDATES, request)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"key": "adress"}, "write address, path, header:NAME or cookie:NAME"),
        ({"zone": ""}, "write one word or several"),
        ({"zone": "a,a"}, "1 to 16 zones, each once"),
        ({"zone": "a/b"}, "letters, digits, dots"),
        ({"spill": "0%"}, "from 1% to 100%"),
        ({"spill": "101%"}, "from 1% to 100%"),
        ({"spill": 70}, "from 1% to 100%"),
        ({"spill": "never"}, "write empty, or a percentage"),
        ({"strict": "perhaps"}, "strict"),
        ({"slow-start": "2 days"}, "slow-start"),
        ({"busy": 0}, "busy"),
        ({"weight": 3}, "weight"),
        ({"spill": "70%"}, "spill goes with zone"),
        ({"strict": True}, "strict goes with zone"),
    ],
)
def test_bad_options_are_explained(options: Options, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        make(options)


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        ({"weight": 0}, "node app: weight=0: must be from 1 to 1000"),
        ({"weight": "x"}, "node app: weight=x"),
        ({"zone": "a b"}, "node app: zone=a b: a zone is named by"),
        ({"zone": 7}, "node app: zone=7: a zone is named by"),
        ({"wieght": 3}, "node app: wieght=3: no such option; a node takes weight and zone"),
        ({}, "no node is in zone a; write app1 zone=a"),
    ],
)
def test_bad_options_of_nodes_are_explained(node: Options, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        make({"zone": "a", "strict": True}, {"app": node})
