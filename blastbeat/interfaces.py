"""What the parts ask of each other: typing.Protocols only, and the small read-only views that plugins are
shown.

Knows no implementation. A plugin author needs this file, `events` and `errors`, nothing deeper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from blastbeat.config_view import ConfigView, Origin, TableView, VirtualHostView
from blastbeat.drivers import (
    Driver,
    DriverFactory,
    HttpLimits,
    WebSocketDriver,
    WebSocketDriverFactory,
    WebSocketOptions,
)
from blastbeat.events import (
    Buffer,
    CloseReason,
    NodeEvent,
    Request,
    ResponseHead,
)
from blastbeat.gates.plain import PlainHeads
from blastbeat.gates.websocket import FrameHeaders
from blastbeat.verdicts import Allow, Answer, Route
from blastbeat.views import (
    ConnectionView,
    ExchangeView,
    InstanceView,
    LineLog,
    NodeCandidate,
    NodeView,
    Options,
    RequestView,
    ServerView,
    SessionView,
)

__all__ = [
    "Allow",
    "Answer",
    "ClientSide",
    "Clock",
    "Closable",
    "ConfigView",
    "ConnectionView",
    "Driver",
    "DriverFactory",
    "Encoder",
    "ExchangeView",
    "ExpectsClock",
    "ExpectsNodes",
    "Factory",
    "Filter",
    "FrameHeaders",
    "HttpLimits",
    "InstanceView",
    "LineLog",
    "MessageDecoder",
    "NodeAuthenticator",
    "NodeCandidate",
    "NodeSide",
    "NodeView",
    "Options",
    "Origin",
    "Pace",
    "PlainHeads",
    "Register",
    "RegisterCommand",
    "RegisterCounter",
    "RegisterOptions",
    "RequestAuthenticator",
    "RequestEncoder",
    "RequestView",
    "Route",
    "Selector",
    "ServerView",
    "SessionView",
    "TableView",
    "Tables",
    "Validator",
    "VirtualHostView",
    "WebSocketDriver",
    "WebSocketDriverFactory",
    "WebSocketOptions",
]


class Clock(Protocol):
    """Seconds. `monotonic` for durations and deadlines, `wall` (since the epoch) for logs and Date."""

    def monotonic(self) -> float: ...
    def wall(self) -> float: ...


# ---------------------------------------------------------------- encoders (message types)


class RequestEncoder(Protocol):
    """Writes request heads for a node; picked per virtualhost with `request-encoder`."""

    def encode_request(self, request: Request) -> bytes:
        """The body of the message. Raises ClientError(431) when the head does not fit the format."""
        ...


class MessageDecoder(Protocol):
    """Reads the bodies of one message type that nodes send."""

    def decode(self, body: Buffer) -> NodeEvent:
        """Raises NodeError when the body is malformed."""
        ...


Encoder: TypeAlias = RequestEncoder | MessageDecoder
"""Owner of a message type, registered under the type's name; implements one of the two protocols, or both."""


# ---------------------------------------------------------------- what registration hooks are handed

Factory: TypeAlias = Callable[[Options], object]
"""Makes a registered object from its validated option table. Where the options don't go together it raises
ConfigError, whose problems need say no more than what is wrong."""

Validator: TypeAlias = Callable[[Any], Any]
"""Checks one option's value (a string where the ini notation was used, a list where an option was given
several times) and returns what the plugin gets. Raises ValueError saying what would be right.
`blastbeat.validators` has those of the configuration's own keys."""


class Register(Protocol):
    """Hands over a factory under the name the configuration picks it by. `options` names every option the
    object takes; any other is refused with an error before the factory is called."""

    def __call__(
        self, name: str, factory: Factory, *, options: Mapping[str, Validator] | None = None
    ) -> None: ...


Tables: TypeAlias = Mapping[str, Options]
"""All tables of one kind by name, with validated values."""


