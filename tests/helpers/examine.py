"""How tests of the configuration look at a text: the shape of the fixture `examine_text`."""

from __future__ import annotations

from typing import Any, Protocol

from blastbeat.config.model import Config
from blastbeat.errors import Problem


class Examine(Protocol):
    """Writes a text to a file of that name, examines it, and gives what `examine` gives."""

    def __call__(
        self, text: str, name: str = "test.toml", **options: Any
    ) -> tuple[Config | None, list[Problem]]: ...
