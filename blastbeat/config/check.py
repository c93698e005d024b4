"""What the values of a configuration mean together, as far as the text alone can tell.

Hosts and endpoints have files of their own; here is what concerns options as such.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from blastbeat.config import rows
from blastbeat.config.build import Built
from blastbeat.config.check_endpoints import check_endpoints
from blastbeat.config.check_hosts import check_hosts
from blastbeat.config.check_routes import check_routes
from blastbeat.config.check_stats import check_stats
from blastbeat.config.check_tls import check_tls
from blastbeat.config.model import PluginRef
from blastbeat.config.names import DriverKind, PluginKind
from blastbeat.config.rows import Row
from blastbeat.config.settings import Settings
from blastbeat.config.values import did_you_mean
from blastbeat.errors import Problem

Known = Mapping[str, Collection[str]]


def check(built: Built, known: Known | None = None) -> list[Problem]:
    """Everything found wrong or doubtful. `known`: the names registered, by registry kind, or None."""
    problems = [*_check_bounds(built), *check_hosts(built), *check_routes(built), *check_endpoints(built)]
    problems += [*check_stats(built), *check_tls(built)]
    for settings in built.all_settings:
        problems += _check_not_active(settings)
        if known is not None:
            problems += _check_known(settings, known)
    return problems


def _check_not_active(settings: Settings) -> Iterator[Problem]:
    for name, given in settings.given.items():
        if not settings.options[name].active:
            yield rows.problem_at(settings.section, given[0][0], "not active yet", severity="note")


def _check_known(settings: Settings, known: Known) -> Iterator[Problem]:
    for name, given in settings.given.items():
        kind = settings.options[name].kind
        for row, values in given:
            if isinstance(kind, PluginKind):
                for reference in values:
                    yield from _check_name(settings, row, kind.registry_kind, reference, known)
            elif isinstance(kind, DriverKind) and values != ("auto",):
                yield from _check_name(settings, row, kind.registry_kind, PluginRef(values[0]), known)


def _check_name(
    settings: Settings, row: Row, registry_kind: str, reference: PluginRef, known: Known
) -> Iterator[Problem]:
    names = sorted(known.get(registry_kind, ()))
    if reference.name in names:
        return
    kind = registry_kind.replace("-", " ")
    hint = did_you_mean(reference.name, names) or (
        f"there are {', '.join(names[:20])}" if names else f"no plugin offers a {kind}"
    )
    yield rows.problem_at(settings.section, row, f"no plugin offers the {kind} {reference.name!r}", hint)


def _check_bounds(built: Built) -> Iterator[Problem]:
    """Bounds between options of the server: (the greater one, the smaller one, severity, why)."""
    relations = (
        (
            "max-message",
            "writequeue-buffer",
            "error",
            "a frame that fits the write queue would cost its node the connection",
        ),
        ("max-head", "max-uri", "warning", "a long request target is then answered 431, never 414"),
        ("node-queue", "session-share", "warning", "one session can then fill the queue of its node"),
    )
    for greater, smaller, severity, why in relations:
        high, low = (built.server.options[name] for name in (greater, smaller))
        server = built.config.server
        if getattr(server, high.field) > getattr(server, low.field):
            continue
        given = built.server.given.get(greater) or built.server.given.get(smaller)
        if given is None or {greater, smaller} & built.server.bad:
            continue
        limits = f"{greater} {high.kind.format(getattr(server, high.field))}"
        limits += f", {smaller} {low.kind.format(getattr(server, low.field))}"
        message = f"{greater} must lie above {smaller} ({limits}): {why}"
        yield rows.problem_at(built.server.section, given[0][0], message, severity=severity)
