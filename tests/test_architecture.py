"""The shape of the code: which module may import what, and how long things may be."""

from __future__ import annotations

import ast
import re
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from blastbeat.plugin_api import PUBLIC_MODULES
from tests.helpers.contrib import Distribution, distributions
from tests.helpers.source_tree import (
    ROOT,
    functions_of,
    imports_of,
    imports_of_file,
    parse,
    source_modules,
)

MODULES = sorted(source_modules())

# The longest prefix counts. A module imports from its own level (without cycles) and from those below it.
LEVELS = {
    "blastbeat": 0,
    "blastbeat.errors": 0,
    "blastbeat.events": 0,
    "blastbeat.counters": 0,
    "blastbeat.tally": 0,
    "blastbeat.messages": 1,
    "blastbeat.headers": 1,
    "blastbeat.paths": 1,
    "blastbeat.request_keys": 1,
    "blastbeat.views": 1,
    "blastbeat.verdicts": 1,
    "blastbeat.drivers": 1,
    "blastbeat.handshake": 1,
    "blastbeat.max_forwards": 1,
    "blastbeat.interfaces": 1,
    "blastbeat.config_view": 1,
    "blastbeat.gates": 1,
    "blastbeat.config": 1,
    "blastbeat.forwarding": 1,
    "blastbeat.request_changes": 1,
    "blastbeat.facts": 1,
    "blastbeat.answers": 1,
    "blastbeat.certificates": 1,
    "blastbeat.pages": 1,
    "blastbeat.ratelimit": 1,
    "blastbeat.log_text": 1,
    "blastbeat.drain_round": 1,
    "blastbeat.validators": 1,
    "blastbeat.buckets": 1,
    "blastbeat.networks": 1,
    "blastbeat.plugin_api": 1,
    "blastbeat.hookspecs": 2,
    "blastbeat.registry": 2,
    "blastbeat.plugin_profile": 2,
    "blastbeat.plugins": 2,
    "blastbeat.plugin_manager": 3,
    "blastbeat.plugin_registrars": 3,
    "blastbeat.plugin_declarations": 3,
    "blastbeat.plugin_config": 3,
    "blastbeat.config_file": 3,
    "blastbeat.config_views": 2,
    "blastbeat.plugin_sources": 3,
    "blastbeat.plugin_listing": 3,
    "blastbeat.plugin_problems": 3,
    "blastbeat.plugin_counters": 3,
    "blastbeat.lifecycle": 3,
    "blastbeat.instance": 4,
    "blastbeat.nodes": 4,
    "blastbeat.roster": 4,
    "blastbeat.outbox": 4,
    "blastbeat.exchange": 4,
    "blastbeat.shared_values": 4,
    "blastbeat.hold_queue": 4,
    "blastbeat.response": 4,
    "blastbeat.flow": 4,
    "blastbeat.response_side": 4,
    "blastbeat.session": 4,
    "blastbeat.websocket_side": 4,
    "blastbeat.sessions": 5,
    "blastbeat.vhosts": 5,
    "blastbeat.progress": 4,
    "blastbeat.own_answers": 6,
    "blastbeat.client": 4,
    "blastbeat.filtering": 5,
    "blastbeat.failover": 6,
    "blastbeat.node_options": 2,
    "blastbeat.node_log": 5,
    "blastbeat.holding": 6,
    "blastbeat.overdue": 6,
    "blastbeat.answering": 6,
    "blastbeat.upgrading": 6,
    "blastbeat.uploading": 6,
    "blastbeat.upgradable": 6,
    "blastbeat.routes": 5,
    "blastbeat.routing": 6,
    "blastbeat.secure_access": 5,
    "blastbeat.virtualhost": 5,
    "blastbeat.node_users": 5,
    "blastbeat.node_rules": 5,
    "blastbeat.admission": 6,
    "blastbeat.authenticating": 6,
    "blastbeat.stream": 6,
    "blastbeat.placement": 6,
    "blastbeat.dispatcher": 6,
    "blastbeat.system": 7,
    "blastbeat.transport": 7,
    "blastbeat.node": 7,
    "blastbeat.assembly": 8,
    "blastbeat.bindings": 8,
    "blastbeat.reloading": 8,
    "blastbeat.retirement": 8,
    "blastbeat.reload_draft": 8,
    "blastbeat.background": 8,
    "blastbeat.former_listeners": 8,
    "blastbeat.wiring": 8,
    "blastbeat.server": 8,
    "blastbeat.preflight": 8,
    "blastbeat.explaining": 8,
    "blastbeat.surroundings": 8,
    "blastbeat.tls_surroundings": 8,
    "blastbeat.figures": 8,
    "blastbeat.monitoring": 8,
    "blastbeat.log_file": 8,
    "blastbeat.log_writer": 8,
    "blastbeat.logs": 1,
    "blastbeat.server_logs": 8,
    "blastbeat.testing": 8,
    "blastbeat.arguments": 9,
    "blastbeat.cli": 9,
    "blastbeat.commands": 9,
    "blastbeat.demo": 9,
    "blastbeat.new_plugin": 9,
    "blastbeat.__main__": 9,
}

