"""Zones: the own one first, and by which rule keys spill over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.interfaces import Options
from blastbeat.testing import make_request
from blastbeat_rendezvous import Rendezvous
from rendezvous_case import KEYS, assert_shares, choose, instances, make, owners, relaxed

NODES: dict[str, Options] = {
    "a1": {"zone": "a"},
    "a2": {"zone": "a"},
    "a3": {"zone": "a", "weight": 2},
    "b1": {"zone": "b"},
    "b2": {"zone": "b"},
    "c1": {"zone": "c"},
    "plain": {},
}
ALL = tuple(NODES)

present = st.sets(st.sampled_from(ALL), min_size=1).map(sorted)
addresses = st.binary(min_size=1, max_size=20)


def test_without_own_zones_all_nodes_are_one() -> None:
    assert_shares(owners(make(nodes=NODES), instances(*ALL)), {n: (2 if n == "a3" else 1) / 8 for n in ALL})


def test_the_own_zone_serves_alone() -> None:
    found = owners(make({"zone": "a"}, NODES), instances(*ALL))
    assert_shares(found, {"a1": 1 / 4, "a2": 1 / 4, "a3": 2 / 4})


def expected_zone(names: list[str], zones: str, *, is_strict: bool) -> set[str]:
    """Who may be chosen where nobody is passed over but for the zones: written down a second time."""
    for zone in zones:
        if found := {name for name in names if name[0] == zone}:
            return found
    return set() if is_strict else set(names)


@relaxed
@given(present, addresses, st.sampled_from(["a", "b", "ba", "cab"]), st.booleans())
def test_the_first_zone_that_is_there_serves(
    names: list[str], address: bytes, zones: str, is_strict: bool
) -> None:
    selector = make({"zone": " ".join(zones), "strict": is_strict}, NODES)
    chosen = choose(selector, instances(*names), make_request(remote_addr=address))
    allowed = expected_zone(names, zones, is_strict=is_strict)
    assert chosen in allowed if allowed else chosen == ""


def test_nodes_of_other_zones_share_what_spills() -> None:
    found = owners(make({"zone": "a"}, NODES), instances("b1", "b2", "c1", "plain"))
    assert_shares(found, dict.fromkeys(("b1", "b2", "c1", "plain"), 1 / 4))


# ---------------------------------------------------------------- a part of a zone is left


def spilling(percent: int, zones: str = "a b", **options: object) -> Rendezvous:
    return make({"zone": zones, "spill": f"{percent}%", **options}, NODES)


@pytest.mark.parametrize(
    ("names", "kept"),
    [(["a1", "a2", "a3"], 1.0), (["a1", "a3"], 1.0), (["a3"], 0.5 / 0.75), (["a2"], 0.25 / 0.75)],
)
def test_a_zone_keeps_what_it_can_carry(names: list[str], kept: float) -> None:
    found = owners(spilling(75), instances(*names, "b1", "b2", "c1"))
    assert_shares([name[0] for name in found], {"a": kept, "b": 1 - kept})


def test_what_no_zone_keeps_is_spread_over_all() -> None:
    """A quarter of a, half of b, all of the rest: with 100 % they keep these parts of what comes to them."""
    found = owners(spilling(100), instances("a1", "b1"))
    left = 3 / 4 * 1 / 2
    assert_shares(found, {"a1": 1 / 4 + left / 2, "b1": 3 / 8 + left / 2})


def test_a_strict_choice_spreads_over_its_zones_only() -> None:
    found = owners(spilling(100, "a", strict=True), instances("a1", "b1"))
    assert_shares(found, {"a1": 1.0})


@relaxed
@given(addresses, st.integers(1, 100), st.data())
def test_keys_come_back_one_by_one_as_the_zone_does(
    address: bytes, percent: int, data: st.DataObject
) -> None:
    """What the zone keeps with less it keeps with more."""
    selector, request = spilling(percent), make_request(remote_addr=address)
    less = data.draw(st.sets(st.sampled_from(["a1", "a2", "a3"])))
    more = less | data.draw(st.sets(st.sampled_from(["a1", "a2", "a3"])))
    others = instances("b1", "b2")
    if choose(selector, [*others, *instances(*less)], request).startswith("a"):
        assert choose(selector, [*others, *instances(*more)], request).startswith("a")


def test_where_a_key_goes_in_its_zone_does_not_follow_from_its_staying() -> None:
    nodes: dict[str, Options] = {name: {"zone": "a"} for name in map("a{}".format, range(8))}
    nodes["b1"] = {"zone": "b"}
    selector = make({"zone": "a", "spill": "100%"}, nodes)
    found = owners(selector, instances("a0", "a1", "a2", "a3", "b1"))
    in_zone = [name for name in found if name != "b1"]
    assert len(in_zone) > len(KEYS) / 3
    assert_shares(in_zone, dict.fromkeys(("a0", "a1", "a2", "a3"), 1 / 4))


# ---------------------------------------------------------------- busy instances


def test_a_busy_instance_is_passed_over() -> None:
    selector = make({"zone": "a", "busy": 10}, NODES)
    busy, idle = instances("a1", "a2", "a3", sessions=10), instances("b1", sessions=9)
    assert set(owners(selector, [*busy, *idle])) == {"b1"}
    before = owners(selector, instances("a1", "a2", "a3"))
    after = owners(selector, [*instances("a1", sessions=10), *instances("a2", "a3")])
    for old, new in zip(before, after, strict=True):
        assert new == old or old == "a1" and new != "a1"


@pytest.mark.parametrize("options", [{}, {"zone": "a"}, {"zone": "a", "strict": True}])
def test_where_all_are_busy_the_key_decides_as_ever(options: Options) -> None:
    crowd = instances(*ALL, sessions=50)
    calm = owners(make(options, NODES), instances(*ALL))
    assert owners(make({**options, "busy": 10}, NODES), crowd) == calm


def test_a_strict_choice_rather_takes_a_busy_one_than_none() -> None:
    selector = make({"zone": "a", "strict": True, "busy": 10}, NODES)
    offered = [*instances("a1", sessions=10), *instances("b1")]
    assert set(owners(selector, offered)) == {"a1"}
