"""Whether each route of a virtualhost can be reached, asks for something of its own, and has somebody to
answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blastbeat.config import rows
from blastbeat.config.build import Built
from blastbeat.config.build_routes import BuiltRoute
from blastbeat.config.model import PLAIN, FieldMatch, RouteConfig
from blastbeat.errors import Problem


def check_routes(built: Built) -> Iterator[Problem]:
    """Routes that ask for nothing, for the same, or for what others take; shares; nodes."""
    alike: dict[tuple[int, str], list[BuiltRoute]] = {}
    for route in built.routes:
        if route.settings.bad or route.settings.bad_name:
            continue  # it would ask for something else than what is written
        alike.setdefault((id(route.host), route.config.path), []).append(route)
        yield from _check_alone(route)
    for routes in alike.values():
        yield from _check_shadows(routes)
        yield from _check_shares(routes)


def _check_alone(route: BuiltRoute) -> Iterator[Problem]:
    config, section = route.config, route.settings.section
    if config.path == "/" and config.rank == PLAIN:
        message = "asks for nothing, and so for all that its virtualhost is there for"
        yield rows.problem_of(section, message, "give it a path, method, header, cookie or share")
    if config.share == 0:
        yield rows.problem_of(section, "its share is 0%: no client gets here", severity="warning")
    if config.strip_prefix and config.path == "/":
        row = route.settings.given["strip-prefix"][0][0]
        yield rows.problem_at(section, row, "has no prefix to strip: the path is /", severity="warning")
    if not config.policy.nodes and not config.policy.filters:
        hint = "write node = here or in the section of its virtualhost"
        yield rows.problem_of(section, "it has no node, so nobody answers its requests", hint)
    elif not config.policy.nodes and not route.host.has("node"):
        message = "it has no node: what its filters do not answer is answered 503"
        yield rows.problem_of(section, message, severity="warning")


def _check_shadows(routes: Sequence[BuiltRoute]) -> Iterator[Problem]:
    """Of routes with one path, what an earlier one asks for may be all that a later one does."""
    in_order = sorted(routes, key=lambda route: route.config.rank)
    for index, later in enumerate(in_order):
        first = next((it for it in in_order[:index] if _takes_all_of(it.config, later.config)), None)
        if first is None:
            continue
        if first.config.share is later.config.share and _takes_all_of(later.config, first.config):
            message = f"asks for the same as {_name(first)}"
        else:
            message = f"is never reached: {_name(first)} comes before it and takes all that it asks for"
        yield rows.problem_of(later.settings.section, message)


def _takes_all_of(route: RouteConfig, other: RouteConfig) -> bool:
    """Whether each request that `other` asks for is one that `route` asks for as well."""
    if route.share not in (None, 1.0):
        return False
    if route.methods and not (other.methods and set(other.methods) <= set(route.methods)):
        return False
    return _all_asked(route.headers, other.headers) and _all_asked(route.cookies, other.cookies)


def _all_asked(wanted: Sequence[FieldMatch], asked: Sequence[FieldMatch]) -> bool:
    """Whether who asks for the fields `asked` has asked for those `wanted`."""
    names = {each.name for each in asked}
    return all(each in asked or (each.value is None and each.name in names) for each in wanted)


def _check_shares(routes: Sequence[BuiltRoute]) -> Iterator[Problem]:
    """Shares of one path are parts of one whole."""
    total = 0.0
    for route in routes:
        share = route.config.share
        if share is None:
            continue
        total += share
        if total > 1 + 1e-9:
            row = route.settings.given["share"][0][0]
            message = f"brings the shares of the path {route.config.path} to {total * 100:g}%, more than all"
            yield rows.problem_at(route.settings.section, row, message)
            return


def _name(route: BuiltRoute) -> str:
    section = route.settings.section
    return f"[{section.label}] ({section.file}:{section.line})"
