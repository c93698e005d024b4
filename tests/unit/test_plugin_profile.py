"""Tests of `blastbeat.plugin_profile`: what is measured, what is not, and that nobody notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from blastbeat.config.model import PluginRef
from blastbeat.errors import ClientError
from blastbeat.events import ResponseHead
from blastbeat.interfaces import Allow, Answer, ExpectsNodes, Filter, Options, RequestView
from blastbeat.lifecycle import FailureLog, build_lifecycle
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_profile import DRIVER_METHODS, METHODS, WEBSOCKET_DRIVER_METHODS, PluginProfile
from blastbeat.plugin_sources import built_ins
from blastbeat.registry import KINDS, Registration, Registry
from blastbeat.testing import make_exchange_view, make_request_view


class Clock:
    """Goes on only where a plugin says that it works."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def profile(clock: Clock) -> PluginProfile:
    return PluginProfile(clock)


def figures(profile: PluginProfile) -> dict[str, tuple[int, int, float, float, float]]:
    return {
        each.where: (each.calls, each.errors, each.seconds, each.longest, each.waited)
        for each in profile.places
    }


def test_calls_time_and_the_longest_are_counted_by_plugin_and_place(
    profile: PluginProfile, clock: Clock
) -> None:
    call = profile.timed("mine", "hook node_up", clock.work)
    for seconds in (1.0, 4.0, 2.0):
        call(seconds)
    profile.timed("other", "hook node_up", clock.work)(9.0)
    profile.timed("other", "never", clock.work)
    assert [(each.plugin, each.calls, each.seconds) for each in profile.places] == [
        ("other", 1, 9.0),
        ("mine", 3, 7.0),
    ]
    assert profile.places[1].longest == 4.0


def test_what_is_raised_goes_on_and_is_an_error_unless_it_refuses(profile: PluginProfile) -> None:
    def fail(error: Exception) -> None:
        raise error

    call = profile.timed("mine", "place", fail)
    for error in (ValueError("no"), ClientError(413, "too large"), KeyError("no")):
        with pytest.raises(type(error)):
            call(error)
    assert figures(profile)["place"][:2] == (3, 2)


