"""Who the nodes of one ROUTER are, and which of them live: names, instances, pings, capabilities, drain
(`protocol.md` §1).

Pure: the time is passed in, messages leave through a `ControlSender`, and what happens is told to a
`NodeSink`. Knows no socket and no session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from blastbeat.counters import Counters
from blastbeat.instance import NEVER, ControlSender, Instance, InstanceRouter, NodeSink, Outcome
from blastbeat.interfaces import Options
from blastbeat.messages import CREDIT, DRAIN, PING, SPAWN, Capabilities, parse_capabilities
from blastbeat.roster import NodeRule, Roster

logger = logging.getLogger(__name__)

SILENT_AFTER = 3  # ping periods
FORGOTTEN_AFTER = 10  # ping periods
NOT_NAMED = "no virtualhost names it any more"
MAX_REMEMBERED = 4096  # identities that were told `spawn`

Peer: TypeAlias = tuple[str, int]  # address, empty where there is none, and descriptor of its connection


class NodeTable:
    """The nodes of one ROUTER. Times are seconds; `credit` (bytes) is what the server announces. `on_empty`
    is called when the last name is forgotten."""

    def __init__(
        self, router: ControlSender, counters: Counters, *, ping_freq: float, credit: int, endpoint: str = ""
    ) -> None:
        self.sink: NodeSink
        self._router = router
        self._counters = counters
        self.ping_freq = ping_freq
        self.on_empty: Callable[[], None] | None = None
        self._credit = credit
        self._roster = Roster(router, counters, endpoint)
        self.find = self._roster.find
        self._spawned: dict[bytes, None] = {}
        self._blind: set[str] = set()  # names that were told to be available unheard
        self._now = NEVER  # the last time that was passed in

    # ------------------------------------------------------------ names

    def expect(self, name: str, grace: float, max_instances: int, options: Options | None = None) -> None:
        """A configured node name, pinged from now on. Said twice, the more generous figures hold."""
        self._roster.expect(name, NodeRule(grace, max_instances, options or {}))

    def expect_only(self, rules: Mapping[str, NodeRule], now: float) -> None:
        """The names of a new configuration. One that is not among them takes no new session, and is
        forgotten when its last one is over; instances of the others are as they were."""
        self._now = now
        came, left = self._roster.replace(rules)
        for name in came:
            self.greet(name, now)
        for name in left:
            for instance in self.instances(name):
                self._judge(instance, now, "")

    def greet(self, name: str, now: float) -> None:
        """A name that was added: one that waits to be pinged serves at once, rather than after a tick."""
        for instance in self.instances(name):
            if instance.drained_at is None:
                if instance.is_gone or instance.unreachable_since is not None:
                    self._ping(instance, now)
                self._judge(instance, now, "connected")

    def rename(self, endpoint: str) -> None:
        """Its ROUTER is bound to other endpoints."""
        self._roster.rename(endpoint)

    def instances(self, name: str) -> Sequence[Instance]:
        """All instances of a node name in whatever state, the configured one included."""
        return self._roster.instances(name)

    def __iter__(self) -> Iterator[Instance]:
        return iter(self._roster)

    @property
    def shortest_grace(self) -> float:
        return self._roster.shortest_grace(self.ping_freq)

    # ------------------------------------------------------------ what nodes say

    def heard(
        self,
        identity: bytes,
        now: float,
        peer: Callable[[], Peer] = lambda: ("", 0),
        address: Callable[[], str] = lambda: "",
    ) -> Instance | None:
        """A valid message came from this routing id: a sign of life. None when nobody may speak as that, or
        not from there; it is counted. `peer` and `address` tell where the message came from, and are only
        called when that matters."""
        instance = self.find(identity) or self._roster.newcomer(identity, now)
        if instance is None:
            return None
        if not instance.is_verified or (instance.is_watched and address() != instance.address):
            if instance.drained_at is None or instance.is_watched:
                self._verify(instance, peer())
        if instance.is_watched and not instance.allowed:
            self._roster.turn_away(instance, now)
            return None
        instance.heard_at = self._now = now
        if instance.drained_at is not None:
            return instance
        if instance.is_gone:
            self._come(instance)
        if instance.unreachable_since is not None:
            self._ping(instance, now)
        self._judge(instance, now, "heard from")
        return instance

    def pong(self, instance: Instance, words: Iterable[bytes], now: float) -> None:
        """`pong`: it is alive, and these are its capabilities (only where its name has a word)."""
        self._now = now
        answers_ping = instance.unanswered > 0
        if answers_ping:
            instance.unanswered -= 1
        if instance.drained_at is not None:
            # The answer to a ping that was on its way when the drain was over says nothing new.
            if answers_ping and now - instance.drained_at <= SILENT_AFTER * self.ping_freq:
                return
            if self._roster.is_leaving(instance.node):
                return
            instance = self._renew(instance, now)
        elif instance.is_gone:
            return
        instance.has_answered = True
        if not instance.is_configured:
            self._put_in_force(instance, parse_capabilities(words))
        self._judge(instance, now, "answered a ping" if answers_ping else "announced itself")

    def drain(self, instance: Instance, now: float) -> None:
        """`drain`: no new sessions from now on; `session_over` completes it."""
        if instance.draining or instance.is_gone:
            return
        self._now = now
        instance.draining = True
        self._judge(instance, now, "")
        self.session_over(instance)

    def session_over(self, instance: Instance) -> None:
        """To be called when a session was removed from `instance.sessions`: the last one completes a drain.

        Then nothing more goes to this instance until it is heard anew: after its connection was lost, or by
        a `pong` that answers no ping.
        """
        if not instance.draining or instance.sessions or instance.is_gone:
            return
        if instance.unreachable_since is not None:
            return  # the answer would be lost: the tick tries again
        self._router.send_control(instance, DRAIN, b"")
        if instance.unreachable_since is None:
            instance.drained_at = self._now
            instance.is_gone = instance.is_blocked = True
            self.sink.instance_gone(instance, "its last session is over")

    def _put_in_force(self, instance: Instance, known: Capabilities) -> None:
        """Another set of words than before is answered; it is in force on our side as of then."""
        if known.words == instance.capabilities and known.credit == instance.credit:
            return
        had_credit = instance.credit
        instance.capabilities, instance.credit = known.words, known.credit
        self._router.send_control(instance, PING, known.format())
        if known.credit and not had_credit:
            self._router.send_control(instance, CREDIT, b"%d" % self._credit)

    # ------------------------------------------------------------ what the router finds

    def unreachable(self, instance: Instance, now: float) -> None:
        """ZeroMQ has no route to it. The sink hears of it with the next tick, not in a caller's `send`."""
        if instance.is_gone:
            instance.outbox.clear()
        elif instance.unreachable_since is None:
            instance.unreachable_since = now
            instance.is_available = instance.is_steady = instance.is_verified = False
            self._lost_sight(instance)

    def reachable(self, instance: Instance) -> None:
        """ZeroMQ has a route to it again."""
        instance.unreachable_since = None
        instance.is_verified = False  # who reconnected may be somebody else

    def route_lost(self, now: float, descriptors: Collection[int] | None = None) -> None:
        """Somebody's connection ended. Nobody says whose, so all are asked: a ping finds no route to who
        left. Only the drained ones are not; `descriptors` of the connections, where known, tell theirs."""
        self._now = now
        for instance in self:
            if instance.drained_at is not None:
                if descriptors is None or instance.descriptor in descriptors:
                    self._roster.remove(instance)
            elif not instance.is_gone:
                # Who speaks next under this name may be somebody else.
                instance.is_steady = instance.is_verified = False
                if descriptors is None or instance.descriptor in descriptors:
                    self._lost_sight(instance)
                self._ping(instance, now)

    def peer_came(self, now: float) -> None:
        """Somebody connected. Nobody says who: the configured names without a route are asked, so that one
        that waits to be pinged serves at once rather than after `ping-freq`."""
        self._now = now
        for instance in self:
            if instance.is_configured and instance.drained_at is None:
                if instance.is_gone or instance.unreachable_since is not None:
                    self._ping(instance, now)
                    self._judge(instance, now, "connected")

    def tick(self, now: float) -> None:
        """To be called several times per ping period: pings, and who has become silent or is gone."""
        self._now = now
        for instance in self:
            if self._roster.is_leaving(instance.node) and self._leave(instance):
                continue
            if instance.drained_at is not None:
                self._forget(instance, now)
                continue
            since = instance.unreachable_since
            if since is not None or instance.is_ping_due(now, self.ping_freq):
                self._ping(instance, now)
            if since is not None and instance.unreachable_since is not None:
                if now - since >= self._roster.grace(instance.node):
                    self._go(instance, f"no route to it for {now - since:.1f} s")
                    continue
            self._judge(instance, now, "connected" if since is None else "connected again")
            self.session_over(instance)
            self._forget(instance, now)
        if self.on_empty is not None and not self._roster:
            self.on_empty()

    def _leave(self, instance: Instance) -> bool:
        """Forgets one of a name that leaves, once nothing of it is under way. True when it is gone."""
        if instance.sessions or (instance.outbox and not instance.is_gone):
            return False
        if instance.is_gone:
            self._roster.forget(instance)
        else:
            self._go(instance, NOT_NAMED)
        return True

    def _ping(self, instance: Instance, now: float) -> None:
        instance.pinged_at = now
        outcome = self._router.send_control(instance, PING, b"")
        if outcome is Outcome.NO_ROUTE:
            return
        instance.unanswered += 1
        if outcome is Outcome.TAKEN:
            instance.taken_at = now
            if instance.is_gone:
                self._come(instance)
                self.sink.admit(instance, None)

    # ------------------------------------------------------------ coming and going

    def _come(self, instance: Instance) -> None:
        """It is there: it said something, or took a ping. `spawn` once per routing id and server start."""
        instance.come()
        if instance.identity not in self._spawned:
            if len(self._spawned) >= MAX_REMEMBERED:
                del self._spawned[next(iter(self._spawned))]
            self._spawned[instance.identity] = None
            self._router.send_control(instance, SPAWN, b"")

    def _verify(self, instance: Instance, peer: Peer) -> None:
        """The first message of a connection: the authenticators look at who that is."""
        instance.is_verified = True
        if peer != (instance.address, instance.descriptor):
            instance.address, instance.descriptor = peer
            self.sink.admit(instance, instance.address)

    def _lost_sight(self, instance: Instance) -> None:
        """Its connection has ended. Where addresses count, who comes next is let in when it has spoken."""
        if instance.is_watched:
            instance.address, instance.descriptor = None, 0
            self.sink.admit(instance, None)

    def _judge(self, instance: Instance, now: float, reason: str) -> None:
        """Available or not, and who must hear of it."""
        if instance.is_gone:
            return
        why_not = self.why_unavailable(instance, now)
        if instance.judged(not why_not, now):
            self.sink.instance_ready(instance)
        if instance.is_available == instance.is_up:
            return
        instance.is_up = instance.is_available
        if instance.is_available:
            self._counters.add("nodes.up")
            if instance.heard_at == NEVER and instance.node not in self._blind:
                self._blind.add(instance.node)
                logger.info("%s: node %s is connected but has not said anything yet; it counts as available "
                            "until it answers a ping", self._roster.endpoint, instance.node)  # fmt: skip
            self.sink.instance_up(instance, reason)
        else:
            self._counters.add("nodes.silent")
            self.sink.instance_silent(instance, why_not)

    def why_unavailable(self, instance: Instance, now: float) -> str:
        """In words; empty where it is available. It must not be gone."""
        if instance.draining:
            return "drains"
        if self._roster.is_leaving(instance.node):
            return NOT_NAMED
        if instance.unreachable_since is not None:
            return "its connection is lost"
        # Once it has answered a ping, what it says decides; before, that it takes pings is enough.
        blind = instance.is_configured and not instance.has_answered
        last = max(instance.heard_at, instance.taken_at) if blind else instance.heard_at
        if now - last <= SILENT_AFTER * self.ping_freq:
            return ""
        return f"{'takes no pings' if blind else 'not heard from'} for {now - last:.1f} s"

    def _go(self, instance: Instance, reason: str) -> None:
        instance.is_gone = instance.is_blocked = True
        instance.is_available = instance.is_steady = False
        self._roster.remove(instance)
        self._counters.add("nodes.gone")
        self.sink.instance_gone(instance, reason)  # what still waits for it tells what it has not seen
        instance.outbox.clear()

    def _forget(self, instance: Instance, now: float) -> None:
        """An instance of no use, long silent, makes room for others of its node."""
        quiet = now - max(instance.heard_at, instance.drained_at or NEVER)
        if instance.is_configured or instance.sessions or quiet <= FORGOTTEN_AFTER * self.ping_freq:
            return
        if instance.drained_at is not None:
            self._roster.remove(instance)
        else:
            self._go(instance, f"forgotten: not heard from for {quiet:.1f} s")

    def _renew(self, instance: Instance, now: float) -> Instance:
        """A drained instance speaks again of its own accord: it begins anew."""
        self._roster.remove(instance)
        fresh = self.find(instance.identity) or self._roster.add(instance.identity, instance.node)
        fresh.heard_at = now
        self._come(fresh)
        self._verify(fresh, (instance.address or "", instance.descriptor))
        return fresh


__all__ = ["Instance", "InstanceRouter", "NodeSink", "NodeTable", "Outcome"]