class RegisterOptions(Protocol):
    """Declares what the plugin adds to the configuration. Keys and kinds are made of a-z, 0-9, ``-`` and
    ``_``, and are neither BlastBeat's nor another plugin's."""

    def __call__(self, keys: Mapping[str, Validator], receive: Callable[[Options], None]) -> None:
        """The keys of the plugin's own table `[plugin.<name>]`; at most once. `receive` is called once,
        before the server starts, with the validated values of the keys that are present (perhaps none)."""
        ...

    def tables(self, kind: str, keys: Mapping[str, Validator], receive: Callable[[Tables], None]) -> None:
        """Tables ``[<kind>.<NAME>]`` (ini: ``[<kind>:NAME]``) with these keys. `receive` gets all of them,
        perhaps none: before the server starts, and at each reload in the step that puts the new configuration
        into force."""
        ...

    def virtualhost_keys(
        self,
        keys: Mapping[str, Validator],
        *,
        filters: Sequence[str] = (),
        node_authenticators: Sequence[str] = (),
        request_authenticators: Sequence[str] = (),
    ) -> None:
        """Keys of virtualhosts, with a default for all of them in `[blastbeat]`. One that has any of `keys`
        gets these objects, which the plugin registers, in front of those it lists itself; each is made with
        those of the keys that are among its options."""
        ...


class RegisterCounter(Protocol):
    """Declares a counter of the server. `name` begins with the plugin's name and a dot (``policy.requests``),
    `meaning` says in a few words what is counted (``requests over a plan's rate``). PluginError for a name
    that is malformed or taken, and for more than 200."""

    def __call__(self, name: str, meaning: str) -> None: ...


class RegisterCommand(Protocol):
    """Adds `blastbeat <name>`. `run` gets the arguments behind the name and returns the exit code."""

    def __call__(self, name: str, run: Callable[[Sequence[str]], int], *, summary: str = "") -> None: ...


# ---------------------------------------------------------------- selection, authentication, filters


class Selector(Protocol):
    """Picks an instance for a new session."""

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView | None:
        """One of `candidates` (never empty; all available and not yet tried), or None to answer 503. Sync,
        fast."""
        ...


@runtime_checkable
class ExpectsNodes(Protocol):
    """What a selector may have besides."""

    def expect_nodes(self, nodes: Mapping[str, Options]) -> None:
        """The virtualhost's nodes by name, each with what stands behind it in the configuration
        (``app1 weight=3``; texts in ini, typed values in TOML). Called once, before the first `select`.
        Raises ValueError naming node and key where that is wrong."""
        ...


@runtime_checkable
class ExpectsClock(Protocol):
    """What a selector may have besides, to judge how long an instance has been available."""

    def expect_clock(self, now: Callable[[], float]) -> None:
        """`now()` is the server's monotonic clock, in seconds, the one of `InstanceView.available_since`.
        Called once, before the first `select`."""
        ...


class NodeAuthenticator(Protocol):
    """Looks at a node before it may serve a virtualhost. Sync; called on the first message of a connection,
    and before that while a node is connected and has said nothing.

    One with an attribute ``watches_peers = True`` has the address of each message looked at, and is called
    again as soon as it is another one. That costs a few microseconds per message of the nodes concerned.
    """

    def authenticate(self, candidate: NodeCandidate) -> bool: ...


class RequestAuthenticator(Protocol):
    """Looks at a request before it is forwarded. Always async; raising means denied."""

    async def authenticate(self, view: RequestView) -> Allow | Answer: ...


@runtime_checkable
class Closable(Protocol):
    """What a request authenticator may have besides."""

    async def aclose(self) -> None:
        """Awaited once, in the server's event loop, when nobody will ask it again: the last virtualhost that
        has it is gone by a reload, and the last request it looks at has gone on (within 60 s); the server
        stops; the configuration it was made for was not taken over, so perhaps without a question before. The
        place to close what it opened. It may take 5 s; what it raises is logged."""
        ...


