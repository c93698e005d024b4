"""What each selector must keep, as a class to subclass with pytest."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, overload

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import Request
from blastbeat.interfaces import ExpectsNodes, InstanceView, Options, Selector
from blastbeat.testing.contract import Contract
from blastbeat.testing.fakes import make_instance, make_request, sample_requests
from blastbeat.testing.inherited import inherited
from blastbeat.testing.strategies import candidates, option_values, requests


class SelectorContract(Contract):
    """A selector picks from what it is offered, whoever comes and goes. `takes_idle` is False for one that
    may decline an idle instance; `node_options` are what stands behind each node's name, if it needs any."""

    kind: ClassVar[str] = "selector"
    takes_idle: bool = True
    node_options: Options = {}

    def new_selector(self) -> Selector:
        made: Selector = self.make()
        return made

    def ready_selector(self, *offers: Sequence[InstanceView]) -> Selector:
        """A new one that knows the nodes of all `offers`, as the server's selectors do."""
        selector = self.new_selector()
        if isinstance(selector, ExpectsNodes):
            selector.expect_nodes({one.node: self.node_options for offer in offers for one in offer})
        return selector

    def offers(self) -> list[list[InstanceView]]:
        """What is offered in turn; override to add what your selector looks at."""
        names = ["node1", "node2", "node2/a", "node3"]
        pools = [[make_instance(name, sessions=len(name)) for name in names[:n]] for n in (1, 4, 2, 3, 1)]
        return [*pools, [make_instance("node9", sessions=7, queued_bytes=1 << 20)]]

    # ------------------------------------------------------------ choosing

    @pytest.mark.parametrize("number", range(len(sample_requests())))
    def test_it_returns_what_it_was_offered_or_none(self, number: int) -> None:
        selector = self.ready_selector(*self.offers())
        for offered in self.offers():
            self.check_choice(selector, offered, sample_requests()[number])

    @inherited
    @given(rounds=st.lists(st.tuples(candidates(), requests()), min_size=1, max_size=8))
    def test_any_round_of_offers_is_chosen_from(
        self, rounds: list[tuple[list[InstanceView], Request]]
    ) -> None:
        selector = self.ready_selector(*(offered for offered, _ in rounds))
        for offered, request in rounds:
            self.check_choice(selector, offered, request)

    @inherited
    @given(offered=candidates(), request=requests(), data=st.data())
    def test_whoever_is_left_is_chosen_from(
        self, offered: list[InstanceView], request: Request, data: st.DataObject
    ) -> None:
        """As in a request that is tried on one instance after the other."""
        selector = self.ready_selector(offered)
        while offered:
            chosen = self.check_choice(selector, offered, request)
            gone = chosen or data.draw(st.sampled_from(offered))
            offered = [one for one in offered if one is not gone]

    def test_an_idle_instance_is_taken(self) -> None:
        if self.takes_idle:
            one = make_instance("node1")
            chosen = self.check_choice(self.ready_selector([one]), [one], make_request())
            assert chosen is one, (
                "the only instance is idle, and a client gets a 503; or set takes_idle = False"
            )

    def test_one_of_those_with_the_same_name_of_node_is_taken(self) -> None:
        offered = [make_instance(f"node1/{word}", sessions=n) for n, word in enumerate("abcdef")]
        selector = self.ready_selector(offered)
        for _ in range(20):
            self.check_choice(selector, offered, make_request())

    @pytest.mark.parametrize("kind", ["list", "tuple", "sequence"])
    def test_it_takes_any_sequence(self, kind: str) -> None:
        offered = [make_instance(f"node{n}") for n in range(3)]
        sequence: Sequence[InstanceView] = {"list": list, "tuple": tuple, "sequence": _Sequence}[kind](
            offered
        )
        self.check_choice(self.ready_selector(offered), sequence, make_request())

    @inherited
    @given(offered=candidates(), request=requests())
    def test_it_changes_nothing(self, offered: list[InstanceView], request: Request) -> None:
        before = copy.deepcopy(offered), list(offered), copy.deepcopy(request)
        self.ready_selector(offered).select(offered, request)
        same = all(one is other for one, other in zip(offered, before[1], strict=True))
        assert same and (offered, request) == (before[0], before[2]), "select changed what it was shown"

    def test_an_instance_that_comes_back_is_a_new_object(self) -> None:
        """A selector must not hold on to views of instances that left."""
        old = [make_instance(f"node{n}") for n in range(3)]
        selector = self.ready_selector(old)
        for _ in range(5):
            self.check_choice(selector, old, make_request())
        new = copy.deepcopy(old)
        for _ in range(10):
            self.check_choice(selector, new, make_request())

    # ------------------------------------------------------------ nodes of the configuration

    def test_nodes_without_options_are_welcome(self) -> None:
        for nodes in ({}, {"node1": self.node_options, "node2": self.node_options}):
            selector = self.new_selector()
            if isinstance(selector, ExpectsNodes):
                selector.expect_nodes(nodes)

    @inherited
    @given(options=st.dictionaries(st.text(min_size=1, max_size=10), option_values, max_size=3))
    def test_what_stands_behind_a_node_is_taken_or_a_value_error(self, options: Mapping[str, Any]) -> None:
        selector = self.new_selector()
        if isinstance(selector, ExpectsNodes):
            try:
                selector.expect_nodes({"node1": options, "node2": {}})
            except ValueError as error:
                assert str(error), "a ValueError must say what is wrong"

    # ------------------------------------------------------------ memory

    def test_what_it_remembers_of_instances_is_bounded(self) -> None:
        """Redeployments name ever new instances."""
        selector = self.ready_selector([make_instance("node1")])
        keep = make_instance("node1")

        def meet(number: int) -> None:
            selector.select([keep, make_instance(f"node1/{number}")], make_request())

        self.check_remembering(selector, meet)

    def test_what_it_remembers_of_clients_is_bounded(self) -> None:
        offered = [make_instance("node1"), make_instance("node2")]
        selector = self.ready_selector(offered)

        def meet(number: int) -> None:
            address = b"10.%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255)
            fields = [(b"cookie", b"id=%d" % number)]
            request = make_request(remote_addr=address, headers=fields, target=b"/%d" % number)
            selector.select(offered, request)

        self.check_remembering(selector, meet)

    # ------------------------------------------------------------ how it is asked

    def check_choice(
        self, selector: Selector, offered: Sequence[InstanceView], request: Request
    ) -> InstanceView | None:
        """What it chooses, which must be one of those offered, itself, or None."""
        with self.watched():
            chosen = selector.select(offered, request)
        assert chosen is None or any(chosen is one for one in offered), f"{chosen!r} is not offered"
        return chosen


class _Sequence(Sequence[InstanceView]):
    """The least that a Sequence is."""

    def __init__(self, items: Sequence[InstanceView]) -> None:
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> InstanceView: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[InstanceView]: ...
    def __getitem__(self, index: int | slice) -> InstanceView | Sequence[InstanceView]:
        return self._items[index]
