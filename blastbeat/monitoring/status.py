"""What a running server is doing, as plain values: for the status page, `blastbeat status` and the metrics.

A snapshot, made when somebody asks; nothing is kept for it that is not there anyway. Knows neither who asks
nor how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import Any, Protocol

from blastbeat import __version__
from blastbeat.config.model import Address, Config
from blastbeat.counters import Counters
from blastbeat.errors import ControlError
from blastbeat.figures import Figures
from blastbeat.monitoring.node_status import available_instances, describe_node, users_of
from blastbeat.monitoring.process import process_figures
from blastbeat.plugin_profile import PluginProfile
from blastbeat.tally import Tally
from blastbeat.virtualhost import VirtualHost
from blastbeat.wiring import Wiring

DEFAULT_LIMIT = 500
"""Virtualhosts in one answer, unless asked for more."""

MAX_LIMIT = 2000
"""One answer of so many takes a tenth of a second to put together."""

MAX_NAMED = 20
"""Virtualhosts without a node that are named; all are counted."""

CODE_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


class RunningServer(Protocol):
    """What is looked at. Times are wall clock, seconds."""

    @property
    def config(self) -> Config: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def addresses(self) -> Sequence[Address]: ...
    @property
    def endpoints(self) -> Sequence[str]: ...
    @property
    def driver_name(self) -> str: ...
    @property
    def started_at(self) -> float: ...
    @property
    def loaded_at(self) -> float: ...
    @property
    def generation(self) -> int: ...
    def figures(self) -> Figures: ...
    @property
    def wiring(self) -> Wiring | None: ...
    @property
    def profile(self) -> PluginProfile | None: ...


@dataclass(frozen=True, slots=True)
class Query:
    """Which virtualhosts, and with them which nodes. `virtualhost`: the one of this name; `search`: those
    with this text in their names or aliases; of these `limit` from `offset` on."""

    virtualhost: str = ""
    search: str = ""
    offset: int = 0
    limit: int = DEFAULT_LIMIT

    @classmethod
    def parse(cls, arguments: Mapping[str, Any]) -> Query:
        """From texts or JSON values. Raises ControlError for what is none of these, or no number."""
        unknown = sorted(arguments.keys() - {"virtualhost", "search", "offset", "limit"})
        if unknown:
            raise ControlError(f"unknown: {', '.join(unknown)}; known: virtualhost, search, offset, limit")
        return cls(
            str(arguments.get("virtualhost", "")),
            str(arguments.get("search", "")),
            _number(arguments, "offset", 0, 10_000_000),
            _number(arguments, "limit", DEFAULT_LIMIT, MAX_LIMIT),
        )

    def matches(self, virtualhost: VirtualHost) -> bool:
        if self.virtualhost:
            return virtualhost.name == self.virtualhost
        wanted = self.search.lower()
        names = (virtualhost.name, *virtualhost.config.alias)
        return not wanted or any(wanted in name.lower() for name in names)


def _number(arguments: Mapping[str, Any], key: str, default: int, maximum: int) -> int:
    value = arguments.get(key, default)
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= maximum):
        raise ControlError(f"{key} = {text[:40]}: expected a number from 0 to {maximum}")
    return int(text)


def take_status(server: RunningServer, query: Query, now: float, at: float) -> dict[str, Any]:
    """Everything, as JSON can say it. `now` is monotonic, `at` wall clock."""
    wiring = wiring_of(server)
    families = families_of(wiring.dispatcher.virtualhosts)
    nodeless = [part for family in families if (part := _part_without_node(family)) is not None]
    matching = [family for family in families if query.matches(family[0])]
    listed = matching[query.offset : query.offset + query.limit]
    return {
        "at": round(at, 3),
        "server": describe_server(server, at),
        "virtualhosts_total": len(families),
        "virtualhosts_matching": len(matching),
        "virtualhosts_without_node": len(nodeless),
        "without_node": [_name_of(part) for part in nodeless[:MAX_NAMED]],
        "offset": query.offset,
        "limit": query.limit,
        "virtualhosts": [describe_virtualhost(family, wiring) for family in listed],
        "nodes": list(describe_nodes(listed, wiring, now)),
        "unmatched": describe_tally(server.counters.tallies.unmatched),
        "counters": server.counters.snapshot(),
        "plugin_counters": dict(server.counters.of_plugins),
        "plugin_profile": describe_profile(server.profile),
        "process": process_figures(),
    }


def describe_profile(profile: PluginProfile | None) -> list[dict[str, Any]] | None:
    """Where plugins were called and what that cost, most time first; None where nobody measures."""
    if profile is None:
        return None
    return [
        {
            "plugin": place.plugin,
            "place": place.where,
            "calls": place.calls,
            "errors": place.errors,
            "seconds": round(place.seconds, 6),
            "longest_seconds": round(place.longest, 6),
            "waited_seconds": round(place.waited, 6),
        }
        for place in profile.places
    ]


MAX_CERTIFICATES = 100
"""Of so many it is told when they expire, of the next to do so."""


def wiring_of(server: RunningServer) -> Wiring:
    """What a server has as soon as it runs."""
    assert server.wiring is not None, "asked before it ran"
    return server.wiring


def describe_server(server: RunningServer, at: float) -> dict[str, Any]:
    """The server as a whole. Sizes are bytes; a limit of 0 is none."""
    settings, figures = server.config.server, server.figures()
    return {
        "version": __version__,
        "state": "stopping" if wiring_of(server).dispatcher.is_stopping else "running",
        "config_file": server.config.file,
        "started_at": round(server.started_at, 3),
        "uptime": round(at - server.started_at, 1),
        "loaded_at": round(server.loaded_at, 3),
        "generation": server.generation,
        "addresses": [str(address) for address in server.addresses],
        "endpoints": list(server.endpoints),
        "driver": server.driver_name,
        "connections": figures.connections,
        "connections_limit": settings.connections,
        "sessions": figures.sessions,
        "sessions_limit": settings.sessions,
        "websockets": server.counters["websockets.opened"] - server.counters["websockets.closed"],
        "nodes": figures.nodes_known,
        "nodes_up": figures.nodes_up,
        "instances_up": figures.instances_up,
        "client_queued_bytes": figures.client_bytes,
        "client_queued_limit": settings.memory,
        "node_queued_bytes": figures.node_bytes,
        "certificates": describe_certificates(server, at),
    }


def describe_certificates(server: RunningServer, at: float) -> list[dict[str, Any]]:
    """Those in use, what expires first at the front. A moment that could not be read is None."""
    tls = wiring_of(server).context.tls
    found = sorted(tls.expiries().items(), key=lambda each: each[1]) if tls is not None else ()
    return [
        {"file": file, "expires_at": expires, "days_left": int((expires - at) // 86400)}
        if isfinite(expires)
        else {"file": file, "expires_at": None, "days_left": None}
        for file, expires in found[:MAX_CERTIFICATES]
    ]


def families_of(virtualhosts: Sequence[VirtualHost]) -> list[Sequence[VirtualHost]]:
    """Each virtualhost with its routes behind it."""
    return [each.parts for each in virtualhosts if each.whole is each]


def is_without_node(family: Sequence[VirtualHost]) -> bool:
    """Something of it waits for a node, and none is there."""
    return _part_without_node(family) is not None


def _part_without_node(family: Sequence[VirtualHost]) -> VirtualHost | None:
    """The first one: the virtualhost itself, or a route of it."""
    return next((each for each in family if each.node_names and not available_instances(each)), None)


def _name_of(part: VirtualHost) -> str:
    """For a reader who looks for what is missing."""
    route = part.config.route
    return f"{part.name} route {route}" if route else part.name


def describe_virtualhost(family: Sequence[VirtualHost], wiring: Wiring) -> dict[str, Any]:
    """A virtualhost and its routes. Its sessions, and what waits for its clients, are theirs too."""
    main, *routes = family
    config = main.config
    return {
        "name": main.name,
        "aliases": list(config.alias),
        "addresses": [str(address) for address in config.bind],
        "state": "down" if is_without_node(family) else "up",
        "queued_bytes": wiring.account.queued(main.name),
        "memory_limit": config.memory,
        **_describe_policy(main),
        "routes": [{"name": route.config.route, **_describe_policy(route)} for route in routes],
    }


def _describe_policy(policy: VirtualHost) -> dict[str, Any]:
    return {
        "nodes": list(policy.node_names),
        "sessions": policy.sessions,
        "sessions_limit": policy.config.sessions,
        "websockets": policy.count.websockets,
        "instances_available": available_instances(policy),
        "held": policy.held.size if policy.held is not None else 0,
        **describe_tally(policy.tally),
    }


def describe_tally(tally: Tally) -> dict[str, Any]:
    return {
        "requests": tally.requests,
        "answers": dict(zip(CODE_CLASSES, tally.answers, strict=False)),
        "bytes_in": tally.bytes_in,
        "bytes_out": tally.bytes_out,
        "messages_in": tally.messages_in,
        "messages_out": tally.messages_out,
        "limits_hit": dict(tally.limits),
    }


def describe_nodes(
    families: Sequence[Sequence[VirtualHost]], wiring: Wiring, now: float, limit: int = MAX_LIMIT
) -> Iterator[dict[str, Any]]:
    """The nodes that these virtualhosts and their routes name, `limit` of them."""
    users = users_of(each for family in families for each in family)
    tables = {id(table): table for table in wiring.dispatcher.tables.values()}
    for (table, name), using in islice(users.items(), limit):
        yield describe_node(tables[table], name, using, now)
