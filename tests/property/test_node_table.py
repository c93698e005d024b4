"""Whatever nodes do, and whenever: the table keeps its promises to whoever relies on it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from blastbeat.instance import Instance
from tests.helpers.node_table import PERIOD, TableStage

IDENTITIES = [b"app", b"app/1", b"app/2", b"app/3"]
MAX_INSTANCES = 2
GRACE = 2 * PERIOD

identities = st.sampled_from(IDENTITIES)
words = st.sampled_from([b"", b"batch", b"batch credit=5", b"nonsense"])


class CarefulStage(TableStage):
    """Takes every word of the table by the letter."""

    def __init__(self) -> None:
        self.state: dict[Instance, str] = {}
        super().__init__(grace=GRACE, max_instances=MAX_INSTANCES)

    def _note(self, instance: Instance, reason: str, state: str, before: str) -> None:
        assert reason, f"{instance} is {state} without a reason"
        assert self.state.get(instance, "new") in before.split(), f"{instance}: {self.state} -> {state}"
        self.state[instance] = state

    def instance_up(self, instance: Instance, reason: str) -> None:
        self._note(instance, reason, "up", "new silent")

    def instance_ready(self, instance: Instance) -> None: ...

    def instance_silent(self, instance: Instance, reason: str) -> None:
        self._note(instance, reason, "silent", "up")

    def instance_gone(self, instance: Instance, reason: str) -> None:
        self._note(instance, reason, "gone", "new up silent")
        instance.sessions.clear()


class NodeTableMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = CarefulStage()
        self.descriptor = 0
        self.descriptors: dict[bytes, int] = {}
        self.may_hear = set(IDENTITIES)  # all but those whose last word was `drain`
        self.seen = 0
        self.spawned: set[bytes] = set()

    # ------------------------------------------------------------ what may happen

    @rule(identity=identities)
    def connect(self, identity: bytes) -> None:
        if identity not in self.stage.routes:
            self.descriptor += 1
            self.descriptors[identity] = self.descriptor
            self.stage.connect(identity)

    @rule(identity=identities, words=words)
    def arrive(self, identity: bytes, words: bytes) -> None:
        self.connect(identity)
        self.say(identity, words)

    @rule(identity=identities, is_told=st.booleans(), seconds=st.sampled_from([0, 1, 3]), words=words)
    def restart(self, identity: bytes, is_told: bool, seconds: float, words: bytes) -> None:
        self.disconnect(identity, is_told)
        self.wait(seconds, self.stage.routes)
        self.arrive(identity, words)

    @rule(identity=identities, is_told=st.booleans())
    def disconnect(self, identity: bytes, is_told: bool) -> None:
        if identity in self.stage.routes:
            self.stage.disconnect(identity)
            self.may_hear.add(identity)
            if is_told:
                self.stage.table.route_lost(self.stage.now, {self.descriptors[identity]})

    @rule(identity=identities, full=st.booleans())
    def fill(self, identity: bytes, full: bool) -> None:
        (self.stage.full.add if full else self.stage.full.discard)(identity)

    @rule(identity=identities, words=st.none() | words)
    def say(self, identity: bytes, words: bytes | None) -> None:
        if identity in self.stage.routes:
            if words is not None or self.stage.table.find(identity) is None:
                self.may_hear.add(identity)
            self.stage.say(identity, words, ("1.2.3.4", self.descriptors[identity]))

    @rule(identity=identities)
    def drain(self, identity: bytes) -> None:
        instance = self.stage.table.find(identity)
        if instance is not None and identity in self.stage.routes:
            self.stage.table.drain(instance, self.stage.now)

    @rule(identity=identities)
    def open_session(self, identity: bytes) -> None:
        instance = self.stage.table.find(identity)
        if instance is not None and instance.is_available:
            instance.sessions[b"%d" % len(instance.sessions)] = object()

    @rule(identity=identities)
    def close_session(self, identity: bytes) -> None:
        instance = self.stage.table.find(identity)
        if instance is not None and instance.sessions:
            instance.sessions.popitem()
            self.stage.table.session_over(instance)

    @rule(seconds=st.sampled_from([0.25, 0.5, 1, 3, 12]), answering=st.sets(identities))
    def wait(self, seconds: float, answering: set[bytes]) -> None:
        self.stage.wait(seconds * PERIOD, answering & self.stage.routes)

    @rule()
    def everybody_answers(self) -> None:
        """All that are connected and may serve are found available, and all that left are gone."""
        stage = self.stage
        stage.full.clear()
        stage.wait(GRACE + 4 * PERIOD, stage.routes)
        for instance in stage.table:
            if instance.identity not in stage.routes:
                assert instance.is_gone
            elif not instance.draining:
                assert instance.is_available

    # ------------------------------------------------------------ what always holds

    @invariant()
    def available_means_usable(self) -> None:
        for instance in self.stage.table:
            if instance.is_available:
                assert not (instance.is_gone or instance.draining or instance.unreachable_since)
            if instance.is_steady:
                assert instance.is_available and instance.is_verified
            assert not (instance.is_gone and instance.sessions)

    @invariant()
    def the_sink_knows(self) -> None:
        for instance in self.stage.table:
            if self.stage.state.get(instance) == "up":
                assert instance.is_available or instance.unreachable_since is not None

    @invariant()
    def bounded(self) -> None:
        instances = self.stage.table.instances("app")
        assert len(instances) <= 1 + MAX_INSTANCES
        assert sorted(each.identity for each in instances) == sorted(
            each.identity for each in self.stage.table
        )

    @invariant()
    def spawn_once_and_silence_after_drain(self) -> None:
        for identity, type, _ in self.stage.sent[self.seen :]:
            assert identity in self.may_hear, f"{identity!r}: {type!r} after drain"
            if type == b"drain":
                self.may_hear.discard(identity)
            if type == b"spawn":
                assert identity not in self.spawned, f"{identity!r}: a second spawn"
                self.spawned.add(identity)
        self.seen = len(self.stage.sent)


NodeTableMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestNodeTable = NodeTableMachine.TestCase
