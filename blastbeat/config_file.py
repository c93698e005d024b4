"""A configuration file and the plugins it wants, read together: what a file may say depends on what they
declare.

Knows no server; whoever runs one gets the plugins from here, and the file once more for each reload.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from blastbeat.config import examine
from blastbeat.config.build import Overrides
from blastbeat.config.check import Known
from blastbeat.config.declared import Declared
from blastbeat.config.model import Config
from blastbeat.errors import ConfigError, Problem
from blastbeat.plugin_manager import PluginManager


class ConfigFile:
    """`overrides` replace keys of the server's section (the command line); `plugins` are further ones, made
    by the caller. After `load`: `manager` has the plugins, loaded once and for all."""

    def __init__(
        self,
        path: str | Path,
        overrides: Overrides | None = None,
        environ: Mapping[str, str] = os.environ,
        *,
        plugins: Sequence[object] = (),
    ) -> None:
        self.path = path
        self.overrides = overrides
        self.environ = environ
        self.manager: PluginManager | None = None
        self.plugin_problems: list[Problem] = []
        self._plugins = tuple(plugins)

    def load(self, *, strict: bool = True) -> tuple[Config, list[Problem]]:
        """The configuration with its warnings and notes. Raises ConfigError with all errors. A plugin that
        can't be loaded is raised, too, as PluginError or ConfigError; where not `strict` it is left out, and
        in `plugin_problems`."""
        config, problems = examine(self.path, self.overrides, self.environ, declare=self.load_plugins)
        errors = [problem for problem in problems if problem.severity == "error"]
        if config is None:
            # What a plugin would have declared is unknown while it can't be loaded.
            failures = [problem for problem in self.plugin_problems if problem.severity == "error"]
            raise ConfigError([*failures, *errors])
        if strict and self.manager is not None:
            self.manager.raise_failure()
            problems += self.plugin_problems  # warnings, all of them
        return config, problems

    def load_again(self, known: Known) -> tuple[Config | None, list[Problem]]:
        """What the file says now; None where it has errors. What plugins declared stays as it is."""
        assert self.manager is not None
        declared = self.manager.config().declared
        return examine(self.path, self.overrides, self.environ, known, lambda _: declared)

    def load_plugins(self, config: Config) -> Declared:
        """Loads those that `config` wants, without raising what is wrong with them."""
        self.manager = PluginManager.for_config(config, plugins=self._plugins)
        self.plugin_problems = self.manager.load(strict=False)
        return self.manager.config().declared
