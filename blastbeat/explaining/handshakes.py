"""What would become of a WebSocket handshake: who accepts it, with which protocol, and which pages may ask.

Decides with the server's own code; knows no plugin.
"""

from __future__ import annotations

from collections.abc import Iterator

from blastbeat.config.model import VirtualHostConfig
from blastbeat.config.options import VIRTUALHOST_KEYS
from blastbeat.errors import ClientError
from blastbeat.events import Request
from blastbeat.handshake import choose_protocol, is_origin_allowed, offered_protocols, speaks_our_version

_ACCEPT = {
    "server": "accepted by the server, once a node has its head",
    "node": "the node is waited for: 101 accepts, anything else refuses",
    "auto": "accepted by the server, once a node has its head; or by the node, where that announced `accept`",
}
_KEYS = ("websocket-ping", "websocket-max-message", "websocket-compression")


def check_handshake(policy: VirtualHostConfig, request: Request, authority: str) -> None:
    """Raises ClientError as the server does."""
    if not speaks_our_version(request.headers):
        raise ClientError(426, "the one version of WebSockets spoken here is 13")
    allowed = [origin.encode() for origin in policy.websocket_origins]
    if not is_origin_allowed(request.headers, authority.encode("latin-1"), request.scheme, allowed):
        raise ClientError(403, f"`websocket-origins` has only {' '.join(policy.websocket_origins)}")


def explain_handshake(policy: VirtualHostConfig, request: Request) -> Iterator[str]:
    """Lines for readers."""
    yield _ACCEPT[policy.websocket_accept]
    if policy.websocket_accept != "node":
        configured = [protocol.encode() for protocol in policy.websocket_protocols]
        chosen = choose_protocol(configured, offered_protocols(request.headers)).decode("latin-1")
        known = " ".join(policy.websocket_protocols) or "none"
        yield f"the server selects {f'protocol {chosen}' if chosen else 'no protocol'} (configured: {known})"
    yield f"pages of {' '.join(policy.websocket_origins) or 'any origin'} may ask"
    shown = (f"{key} {VIRTUALHOST_KEYS[key].kind.format(_value(policy, key))}" for key in _KEYS)
    yield ", ".join(shown)


def _value(policy: VirtualHostConfig, key: str) -> object:
    return getattr(policy, VIRTUALHOST_KEYS[key].field)
