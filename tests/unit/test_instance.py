"""What an instance is before anybody has heard of it, and what selectors see of it."""

from __future__ import annotations

import pytest

from blastbeat.instance import CrowdSink, Instance
from blastbeat.interfaces import InstanceView
from tests.helpers.node_table import TableStage
from tests.helpers.router_stage import NotingSink

SID = b"s" * 16


def new(identity: bytes = b"app/1") -> Instance:
    return Instance(identity, "app", TableStage(), InstanceView("app", identity.decode(), "main"))


def test_until_it_is_heard_of_nothing_goes_to_it() -> None:
    instance = new()
    assert instance.is_gone and instance.is_blocked
    assert not (instance.is_available or instance.is_steady or instance.is_verified or instance.is_up)
    assert instance.address is None
    assert instance.heard_at < 0 and instance.pinged_at < 0 and instance.taken_at < 0


@pytest.mark.parametrize("identity", [b"app", b"app/1", b"app/1/2"])
def test_a_configured_name_has_no_slash(identity: bytes) -> None:
    assert new(identity).is_configured is (identity == b"app")


def test_nothing_is_shared_between_instances() -> None:
    one, other = new(b"app/1"), new(b"app/2")
    one.sessions[SID] = object()
    one.allowed.add(("app.test", ""))
    one.outbox.put(SID, b"body", b"")
    assert not other.sessions and not other.allowed and not other.outbox


def test_the_view_shows_what_is_now() -> None:
    instance = new()
    view = instance.view
    assert (view.sessions, view.queued_bytes, view.capabilities) == (0, 0, frozenset())
    instance.sessions[SID] = object()
    instance.outbox.put(SID, b"body", b"x" * 100)
    instance.capabilities = frozenset(("batch",))
    assert instance.view is view, "whoever keeps it sees what the next one sees"
    assert (view.sessions, view.capabilities) == (1, frozenset(("batch",)))
    assert view.queued_bytes == instance.outbox.size > 100
    del instance.sessions[SID]
    instance.outbox.clear()
    assert (instance.view.sessions, instance.view.queued_bytes) == (0, 0)


def test_selectors_see_since_when_it_is_available() -> None:
    instance = new()
    assert instance.view.available_since == float("-inf")
    assert not instance.judged(False, 4.0) and instance.view.available_since == float("-inf")
    assert instance.judged(True, 5.0) and instance.is_available
    assert not instance.judged(True, 6.0) and instance.view.available_since == 5.0
    assert not instance.judged(False, 7.0) and not instance.is_available
    assert instance.judged(True, 8.0) and instance.view.available_since == 8.0


def test_it_says_who_it_is_also_when_the_name_is_not_text() -> None:
    view = InstanceView("app", b"app/\xff".decode(errors="replace"), "main")
    assert repr(Instance(b"app/\xff", "app", TableStage(), view)) == "<Instance app/\ufffd>"


def test_instances_are_told_apart_by_who_they_are() -> None:
    """A come-back has the same routing id and is another instance."""
    assert new() != new()
    assert len({new(), new()}) == 2


def test_a_sink_need_not_care_for_crowds() -> None:
    assert not isinstance(TableStage(), CrowdSink)
    assert isinstance(NotingSink(), CrowdSink)
