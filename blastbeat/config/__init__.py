"""Configuration: find it, load it, say what is wrong with it.

The package is text only: it opens configuration files and nothing else, binds nothing and loads no plugin.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from blastbeat.config.build import Declare, Overrides, build
from blastbeat.config.check import Known, check
from blastbeat.config.files import find_config, read_files
from blastbeat.config.model import Config
from blastbeat.errors import ConfigError, Problem

__all__ = ["examine", "find_config", "load_config"]

_SEVERITIES = ("error", "warning", "note")


def examine(
    path: str | Path,
    overrides: Overrides | None = None,
    environ: Mapping[str, str] = os.environ,
    known: Known | None = None,
    declare: Declare | None = None,
) -> tuple[Config | None, list[Problem]]:
    """The configuration, or None when it has errors, and all problems found. Raises what `declare` raises.

    `overrides` replace keys of the server's section (the command line); `known` are the plugin objects by
    registry kind ("selector", "encoder"…), None where nobody knows; `declare` says what plugins add to the
    configuration, without it they add nothing.
    """
    document = read_files(Path(path), environ)
    built = build(document, str(path), overrides or {}, declare)
    problems = list(built.problems)
    if not document.is_incomplete:
        problems += check(built, known)
    problems.sort(key=lambda each: (_SEVERITIES.index(each.severity), each.file, each.line))
    has_errors = any(problem.severity == "error" for problem in problems)
    return None if has_errors else built.config, problems


def load_config(
    path: str | Path,
    overrides: Overrides | None = None,
    environ: Mapping[str, str] = os.environ,
    known: Known | None = None,
    declare: Declare | None = None,
) -> tuple[Config, list[Problem]]:
    """The configuration with its warnings and notes; raises ConfigError with all errors."""
    config, problems = examine(path, overrides, environ, known, declare)
    if config is None:
        raise ConfigError([problem for problem in problems if problem.severity == "error"])
    return config, problems
