"""The default node authenticator."""

from __future__ import annotations

from blastbeat.plugins import identity
from blastbeat.testing import NodeAuthenticatorContract, make_candidate


class TestIdentity(NodeAuthenticatorContract):
    accepted = (
        make_candidate("app1"),
        make_candidate("app1", identity=b"app1/blue"),
        make_candidate("app2", expected=frozenset({"app1", "app2"})),
    )
    denied = (
        make_candidate("app1", expected=frozenset()),
        make_candidate("app1", expected=frozenset({"app2", "app11", "APP1"})),
        make_candidate("", expected=frozenset({"app1"})),
    )

    plugin = identity
    name = "identity"
