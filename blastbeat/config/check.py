"""What the values of a configuration mean together, as far as the text alone can tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..errors import Problem
from .build import Built

Known = Mapping[str, Collection[str]]


def check(built: Built, known: Known | None = None) -> list[Problem]:
    """Everything found wrong or doubtful. `known`: the names registered, by registry kind, or None."""
    return []
