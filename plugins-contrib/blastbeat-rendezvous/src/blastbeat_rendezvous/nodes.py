"""What the configuration says of nodes: the weight of each and the zone it stands in.

Knows no instance and no request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from blastbeat.interfaces import Options
from blastbeat.validators import whole, words

MAX_WEIGHT = 1000
MAX_ZONES = 16

_ZONE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_weight = whole(1, MAX_WEIGHT)


def zone_name(value: object) -> str:
    """The name of one zone. Raises ValueError."""
    if not isinstance(value, str) or _ZONE.fullmatch(value) is None:
        raise ValueError("a zone is named by 1 to 64 letters, digits, dots, dashes and underscores")
    return value


def zone_names(value: object) -> tuple[str, ...]:
    """Zones in the order of preference: names with blanks or commas between them, or a list. Raises
    ValueError."""
    found = words(value.replace(",", " ") if isinstance(value, str) else value)
    if not 1 <= len(found) <= MAX_ZONES or len(set(found)) != len(found):
        raise ValueError(f"write 1 to {MAX_ZONES} zones, each once")
    return tuple(zone_name(name) for name in found)


class Nodes:
    """The nodes of one virtualhost. `zones` are those it prefers, in that order; all others have the rank
    behind them. With `is_strict` the others are left out.

    `weights` are those of nodes by name, `ranks` the places of their zones in `zones`, and `totals` the sums
    of the configured weights by rank. A node that the configuration does not name weighs 1 and stands in no
    zone.
    """

    def __init__(self, zones: tuple[str, ...], *, is_strict: bool = False) -> None:
        self.zones = zones
        self.is_strict = is_strict
        self.last_rank = len(zones)
        self.weights: dict[str, int] = {}
        self.ranks: dict[str, int] = {}
        self.totals = [0] * (len(zones) + 1)

    def expect(self, nodes: Mapping[str, Options]) -> None:
        """Raises ValueError that names node and key, and where a strict choice would always be empty."""
        for name, options in nodes.items():
            zone = ""
            weight = 1
            for key, value in options.items():
                try:
                    if key == "weight":
                        weight = _weight(value)
                    elif key == "zone":
                        zone = zone_name(value)
                    else:
                        raise ValueError("no such option; a node takes weight and zone")
                except ValueError as error:
                    raise ValueError(f"node {name}: {key}={value}: {error}") from None
            rank = self.zones.index(zone) if zone in self.zones else self.last_rank
            self.weights[name] = weight
            self.ranks[name] = rank
            self.totals[rank] += weight
        if self.is_strict and self.zones and nodes and not any(self.totals[: self.last_rank]):
            raise ValueError(
                f"strict, and no node is in zone {' or '.join(self.zones)}; write app1 zone={self.zones[0]}"
            )
