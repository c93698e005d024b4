"""What a server is bound to, and how that becomes something else while it runs: first everything new is
bound, and only when nothing can fail any more the rest is let go.

Knows addresses and endpoints; what is served there is for others. What is connected stays: a listener that is
closed keeps its connections, a ROUTER that nobody needs lives until its last session is over. libzmq ends the
connections of an endpoint with it; so one that leaves the list of a ROUTER stays bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from blastbeat.config.model import Address
from blastbeat.errors import StartError
from blastbeat.node_rules import Endpoints
from blastbeat.transport.listener import Listener
from blastbeat.transport.router import Router


class Bindings:
    """`listeners` and `routers` are those in use, and are changed in place. `leaving` are ROUTERs that no
    virtualhost uses any more."""

    def __init__(self, listeners: list[Listener], routers: dict[Endpoints, Router]) -> None:
        self.listeners = listeners
        self.routers = routers
        self.leaving: list[Router] = []

    async def open_listeners(self) -> list[Address]:
        """Binds the addresses, without accepting yet. Returns the real ones; raises StartError."""
        for listener in self.listeners:
            await listener.open()
        return self.addresses

    def open_routers(self, loop: asyncio.AbstractEventLoop) -> list[str]:
        """Binds the endpoints; nodes are heard from now on. Returns the real ones; raises StartError."""
        for router in self.routers.values():
            router.open()
            router.start(loop)
        return self.endpoints

    async def start_listeners(self) -> None:
        """Clients are accepted from here on."""
        for listener in self.listeners:
            await listener.start()

    def close(self) -> None:
        """Everything; what is connected to a ROUTER is disconnected."""
        for listener in self.listeners:
            listener.close()
        for router in (*self.routers.values(), *self.leaving):
            router.close()

    @property
    def addresses(self) -> list[Address]:
        """Where clients can connect, as it was really bound."""
        return [address for listener in self.listeners for address in listener.addresses]

    @property
    def endpoints(self) -> list[str]:
        """Where nodes can connect, likewise."""
        return [real for router in self.routers.values() for real in router.bound.values()]


class Rebinding:
    """One change: `bind`, then `commit` or `abort`. `routers` are those to be in use, by their list of
    endpoints; made here, so that virtualhosts can be built for them before anything is bound."""

    def __init__(
        self,
        bindings: Bindings,
        addresses: Iterable[Address],
        lists: Iterable[Endpoints],
        *,
        new_listener: Callable[[Address], Listener],
        new_router: Callable[[Endpoints], Router],
    ) -> None:
        self._bindings = bindings
        self._addresses = {address: address for address in addresses}
        bound = {listener.configured for listener in bindings.listeners}
        self.new_listeners = [new_listener(each) for each in self._addresses if each not in bound]
        self.routers, self.new_routers = _match_routers(bindings, lists, new_router)
        self._undo: list[Callable[[], None]] = []

    @property
    def gone_addresses(self) -> list[Address]:
        """Configured addresses that are bound no more after `commit`."""
        bound = [listener.configured for listener in self._bindings.listeners]
        return [address for address in bound if address not in self._addresses]

    @property
    def stay_bound(self) -> list[str]:
        """Endpoints that no list has any more, of ROUTERs in use."""
        kept = [(endpoints, router) for endpoints, router in self.routers.items() if router.bound]
        return [each for endpoints, router in kept for each in router.bound if each not in endpoints]

    @property
    def retired(self) -> list[Router]:
        """ROUTERs in use that are not after `commit`."""
        stays = set(map(id, self.routers.values()))
        return [router for router in self._bindings.routers.values() if id(router) not in stays]

    async def bind(self) -> None:
        """Binds all that is new, without accepting clients yet. Raises StartError, after undoing it all."""
        try:
            for endpoints, router in self.routers.items():
                self._bind_router(endpoints, router)
            for listener in self.new_listeners:
                await self._bind_listener(listener)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Everything is as it was."""
        while self._undo:
            self._undo.pop()()

    def commit(self) -> list[Router]:
        """Let go of what is not needed any more. Returns the ROUTERs that now live only for the sessions they
        have. The caller starts the new listeners."""
        bindings = self._bindings
        retired = self.retired
        for endpoints, router in self.routers.items():
            if router.endpoints != endpoints:
                router.rename(endpoints)
        for listener in [each for each in bindings.listeners if each.configured not in self._addresses]:
            listener.close()
            bindings.listeners.remove(listener)
        bindings.listeners += self.new_listeners
        stays = set(map(id, self.routers.values()))
        bindings.leaving[:] = [each for each in (*bindings.leaving, *retired) if id(each) not in stays]
        bindings.routers.clear()
        bindings.routers.update(self.routers)
        return retired

    def configured(self, listener: Listener) -> Address:
        """The address of one in use as it is configured now: clients perhaps speak otherwise there."""
        return self._addresses[listener.configured]

    # ------------------------------------------------------------ one by one

    def _bind_router(self, endpoints: Endpoints, router: Router) -> None:
        missing = [endpoint for endpoint in endpoints if endpoint not in router.bound]
        for endpoint in missing:
            self._refuse_moving(endpoint, router)
        if router in self.new_routers:
            router.open()
            self._undo.append(router.close)
        elif missing:
            router.extend(missing)
            self._undo.append(lambda: router.shrink(missing))

    def _refuse_moving(self, endpoint: str, to: Router) -> None:
        if endpoint.endswith("*"):
            return  # the system chooses: nobody has the same
        for owner in (*self._bindings.routers.values(), *self._bindings.leaving):
            if owner is not to and endpoint in owner.bound:
                why = "another ROUTER of this server has it, whose nodes would be cut off"
                raise StartError(f"zmq {endpoint}: {why}: to move it takes a restart")

    async def _bind_listener(self, listener: Listener) -> None:
        try:
            await listener.open()
        except StartError as error:
            in_the_way = self._overlapping(listener.configured)
            if in_the_way is None:
                raise
            what = f"this server's own listener {in_the_way} is in the way: that takes a restart"
            raise StartError(f"can't listen on {listener.configured}: {what}") from error
        self._undo.append(listener.close)

    def _overlapping(self, address: Address) -> Address | None:
        for listener in self._bindings.listeners:
            own = listener.configured
            if own.port and own.port == address.port and own != address:
                return own
        return None


def _match_routers(
    bindings: Bindings, lists: Iterable[Endpoints], new_router: Callable[[Endpoints], Router]
) -> tuple[dict[Endpoints, Router], list[Router]]:
    """A ROUTER for each list: the one that has it, else one with an endpoint of it that no other list takes
    (those in use first), else a new one. Also returns the new ones."""
    wanted = dict.fromkeys(lists)
    free = {router.endpoints: router for router in (*bindings.routers.values(), *bindings.leaving)}
    matched: dict[Endpoints, Router] = {each: free.pop(each) for each in wanted if each in free}
    created = []
    for endpoints in wanted:
        if endpoints in matched:
            continue
        near = next((known for known in free if not set(known).isdisjoint(endpoints)), None)
        if near is not None:
            matched[endpoints] = free.pop(near)
        else:
            matched[endpoints] = new_router(endpoints)
            created.append(matched[endpoints])
    return {endpoints: matched[endpoints] for endpoints in wanted}, created
