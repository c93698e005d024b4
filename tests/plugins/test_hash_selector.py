"""`hash`: the family's contract, what the key is, how keys spread, and which move when nodes come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import ConfigError
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Selector
from blastbeat.plugins import hash_selector
from blastbeat.testing import SelectorContract, make_instance, make_registered, make_request

KEYS = [make_request(remote_addr=b"10.%d.%d.1" % divmod(number, 250)) for number in range(5000)]


def new_selector(**options: Any) -> Selector:
    selector: Selector = make_registered(hash_selector, "selector", "hash", options)
    return selector


def instances(*names: str) -> list[InstanceView]:
    return [make_instance(name) for name in names]


def choose(selector: Selector, candidates: Sequence[InstanceView], request: Request) -> str:
    chosen = selector.select(candidates, request)
    assert chosen is not None
    return chosen.identity


def owners(*names: str) -> list[str]:
    """Whose each of KEYS is."""
    selector, candidates = new_selector(), instances(*names)
    return [choose(selector, candidates, request) for request in KEYS]


class TestHashByAddress(SelectorContract):
    plugin = hash_selector
    name = "hash"


class TestHashByCookie(SelectorContract):
    plugin = hash_selector
    name = "hash"
    options = {"key": "cookie:a"}


# ---------------------------------------------------------------- consistency


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_keys_spread_evenly(count: int) -> None:
    counts = Counter(owners(*(f"node{number}" for number in range(count))))
    mean = len(KEYS) / count
    assert len(counts) == count
    assert all(abs(number - mean) < 5 * mean**0.5 for number in counts.values()), "five sigma"


@given(
    st.sets(st.text("abcdef", min_size=1, max_size=6), min_size=2, max_size=12),
    st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=50),
    st.data(),
)
def test_only_the_keys_of_a_node_that_goes_move(
    names: set[str], keys: list[bytes], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sorted(names)))
    order = data.draw(st.permutations(sorted(names - {gone})))
    selector, before, after = new_selector(), instances(*sorted(names)), instances(*order)
    for key in keys:
        request = make_request(remote_addr=key)
        owner = choose(selector, before, request)
        if owner != gone:
            assert choose(selector, after, request) == owner


@pytest.mark.parametrize("count", [1, 4, 9])
def test_a_node_that_comes_takes_its_share_and_no_more(count: int) -> None:
    names = [f"node{number}" for number in range(count)]
    moved = [new for old, new in zip(owners(*names), owners(*names, "new"), strict=True) if old != new]
    share = len(KEYS) / (count + 1)
    assert set(moved) == {"new"} and abs(len(moved) - share) < 5 * share**0.5


def test_instances_that_change_their_names_move_no_key_to_another_node() -> None:
    before = owners("a/1", "a/2", "b/1", "b/2")
    after = owners("a/1", "a/3", "a/4", "b/7")
    for old, new in zip(before, after, strict=True):
        assert old[0] == new[0]
        if old == "a/1":
            continue
        assert new != "a/2"
    assert 0.4 < Counter(before)["a/1"] / sum(one[0] == "a" for one in before) < 0.6


def test_an_instance_called_like_its_node_gets_no_more_than_the_others() -> None:
    counts = Counter(owners("a", "a/1", "a/2", "b", "b/1", "b/2"))
    for node in "ab":
        keys = [count for name, count in counts.items() if name[0] == node]
        mean = sum(keys) / 3
        assert len(keys) == 3 and all(abs(count - mean) < 5 * mean**0.5 for count in keys), "five sigma"


def test_a_restarted_server_chooses_as_before() -> None:
    """Nothing of it depends on the process; these are fixed for good."""
    selector, candidates = new_selector(), instances("node1", "node2", "node3")
    addresses = (b"192.0.2.1", b"192.0.2.2", b"192.0.2.3", b"2001:db8::1")
    chosen = [choose(selector, candidates, make_request(remote_addr=address)) for address in addresses]
    assert chosen == ["node3", "node1", "node3", "node1"]


# ---------------------------------------------------------------- keys

CANDIDATES = instances(*(f"node{number}" for number in range(50)))


def pick(key: str, *headers: tuple[bytes, bytes], address: bytes = b"192.0.2.1") -> str:
    return choose(new_selector(key=key), CANDIDATES, make_request(headers=list(headers), remote_addr=address))


def test_by_header_whatever_its_case() -> None:
    ann, bob = (b"x-user", b"ann"), (b"x-user", b"bob")
    assert pick("header:X-User", ann) == pick("header:x-user", ann, address=b"192.0.2.9")
    assert pick("header:X-User", ann) != pick("header:X-User", bob)
    assert pick("header:X-User", ann, bob) == pick("header:X-User", ann), "the first of several"


def test_by_cookie() -> None:
    ann = pick("cookie:id", (b"cookie", b"id=ann"))
    assert ann == pick("cookie:id", (b"cookie", b"a=b; id=ann ;c=d"), address=b"192.0.2.9")
    assert ann == pick("cookie:id", (b"cookie", b"xid=bob"), (b"cookie", b"id=ann; id=bob"))
    assert ann != pick("cookie:ID", (b"cookie", b"id=ann")), "names of cookies have a case"


@pytest.mark.parametrize("key", ["header:x-user", "cookie:id"])
@pytest.mark.parametrize(
    "header", [(b"x-other", b"1"), (b"cookie", b"id"), (b"x-user", b""), (b"cookie", b"id=")]
)
def test_without_a_key_the_address_decides(key: str, header: tuple[bytes, bytes]) -> None:
    assert pick(key, header) == pick("address") != pick(key, header, address=b"192.0.2.9")


@pytest.mark.parametrize("key", ["", "adress", "path:/x", 7])
def test_what_is_no_key(key: object) -> None:
    with pytest.raises(ConfigError, match="write address, path, header:NAME or cookie:NAME"):
        new_selector(key=key)
