"""What a new plugin may be called, and what its distribution, module and class are called then.

Text only; which names are taken it is told by the plugins that are built in.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass

from blastbeat import interfaces
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_sources import built_ins

PREFIX = "blastbeat-"

MAX_NAME = 32
"""Characters of a name: as many as a message type may have (`protocol.md` §1), and one rule for all kinds."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_RUN = re.compile(r"[-_.]+")
_DISTRIBUTION = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE)  # PEP 508

RESERVED_TYPES = frozenset(
    "ping spawn join leave msg echo noecho pipe cache fragcache frag move timeout bandwidth".split()
)
"""Message types of `protocol.md` §3 and §4 that no encoder registers, or none yet."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What one can make. `registered` is what the registry calls it, `suffix` how its class ends, `entry`
    what the entry point names within the module (nothing: the module itself)."""

    title: str
    registered: str
    suffix: str
    entry: str = ""


KINDS: Mapping[str, Kind] = {
    "encoder": Kind("encoder", "encoder", "Encoder", entry=":Plugin"),
    "selector": Kind("selector", "selector", "Selector"),
    "authenticator": Kind("request authenticator", "request-authenticator", "Authenticator"),
    "node-authenticator": Kind("node authenticator", "node-authenticator", "Authenticator"),
    "filter": Kind("filter", "filter", "Filter"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """Of one new plugin. `name` is the plugin's and its object's, as configurations write it."""

    name: str
    kind: str

    @property
    def distribution(self) -> str:
        return PREFIX + self.name

    @property
    def underscored(self) -> str:
        return self.name.replace("-", "_")

    @property
    def module(self) -> str:
        return self.distribution.replace("-", "_")

    @property
    def entry(self) -> str:
        """What the entry point says."""
        return self.module + KINDS[self.kind].entry

    @property
    def class_name(self) -> str:
        """`geo-filter` as a filter is `GeoFilter`, as a selector `GeoFilterSelector`; never a name that the
        templates import."""
        words = "".join(word.capitalize() for word in self.name.split("-"))
        suffix = KINDS[self.kind].suffix
        found = words if words.endswith(suffix) else words + suffix
        return f"My{found}" if hasattr(interfaces, found) else found


def derive_names(written: str, kind: str) -> Names:
    """The names of a plugin of this kind called `written`, with or without ``blastbeat-`` in front.

    Raises ValueError that says what is wrong with it and what would be right.
    """
    name = written.removeprefix(PREFIX)
    if not _NAME.fullmatch(name):
        raise ValueError(_explain_spelling(written, name))
    if len(name) > MAX_NAME:
        raise ValueError(f"{name!r} has {len(name)} characters; {MAX_NAME} are the most")
    if keyword.iskeyword(name):
        raise ValueError(f"{name!r} is a word of Python; choose another one, such as my-{name}")
    taken = _why_taken(name, KINDS[kind].registered)
    if taken:
        raise ValueError(f"{name!r} is {taken}; choose another name, such as my-{name}")
    return Names(name, kind)


def _explain_spelling(written: str, name: str) -> str:
    normal = _RUN.sub("-", name.lower()).removeprefix(PREFIX)  # PEP 503
    if _DISTRIBUTION.fullmatch(name) and _NAME.fullmatch(normal):
        return f"{written!r} is not spelled as package indexes and configurations spell names; write {normal}"
    rule = "lower-case letters and digits, a letter first, words joined by single hyphens: such as geo-limits"
    hint = "; where it is written to says --directory" if "/" in written else ""
    return f"{written!r} is no name for a plugin; a name is {rule}{hint}"


def _why_taken(name: str, registered: str) -> str:
    """Why nobody else may have this name, empty when anybody may."""
    if name in {source.name for source in built_ins()}:
        return "a plugin that BlastBeat brings itself"
    manager = PluginManager(discover=list)
    manager.load()
    if name in manager.build_registry().names(registered):
        return f"a {registered} that BlastBeat brings itself"
    if registered == "encoder" and name in RESERVED_TYPES:
        return "a message type that the protocol keeps for itself"
    return ""
