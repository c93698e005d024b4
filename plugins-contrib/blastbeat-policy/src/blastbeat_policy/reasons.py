"""Why a customer's client is refused or slowed down: one closed list, each with its counter.

Knows nobody who counts. A reason is the key that holds the limit, so that who reads a counter, an answer's
log line or a bill finds it in the configuration.
"""

from __future__ import annotations

from blastbeat_policy.keys import PREFIXES

_OVER = {
    "sessions": "requests that would have opened one session too many",
    "new-sessions": "requests that would have opened a session too soon",
    "requests": "requests over the rate",
    "messages": "messages of WebSockets over the rate: their client was slowed down, or closed",
}
_OF = {"client-": "of one client", "virtualhost-": "of one virtualhost", "": "of the customer"}

REASONS: dict[str, str] = {
    f"{prefix}{name}": f"{what}, {_OF[prefix]}" for name, what in _OVER.items() for prefix in PREFIXES
} | {
    "traffic": "requests, and messages of WebSockets, after the month's traffic of the customer was used up",
    "virtualhost-traffic": "the same of the virtualhost's own",
    "max-body": "requests with a body that was too large",
    "methods": "requests with a method that is not allowed",
    "maintenance": "requests that were answered with the maintenance page",
}
"""What is counted under each."""

INDEX = {reason: index for index, reason in enumerate(REASONS)}
NAMES = tuple(REASONS)

COUNTERS = {f"policy.{reason}": f"{what} (filter `policy`)" for reason, what in REASONS.items()} | {
    "policy.clients-forgotten": "clients whose rate was forgotten because more than `clients` were there",
}
"""The counters of the server, by name."""
