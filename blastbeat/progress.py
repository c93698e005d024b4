"""How far a request is, when something last moved, and how long it may stand still (`protocol.md` §6).

Pure: the time is passed in. Which answer a timeout gets is the stream's business.
"""

from __future__ import annotations

from enum import Enum
from math import inf

from blastbeat.config.model import VirtualHostConfig
from blastbeat.exchange import Exchange


class Phase(Enum):
    """How far the current request is."""

    IDLE = "no request"
    ADMITTING = "somebody is looking at the request"
    HOLDING = "it waits for an instance"
    FORWARDING = "a session has it"
    UPGRADED = "a WebSocket, in a session"
    ANSWERED = "the server answered it itself"
    CLOSED = "the connection is closing"


# By name in a module a member costs a twentieth of ``Phase.IDLE``, which goes through the metaclass's hook.
IDLE, ADMITTING, FORWARDING, CLOSED = Phase.IDLE, Phase.ADMITTING, Phase.FORWARDING, Phase.CLOSED

WAITING = frozenset({Phase.ADMITTING, Phase.HOLDING})
"""No node has the request: its body stays with the client."""


class Overdue(Enum):
    """What has stood still for too long."""

    NOTHING = "nothing"
    BODY = "the client sends no body"
    HEAD = "the node sends no head"
    RESPONSE = "no byte either way"
    UPLOAD = "the upload goes on after the response"


class Progress:
    """Monotonic seconds: the last byte either way, the client's last, the end of the response, and until when
    a request waits for an instance."""

    __slots__ = ("held_until", "moved", "read", "responded")

    def __init__(self) -> None:
        self.moved = 0.0
        self.read = 0.0
        self.responded = 0.0
        self.held_until = 0.0

    def deadline(self, exchange: Exchange, policy: VirtualHostConfig, is_held: bool) -> float:
        """When `find_overdue` is to be asked. `is_held`: it is us who do not take the client's body now."""
        if exchange.response_done:
            return self.responded + policy.linger_time
        limit = policy.idle_timeout if exchange.status else policy.response_timeout
        return min(self.moved + (limit or inf), self._body_deadline(exchange, policy, is_held))

    def find_overdue(
        self, exchange: Exchange, policy: VirtualHostConfig, is_held: bool, now: float
    ) -> Overdue:
        """Which of the limits was passed first."""
        if now < self.deadline(exchange, policy, is_held):
            return Overdue.NOTHING
        if exchange.response_done:
            return Overdue.UPLOAD
        if exchange.status:
            return Overdue.RESPONSE
        return Overdue.BODY if now >= self._body_deadline(exchange, policy, is_held) else Overdue.HEAD

    def _body_deadline(self, exchange: Exchange, policy: VirtualHostConfig, is_held: bool) -> float:
        if exchange.request_read or exchange.status or is_held:
            return inf  # once the response runs, `idle-timeout` rules alone
        return self.read + (policy.body_timeout or inf)
