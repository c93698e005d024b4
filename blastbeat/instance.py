"""One instance of a node as the server knows it, and what it, its router and its audience ask of each other.

Knows no rule of coming and going: those are the table's (`nodes.py`). Knows no socket and no session.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from blastbeat.events import Buffer
from blastbeat.interfaces import InstanceView, Options
from blastbeat.outbox import Outbox

NEVER = float("-inf")
PINGED_EVERY = 2  # ping periods, also while it speaks


class Outcome(Enum):
    """What became of an attempt to send."""

    TAKEN = "taken"
    FULL = "full"
    NO_ROUTE = "no route"


class InstanceRouter(Protocol):
    """The way to instances, as sessions use it. Never blocks, never raises."""

    @property
    def drains(self) -> int:
        """How often everything that nodes had sent was read."""
        ...

    def offer(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool: ...
    def send(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None: ...
    def hand_over(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> bool: ...
    def queued(self, instance: Instance, sid: bytes) -> int: ...
    def after_drain(self, callback: Callable[[], None]) -> None: ...


class ControlSender(InstanceRouter, Protocol):
    """What the table itself needs of the router."""

    def send_control(self, instance: Instance, type: bytes, body: bytes) -> Outcome:
        """Sends or queues a message without a sid, before all others. TAKEN: something went."""
        ...

    def new_outbox(self) -> Outbox: ...


class NodeSink(Protocol):
    """Who hears of messages and of instances that come and go. Reasons are words for a log line."""

    def message_received(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        """One message, or one pair of a batch; `type` with its route still in front, `sid` may be empty."""
        ...

    def admit(self, instance: Instance, address: str | None) -> None:
        """A (new) peer speaks for this instance: ask the authenticators and fill `instance.allowed`.
        `address` is None while nothing was heard from it, empty where there is none (ipc)."""
        ...

    def instance_ready(self, instance: Instance) -> None:
        """It can take new sessions, which it could not a moment ago: it is available, or has room again."""
        ...

    def instance_up(self, instance: Instance, reason: str) -> None: ...
    def instance_silent(self, instance: Instance, reason: str) -> None: ...

    def instance_gone(self, instance: Instance, reason: str) -> None:
        """For good: its sessions must end, nothing is sent to it any more."""
        ...

    def session_writable(self, instance: Instance, sid: bytes) -> None:
        """What is queued for it fell under half of its share, after having been over."""
        ...

    def flush(self) -> None:
        """The end of a read pass: whatever was held back to be written in one go."""
        ...


@runtime_checkable
class CrowdSink(Protocol):
    """What a sink may know besides, so that an instance's queue ends at its bound."""

    def instance_crowded(self, instance: Instance) -> None:
        """Its queue is over its bound: stop reading all clients of its sessions. Each session hears
        `session_writable` when the queue is under half of it."""
        ...


class Instance:
    """One DEALER, from its coming until it is gone; a come-back is another Instance.

    `allowed` and `sessions` belong to the dispatcher. Times are those handed to the table.
    """

    __slots__ = (
        "__weakref__",
        "_view",
        "address",
        "allowed",
        "capabilities",
        "credit",
        "descriptor",
        "draining",
        "drained_at",
        "has_answered",
        "heard_at",
        "identity",
        "is_available",
        "is_blocked",
        "is_configured",
        "is_gone",
        "is_steady",
        "is_up",
        "is_verified",
        "is_watched",
        "name",
        "node",
        "outbox",
        "pinged_at",
        "router",
        "sessions",
        "taken_at",
        "unanswered",
        "unreachable_since",
    )

    def __init__(self, identity: bytes, node: str, router: ControlSender, view: InstanceView) -> None:
        self.identity = identity
        self.node = node
        self.router = router
        self._view = view
        self.name = identity.decode("ascii", "replace")
        self.outbox = router.new_outbox()
        self.allowed: set[tuple[str, str]] = set()  # names of virtualhost and route
        self.sessions: dict[bytes, Any] = {}
        self.capabilities: frozenset[str] = frozenset()
        self.credit = 0
        self.is_configured = b"/" not in identity
        self.is_available = False
        self.is_gone = True
        self.is_blocked = True
        """Nothing may be sent past the outbox: something waits in it, or there is no route. The router's."""
        self.is_steady = False
        """Available and verified: a message changes nothing but `heard_at`."""
        self.is_verified = False
        self.is_watched = False
        """An authenticator wants the address of each message looked at. The sink's."""
        self.is_up = False
        """The sink was told last that it is available."""
        self.address: str | None = None
        self.descriptor = 0
        self.draining = False
        self.drained_at: float | None = None
        self.has_answered = False
        self.heard_at = NEVER
        self.pinged_at = NEVER
        self.taken_at = NEVER
        self.unanswered = 0
        self.unreachable_since: float | None = None

    @property
    def view(self) -> InstanceView:
        """What selectors see, as of now."""
        view = self._view
        view.sessions = len(self.sessions)
        view.queued_bytes = self.outbox.size
        view.capabilities = self.capabilities
        return view

    def come(self) -> None:
        """It is not gone (any more). What it took while it still counted as gone, a ping, left it blocked:
        the next message would be queued behind nothing, and no handshake can wait in a queue (§3)."""
        self.is_gone = False
        self.is_blocked = bool(self.outbox) or self.unreachable_since is not None
        self.pinged_at = max(self.pinged_at, self.heard_at)  # from here on the periods count

    def is_ping_due(self, now: float, period: float) -> bool:
        """After a `period` in which it was neither heard nor pinged. One that speaks all the time is pinged
        too: where its clients are quiet it hears nothing else, and after three would think itself lost."""
        quiet = now - max(self.heard_at, self.pinged_at)
        return quiet >= period or now - self.pinged_at >= PINGED_EVERY * period

    def judged(self, is_available: bool, now: float) -> bool:
        """It can take sessions, or not. True where it can and could not before."""
        was_available, self.is_available = self.is_available, is_available
        self.is_steady = is_available and self.is_verified and not self.is_watched
        if not is_available or was_available:
            return False
        self._view.available_since = now
        return True

    def set_options(self, options: Options) -> None:
        """What is configured of its node has changed."""
        self._view.options = options

    def __repr__(self) -> str:
        return f"<Instance {self._view.identity}>"