# Who alone may import a library: prefixes of modules.
OWNERS = {
    "zmq": ("blastbeat.transport", "blastbeat.demo.node", "blastbeat.node", "blastbeat.testing"),
    "ssl": ("blastbeat.transport",),
    "socket": ("blastbeat.transport", "blastbeat.demo", "blastbeat.node", "blastbeat.testing"),
    "pluggy": (
        "blastbeat.hookspecs",
        "blastbeat.registry",
        "blastbeat.plugin_manager",
        "blastbeat.lifecycle",
    ),
    "tomli": ("blastbeat.config",),
    "h11": ("blastbeat.plugins",),
    "wsproto": ("blastbeat.plugins",),
    "prometheus_client": ("blastbeat.monitoring.metrics",),
}
# Passed in below the transport: clocks, randomness, the event loop.
ONLY_FROM_TRANSPORT_UP = ("time", "random", "secrets", "uuid", "asyncio", "anyio", "threading", "selectors")

# All that a built-in plugin may import: what a third party may.
PUBLIC = set(PUBLIC_MODULES)

# Libraries whose distributions have another name.
IMPORTED_AS = {"jwt": "pyjwt"}

# Names of plugins that mean something else in our code, too: a stream's `policy` is its virtualhost's keys.
WORDS_OF_OURS = {"policy"}

# And what its tests may import beside that.
PUBLIC_IN_TESTS = ("blastbeat.testing",)

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60


def level_of(module: str) -> int:
    prefix = module
    while prefix not in LEVELS or (prefix == "blastbeat" and module != "blastbeat"):
        assert "." in prefix, f"{module} has no level: give it one in LEVELS, by what it may know"
        prefix = prefix.rpartition(".")[0]
    return LEVELS[prefix]


