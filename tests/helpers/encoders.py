"""Encoders as the server gets them: loaded with the other plugins, picked by the name of their type."""

from __future__ import annotations

from functools import cache
from typing import Any

from blastbeat.config.model import PluginRef
from blastbeat.events import Headers, Request
from blastbeat.plugin_manager import PluginManager
from blastbeat.registry import Registry


@cache
def _registry() -> Registry:
    manager = PluginManager(discover=list)
    manager.load()
    return manager.build_registry()


def encoder(message_type: str) -> Any:
    """A new encoder of this type, from the built-in plugins alone."""
    return _registry().make("encoder", PluginRef(message_type))


def request(headers: Headers | None = None, **changes: Any) -> Request:
    """A request as it is forwarded, with what a test wants otherwise."""
    values: dict[str, Any] = {
        "method": b"GET",
        "target": b"/a?b=c",
        "version": b"1.1",
        "headers": [(b"host", b"example.org")] if headers is None else headers,
        "content_length": None,
        "chunked": False,
        "scheme": b"http",
        "server_name": b"example.org",
        "server_port": b"80",
        "remote_addr": b"203.0.113.7",
        "remote_port": b"4711",
        "request_id": b"id-1",
        "virtualhost": "example.org",
    }
    return Request(**(values | changes))
