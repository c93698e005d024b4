"""What `check` looks at beyond the configuration's text: that every plugin loads, and that every object the
configuration picks exists, takes its options and can be made.

Knows no notation: problems come out with the place of the virtualhost they belong to. Binds and changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from blastbeat.config.model import Config, PluginRef, VirtualHostConfig
from blastbeat.errors import ConfigError, PluginError, Problem
from blastbeat.plugin_manager import PluginManager
from blastbeat.registry import Registry, list_names

AUTOMATIC_DRIVER = "auto"


def examine_plugins(config: Config, manager: PluginManager | None = None) -> list[Problem]:
    """Everything wrong with the plugins and with what the configuration picks of them; never raises.

    `manager` has not loaded yet; without it, one as the configuration wants it is made.
    """
    manager = manager or PluginManager.for_config(config)
    problems = [_in_file(problem, config) for problem in manager.load(strict=False)]
    registry = manager.build_registry()
    problems += _examine_server(config, registry)
    # A server-wide default reaches every virtualhost; what is wrong with it is told once.
    told: set[tuple[str, str, str]] = set()
    for host in config.virtualhosts:
        for problem in _examine_host(host, registry):
            mark = (problem.key, problem.value, problem.message)
            if mark not in told:
                told.add(mark)
                problems.append(problem)
    return problems


def _examine_server(config: Config, registry: Registry) -> Iterator[Problem]:
    driver = config.server.driver
    if driver != AUTOMATIC_DRIVER:
        for problem in _examine(registry, "driver", PluginRef(driver))[1]:
            yield replace(problem, section="blastbeat", key="driver", file=config.file)
    # A server makes an encoder of each type, whoever picks it.
    for name in registry.names("encoder"):
        for problem in _examine(registry, "encoder", PluginRef(name))[1]:
            yield replace(problem, section="plugins", key="", value="", file=config.file)


def _examine_host(host: VirtualHostConfig, registry: Registry) -> Iterator[Problem]:
    for key, kind, ref in _picked(host):
        made, problems = _examine(registry, kind, ref)
        if kind == "encoder" and made is not None and not hasattr(made, "encode_request"):
            problems = [Problem(f"writes no requests; those that do: {_request_encoders(registry)}")]
        for problem in problems:
            yield replace(
                problem, file=host.file, line=host.line, section=_section(host), key=key, value=ref.name
            )


def _picked(host: VirtualHostConfig) -> Iterator[tuple[str, str, PluginRef]]:
    """(option, kind of object, pick) for everything a virtualhost picks by name."""
    yield "request-encoder", "encoder", host.request_encoder
    yield "selector", "selector", host.selector
    for option, kind, refs in (
        ("node-authenticators", "node-authenticator", host.node_authenticators),
        ("request-authenticators", "request-authenticator", host.request_authenticators),
        ("filters", "filter", host.filters),
    ):
        for ref in refs:
            yield option, kind, ref


def _examine(registry: Registry, kind: str, ref: PluginRef) -> tuple[object | None, list[Problem]]:
    try:
        return registry.make(kind, ref), []
    except ConfigError as error:
        return None, list(error.problems)
    except PluginError as error:
        return None, [Problem(str(error))]


def _request_encoders(registry: Registry) -> str:
    made = {name: _examine(registry, "encoder", PluginRef(name))[0] for name in registry.names("encoder")}
    return list_names(name for name, encoder in made.items() if hasattr(encoder, "encode_request"))


def _section(host: VirtualHostConfig) -> str:
    """The section as its file writes it."""
    return f"blastbeat:{host.name}" if host.file.endswith(".ini") else f'vhost."{host.name}"'


def _in_file(problem: Problem, config: Config) -> Problem:
    return problem if problem.file else replace(problem, file=config.file)
