"""What each judge of nodes must keep, as a class to subclass with pytest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.interfaces import NodeAuthenticator, NodeCandidate
from blastbeat.testing.contract import Contract
from blastbeat.testing.fakes import make_candidate
from blastbeat.testing.inherited import inherited
from blastbeat.testing.strategies import node_candidates

STRANGE: dict[str, NodeCandidate] = {
    "without an address": make_candidate(address=""),
    "a name that is no text": make_candidate(identity=b"node1/\xff\x00"),
    "nobody expected": make_candidate(expected=frozenset()),
    "over ipc": make_candidate(address="", endpoint="ipc:///run/nodes"),
    "over IPv6": make_candidate(address="2001:db8::1", endpoint="tcp://[::]:5000"),
    "IPv4 in IPv6": make_candidate(address="::ffff:192.0.2.1"),
    "with a zone": make_candidate(address="fe80::1%eth0"),
    "no address at all": make_candidate(address="not an address"),
    "not heard yet": make_candidate(address="", heard=False),
    "nameless": make_candidate("", identity=b""),
}


class NodeAuthenticatorContract(Contract):
    """Say in `accepted` and `denied` who must be let in and who must not."""

    kind: ClassVar[str] = "node-authenticator"
    accepted: Sequence[NodeCandidate] = ()
    denied: Sequence[NodeCandidate] = ()

    def new_authenticator(self) -> NodeAuthenticator:
        made: NodeAuthenticator = self.make()
        return made

    def test_there_is_something_to_judge(self) -> None:
        assert self.accepted and self.denied, "fill `accepted` and `denied`"

    def test_it_judges_as_said(self) -> None:
        authenticator = self.new_authenticator()
        for candidate in self.accepted:
            assert self.judge(authenticator, candidate) is True, f"denied {candidate}"
        for candidate in self.denied:
            assert self.judge(authenticator, candidate) is False, f"accepted {candidate}"

    def test_it_judges_the_same_in_any_order(self) -> None:
        """Who was let in opens the door to nobody else."""
        authenticator = self.new_authenticator()
        for _ in range(3):
            for candidate in (*self.accepted, *self.denied, *self.denied, *self.accepted):
                expected = candidate in self.accepted
                assert self.judge(authenticator, candidate) is expected, (
                    f"now it says otherwise of {candidate}"
                )

    @pytest.mark.parametrize("strange", STRANGE)
    def test_strange_candidates_get_a_plain_answer(self, strange: str) -> None:
        self.judge(self.new_authenticator(), STRANGE[strange])

    @inherited
    @given(candidates=st.lists(node_candidates(), max_size=8))
    def test_any_candidate_gets_a_plain_answer(self, candidates: list[NodeCandidate]) -> None:
        authenticator = self.new_authenticator()
        verdicts = [self.judge(authenticator, candidate) for candidate in candidates]
        assert [self.judge(authenticator, candidate) for candidate in candidates] == verdicts

    def test_whether_it_watches_peers_is_a_flag(self) -> None:
        watches = getattr(self.new_authenticator(), "watches_peers", False)
        assert type(watches) is bool, f"watches_peers is {watches!r}"

    def test_what_it_remembers_is_bounded(self) -> None:
        authenticator = self.new_authenticator()

        def meet(number: int) -> None:
            identity, address = b"node1/%d" % number, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            authenticator.authenticate(make_candidate(identity=identity, address=address))

        self.check_remembering(authenticator, meet)

    def judge(self, authenticator: NodeAuthenticator, candidate: NodeCandidate) -> bool:
        """Its verdict, which must be a plain bool."""
        with self.watched():
            verdict = authenticator.authenticate(candidate)
        assert type(verdict) is bool, f"authenticate returned {verdict!r} for {candidate}"
        return verdict
