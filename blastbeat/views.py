"""The small read-only views that plugins are shown: of connections, requests, sessions, nodes and the server.

Values only; they know nothing of the objects they were made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from blastbeat.events import CloseReason, Request
from blastbeat.paths import normalise

Options: TypeAlias = Mapping[str, Any]
"""The validated option table a factory gets, e.g. ``{"key": "cookie:id"}`` for ``selector = hash
key=cookie:id``."""


@dataclass(slots=True)
class InstanceView:
    """One instance as a selector sees it. The server keeps it up to date; plugins only read.

    `available_since`: when it could last take sessions after it could not (it came, came back, spoke again),
    in seconds of the clock that `ExpectsClock` hands over; minus infinity before.
    """

    node: str
    identity: str
    endpoint: str
    sessions: int = 0
    queued_bytes: int = 0
    capabilities: frozenset[str] = frozenset()
    options: Options = field(default_factory=dict)
    available_since: float = float("-inf")


@dataclass(frozen=True, slots=True)
class NodeCandidate:
    """A peer that wants to speak as `node`, for node authenticators. `address` is empty for ipc, and while
    nothing was `heard` from it: then it is connected, and nobody knows from where."""

    node: str
    identity: bytes
    endpoint: str
    address: str
    virtualhost: str
    expected: frozenset[str]  # node names the virtualhost lists
    heard: bool = True


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """An accepted client connection."""

    id: int
    remote_addr: str
    remote_port: int
    listener: str
    opened_at: float  # wall clock, seconds


def _stopped_clock() -> float:
    return 0.0


def _count_nothing(name: str) -> None:
    pass


@dataclass(slots=True)
class RequestView:
    """A request as filters and request authenticators see it. `request` is read only; to change what is
    forwarded a filter returns a `Route`. `notes` is the plugin's own scratch space, kept for the life of
    the exchange.

    `now()` is the server's monotonic clock, in seconds: a plugin that asks here can be tested without
    waiting. `count(name)` adds one to a counter of the server; KeyError for one that is neither in
    the reference nor declared by `blastbeat_register_counters`.

    `opens_session`: this request would be pinned to an instance anew. False where it goes to the one that has
    its connection's session; a `Route` to other nodes makes it True for whoever is asked behind it.
    """

    request: Request
    connection: ConnectionView
    notes: dict[str, Any] = field(default_factory=dict)
    now: Callable[[], float] = _stopped_clock
    count: Callable[[str], None] = _count_nothing
    opens_session: bool = True
    _path: bytes = field(default=b"", init=False, repr=False, compare=False)
    _path_of: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def path(self) -> bytes:
        """The path to compare with, `blastbeat.paths.normalise` of the target: whatever way the client
        spelled it, the same place has the same path. After a rewrite it is the new target's."""
        target = self.request.target
        if target is not self._path_of:
            self._path, self._path_of = normalise(target), target
        return self._path


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session: one client connection (stream) pinned to one instance."""

    sid: bytes
    virtualhost: str
    node: str
    identity: str
    connection: ConnectionView
    reason: CloseReason | None = None


@dataclass(frozen=True, slots=True)
class NodeView:
    """An instance whose state changed. `reason` says why, in words."""

    node: str
    identity: str
    endpoint: str
    state: str  # "up", "silent", "gone", "drained"
    reason: str


class ExchangeView(NamedTuple):
    """The figures of one request, when it is over. Times are wall-clock seconds, durations seconds; bytes are
    payload. `status` 0: nothing was answered. `virtualhost` and `identity` are empty where it did not get
    there. `remote_addr` and `remote_port` are the client's as nodes are told them; the port is 0
    where a proxy did not tell. `hops` counts the instances it went on to after the first. Of a WebSocket
    (`status` 101) bytes are those of its messages, and `close_code` says how it was closed (1005: by the
    client, without a code; 1006: it vanished); of anything else it is 0."""

    started_at: float
    remote_addr: str
    remote_port: int
    virtualhost: str
    host: bytes
    method: bytes
    target: bytes
    version: bytes
    status: int
    bytes_in: int
    bytes_out: int
    duration: float
    node_duration: float  # until the node's head; 0 when there was none
    identity: str
    reason: CloseReason
    detail: str
    request_id: bytes
    referer: bytes
    user_agent: bytes
    hops: int
    route: str = ""  # the name of the virtualhost's route that took it, if one did
    user: bytes = b""  # REMOTE_USER, where an authenticator told
    close_code: int = 0
    messages_in: int = 0
    messages_out: int = 0


class LineLog(Protocol):
    """A log of the server's that a plugin may write to: bounded, rotated and counted like its own lines."""

    def add(
        self, format_line: Callable[[Any], str], value: Any, weigh: Callable[[Any], int] = lambda value: 0
    ) -> None:
        """Never blocks, never raises. `format_line(value)` is called later, in another thread, and returns a
        line without its newline; `blastbeat.log_text` has what makes any bytes safe to stand there.
        `weigh(value)`, about how many bytes it keeps in memory, is asked while many lines wait."""
        ...


@dataclass(frozen=True, slots=True)
class ServerView:
    """The server as a whole: what it really bound. `started_at` is wall clock, seconds."""

    started_at: float
    addresses: tuple[str, ...] = ()  # "127.0.0.1:8080"
    endpoints: tuple[str, ...] = ()  # "tcp://127.0.0.1:5000"
    virtualhosts: tuple[str, ...] = ()
    log_format: str = "text"  # or "json"
    access_log: LineLog | None = None  # None: off
