"""The node names of one ROUTER and the instances there are of each: who may speak, and as whom.

Knows nothing of life and death: whether an instance is there is the node table's business (`nodes.py`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blastbeat.counters import Counters
from blastbeat.instance import ControlSender, Instance
from blastbeat.interfaces import InstanceView, Options
from blastbeat.ratelimit import RateLimit

logger = logging.getLogger(__name__)

_WORD = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class NodeRule:
    """What is configured of one node name, by all virtualhosts that name it. `grace`: seconds."""

    grace: float
    max_instances: int
    options: Options = field(default_factory=dict)

    def joined(self, other: NodeRule) -> NodeRule:
        """What holds where two say something: the more generous figures, the options of the first."""
        grace, most = max(self.grace, other.grace), max(self.max_instances, other.max_instances)
        return NodeRule(grace, most, self.options)


@dataclass(slots=True)
class _Expected:
    """`is_leaving`: no virtualhost names it any more, it is here for the sessions it has."""

    rule: NodeRule
    instances: list[Instance] = field(default_factory=list)
    is_leaving: bool = False


class Roster:
    """`endpoint` is the ROUTER's name, for views and log lines. Times are seconds."""

    def __init__(self, router: ControlSender, counters: Counters, endpoint: str) -> None:
        self._router = router
        self._counters = counters
        self.endpoint = endpoint
        self._expected: dict[str, _Expected] = {}
        self._instances: dict[bytes, Instance] = {}
        self._rate_limit = RateLimit()

    def expect(self, name: str, rule: NodeRule) -> None:
        """A configured node name. Said twice, the more generous figures hold."""
        expected = self._expected.get(name)
        if expected is None:
            self._expected[name] = _Expected(rule)
            self.add(name.encode(), name)
        else:
            expected.rule = expected.rule.joined(rule)

    def replace(self, rules: Mapping[str, NodeRule]) -> tuple[list[str], list[str]]:
        """These are the configured names from now on; instances of names that stay are kept. Returns the
        names that came (or came back), and those that leave: they are here until `forget`."""
        came, left = [], []
        for name, rule in rules.items():
            expected = self._expected.get(name)
            if expected is None:
                self.expect(name, rule)
                came.append(name)
                continue
            if expected.is_leaving:
                expected.is_leaving = False
                came.append(name)
            if expected.rule != rule:
                expected.rule = rule
                for instance in expected.instances:
                    instance.set_options(rule.options)
        for name, expected in self._expected.items():
            if name not in rules and not expected.is_leaving:
                expected.is_leaving = True
                left.append(name)
        return came, left

    def rename(self, endpoint: str) -> None:
        """The ROUTER has another name."""
        self.endpoint = endpoint
        for instance in self:
            instance.view.endpoint = endpoint

    @property
    def rules(self) -> dict[str, NodeRule]:
        """What is configured of each name, those that leave left out."""
        return {name: each.rule for name, each in self._expected.items() if not each.is_leaving}

    def is_leaving(self, name: str) -> bool:
        """Whether no virtualhost names it any more."""
        return self._expected[name].is_leaving

    def forget(self, instance: Instance) -> None:
        """An instance of a name that leaves, and the name with its last one."""
        del self._instances[instance.identity]
        expected = self._expected[instance.node]
        expected.instances.remove(instance)
        if not expected.instances:
            del self._expected[instance.node]

    def __len__(self) -> int:
        """Names, those that leave included."""
        return len(self._expected)

    def find(self, identity: bytes) -> Instance | None:
        """The instance with this routing id, whatever its state."""
        return self._instances.get(identity)

    def instances(self, name: str) -> Sequence[Instance]:
        """All instances of a node name in whatever state, the configured one included."""
        expected = self._expected.get(name)
        return expected.instances if expected is not None else ()

    def __iter__(self) -> Iterator[Instance]:
        return iter(list(self._instances.values()))

    def grace(self, name: str) -> float:
        """Seconds an expected name may be without a route."""
        return self._expected[name].rule.grace

    def shortest_grace(self, default: float) -> float:
        """Of all names; `default` where there are none."""
        return min((expected.rule.grace for expected in self._expected.values()), default=default)

    def add(self, identity: bytes, node: str) -> Instance:
        """A new instance of an expected name."""
        expected = self._expected[node]
        view = InstanceView(
            node, identity.decode(errors="replace"), self.endpoint, options=expected.rule.options
        )
        instance = Instance(identity, node, self._router, view)
        self._instances[identity] = instance
        expected.instances.append(instance)
        return instance

    def remove(self, instance: Instance) -> None:
        """A configured name stays, as an instance that nobody has heard of yet."""
        if self.is_leaving(instance.node):
            self.forget(instance)
            return
        del self._instances[instance.identity]
        self._expected[instance.node].instances.remove(instance)
        if instance.is_configured:
            self.add(instance.identity, instance.node)

    def newcomer(self, identity: bytes, now: float) -> Instance | None:
        """Who speaks under a routing id that is not known: a further instance of an expected name, or None,
        counted and logged, when nobody may. One that has drained makes room."""
        name, slash, word = identity.partition(b"/")
        expected = self._expected.get(name.decode(errors="replace"))
        if expected is None or expected.is_leaving or not slash or _WORD.fullmatch(word) is None:
            self._refuse("messages.dropped.unknown-node", f"no node is called {identity!r}", now)
            return None
        named = [instance for instance in expected.instances if not instance.is_configured]
        if len(named) >= expected.rule.max_instances:
            drained = next((each for each in named if each.drained_at is not None), None)
            if drained is None:
                limit = f"{identity!r} is one too many: instances = {expected.rule.max_instances}"
                self._refuse("messages.dropped.instances", limit, now)
                return None
            self.remove(drained)
        return self.add(identity, name.decode())

    def turn_away(self, instance: Instance, now: float) -> None:
        """No virtualhost lets in who speaks for it now: its message is dropped. One that was never let in
        takes no place of its node's `instances`."""
        what = f"{instance.view.identity} speaks from {instance.address or 'ipc'}, and nobody lets that in"
        self._refuse("messages.dropped.not-authenticated", what, now, about=instance.node)
        if instance.is_gone and not instance.is_configured:
            self.remove(instance)

    def _refuse(self, counter: str, what: str, now: float, *, about: str = "") -> None:
        self._counters.add(counter)
        suppressed = self._rate_limit.allow((counter, about), now)
        if suppressed is not None:
            logger.warning("%s: %s; message dropped (%d more like it)", self.endpoint, what, suppressed)