def test_a_notice_is_measured_inside_of_what_isolates_it(
    profile: PluginProfile, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(view: object) -> None:
        clock.work(1)
        raise ValueError("no")

    listeners = {"exchange_closed": [("mine", broken), ("other", lambda view: clock.work(2))]}
    lifecycle = build_lifecycle(listeners, FailureLog(), profile)
    assert lifecycle.exchange_closed is not None
    lifecycle.exchange_closed(make_exchange_view())
    assert [(each.plugin, each.where, each.errors, each.seconds) for each in profile.places] == [
        ("other", "hook exchange_closed", 0, 2.0),
        ("mine", "hook exchange_closed", 1, 1.0),
    ]
    assert "plugin 'mine' failed" in caplog.text


# ---------------------------------------------------------------- objects


class Marking(Filter):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        self.clock.work(3)
        return head

    def on_output(self, view: RequestView) -> Callable[[int], float]:
        def pace(size: int) -> float:
            self.clock.work(0.5)
            return float(size)

        return pace

    def __repr__(self) -> str:
        return "<marks>"


def test_a_filter_is_called_for_what_it_overrides_and_nothing_else(
    profile: PluginProfile, clock: Clock
) -> None:
    made = profile.watch("mine", "filter", "mark", Marking(clock))
    overridden = [
        name for name in METHODS["filter"] if getattr(type(made), name) is not getattr(Filter, name)
    ]
    assert overridden == ["on_response", "on_output"] and isinstance(made, Filter)
    assert repr(made) == "<marks>" and type(made).__name__ == "Marking"
    assert made.on_request(make_request_view()) is None

    head = ResponseHead(0, 200, b"OK", [])
    assert made.on_response(make_request_view(), head) is head
    pace: Any = made.on_output(make_request_view())
    assert pace(7) == 7.0
    assert figures(profile) == {
        "filter mark.on_response": (1, 0, 3.0, 3.0, 0.0),
        "filter mark.pace": (1, 0, 0.5, 0.5, 0.0),
        "filter mark.on_output": (1, 0, 0.0, 0.0, 0.0),
    }


class Choosy:
    watches_peers = True

    def __init__(self) -> None:
        self.nodes: object = None

    def select(self, candidates: Any, request: Any) -> Any:
        return candidates[0]

    def expect_nodes(self, nodes: object) -> None:
        self.nodes = nodes


def test_all_else_of_an_object_is_as_it_was(profile: PluginProfile) -> None:
    made = Choosy()
    watched: Any = profile.watch("mine", "selector", "choosy", made)
    assert isinstance(watched, ExpectsNodes) is True
    assert watched.select([1, 2], None) == 1
    watched.expect_nodes({"app": {}})
    assert made.nodes == watched.nodes == {"app": {}}
    assert watched.watches_peers is True
    watched.nodes, watched.watches_peers = "others", False
    assert [made.nodes, made.watches_peers] == ["others", False]
    assert not hasattr(watched, "expect_clock")


def test_one_object_has_one_stand_in_while_it_is_used(profile: PluginProfile) -> None:
    made = Choosy()
    first = profile.watch("mine", "selector", "choosy", made)
    assert profile.watch("mine", "selector", "choosy", made) is first
    assert profile.watch("mine", "selector", "choosy", Choosy()) is not first
    first.select([1], None)
    del first
    profile.watch("mine", "selector", "choosy", made).select([1], None)
    assert figures(profile)["selector choosy.select"][0] == 2, "its figures outlive it"


def test_drivers_are_measured_call_by_call(profile: PluginProfile) -> None:
    manager = PluginManager(load=(), discover=list)
    manager.load()
    registry = manager.build_registry()
    registry.profile = profile
    factory: Any = registry.make("driver", PluginRef("h11"))
    assert factory.protocols == ("http/1.1",)
    from blastbeat.interfaces import HttpLimits

    driver = factory.new_driver(HttpLimits())
    driver.date_now = lambda: b"now"
    [head, _] = driver.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head.target == b"/"
    out: list[Any] = []
    driver.send_head(ResponseHead(0, 204, b"No Content", [], bodyless=True), out)
    assert b"date: now" in b"".join(out).lower()
    assert {
        "driver h11.factory",
        "driver h11.new_driver",
        "driver h11.receive_data",
        "driver h11.send_head",
    } == set(figures(profile))


def test_websocket_drivers_are_measured_message_by_message(profile: PluginProfile) -> None:
    manager = PluginManager(load=(), discover=list)
    manager.load()
    registry = manager.build_registry()
    registry.profile = profile
    factory: Any = registry.make("websocket-driver", PluginRef("wsproto"))
    from blastbeat.interfaces import WebSocketOptions

    extensions, driver = factory.negotiate([], WebSocketOptions())
    out: list[Any] = []
    driver.send_message(b"hello", True, out)
    assert extensions == b"" and b"hello" in b"".join(out) and driver.held == 0
    assert figures(profile)["websocket-driver wsproto.send_message"][0] == 1


# ---------------------------------------------------------------- those that await


class Asking:
    def __init__(self, ask: Callable[[RequestView], Coroutine[Any, Any, Allow | Answer]]) -> None:
        self._ask = ask
        self.is_closed = False

    async def authenticate(self, view: RequestView) -> Allow | Answer:
        return await self._ask(view)

    async def aclose(self) -> None:
        self.is_closed = True


def asking(profile: PluginProfile, ask: Callable[[RequestView], Coroutine[Any, Any, Any]]) -> Any:
    return profile.watch("mine", "request-authenticator", "ask", Asking(ask))


def test_what_is_awaited_is_told_apart_from_what_the_plugin_does(
    profile: PluginProfile, clock: Clock
) -> None:
    async def ask(view: RequestView) -> Allow:
        clock.work(1)
        await asyncio.sleep(0)  # meanwhile others do
        clock.work(3)
        return Allow()

    async def run() -> None:
        made = asking(profile, ask)
        task = asyncio.ensure_future(made.authenticate(make_request_view()))
        await asyncio.sleep(0)
        clock.work(10)
        assert await task == Allow()
        await made.aclose()
        assert made.is_closed

    asyncio.run(run())
    assert figures(profile) == {"request-authenticator ask.authenticate": (1, 0, 4.0, 3.0, 10.0)}


def test_one_that_fails_and_one_that_is_cancelled(profile: PluginProfile) -> None:
    ended: list[str] = []

    async def fail(view: RequestView) -> Allow:
        try:
            await asyncio.wait_for(asyncio.Future(), 0)
        except TimeoutError:
            raise ValueError("nobody answered") from None
        return Allow()

    async def hang(view: RequestView) -> Allow:
        try:
            await asyncio.Future()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return Allow()

    async def run() -> None:
        with pytest.raises(ValueError, match="nobody answered"):
            await asking(profile, fail).authenticate(make_request_view())
        task = asyncio.ensure_future(asking(profile, hang).authenticate(make_request_view()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert ended == ["cancelled"]
    assert figures(profile)["request-authenticator ask.authenticate"][:2] == (2, 1)


def test_one_that_is_thrown_away_is_closed(profile: PluginProfile) -> None:
    ended: list[str] = []

    async def hang(view: RequestView) -> Allow:
        try:
            await asyncio.sleep(0)
        finally:
            ended.append("closed")
        return Allow()

    coroutine = asking(profile, hang).authenticate(make_request_view())
    coroutine.send(None)
    coroutine.close()
    assert ended == ["closed"]


# ---------------------------------------------------------------- where it is put to use


def test_the_registry_measures_factories_and_what_they_make(profile: PluginProfile, clock: Clock) -> None:
    def make(options: Options) -> Filter:
        clock.work(5)
        return Marking(clock)

    registry = Registry()
    registry.add([Registration("filter", "mark", make, "mine", "test", False)])
    plain = registry.make("filter", PluginRef("mark"))
    assert type(plain) is Marking and not figures(profile), (
        "who does not measure gets the plugin's own object"
    )
    registry.profile = profile
    assert type(registry.make("filter", PluginRef("mark"))) is not Marking
    assert figures(profile)["filter mark.factory"] == (1, 0, 5.0, 5.0, 0.0)


def test_each_kind_has_methods_that_are_measured() -> None:
    assert set(METHODS) == set(KINDS)
    assert set(METHODS["filter"]) == {name for name in vars(Filter) if name.startswith("on_")}
    from blastbeat.interfaces import Driver, WebSocketDriver

    for protocol, methods in ((Driver, DRIVER_METHODS), (WebSocketDriver, WEBSOCKET_DRIVER_METHODS)):
        there = {name for name, value in vars(protocol).items() if callable(value) and name[0] != "_"}
        assert set(methods) == there


def test_every_built_in_can_be_measured(profile: PluginProfile) -> None:
    manager = PluginManager(load=(), discover=list)
    manager.load()
    registry = manager.build_registry()
    registry.profile = profile
    for kind in KINDS:
        for name in registry.names(kind):
            if not registry.examine(kind, PluginRef(name)):
                try:
                    registry.make(kind, PluginRef(name))
                except Exception as error:  # one that demands an option says so
                    assert "is a" not in str(error), error
    assert len(built_ins()) > 20 and len(figures(profile)) > 15
