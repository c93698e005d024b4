"""What `check` says: the text's problems, and those beyond it. Every plugin is loaded, and every object the
configuration picks is looked up, handed its options and made once; what it names on this machine is
looked at.

Knows no notation; it finds each pick's line in what the loader kept. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from blastbeat.assembly import BY_FILTER, bandwidth_filter
from blastbeat.config.build import Built, build
from blastbeat.config.check import check
from blastbeat.config.declared import picks_of
from blastbeat.config.files import read_files
from blastbeat.config.model import Config, PluginRef, VirtualHostConfig
from blastbeat.config.rows import PLUGIN, Document, problem_at, problem_of
from blastbeat.config.settings import Settings
from blastbeat.config_file import ConfigFile
from blastbeat.errors import ConfigError, PluginError, Problem
from blastbeat.interfaces import Selector
from blastbeat.monitoring.metrics import examine_metrics
from blastbeat.node_options import hand_over
from blastbeat.pages import find_page_problems
from blastbeat.plugin_config import PluginConfig
from blastbeat.registry import Registry, list_names
from blastbeat.surroundings import examine_surroundings
from blastbeat.system.handover import examine_account
from blastbeat.tls_surroundings import examine_tls

AUTOMATIC_DRIVER = "auto"

_KIND_OF_KEY = {
    "request-encoder": "encoder",
    "selector": "selector",
    "node-authenticators": "node-authenticator",
    "request-authenticators": "request-authenticator",
    "filters": "filter",
}


def examine_file(path: Path, environ: Mapping[str, str]) -> list[Problem]:
    """Everything wrong or doubtful about a configuration and the plugins it would run with. Never raises."""
    document = read_files(path, environ)
    source = ConfigFile(path)
    built = build(document, str(path), {}, source.load_plugins)
    if source.manager is None:  # `[plugins]` can't be read in full, and what it says is yet worth a look
        source.load_plugins(built.config)
    assert source.manager is not None
    problems = built.problems + check(built)
    problems += [_locate(problem, built, document) for problem in source.plugin_problems]
    plugins, registry = source.manager.config(), source.manager.build_registry()
    problems += _ask_plugins(plugins, built.config, not _has_errors(problems))
    problems += _examine_picks(built, registry)
    problems += _examine_nodes(built.config, registry)
    problems += find_page_problems(built.config)
    problems += examine_surroundings(built)
    problems += examine_tls(built)
    problems += [_locate(problem, built, document) for problem in examine_account(built.config)]
    problems += [_locate(problem, built, document) for problem in examine_metrics(built.config)]
    return _without_repetitions(problems)


def _has_errors(problems: Sequence[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def _ask_plugins(plugins: PluginConfig, config: Config, is_complete: bool) -> list[Problem]:
    problems = plugins.examine(config, is_complete=is_complete)
    if is_complete and not _has_errors(problems):
        try:
            plugins.hand_tables(config)
        except PluginError as error:
            problems.append(Problem(str(error), file=config.file))
    return problems


def _examine_picks(built: Built, registry: Registry) -> Iterator[Problem]:
    # A server makes an encoder for each type, whoever picks it.
    for name in registry.names("encoder"):
        for problem in _make(registry, "encoder", PluginRef(name))[1]:
            yield replace(problem, file=built.config.file, section="plugins", key="", value="")
    for kind in ("driver", "websocket-driver"):
        for row, drivers in built.server.given.get(kind, ()):
            for name in drivers:
                if name != AUTOMATIC_DRIVER:
                    for problem in _make(registry, kind, PluginRef(name))[1]:
                        yield problem_at(built.server.section, row, problem.message, problem.hint)
    for settings, host in built.virtualhosts:
        for key, kind in _KIND_OF_KEY.items():
            owner = next((level for level in (settings, built.server) if level.has(key)), None)
            if owner is not None:
                yield from _examine_rows(owner, key, kind, registry)
                continue
            default = getattr(host, settings.options[key].field)
            for ref in default if isinstance(default, tuple) else (default,):
                for problem in _examine(registry, kind, ref):
                    yield problem_of(settings.section, f"{key}, by default {ref.name}: {problem.message}")
        yield from _examine_bandwidth(settings, host, registry)
        yield from _examine_plugin_keys(built, settings, host, registry)
    for route in built.routes:  # what it inherits was examined where it comes from
        for key, kind in _KIND_OF_KEY.items():
            yield from _examine_rows(route.settings, key, kind, registry)
        yield from _examine_bandwidth(route.settings, route.config.policy, registry)


def _examine_nodes(config: Config, registry: Registry) -> Iterator[Problem]:
    """What stands behind the nodes' names."""
    for virtualhost in config.virtualhosts:
        for policy in virtualhost.parts:
            if any(node.options for node in policy.nodes):
                selector, _ = _make(registry, "selector", policy.selector)
                if selector is not None:
                    yield from hand_over(cast(Selector, selector), policy)


