"""For authors of plugins: contract tests to subclass, what the server hands to a plugin, made by hand, and
what runs a whole server in a test (the fixtures of `pytest_plugin` hand these out).

Names resolve on first use (PEP 562): pytest loads this package in every run where BlastBeat is installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blastbeat.testing.client import Client, Response
    from blastbeat.testing.clock import FakeClock
    from blastbeat.testing.driver_contract import DriverContract
    from blastbeat.testing.encoder_contract import EncoderContract
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
    from blastbeat.testing.filter_contract import FilterContract
    from blastbeat.testing.node import ScriptedNode
    from blastbeat.testing.node_authenticator_contract import NodeAuthenticatorContract
    from blastbeat.testing.node_request import HOLD, NodeRequest
    from blastbeat.testing.pytest_plugin import OpenClient, StartNode, StartServer
    from blastbeat.testing.registration_contract import RegistrationContract
    from blastbeat.testing.request_authenticator_contract import RequestAuthenticatorContract
    from blastbeat.testing.running import RunningServer
    from blastbeat.testing.selector_contract import SelectorContract
    from blastbeat.testing.websocket_client import WebSocket
    from blastbeat.testing.websocket_contract import WebSocketDriverContract

__all__ = [
    "HOLD",
    "Client",
    "DriverContract",
    "EncoderContract",
    "FakeClock",
    "FilterContract",
    "NodeAuthenticatorContract",
    "NodeRequest",
    "OpenClient",
    "RegistrationContract",
    "RequestAuthenticatorContract",
    "Response",
    "RunningServer",
    "ScriptedNode",
    "SelectorContract",
    "StartNode",
    "StartServer",
    "WebSocket",
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

_HOME = {
    "client": (
        "Client",
        "Response",
    ),
    "clock": ("FakeClock",),
    "driver_contract": ("DriverContract",),
    "encoder_contract": ("EncoderContract",),
    "fakes": (
        "make_candidate",
        "make_connection_view",
        "make_exchange_view",
        "make_instance",
        "make_registered",
        "make_request",
        "make_request_view",
        "sample_requests",
    ),
    "filter_contract": ("FilterContract",),
    "node": ("ScriptedNode",),
    "pytest_plugin": ("OpenClient", "StartNode", "StartServer"),
    "node_authenticator_contract": ("NodeAuthenticatorContract",),
    "node_request": (
        "HOLD",
        "NodeRequest",
    ),
    "registration_contract": ("RegistrationContract",),
    "request_authenticator_contract": ("RequestAuthenticatorContract",),
    "running": ("RunningServer",),
    "selector_contract": ("SelectorContract",),
    "websocket_client": ("WebSocket",),
    "websocket_contract": ("WebSocketDriverContract",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("pytest", "hypothesis"):
            raise ImportError(f"{name} needs {error.name}: pip install 'blastbeat[testing]'") from error
        raise
