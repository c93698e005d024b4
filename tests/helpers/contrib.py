"""The distributions in `plugins-contrib/`, as files: names, modules, what each declares.

Imports none of them.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.helpers.source_tree import ROOT

CONTRIB = ROOT / "plugins-contrib"


@dataclass(frozen=True)
class Distribution:
    """One folder with a `pyproject.toml`. `name` is the folder's, and `module` follows from it."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.module

    @property
    def pyproject(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))

    @property
    def project(self) -> dict[str, Any]:
        project: dict[str, Any] = self.pyproject["project"]
        return project

    @property
    def entry_points(self) -> dict[str, str]:
        """Its plugins by name."""
        points: dict[str, str] = self.project["entry-points"]["blastbeat"]
        return points

    @property
    def required(self) -> set[str]:
        """The names of the distributions it depends on, in lower case."""
        return {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in self.project["dependencies"]}


@cache
def distributions() -> tuple[Distribution, ...]:
    return tuple(Distribution(path.parent) for path in sorted(CONTRIB.glob("*/pyproject.toml")))
