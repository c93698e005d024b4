"""A virtualhost with everything it resolved at start: nodes, selector, encoder, filters, authenticators.

Holds what the hot path calls directly; knows neither registry nor configuration files, and no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

from blastbeat.config.model import VirtualHostConfig
from blastbeat.events import Request
from blastbeat.facts import HostFacts
from blastbeat.hold_queue import HoldQueue
from blastbeat.instance import Instance
from blastbeat.interfaces import Filter, InstanceView, NodeAuthenticator, RequestAuthenticator
from blastbeat.nodes import NodeTable
from blastbeat.pages import NO_PAGES
from blastbeat.routes import RouteTable
from blastbeat.secure_access import AccessRule
from blastbeat.tally import Tally


class Select(Protocol):
    """A selector's bound method."""

    def __call__(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView | None: ...


@dataclass(frozen=True, slots=True)
class Implied:
    """What a virtualhost and its routes have in front of what they list, by keys that plugins declared."""

    filters: Sequence[Filter] = ()
    node_authenticators: Sequence[NodeAuthenticator] = ()
    request_authenticators: Sequence[RequestAuthenticator] = ()


NOTHING_IMPLIED = Implied()


class SessionCount:
    """How many sessions of a virtualhost are open, and how many of these are WebSockets, those of its routes
    among them: what a route counts, its virtualhost, `whole`, counts too. An object of its own, to outlive a
    reload of the configuration."""

    __slots__ = ("__weakref__", "_routes", "_whole", "open", "websockets")

    def __init__(self, whole: SessionCount | None = None) -> None:
        self.open = 0
        self.websockets = 0
        self._whole = whole
        self._routes: WeakValueDictionary[str, SessionCount] | None = None

    def of_route(self, name: str) -> SessionCount:
        """What a route of this name counts in, as long as anybody does."""
        if self._routes is None:
            self._routes = WeakValueDictionary()
        found = self._routes.get(name)
        if found is None:
            found = self._routes[name] = SessionCount(self)
        return found

    def add(self, number: int) -> None:
        """So many more; -1 for one that is over."""
        self.open += number
        if self._whole is not None:
            self._whole.open += number

    def add_websockets(self, number: int) -> None:
        """So many more that are WebSockets; -1 for one that is over."""
        self.websockets += number
        if self._whole is not None:
            self._whole.websockets += number


class VirtualHost:
    """One customer's site, or a route of it, whose site `whole` is then. `count` is handed in where its name
    had one before the configuration was read again. `tally` is its own, from `Tallies`. `routes` are set when
    they are made; None costs nothing."""

    __slots__ = (
        "access_rule",
        "bandwidth",
        "config",
        "count",
        "encode_request",
        "filters",
        "held",
        "host",
        "implied",
        "is_former",
        "key",
        "listed_filters",
        "name",
        "needs_view",
        "node_authenticators",
        "node_names",
        "paces_output",
        "pages",
        "request_authenticators",
        "request_type",
        "retry_methods",
        "routes",
        "select",
        "table",
        "tally",
        "watches_data",
        "watches_messages",
        "watches_peers",
        "watches_responses",
        "websocket_origins",
        "websocket_protocols",
        "whole",
    )

    def __init__(
        self,
        config: VirtualHostConfig,
        table: NodeTable,
        *,
        select: Select,
        request_type: bytes,
        encode_request: Callable[[Request], bytes],
        filters: Sequence[Filter] = (),
        bandwidth: Sequence[Filter] = (),
        node_authenticators: Sequence[NodeAuthenticator] = (),
        request_authenticators: Sequence[RequestAuthenticator] = (),
        implied: Implied = NOTHING_IMPLIED,
        count: SessionCount | None = None,
        tally: Tally | None = None,
        whole: VirtualHost | None = None,
    ) -> None:
        self.config = config
        self.whole = whole or self
        self.routes: RouteTable[VirtualHost] | None = None
        self.name = config.name
        self.key = (config.name, config.route)
        self.is_former = False
        """Not in force any more: what runs in it goes on, nothing else begins."""
        self.table = table
        self.select = select
        self.request_type = request_type
        self.encode_request = encode_request
        self.bandwidth = tuple(bandwidth)
        self.listed_filters = tuple(filters)
        # What those that are listed answer is sent to clients too, so it comes behind what bounds that.
        self.filters = filters = (*self.bandwidth, *implied.filters, *self.listed_filters)
        self.implied = implied
        self.node_authenticators = (*implied.node_authenticators, *node_authenticators)
        self.request_authenticators = (*implied.request_authenticators, *request_authenticators)
        self.node_names = tuple(node.name for node in config.nodes)
        self.host = HostFacts.of(config.name, raw_path_info=config.path_info == "raw")
        self.websocket_origins = tuple(origin.encode() for origin in config.websocket_origins)
        self.websocket_protocols = tuple(protocol.encode() for protocol in config.websocket_protocols)
        self.retry_methods = tuple(method.encode() for method in config.retry_methods)
        if count is None:
            count = SessionCount() if whole is None else whole.count.of_route(config.route)
        self.count: SessionCount = count
        self.tally = tally or Tally()
        self.pages = NO_PAGES  # replaced whenever the files are read
        self.access_rule: AccessRule | None = None  # likewise: the server's keys have a say in it
        self.held = HoldQueue(config.hold_queue) if config.hold else None
        # A filter that does not override a method is not called for it.
        self.watches_responses = tuple(f for f in filters if type(f).on_response is not Filter.on_response)
        self.paces_output = tuple(f for f in filters if type(f).on_output is not Filter.on_output)
        self.watches_data = tuple(f for f in filters if type(f).on_data is not Filter.on_data)
        self.watches_messages = tuple(f for f in filters if type(f).on_message is not Filter.on_message)
        judges = self.node_authenticators
        self.watches_peers = any(getattr(each, "watches_peers", False) for each in judges)
        self.needs_view = bool(self.filters or self.request_authenticators)

    @property
    def parts(self) -> tuple[VirtualHost, ...]:
        """Itself and its routes."""
        return (self,) if self.routes is None else (self, *self.routes.values)

    @property
    def sessions(self) -> int:
        """Sessions open now, those of its routes among them."""
        return self.count.open

    def candidates(self, names: Sequence[str], tried: Set[Instance]) -> list[Instance]:
        """Instances that may take a new session: available, agreed to by the authenticators, not yet
        tried."""
        return [
            instance
            for name in names
            for instance in self.table.instances(name)
            if instance.is_available and self.key in instance.allowed and instance not in tried
        ]
