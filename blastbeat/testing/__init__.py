"""For authors of plugins: contract tests to subclass, and what the server hands to a plugin, made by hand."""

from __future__ import annotations

from blastbeat.testing.contracts import (
    EncoderContract,
    FilterContract,
    NodeAuthenticatorContract,
    RequestAuthenticatorContract,
    SelectorContract,
)
from blastbeat.testing.fakes import (
    make_candidate,
    make_connection_view,
    make_exchange_view,
    make_instance,
    make_registered,
    make_request,
    make_request_view,
    sample_requests,
)
from blastbeat.testing.websocket_contract import WebSocketDriverContract

__all__ = [
    "EncoderContract",
    "FilterContract",
    "NodeAuthenticatorContract",
    "RequestAuthenticatorContract",
    "SelectorContract",
    "WebSocketDriverContract",
    "make_candidate",
    "make_connection_view",
    "make_exchange_view",
    "make_instance",
    "make_registered",
    "make_request",
    "make_request_view",
    "sample_requests",
]
