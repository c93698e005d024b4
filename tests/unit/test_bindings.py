"""From one set of addresses and endpoints to another: what is bound, what is let go, and how it is undone.
Listeners and ROUTERs are fakes; the real ones are in tests/integration/test_reload.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import anyio
import pytest

from blastbeat.bindings import Bindings, Rebinding
from blastbeat.config.model import Address
from blastbeat.errors import StartError
from blastbeat.node_rules import Endpoints
from blastbeat.transport.listener import Listener
from blastbeat.transport.router import Router

ONE, TWO, THREE = (Address("127.0.0.1", port) for port in (1, 2, 3))
A, B, C = "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:3"


class World:
    """`taken`: what is bound, by whom. Listeners and ROUTERs put themselves in."""

    def __init__(self) -> None:
        self.taken: dict[object, object] = {}


class FakeListener:
    def __init__(self, world: World, address: Address) -> None:
        self.world = world
        self.configured = address
        self.addresses: list[Address] = []

    async def open(self) -> list[Address]:
        if self.configured in self.world.taken:
            raise StartError(f"can't listen on {self.configured}: in use")
        self.world.taken[self.configured] = self
        self.addresses = [self.configured]
        return self.addresses

    def close(self) -> None:
        self.world.taken.pop(self.configured)


class FakeRouter:
    def __init__(self, world: World, endpoints: Endpoints) -> None:
        self.world = world
        self.endpoints = endpoints
        self.bound: dict[str, str] = {}

    def open(self) -> list[str]:
        self.extend(self.endpoints)
        return list(self.bound)

    def extend(self, endpoints: Sequence[str]) -> None:
        if any(each in self.world.taken for each in endpoints):
            raise StartError("in use")
        for each in endpoints:
            self.world.taken[each] = self
            self.bound[each] = each

    def shrink(self, endpoints: Sequence[str]) -> None:
        for each in endpoints:
            del self.bound[each], self.world.taken[each]

    def rename(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints

    def close(self) -> None:
        self.shrink(list(self.bound))


class Stage:
    def __init__(self, addresses: Sequence[Address] = (), lists: Sequence[Endpoints] = ()) -> None:
        self.world = World()
        self.bindings = Bindings([], {})
        self.to(addresses, lists)

    def plan(self, addresses: Sequence[Address] = (), lists: Sequence[Endpoints] = ()) -> Rebinding:
        return Rebinding(
            self.bindings,
            addresses,
            lists,
            new_listener=lambda address: cast(Listener, FakeListener(self.world, address)),
            new_router=lambda endpoints: cast(Router, FakeRouter(self.world, endpoints)),
        )

    def to(self, addresses: Sequence[Address] = (), lists: Sequence[Endpoints] = ()) -> list[Router]:
        """Another set of bindings; the ROUTERs that nobody needs any more."""
        plan = self.plan(addresses, lists)
        anyio.run(plan.bind)
        return plan.commit()

    def refuse(self, addresses: Sequence[Address] = (), lists: Sequence[Endpoints] = ()) -> str:
        """The same, which fails; nothing has changed."""
        before = dict(self.world.taken), self.routers, list(self.bindings.listeners)
        plan = self.plan(addresses, lists)
        with pytest.raises(StartError) as caught:
            anyio.run(plan.bind)
        assert (dict(self.world.taken), self.routers, list(self.bindings.listeners)) == before
        return str(caught.value)

    @property
    def routers(self) -> dict[Endpoints, Any]:
        return dict(self.bindings.routers)

    @property
    def taken(self) -> set[object]:
        return set(self.world.taken)


def test_listeners_come_and_go_and_stay() -> None:
    stage = Stage([ONE, TWO])
    (one, _) = stage.bindings.listeners
    plan = stage.plan([ONE, THREE])
    assert plan.gone_addresses == [TWO]
    anyio.run(plan.bind)
    assert stage.taken == {ONE, TWO, THREE}  # first everything is bound
    plan.commit()
    assert stage.taken == {ONE, THREE} and stage.bindings.listeners[0] is one
    assert stage.bindings.addresses == [ONE, THREE]


def test_an_address_is_the_same_however_clients_speak_there() -> None:
    stage = Stage([ONE])
    (listener,) = stage.bindings.listeners
    plan = stage.plan([Address("127.0.0.1", 1, proxy_protocol=True)])
    assert plan.configured(listener).proxy_protocol and not plan.new_listeners


def test_an_address_in_use_changes_nothing() -> None:
    stage = Stage([ONE], [(A,)])
    stage.world.taken[THREE] = "another process"
    assert "127.0.0.1:3" in stage.refuse([TWO, THREE], [(A, B), (C,)])


def test_a_listener_of_our_own_in_the_way_is_named() -> None:
    stage = Stage([ONE])
    everywhere = Address("", 1)
    stage.world.taken[everywhere] = "the kernel says so"
    assert "127.0.0.1:1 is in the way: that takes a restart" in stage.refuse([everywhere])


def test_the_same_list_is_the_same_router() -> None:
    stage = Stage(lists=[(A,), (B, C)])
    before = stage.routers
    assert stage.to(lists=[(B, C), (A,)]) == []
    assert stage.routers == before
    assert stage.bindings.endpoints == [B, C, A]


def test_a_list_that_grows_or_shrinks_keeps_its_router() -> None:
    stage = Stage(lists=[(A,)])
    router = stage.routers[(A,)]
    stage.to(lists=[(A, B)])
    assert stage.routers == {(A, B): router} and stage.taken == {A, B} and router.endpoints == (A, B)
    plan = stage.plan(lists=[(B,)])
    assert plan.stay_bound == [A]  # its nodes would be cut off
    stage.to(lists=[(B,)])
    assert stage.routers == {(B,): router} and stage.taken == {A, B}
    stage.to(lists=[(A, B)])
    assert stage.taken == {A, B}


def test_a_router_that_nobody_needs_lives_on_until_it_is_closed() -> None:
    """Bound, so that a node that lost its connection finds back to its sessions."""
    stage = Stage(lists=[(A,), (B,)])
    gone = stage.routers[(B,)]
    assert stage.to(lists=[(A,)]) == [gone]
    assert stage.bindings.leaving == [gone] and stage.taken == {A, B}
    assert stage.to(lists=[(A,)]) == []  # told once
    assert stage.to(lists=[(A,), (B,)]) == [] and stage.routers[(B,)] is gone  # needed again
    assert stage.bindings.leaving == []


@pytest.mark.parametrize(
    ("before", "after"),
    [([(A,), (B,)], [(A, B)]), ([(A, B)], [(A,), (B,)]), ([(A, B), (C,)], [(A,), (B, C)])],
    ids=["join", "split", "move"],
)
def test_an_endpoint_does_not_move_from_one_router_to_another(
    before: list[Endpoints], after: list[Endpoints]
) -> None:
    stage = Stage(lists=before)
    assert "to move it takes a restart" in stage.refuse([ONE], after)


def test_where_the_system_chooses_nothing_moves() -> None:
    anywhere = "tcp://127.0.0.1:*"
    stage = Stage(lists=[(anywhere, A)])
    stage.world.taken.pop(anywhere)  # what was really bound has a number
    stage.to(lists=[(anywhere, A), (anywhere, B)])
    assert len(stage.routers) == 2


def test_everything_is_closed() -> None:
    stage = Stage([ONE], [(A,), (B,)])
    stage.to([ONE], [(A,)])
    stage.bindings.close()
    assert stage.taken == set()


def test_a_start() -> None:
    stage = Stage()
    plan = stage.plan([ONE], [(A, B)])
    bindings = Bindings(plan.new_listeners, plan.routers)
    started: list[object] = []
    for router in plan.new_routers:
        cast(Any, router).start = lambda _, router=router: started.append(router)

    async def start() -> None:
        async def begin(each: object) -> None:
            started.append(each)

        for listener in plan.new_listeners:
            cast(Any, listener).start = lambda listener=listener: begin(listener)
        assert await bindings.open_listeners() == [ONE]
        assert bindings.open_routers(cast(Any, None)) == [A, B]
        assert started == plan.new_routers
        await bindings.start_listeners()

    anyio.run(start)
    assert started == [*plan.new_routers, *plan.new_listeners]
