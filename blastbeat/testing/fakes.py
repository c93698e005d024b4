"""What the server hands to a plugin, made by hand for its tests; and a way to load one plugin alone.

Opens no socket and starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blastbeat.config.model import PluginRef
from blastbeat.events import CloseReason, Request
from blastbeat.interfaces import (
    ConnectionView,
    ExchangeView,
    InstanceView,
    NodeCandidate,
    Options,
    RequestView,
)
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_sources import Named, built_ins
from blastbeat.registry import Registry
from blastbeat.testing.loading import load_plugin, name_of


def make_request(**changes: Any) -> Request:
    """A small GET as the server would forward it; `changes` are attributes of `Request`."""
    values: dict[str, Any] = {
        "method": b"GET",
        "target": b"/path?query=1",
        "version": b"1.1",
        "headers": [(b"host", b"example.org"), (b"x-forwarded-for", b"192.0.2.1"), (b"x-request-id", b"r1")],
        "content_length": None,
        "chunked": False,
        "scheme": b"http",
        "server_name": b"example.org",
        "server_port": b"80",
        "remote_addr": b"192.0.2.1",
        "remote_port": b"50000",
        "request_id": b"r1",
        "virtualhost": "example.org",
    }
    return Request(**values | changes)


def sample_requests() -> list[Request]:
    """Requests of every shape a plugin meets: bodies, odd bytes, repeated fields, no field at all."""
    return [
        make_request(),
        make_request(method=b"HEAD", target=b"/"),
        make_request(method=b"OPTIONS", target=b"*"),
        make_request(method=b"POST", content_length=5, headers=[(b"content-length", b"5")]),
        make_request(method=b"PUT", chunked=True, headers=[(b"transfer-encoding", b"chunked")]),
        make_request(headers=[], version=b"1.0", server_name=b""),
        make_request(headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-odd", b"\xff\t;=\"'")]),
        make_request(target=b"/%00%ff/../%2e?" + b"q" * 2000, remote_addr=b"2001:db8::1"),
        make_request(upgrade=True, headers=[(b"upgrade", b"websocket"), (b"connection", b"Upgrade")]),
    ]


def make_instance(identity: str = "node1", **changes: Any) -> InstanceView:
    """An instance as selectors see it; `changes` are attributes of `InstanceView`."""
    values: dict[str, Any] = {"node": identity.partition("/")[0], "endpoint": "tcp://127.0.0.1:5000"}
    return InstanceView(identity=identity, **values | changes)


def make_candidate(node: str = "node1", **changes: Any) -> NodeCandidate:
    """A peer that wants to speak as `node`, expected by its virtualhost unless `changes` say otherwise."""
    values: dict[str, Any] = {
        "identity": node.encode(),
        "endpoint": "tcp://127.0.0.1:5000",
        "address": "127.0.0.1",
        "virtualhost": "example.org",
        "expected": frozenset({node}),
    }
    return NodeCandidate(node=node, **values | changes)


def make_connection_view(**changes: Any) -> ConnectionView:
    """A client connection; `changes` are attributes of `ConnectionView`."""
    values: dict[str, Any] = {
        "id": 1,
        "remote_addr": "192.0.2.1",
        "remote_port": 50000,
        "listener": "127.0.0.1:8080",
        "opened_at": 1_700_000_000.0,
    }
    return ConnectionView(**values | changes)


def make_request_view(*, opens_session: bool = True, **changes: Any) -> RequestView:
    """A request as filters and request authenticators see it; `changes` are attributes of `Request`."""
    return RequestView(make_request(**changes), make_connection_view(), opens_session=opens_session)


def make_exchange_view(**changes: Any) -> ExchangeView:
    """A request that was answered with 200; `changes` are attributes of `ExchangeView`."""
    values: dict[str, Any] = {
        "started_at": 1_700_000_000.25,
        "remote_addr": "192.0.2.1",
        "remote_port": 50000,
        "virtualhost": "example.org",
        "host": b"example.org",
        "method": b"GET",
        "target": b"/path?query=1",
        "version": b"1.1",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 13,
        "duration": 0.004,
        "node_duration": 0.003,
        "identity": "node1",
        "reason": CloseReason.COMPLETE,
        "detail": "",
        "request_id": b"r1",
        "referer": b"",
        "user_agent": b"curl/8",
        "hops": 0,
    }
    return ExchangeView(**values | changes)


def make_registered(
    plugin: object,
    kind: str,
    name: str,
    options: Options | None = None,
    *,
    table: Mapping[str, Any] | None = None,
    plugin_name: str = "",
) -> Any:
    """Load `plugin` (see `load_plugin`) as a server would, without any other, and make what it
    registered as the `kind` (``"selector"``…) `name`. `table` is what the configuration says in the plugin's
    own table; `plugin_name` the name that its entry point gives it. Raises PluginError or ConfigError."""
    registry = registry_of(plugin, table=table, plugin_name=plugin_name)
    return registry.make(kind, PluginRef(name, options or {}))


def registry_of(plugin: object, *, table: Mapping[str, Any] | None = None, plugin_name: str = "") -> Registry:
    """What `plugin` registers, loaded as a server would, without any other. Raises PluginError or
    ConfigError."""
    loaded = load_plugin(plugin)
    own_name = plugin_name or name_of(loaded)
    manager = PluginManager(
        load=(),
        disabled=[source.name for source in built_ins()],
        plugins=[Named(own_name, loaded)],
        options={own_name: table} if table else {},
    )
    manager.load()
    return manager.build_registry()
