"""`blastbeat plugins`: every plugin, where it comes from, its state and what it offers.

Knows no plugin; works with a broken one, which is what one wants to see then.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys

from blastbeat.config import find_config, load_config
from blastbeat.config.declared import UNKNOWN
from blastbeat.config.model import Config
from blastbeat.errors import ConfigError
from blastbeat.logs import set_up_logging, tell
from blastbeat.plugin_listing import format_plugins, plugins_as_data
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_registrars import Command


def run(options: argparse.Namespace) -> int:
    """Print the listing to standard output; what is wrong goes to standard error. Raises ConfigError for a
    configuration that was named and can't be used."""
    set_up_logging(options.log_level or "warning")
    # Whatever a plugin prints while it loads is no part of the answer.
    with contextlib.redirect_stdout(sys.stderr):
        manager = PluginManager.for_config(_config(options.config))
        problems = manager.load(strict=False)
    plugins = manager.describe()
    if options.json:
        sys.stdout.write(f"{json.dumps(plugins_as_data(plugins), indent=2)}\n")
    else:
        sys.stdout.write(f"{format_plugins(plugins)}\n")
    sys.stdout.flush()
    for problem in problems:
        tell(str(problem))
    return 0


def added_commands() -> dict[str, Command]:
    """The subcommands that plugins add, by name. Never raises: what is wrong is for `check` to say."""
    try:
        manager = PluginManager.for_config(_config(None))
    except ConfigError:
        manager = PluginManager()
    manager.load(strict=False)
    return manager.commands()[0]


def _config(named: str | None) -> Config:
    """What `serve` would take; without any the defaults, for what is installed is worth seeing before one
    writes a configuration."""
    try:
        path = find_config(named, os.environ)
    except ConfigError:
        if named is not None or os.environ.get("BLASTBEAT_CONFIG"):
            raise
        return Config()
    # A plugin that is missing is a reason to look what is there, so nothing is said of what would be its own.
    return load_config(path, declare=lambda _: UNKNOWN)[0]
