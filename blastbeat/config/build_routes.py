"""The routes of virtualhosts: finds whose each is, and fills in what it does not say itself.

Sees one route at a time; whether two ask for the same is for check_routes.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from blastbeat.config import rows
from blastbeat.config.model import RouteConfig, VirtualHostConfig
from blastbeat.config.names import split_host_name
from blastbeat.config.route_options import OWN_OPTIONS_OF_ROUTES, ROUTING_OPTIONS
from blastbeat.config.route_values import PathPrefix
from blastbeat.config.settings import Settings, inherit
from blastbeat.config.values import BadValue, did_you_mean
from blastbeat.config.virtualhost_options import INHERITED_OPTIONS
from blastbeat.errors import Problem

Host = tuple[Settings, VirtualHostConfig]

MAX_HINTS = 10
"""Of all routes without a virtualhost so many are told which one may be meant: it takes a look at each."""


@dataclass(frozen=True, slots=True)
class BuiltRoute:
    """A route with its own section and that of its virtualhost."""

    settings: Settings
    host: Settings
    config: RouteConfig


def build_routes(
    hosts: Sequence[Host], routes: Sequence[Settings]
) -> tuple[list[Host], list[BuiltRoute], list[Problem]]:
    """The virtualhosts with the routes they have, in the order of their sections. A route of no virtualhost
    is a problem, and left out."""
    if not routes:
        return list(hosts), [], []
    by_name = _hosts_by_name(hosts)
    built: dict[int, list[BuiltRoute]] = {}
    problems: list[Problem] = []
    for settings in routes:
        index = by_name.get(_compared(settings.section.host))
        if index is None:
            problems.append(_no_such_host(settings, hosts if len(problems) < MAX_HINTS else ()))
            continue
        host_settings, host = hosts[index]
        config = _build_route(settings, host, problems)
        built.setdefault(index, []).append(BuiltRoute(settings, host_settings, config))
    with_routes = [
        (settings, replace(host, routes=tuple(route.config for route in built.get(index, ()))))
        for index, (settings, host) in enumerate(hosts)
    ]
    return with_routes, [route for index in sorted(built) for route in built[index]], problems


def _hosts_by_name(hosts: Sequence[Host]) -> Mapping[object, int]:
    found: dict[object, int] = {}
    for index, (settings, host) in enumerate(hosts):
        found.setdefault(host.name if settings.bad_name else _compared(host.name), index)
    return found


def _compared(name: str) -> object:
    try:
        return split_host_name(name)
    except ValueError:
        return name


def _no_such_host(settings: Settings, hosts: Sequence[Host]) -> Problem:
    name = settings.section.host
    hint = did_you_mean(name, [host.name for _, host in hosts]) or (
        f"write [blastbeat:{name}] as well" if name else "write [blastbeat:HOST/PATH]"
    )
    for host_settings, host in hosts:
        if name in host.alias:
            hint = f"that is an alias; its routes belong to the name {host_settings.section.name}"
    return rows.problem_of(
        settings.section, f"there is no virtualhost {name!r} that it could belong to", hint
    )


def _build_route(settings: Settings, host: VirtualHostConfig, problems: list[Problem]) -> RouteConfig:
    section = settings.section
    asked, asked_origins = inherit(ROUTING_OPTIONS, (settings,))
    if not settings.has("path") and section.name.startswith("/"):
        try:
            asked["path"] = PathPrefix().parse(section.name)
        except BadValue as problem:
            settings.bad_name = True
            problems.append(rows.problem_of(section, f"the path in its name {problem}", problem.hint))
    elif not section.name.strip() or not section.name.isprintable():
        settings.bad_name = True
        problems.append(rows.problem_of(section, "it has no name that can be printed"))
    # What a virtualhost has as a whole is inherited by its being there; these limits are not a route's own.
    said, origins = inherit((*OWN_OPTIONS_OF_ROUTES, *INHERITED_OPTIONS), (settings,))
    said = {"sessions": 0, "bandwidth": 0} | said
    policy = replace(
        host,
        route=section.name,
        file=section.file,
        line=section.line,
        section=section.label,
        origins=dict(host.origins) | asked_origins | origins,
        **said,
    )
    return RouteConfig(section.name, policy, **asked)