def _examine_bandwidth(settings: Settings, host: VirtualHostConfig, registry: Registry) -> Iterator[Problem]:
    ref = bandwidth_filter(host)
    for problem in _examine(registry, "filter", ref) if ref is not None else ():
        row = settings.given["bandwidth"][0][0]
        yield problem_at(settings.section, row, f"{BY_FILTER}: {problem.message}", problem.hint)


def _examine_plugin_keys(
    built: Built, settings: Settings, host: VirtualHostConfig, registry: Registry
) -> Iterator[Problem]:
    """What its keys pick that plugins declared."""
    for key, kind, ref in picks_of(host, built.declared):
        owner = settings if key in settings.plugin_keys else built.server
        row = owner.plugin_keys[key].rows[0]
        for problem in _examine(registry, kind, ref):
            yield problem_at(owner.section, row, problem.message, problem.hint)


def _examine_rows(owner: Settings, key: str, kind: str, registry: Registry) -> Iterator[Problem]:
    for row, refs in owner.given.get(key, ()):
        for ref in refs:
            for problem in _examine(registry, kind, ref):
                yield problem_at(owner.section, row, problem.message, problem.hint)


def _examine(registry: Registry, kind: str, ref: PluginRef) -> list[Problem]:
    made, problems = _make(registry, kind, ref)
    if kind == "encoder" and made is not None and not hasattr(made, "encode_request"):
        problems = [Problem(f"this encoder writes no requests; those that do: {_request_encoders(registry)}")]
    return problems


def _make(registry: Registry, kind: str, ref: PluginRef) -> tuple[object | None, list[Problem]]:
    try:
        return registry.make(kind, ref), []
    except ConfigError as error:
        return None, list(error.problems)
    except PluginError as error:
        return None, [Problem(str(error))]


def _request_encoders(registry: Registry) -> str:
    made = {name: _make(registry, "encoder", PluginRef(name))[0] for name in registry.names("encoder")}
    return list_names(name for name, encoder in made.items() if hasattr(encoder, "encode_request"))


def _locate(problem: Problem, built: Built, document: Document) -> Problem:
    """The plugin manager knows section and key only; the loader knows their line."""
    for section in [built.plugins.section, *document.sections]:
        label = f"plugin.{section.name}" if section.kind == PLUGIN else section.label
        if label == problem.section:
            rows = [row for row in section.rows if row.key == problem.key]
            place = next(
                (row for row in rows if _is_meant(row.value, problem.value)), rows[0] if rows else section
            )
            return replace(problem, file=place.file, line=place.line, section=section.label)
    return replace(problem, file=built.config.file)


def _is_meant(written: object, told: str) -> bool:
    """File names are told as they are opened, with the folder of the file that names them."""
    return written == told or (isinstance(written, str) and bool(written) and told.endswith(f"/{written}"))


def _without_repetitions(problems: list[Problem]) -> list[Problem]:
    """A server-wide default reaches every virtualhost; what is wrong with it is told once."""
    return list(dict.fromkeys(problems))
