"""The answer to a question, as values: for programs as they are, for readers by way of text.py.

Holds what was found, finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Place:
    """Where something is configured; `line` 0: nowhere, it is the default."""

    file: str = ""
    line: int = 0


@dataclass(slots=True)
class Listener:
    address: str
    why: str


@dataclass(slots=True)
class Host:
    """The virtualhost, and by which of its names it was found."""

    name: str
    why: str
    place: Place


@dataclass(slots=True)
class RouteChoice:
    """A route whose path fits, in the order in which they are asked. `takes` it: "yes", "no", or "perhaps"
    where that depends on the client."""

    name: str
    path: str
    takes: str
    why: str
    place: Place


@dataclass(slots=True)
class Pick:
    """A filter or authenticator with its options as configured, and what it says of the request."""

    name: str
    options: Mapping[str, Any]
    says: str


@dataclass(slots=True)
class Limit:
    key: str
    value: str
    place: Place


@dataclass(slots=True)
class Explanation:
    """`path` is what routes and filters compare; `shown` what the node gets to see of it. `status` is that of
    the answer where the request gets to no node, else 0; `outcome` says the same in words. `websocket` says
    in lines what becomes of a handshake."""

    url: str
    method: str
    target: str
    client: str
    path: str = ""
    listener: Listener | None = None
    virtualhost: Host | None = None
    route: str = ""
    routes: list[RouteChoice] = field(default_factory=list)
    other_routes: int = 0
    filters: list[Pick] = field(default_factory=list)
    request_authenticators: list[Pick] = field(default_factory=list)
    request_encoder: str = ""
    shown: dict[str, str] = field(default_factory=dict)
    selector: str = ""
    websocket: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)
    node_authenticators: list[str] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    status: int = 0
    outcome: str = ""
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs; None where there is no listener or virtualhost."""
        return asdict(self)