Pace: TypeAlias = Callable[[int], float]
"""Asked before so many bytes go to a client: seconds that they wait, 0 for none. They go then, and are not
asked about again; what comes behind them is."""


class Filter:
    """The routing middleware: one object per virtualhost, sync, in the order `filters` lists them.

    A base class rather than a Protocol: override what you need, the rest costs nothing. `direction` is
    ``"in"`` (from the client) or ``"out"`` (to the client), `n` counts bytes.

    A filter that let a request pass sees its response, whoever gives it: a node, a filter behind it, an
    authenticator, or the server itself with an error. One that answers sees its own answer no more, and those
    behind it have seen nothing. So what belongs on every response is listed first.
    """

    def on_request(self, view: RequestView) -> None | Answer | Route:
        """Before authenticators and selection. An Answer ends the request here."""

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        """Before the final head goes to the client, or the 101 that accepts a WebSocket. Its framing stays as
        it is, and a 101 a 101, whatever is returned."""
        return head

    def on_output(self, view: RequestView) -> Pace | None:
        """A response begins, whoever gives it: what paces its bytes, heads and framing included; None for
        nothing. They are taken from the connection in pieces of up to 16 KiB, so those that share a rate
        take turns."""
        return None

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        """Payload passes: of a request's body before it goes to the node, of a response's when it has gone to
        the client, of WebSocket messages both ways. Returns seconds to pause this direction, 0 for none.

        `ClientError(status, reason, headers=…, limit=…)` refuses it, and what follows: it is the answer where
        the response has not begun, else the response is cut, so that the client notices; a WebSocket is
        closed with 1008. The node hears `end`, and a piece of a request's body that is refused never.
        """
        return 0.0

    def on_message(self, view: RequestView, direction: str, n: int) -> CloseReason | None:
        """A WebSocket message passes; `on_data` is asked about its bytes too. A reason closes the WebSocket
        with 1008, and so does ClientError, whose `limit` is counted; any other exception with 1011."""
        return None

    def on_closed(self, view: RequestView) -> None:
        """The exchange is over; exactly once for each on_request, also after an Answer."""


# ---------------------------------------------------------------- the two sides of a session


class ClientSide(Protocol):
    """What a session may do to its client stream. All calls are synchronous and never raise."""

    def send_continue(self) -> None: ...
    def send_head(self, head: ResponseHead) -> None: ...
    def send_data(self, data: Buffer) -> None: ...
    def send_end(self) -> None: ...
    def hold_reading(self) -> None:
        """Take no more bytes from the client until `release_reading`."""
        ...

    def release_reading(self) -> None: ...
    def is_congested(self) -> bool:
        """True while the operating system does not take what was sent fast enough."""
        ...


class NodeSide(Protocol):
    """The way to the nodes of one ROUTER (or whatever takes its place). Never blocks, never raises.

    Messages to one instance keep their order within a sid. What cannot go at once is queued, bounded by the
    session's share; `end` discards what is queued for its sid. `instance` is a `blastbeat.nodes.Instance`.
    """

    def offer(self, instance: Any, sid: bytes, type: bytes, body: Buffer) -> bool:
        """The first head of a session: False, with nothing queued, when there is no route or no room."""
        ...

    def send(self, instance: Any, sid: bytes, type: bytes, body: Buffer) -> None:
        """Send now, or queue."""
        ...

    def hand_over(self, instance: Any, sid: bytes, type: bytes, body: Buffer) -> bool:
        """Send now, behind all that was said before; False, with nothing queued, where that can't be."""
        ...

    def queued(self, instance: Any, sid: bytes) -> int:
        """Bytes queued for one session."""
        ...

    def after_drain(self, callback: Callable[[], None]) -> None:
        """Run `callback` once, when everything the nodes have sent so far has been handled."""
        ...
