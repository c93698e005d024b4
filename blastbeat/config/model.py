"""What a configuration says, whatever notation it was written in: names, defaults, units, bounds.

Knows neither TOML nor ini. Times are seconds (float), sizes bytes (int), rates bytes per second; 0 means none
(no limit, no timeout) unless said otherwise. Attribute names are the option names with `_` for `-`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blastbeat.config_view import Origin as Origin

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class PluginRef:
    """A registered object picked by name, with its option table: ``hash key=cookie:id``. `folder` is where
    relative file names among the options start."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NodeRef:
    """A configured node name, with what a selector may want to know of it (``app1 weight=3``)."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address to bind. `host` is empty for all interfaces; IPv6 without brackets, scope included."""

    host: str
    port: int
    # How clients speak there, no part of where that is.
    proxy_protocol: bool = field(default=False, compare=False)
    tls: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """A file that is the body of the server's own answers with `status`."""

    status: int
    file: str


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """A header field or cookie that a route asks for; `value` None: any will do."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class VirtualHostConfig:
    """One virtualhost, server-wide defaults already filled in; or one route of it, see RouteConfig."""

    name: str  # as written: "localhost:8000", "*.example.org", "*"
    route: str = ""  # a route's name; empty for the virtualhost itself
    nodes: tuple[NodeRef, ...] = ()
    alias: tuple[str, ...] = ()
    bind: tuple[Address, ...] = ()
    bind_ssl: tuple[Address, ...] = ()
    zmq: tuple[str, ...] = ()  # endpoints of a ROUTER of its own
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    client_verify: str = ""  # or "off", "optional", "required"; see tls_settings.py
    cache: int = 0
    bandwidth: int = 0
    sessions: int = 0
    routes: tuple[RouteConfig, ...] = ()
    memory: int = 512 * MIB
    request_encoder: PluginRef = PluginRef("uwsgi")
    selector: PluginRef = PluginRef("least-connections")
    node_authenticators: tuple[PluginRef, ...] = (PluginRef("identity"),)
    request_authenticators: tuple[PluginRef, ...] = ()
    filters: tuple[PluginRef, ...] = ()
    instances: int | None = None  # None: 64 on loopback or ipc, 0 elsewhere
    timeout: float = 0.0
    keep_alive: float = 75.0
    body_timeout: float = 60.0
    response_timeout: float = 60.0
    idle_timeout: float = 300.0
    write_timeout: float = 60.0
    max_body: int = GIB
    node_grace: float | None = None  # None: ping_freq
    linger: int = 256 * KIB
    linger_time: float = 5.0
    retry_buffer: int = 64 * KIB
    retry_methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")
    trace: bool = False
    half_close: str = "end"  # or "finish"
    path_info: str = "decoded"  # or "raw"
    max_hops: int = 10
    hold: float = 0.0
    hold_queue: int = 1000
    error_pages: tuple[ErrorPage, ...] = ()
    offline: str = ""
    websocket_protocols: tuple[str, ...] = ()
    websocket_accept: str = "auto"  # or "server", "node"
    websocket_origins: tuple[str, ...] = ()
    websocket_ping: float = 20.0
    websocket_max_message: int = MIB
    websocket_compression: str = "off"  # or "deflate"
    websocket_window_bits: int = 12
    https_redirect: bool = False
    plugin_keys: Mapping[str, Any] = field(default_factory=dict)  # those that plugins declared, as written
    # Metadata, no part of what is compared: where its section stands, and each option that was set.
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    section: str = field(default="", compare=False)
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)
    plugin_values: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)  # validated

    @property
    def parts(self) -> tuple[VirtualHostConfig, ...]:
        """Itself and what its routes are served by."""
        return (self, *(route.policy for route in self.routes))


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """A part of a virtualhost that is served otherwise: what it asks of a request, and its policy.

    The policy is a virtualhost's configuration in full: what the route says itself, and what it inherits.
    """

    name: str  # as written: "/api", "canary"
    policy: VirtualHostConfig
    path: str = "/"  # the prefix as it is compared: normalised, without a slash at its end
    methods: tuple[str, ...] = ()
    headers: tuple[FieldMatch, ...] = ()
    cookies: tuple[FieldMatch, ...] = ()
    share: float | None = None  # of the clients, 0 to 1
    strip_prefix: bool = False

    @property
    def rank(self) -> tuple[int, bool]:
        """Its place among routes of the same path: the lowest is tried first, equal ones as they are written.
        Who asks for more goes first, and of two that ask for as much the one with a share."""
        asked = bool(self.methods) + len(self.headers) + len(self.cookies)
        return -asked, self.share is None


PLAIN = (0, True)
"""The rank of a route that asks for nothing but its path."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What belongs to the server as a whole."""

    bind: tuple[Address, ...] = ()
    bind_ssl: tuple[Address, ...] = ()
    zmq: tuple[str, ...] = ()
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    client_verify: str = ""
    ping_freq: float = 3.0
    stats_freq: float = 60.0
    uid: str = ""
    gid: str = ""
    sessions: int = 10_000
    connections: int = 20_000
    writequeue_buffer: int = 8 * MIB
    memory: int = 2 * GIB
    driver: str = "auto"
    websocket_driver: str = "auto"
    drain: float = 10.0
    header_timeout: float = 30.0
    handshake_timeout: float = 10.0
    max_head: int = 64 * KIB
    max_uri: int = 16 * KIB
    max_headers: int = 100
    read_ahead: int = 64 * KIB
    session_share: int = 256 * KIB
    node_queue: int = 8 * MIB
    credit: int = MIB
    max_message: int = 64 * MIB
    high_water_mark: int = 128
    trusted_proxies: tuple[str, ...] = ()
    log_level: str = "info"
    log_format: str = "text"  # or "json"
    access_log: str = "stderr"  # or "off", or a file
    error_log: str = "stderr"  # or a file
    log_queue: int = 20_000
    stats_bind: Address | None = None
    control: str = ""  # path of a unix socket
    plugins_load: tuple[str, ...] = ("*",)
    plugins_disabled: tuple[str, ...] = ()
    plugins_files: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PluginTable:
    """A table ``[<kind>.<NAME>]`` of a kind that a plugin declared: what was written, and what its validators
    made of it."""

    kind: str
    name: str
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    section: str = field(default="", compare=False)
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. `plugin_options` holds the `[plugin.<name>]` tables as written, `tables` those
    of the kinds that plugins declared, in the order of the file."""

    server: ServerConfig = ServerConfig()
    virtualhosts: tuple[VirtualHostConfig, ...] = ()
    defaults: VirtualHostConfig = VirtualHostConfig("")  # what a virtualhost has that says nothing itself
    plugin_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: tuple[PluginTable, ...] = ()
    file: str = ""