def is_below(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    level = level_of(module)
    for imported in imports_of(module):
        if not imported.module.startswith("blastbeat"):
            continue
        if module == "blastbeat" and not imported.at_load:
            continue  # names of the package resolve on first use
        above = level_of(imported.module)
        assert above <= level, f"{module}:{imported.line} (level {level}) imports {imported.module} ({above})"


def test_there_are_no_import_cycles() -> None:
    graph = {
        module: {
            found.module for found in imports_of(module) if found.at_load and found.module in source_modules()
        }
        - {module}
        for module in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_with_their_owners(module: str) -> None:
    for imported in imports_of(module):
        library = imported.module.partition(".")[0]
        owners = OWNERS.get(library)
        if owners is not None:
            assert is_below(module, owners), f"{module}:{imported.line} imports {library}; only {owners} may"


@pytest.mark.parametrize("module", MODULES)
def test_clocks_randomness_and_the_loop_are_passed_in(module: str) -> None:
    if level_of(module) >= LEVELS["blastbeat.transport"] or is_below(module, ("blastbeat.plugins",)):
        return
    for imported in imports_of(module):
        library = imported.module.partition(".")[0]
        assert library not in ONLY_FROM_TRANSPORT_UP, f"{module}:{imported.line} imports {library}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("blastbeat.plugins.")])
def test_built_in_plugins_import_what_a_third_party_may(module: str) -> None:
    for imported in imports_of(module):
        if imported.module.startswith("blastbeat"):
            allowed = imported.module in PUBLIC or imported.module.startswith("blastbeat.plugins.")
            assert allowed, f"{module}:{imported.line} imports {imported.module}, which is not public"


@pytest.mark.parametrize("distribution", distributions(), ids=lambda found: found.name)
def test_distributions_of_plugins_import_what_a_third_party_may(distribution: Distribution) -> None:
    """Public modules of ours, themselves, the standard library, and what they say they depend on."""
    for path in sorted(distribution.folder.rglob("*.py")):
        is_test = path.is_relative_to(distribution.folder / "tests")
        for imported in imports_of_file(path, distribution.module):
            where = f"{path.relative_to(ROOT)}:{imported.line} imports {imported.module}"
            library = imported.module.partition(".")[0]
            if library == "blastbeat":
                allowed = imported.module in PUBLIC or is_test and is_below(imported.module, PUBLIC_IN_TESTS)
                assert allowed, f"{where}, which is not public"
            elif not is_test and library not in sys.stdlib_module_names and library != distribution.module:
                needed = IMPORTED_AS.get(library, library)
                assert needed in distribution.required, f"{where}, but depends on no {needed}"


def test_the_package_names_none_of_the_distributions_of_plugins() -> None:
    for distribution in distributions():
        plugins = "|".join(map(re.escape, distribution.entry_points.keys() - WORDS_OF_OURS)) or "(?!)"
        named = re.compile(rf"{distribution.name}|{distribution.module}|[\"'`](?:{plugins})[\"'`]")
        for path in sorted((ROOT / "blastbeat").rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                found = named.search(path.read_text(encoding="utf-8", errors="replace"))
                assert found is None, f"{path.relative_to(ROOT)} names {found.group()}"


def test_the_node_library_loads_nothing_of_the_server() -> None:
    """Neither when it is imported nor later: levels 0 and 1 are words and bytes."""
    for module in (name for name in MODULES if is_below(name, ("blastbeat.node",))):
        for imported in imports_of(module):
            if imported.module.startswith("blastbeat.") and not is_below(
                imported.module, ("blastbeat.node",)
            ):
                assert level_of(imported.module) <= 1, f"{module}:{imported.line} imports {imported.module}"


def test_the_demo_node_knows_nothing_of_the_server() -> None:
    reached, waiting = set[str](), ["blastbeat.demo", "blastbeat.demo.node"]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += [found.module for found in imports_of(module) if found.at_load]
            waiting = [name for name in waiting if name.startswith("blastbeat")]
    assert {name for name in reached if not is_below(name, ("blastbeat.demo",))} == set()


@pytest.mark.parametrize("module", MODULES)
def test_each_module_opens_with_its_one_job(module: str) -> None:
    assert ast.get_docstring(parse(source_modules()[module])), f"{module} has no docstring"


@pytest.mark.parametrize("module", MODULES)
def test_files_and_functions_stay_short(module: str) -> None:
    lines = source_modules()[module].read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_FILE_LINES, f"{module} has {lines} lines; would a reader find two rooms in one?"
    for function in functions_of(module):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        length = (function.end_lineno or 0) - body[0].lineno + 1 if body else 0
        assert length <= MAX_FUNCTION_LINES, f"{module}.{function.name} has {length} lines"


def test_the_levels_are_documented() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.*?) \|", page, re.MULTILINE)
    documented = {
        f"blastbeat.{name}": int(level) for level, names in rows for name in re.findall(r"`(\w+)`", names)
    }
    assert documented == {
        name: level for name, level in LEVELS.items() if re.fullmatch(r"blastbeat\.[a-z]\w+", name)
    }
