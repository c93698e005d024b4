"""The log lines of nodes: who came, fell silent, went or was refused, where, from where, and why.

A line each, with what it meant for sessions; what a stranger can cause is limited in its rate. Decides
nothing.
"""

from __future__ import annotations

import logging

from blastbeat.instance import Instance
from blastbeat.interfaces import NodeAuthenticator
from blastbeat.ratelimit import RateLimit
from blastbeat.virtualhost import VirtualHost

log = logging.getLogger(__name__)


class NodeLog:
    """One per server."""

    def __init__(self) -> None:
        self._rate_limit = RateLimit()

    def up(self, instance: Instance, reason: str) -> None:
        """It takes sessions from now on."""
        _write(logging.INFO, instance, "is up", reason)

    def silent(self, instance: Instance, reason: str) -> None:
        """It takes no new session; those it has go on."""
        count = len(instance.sessions)
        goes_on = f"{_sessions(count)} go{'es' if count == 1 else ''} on" if count else ""
        if instance.draining:
            _write(logging.INFO, instance, "drains", "it asked to", goes_on)
        else:
            _write(logging.WARNING, instance, "is silent", reason, goes_on)

    def gone(self, instance: Instance, reason: str) -> None:
        """For good. To be called while it still has the sessions that end with it."""
        ended = f"{_sessions(len(instance.sessions))} ended" if instance.sessions else ""
        if instance.drained_at is not None:
            _write(logging.INFO, instance, "is drained", reason, ended)
        else:
            _write(logging.WARNING, instance, "is gone", reason, ended)

    def refused(
        self, instance: Instance, virtualhost: VirtualHost, authenticator: NodeAuthenticator, now: float
    ) -> None:
        """An authenticator does not let it serve this virtualhost (or route)."""
        name, route = virtualhost.key
        suppressed = self._rate_limit.allow((instance.node, name, route), now)
        if suppressed is not None:
            who = type(authenticator).__name__
            for_whom = f"{name}{f' route {route}' if route else ''}"
            more = f"{suppressed} more like it" if suppressed else ""
            _write(logging.WARNING, instance, "is refused", f"by {who} of {for_whom}", more)


def _write(level: int, instance: Instance, what: str, reason: str, more: str = "") -> None:
    name = instance.view.identity
    place = [instance.view.endpoint]
    if instance.address:
        place.append(f"from {instance.address}")
    if more:
        place.append(more)
    log.log(level, "node %s %s: %s (%s)", name, what, reason, ", ".join(place), extra={"node": name})


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"
