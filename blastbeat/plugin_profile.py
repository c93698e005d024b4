"""What plugins cost (`serve --profile-plugins`): calls, time and errors of each place where one is called.

What is called is wrapped when it is made, so a server that does not measure pays nothing. The clock is handed
in. Knows the methods of the interfaces, no plugin, and nobody who asks.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any
from weakref import WeakValueDictionary

from blastbeat.errors import ClientError, ConfigError, NodeError
from blastbeat.interfaces import Filter

METHODS: dict[str, tuple[str, ...]] = {
    "driver": ("new_driver",),
    "websocket-driver": ("negotiate",),
    "encoder": ("encode_request", "decode"),
    "selector": ("select", "expect_nodes"),
    "node-authenticator": ("authenticate",),
    "request-authenticator": ("authenticate",),
    "filter": ("on_request", "on_response", "on_output", "on_data", "on_message", "on_closed"),
}
"""What is measured of registered objects, by their kind."""

DRIVER_METHODS = (
    "receive_data", "start_next_exchange", "send_continue", "send_head", "send_data", "send_end",
    "must_close",
)  # fmt: skip
WEBSOCKET_DRIVER_METHODS = ("receive_data", "send_message", "send_ping", "send_pong", "send_close")

REFUSALS = (ClientError, ConfigError, NodeError)
"""What plugins raise to say that others are at fault: no errors of theirs."""


class Place:
    """Where a plugin is called: ``filter limits.on_data``, ``hook exchange_closed``. Seconds; `longest` is
    the most that the event loop was held without a pause, `waited` what an authenticator awaited, when others
    had their turn. `errors` were raised, and are no refusals."""

    __slots__ = ("calls", "errors", "longest", "plugin", "seconds", "waited", "where")

    def __init__(self, plugin: str, where: str) -> None:
        self.plugin, self.where = plugin, where
        self.calls = self.errors = 0
        self.seconds = self.longest = self.waited = 0.0

    def add(self, spent: float) -> None:
        self.seconds += spent
        if spent > self.longest:
            self.longest = spent


class PluginProfile:
    """The places of one server's plugins. There are as many as its plugins have hooks and registered methods,
    however many virtualhosts use them, and they stay over a reload. `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._places: dict[tuple[str, str], Place] = {}
        self._stand_ins: WeakValueDictionary[tuple[int, str], Any] = WeakValueDictionary()
        self._classes: dict[tuple[type, str, tuple[str, ...]], type] = {}

    @property
    def places(self) -> Sequence[Place]:
        """Those that were called, what took most time first."""
        called = [place for place in self._places.values() if place.calls]
        return sorted(called, key=lambda place: -place.seconds)

    def timed(
        self,
        plugin: str,
        where: str,
        function: Callable[..., Any],
        wrap: Callable[[Any], Any] | None = None,
    ) -> Callable[..., Any]:
        """`function`, measured; `wrap` is called with what it returns."""
        place, now = self._place(plugin, where), self._now

        def call(*arguments: Any, **keywords: Any) -> Any:
            place.calls += 1
            began = now()
            try:
                result = function(*arguments, **keywords)
            except Exception as error:
                if not isinstance(error, REFUSALS):
                    place.errors += 1
                raise
            finally:
                place.add(now() - began)
            return result if wrap is None else wrap(result)

        return call

    def watch(self, plugin: str, kind: str, name: str, made: Any) -> Any:
        """What stands in for a registered object and measures its methods. The same object of a plugin has
        the same stand-in, as long as it is used."""
        where = f"{kind} {name}"
        known = self._stand_ins.get((id(made), where))
        if known is not None:
            return known
        calls: dict[str, Callable[..., Any]] = {}
        for method in METHODS[kind]:
            if _has(made, method, kind):
                place, function = f"{where}.{method}", getattr(made, method)
                if kind == "request-authenticator":
                    calls[method] = self._timed_async(plugin, place, function)
                else:
                    wrap = self._wrapper(plugin, where, method)
                    calls[method] = self.timed(plugin, place, function, wrap)
        stand_in = self._stand_ins[id(made), where] = self._new_stand_in(kind, made, calls)
        return stand_in

    # ------------------------------------------------------------ how

    def _place(self, plugin: str, where: str) -> Place:
        place = self._places.get((plugin, where))
        if place is None:
            place = self._places[plugin, where] = Place(plugin, where)
        return place

    def _wrapper(self, plugin: str, where: str, method: str) -> Callable[[Any], Any] | None:
        """For what a method returns that is called, too."""

        def driver(made: Any) -> Any:
            return self._watch_driver(plugin, where, made, DRIVER_METHODS)

        def negotiated(result: Any) -> Any:
            answer, made = result
            return answer, self._watch_driver(plugin, where, made, WEBSOCKET_DRIVER_METHODS)

        def pace(result: Any) -> Any:
            return self.timed(plugin, f"{where}.pace", result) if callable(result) else result

        return {"new_driver": driver, "negotiate": negotiated, "on_output": pace}.get(method)

    def _watch_driver(self, plugin: str, where: str, made: Any, methods: Sequence[str]) -> Any:
        calls = {each: self.timed(plugin, f"{where}.{each}", getattr(made, each)) for each in methods}
        return self._new_stand_in("driver", made, calls)

    def _timed_async(
        self, plugin: str, where: str, function: Callable[..., Coroutine[Any, Any, Any]]
    ) -> Callable[..., Coroutine[Any, Any, Any]]:
        place, now = self._place(plugin, where), self._now

        async def call(*arguments: Any, **keywords: Any) -> Any:
            place.calls += 1
            try:
                return await _drive(function(*arguments, **keywords), place, now)
            except Exception as error:
                if not isinstance(error, REFUSALS):
                    place.errors += 1
                raise

        return call

    def _new_stand_in(self, kind: str, made: Any, calls: dict[str, Callable[..., Any]]) -> Any:
        key = (type(made), kind, tuple(calls))
        cls = self._classes.get(key)
        if cls is None:
            cls = self._classes[key] = _stand_in_class(type(made), kind, tuple(calls))
        stand_in: Any = object.__new__(cls)
        vars(stand_in).update(calls, _made=made)
        return stand_in


def _has(made: Any, method: str, kind: str) -> bool:
    """A filter that does not override a method is not asked, and so must not look as if it did."""
    if kind == "filter":
        return getattr(type(made), method) is not getattr(Filter, method)
    return callable(getattr(made, method, None))


def _stand_in_class(of: type, kind: str, timed: Sequence[str]) -> type:
    """Looks like `of` to whoever asks for its name or its attributes: logs name it, and the engine looks at
    classes to see what there is to call. The calls that are measured are in the instances."""
    body: dict[str, Any] = {
        "__module__": of.__module__,
        "__qualname__": of.__qualname__,
        "__repr__": lambda self: repr(self._made),
        "__getattr__": lambda self, name: getattr(self._made, name),
        "__setattr__": lambda self, name, value: setattr(self._made, name, value),
    }
    for name in dir(of):
        if not name.startswith("_") and name not in timed and (kind != "filter" or not hasattr(Filter, name)):
            body[name] = _forwarded(name)
    for name in timed:
        body[name] = _never_called
    return type(of.__name__, (Filter,) if kind == "filter" else (), body)


def _forwarded(name: str) -> property:
    def read(stand_in: Any) -> Any:
        return getattr(stand_in._made, name)

    def write(stand_in: Any, value: Any) -> None:
        setattr(stand_in._made, name, value)

    return property(read, write)


def _never_called(self: Any) -> None:
    """That there is such a method; each instance has its own."""


@types.coroutine
def _drive(
    coroutine: Coroutine[Any, Any, Any], place: Place, now: Callable[[], float]
) -> Generator[Any, Any, Any]:
    """Awaits `coroutine`, and tells apart how long it ran and how long it waited."""
    step: Callable[[Any], Any] = coroutine.send
    argument: Any = None
    while True:
        began = now()
        try:
            awaited = step(argument)
        except StopIteration as end:
            return end.value
        finally:
            paused = now()
            place.add(paused - began)
        try:
            argument, step = (yield awaited), coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:  # cancelled, or what it awaited failed
            argument, step = error, coroutine.throw
        finally:
            place.waited += now() - paused
