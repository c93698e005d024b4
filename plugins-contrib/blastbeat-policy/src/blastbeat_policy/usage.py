"""What was used, as rows that add up: the values that accounts, the disk and reports have in common.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple


class Where(NamedTuple):
    """Whose usage, and when."""

    month: str
    customer: str
    virtualhost: str


@dataclass(slots=True)
class Usage:
    """`requests` are those let through, `refused` the others by reason; bytes are those of bodies and of
    WebSocket messages."""

    requests: int = 0
    sessions: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    messages_in: int = 0
    messages_out: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def traffic(self) -> int:
        """Bytes both ways."""
        return self.bytes_in + self.bytes_out

    def figures(self) -> tuple[int, ...]:
        """In the order of FIGURES."""
        return tuple(getattr(self, name) for name in FIGURES)

    def add(self, other: Usage) -> None:
        for name in FIGURES:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, times in other.refused.items():
            self.refused[reason] = self.refused.get(reason, 0) + times

    def __bool__(self) -> bool:
        return any(self.figures()) or bool(self.refused)


FIGURES = tuple(each.name for each in fields(Usage) if each.name != "refused")


@dataclass(frozen=True, slots=True)
class PlanInForce:
    """What a customer's month is measured with: the plan it has, and its traffic (bytes; None: unlimited).
    `warned` is the share in percent that the log has told of last."""

    plan: str = ""
    traffic: int | None = None
    warned: int = 0


Rows = Mapping[Where, Usage]
Plans = Mapping[tuple[str, str], PlanInForce]
"""By month and customer."""
