"""What an option is: one declaration from which parsing, checks, reference and the example's test follow.

Knows no particular option; those are in server_options.py, virtualhost_options.py and route_options.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from blastbeat.config.model import RouteConfig, ServerConfig, VirtualHostConfig
from blastbeat.config.values import BadValue, Kind

SERVER = "server"
VIRTUALHOST = "virtualhost"
ROUTE = "route"
INHERITED = "inherited"  # of each virtualhost, with a default for all of them in the server's section
PLUGINS = "plugins"

_OWNERS: Mapping[str, type[ServerConfig | VirtualHostConfig | RouteConfig]] = {
    SERVER: ServerConfig,
    PLUGINS: ServerConfig,
    ROUTE: RouteConfig,
}


@dataclass(frozen=True, slots=True)
class Option:
    """One key of the configuration.

    `minimum` and `maximum` bound numbers, inclusive, in the model's unit. `zero` says what 0 means; with it
    0 is allowed beside the bounds. `repeated` options are lists, `may_be_empty` ones can be emptied.
    `unset` describes the default where the model's value does not explain itself. `restart`: a server that
    runs keeps the old value when the configuration is read again.
    """

    name: str
    kind: Kind
    scope: str
    explanation: str
    example: str
    minimum: float | None = None
    maximum: float | None = None
    zero: str = ""
    repeated: bool = False
    may_be_empty: bool = False
    active: bool = True
    unset: str = ""
    attribute: str = ""
    restart: bool = False

    @property
    def field(self) -> str:
        """The attribute of the model that holds the value."""
        return self.attribute or self.name.replace("-", "_")

    @property
    def default(self) -> Any:
        """The model's default, which is declared there and nowhere else."""
        owner = _OWNERS.get(self.scope, VirtualHostConfig)
        for field in fields(owner):
            if field.name == self.field:
                return None if field.default is MISSING else field.default
        raise LookupError(f"{owner.__name__} has no attribute for the option {self.name!r}")

    def parse(self, value: object) -> Any:
        """The model's value of an option given once; raises BadValue."""
        return self._bounded(self.kind.parse(value))

    def parse_all(self, value: object) -> Sequence[Any]:
        """What one of the values of a repeated option adds to its list; raises BadValue."""
        return [self._bounded(item) for item in self.kind.parse_all(value)]

    def _bounded(self, value: Any) -> Any:
        if not isinstance(value, (int, float)) or (value == 0 and self.zero):
            return value
        if self.minimum is not None and value < self.minimum:
            raise BadValue(f"is too small; at least {self.kind.format(self.minimum)}{self._or_zero()}")
        if self.maximum is not None and value > self.maximum:
            raise BadValue(f"is too large; at most {self.kind.format(self.maximum)}{self._or_zero()}")
        return value

    def _or_zero(self) -> str:
        return f", or 0 for {self.zero}" if self.zero and self.minimum != 0 else ""

    def default_text(self) -> str:
        """The default as somebody would write it."""
        if self.unset:
            return self.unset
        default = self.default
        if isinstance(default, tuple):
            return " ".join(self.kind.format(item) for item in default)
        return "" if default is None or default == "" else self.kind.format(default)
