"""A virtualhost with everything it resolved at start: nodes, selector, encoder, filters, authenticators.

Holds what the hot path calls directly; knows neither registry nor configuration files, and no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from blastbeat.config.model import VirtualHostConfig
from blastbeat.events import Request
from blastbeat.forwarding import HostFacts
from blastbeat.hold_queue import HoldQueue
from blastbeat.instance import Instance
from blastbeat.interfaces import Filter, InstanceView, NodeAuthenticator, RequestAuthenticator
from blastbeat.nodes import NodeTable
from blastbeat.pages import NO_PAGES
from blastbeat.tally import Tally


class Select(Protocol):
    """A selector's bound method."""

    def __call__(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView | None: ...


class SessionCount:
    """How many sessions of a virtualhost are open: one object for all that count together, so that it
    outlives a reload of the configuration."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open = 0


class VirtualHost:
    """One customer's site. `count` is handed in where others count with it: what its name had before the
    configuration was read again, or a virtualhost's for its routes. `tally` is its own, from `Tallies`."""

    __slots__ = (
        "config",
        "count",
        "encode_request",
        "filters",
        "held",
        "host",
        "key",
        "name",
        "needs_view",
        "node_authenticators",
        "node_names",
        "pages",
        "request_authenticators",
        "request_type",
        "retry_methods",
        "select",
        "table",
        "tally",
        "watches_data",
        "watches_responses",
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
        node_authenticators: Sequence[NodeAuthenticator] = (),
        request_authenticators: Sequence[RequestAuthenticator] = (),
        count: SessionCount | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.config = config
        self.name = config.name
        self.key = (config.name, config.route)
        self.table = table
        self.select = select
        self.request_type = request_type
        self.encode_request = encode_request
        self.filters = tuple(filters)
        self.node_authenticators = tuple(node_authenticators)
        self.request_authenticators = tuple(request_authenticators)
        self.node_names = tuple(node.name for node in config.nodes)
        self.host = HostFacts.of(config.name, raw_path_info=config.path_info == "raw")
        self.retry_methods = tuple(method.encode() for method in config.retry_methods)
        self.count = count or SessionCount()
        self.tally = tally or Tally()
        self.pages = NO_PAGES  # replaced whenever the files are read
        self.held = HoldQueue(config.hold_queue) if config.hold else None
        # A filter that does not override a method is not called for it.
        self.watches_responses = tuple(f for f in filters if type(f).on_response is not Filter.on_response)
        self.watches_data = tuple(f for f in filters if type(f).on_data is not Filter.on_data)
        self.needs_view = bool(self.filters or self.request_authenticators)

    @property
    def sessions(self) -> int:
        """Sessions open now, of all that count together."""
        return self.count.open

    def candidates(self, names: Sequence[str], tried: set[Instance]) -> list[Instance]:
        """Instances that may take a new session: available, agreed to by the authenticators, not yet
        tried."""
        return [
            instance
            for name in names
            for instance in self.table.instances(name)
            if instance.is_available and self.key in instance.allowed and instance not in tried
        ]
