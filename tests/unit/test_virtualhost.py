"""A virtualhost: which instances it offers, and what it resolved once for all requests."""

from __future__ import annotations

import pytest

from blastbeat.interfaces import Allow, Answer, Filter, NodeCandidate, RequestView
from blastbeat.virtualhost import Implied
from tests.helpers.fakes import make_virtualhost
from tests.helpers.node_table import TableStage

IDENTITIES = (b"app", b"app/1", b"app/2")


@pytest.fixture
def stage() -> TableStage:
    """Three available instances, all of them allowed."""
    stage = TableStage()
    for identity in IDENTITIES:
        stage.connect(identity)
        stage.say(identity, b"")
        stage.instance(identity).allowed.add(("app.test", ""))
    return stage


def offered(
    stage: TableStage, names: tuple[str, ...] = ("app",), tried: tuple[bytes, ...] = ()
) -> set[bytes]:
    found = make_virtualhost(stage).candidates(names, {stage.instance(identity) for identity in tried})
    return {instance.identity for instance in found}


def test_all_instances_of_the_named_nodes(stage: TableStage) -> None:
    stage.table.expect("other", 1.0, 4)
    assert offered(stage) == set(IDENTITIES)
    assert offered(stage, ("other", "app")) == set(IDENTITIES)
    assert offered(stage, ("other",)) == offered(stage, ()) == set()


def test_not_those_that_were_tried(stage: TableStage) -> None:
    assert offered(stage, tried=(b"app", b"app/2")) == {b"app/1"}
    assert offered(stage, tried=IDENTITIES) == set()


def test_not_those_that_are_silent(stage: TableStage) -> None:
    stage.wait(10, answering=[b"app/1"])
    assert offered(stage) == {b"app/1"}


def test_not_those_an_authenticator_denied(stage: TableStage) -> None:
    """For this virtualhost: another one may have agreed."""
    stage.instance(b"app/1").allowed = {("other.test", "")}
    assert offered(stage) == {b"app", b"app/2"}


def test_not_those_that_drain(stage: TableStage) -> None:
    stage.instance(b"app/2").sessions[b"sid"] = object()
    stage.table.drain(stage.instance(b"app/2"), stage.now)
    assert offered(stage) == {b"app", b"app/1"}


# ---------------------------------------------------------------- resolved once


class Quiet(Filter):
    def on_request(self, view: RequestView) -> None:
        return None


class Counting(Filter):
    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        return 0.0


class Dressing(Counting):
    """Inherits one method and overrides another."""

    def on_response(self, view: RequestView, head: object) -> object:  # type: ignore[override]
        return head


class Gate:
    async def authenticate(self, view: RequestView) -> Allow | Answer:
        return Allow()


def test_filters_are_asked_only_for_what_they_override() -> None:
    quiet, counting, dressing = Quiet(), Counting(), Dressing()
    virtualhost = make_virtualhost(filters=[quiet, counting, dressing])
    assert virtualhost.filters == (quiet, counting, dressing)
    assert virtualhost.watches_data == (counting, dressing)
    assert virtualhost.watches_responses == (dressing,)


def test_requests_are_looked_at_only_where_somebody_looks() -> None:
    assert not make_virtualhost().needs_view
    assert make_virtualhost(filters=[Quiet()]).needs_view
    assert make_virtualhost(request_authenticators=[Gate()]).needs_view


def test_what_the_configuration_says() -> None:
    virtualhost = make_virtualhost(nodes=["app", "more"], retry_methods=("GET", "PUT"), path_info="raw")
    assert (virtualhost.name, virtualhost.node_names) == ("app.test", ("app", "more"))
    assert virtualhost.retry_methods == (b"GET", b"PUT")
    assert virtualhost.host.raw_path_info and virtualhost.host.server_name == b"app.test"
    assert virtualhost.sessions == 0
    assert not make_virtualhost().host.raw_path_info


class _Judge:
    def __init__(self, watches: bool = False) -> None:
        self.watches_peers = watches

    def authenticate(self, candidate: NodeCandidate) -> bool:
        return True


def test_what_keys_of_plugins_pick_stands_in_front_of_what_is_listed() -> None:
    paced, picked, listed = Filter(), Filter(), Filter()
    watching, plain = _Judge(watches=True), _Judge()
    virtualhost = make_virtualhost(
        filters=[listed],
        bandwidth=[paced],
        node_authenticators=[plain],
        implied=Implied(filters=[picked], node_authenticators=[watching]),
    )
    assert virtualhost.filters == (paced, picked, listed)
    assert virtualhost.listed_filters == (listed,)
    assert virtualhost.node_authenticators == (watching, plain)
    assert virtualhost.watches_peers and virtualhost.needs_view
