"""Flow control of a session: who is held back when, and what a node with credit is given back."""

from __future__ import annotations

import pytest

from blastbeat.flow import Grant, Upload
from tests.helpers.fakes import SHARE, SID, WINDOW, FakeClient, FakeRouter, make_peer


class UploadStage:
    def __init__(self, credit: int = 0) -> None:
        self.client = FakeClient()
        self.router = FakeRouter()
        self.instance = make_peer(self.router, credit=credit)
        self.upload = Upload(SID, self.instance, self.client, SHARE)

    def sent(self) -> list[bytes]:
        """Bodies of the `body` messages since the last call."""
        return [body for type, body in self.router.take_sent() if type == b"body"]

    def empty_queue(self) -> None:
        """The node reads on, and who was over its share is told."""
        self.router.is_stuck = False
        self.instance.outbox.clear()
        self.upload.writable()


# ---------------------------------------------------------------- without credit


def test_pieces_go_as_they_come() -> None:
    stage = UploadStage()
    for piece in (b"one", b"x" * 10 * SHARE, b""):
        stage.upload.data(piece)
    assert stage.sent() == [b"one", b"x" * 10 * SHARE, b""]
    assert not stage.upload.is_held and not stage.client.holds


def test_a_session_over_its_share_holds_its_client() -> None:
    stage = UploadStage()
    stage.router.is_stuck = True
    stage.upload.data(b"x" * (SHARE // 2))
    assert not stage.upload.is_held
    stage.upload.data(b"x" * SHARE)
    assert stage.upload.is_held and stage.client.holds == 1
    stage.upload.data(b"on its way already")
    assert stage.client.holds == 1 and len(stage.sent()) == 3
    stage.empty_queue()
    assert not stage.upload.is_held and not stage.client.holds


def test_all_are_held_while_the_queue_is_crowded() -> None:
    stage = UploadStage()
    stage.upload.crowded()
    stage.upload.crowded()
    assert stage.client.holds == 1
    stage.empty_queue()
    assert not stage.client.holds


def test_credit_of_a_node_that_announced_none_is_nothing() -> None:
    stage = UploadStage()
    stage.router.is_stuck = True
    stage.upload.data(b"x" * 2 * SHARE)
    stage.upload.credit(1_000_000)
    assert stage.upload.is_held


def test_end_releases_the_client() -> None:
    stage = UploadStage()
    stage.router.is_stuck = True
    stage.upload.data(b"x" * 2 * SHARE)
    stage.upload.end(b"client-left")
    assert not stage.client.holds
    assert stage.router.take_sent()[-1] == (b"end", b"client-left")


# ---------------------------------------------------------------- with credit


def test_one_message_may_overshoot() -> None:
    stage = UploadStage(credit=10)
    stage.upload.data(b"x" * 9)
    stage.upload.data(b"y" * 20)
    assert len(stage.sent()) == 2 and stage.client.holds == 0
    stage.upload.data(b"z")
    assert stage.sent() == [] and stage.client.holds == 1


def test_what_waits_goes_in_order_when_credit_comes() -> None:
    stage = UploadStage(credit=10)
    for piece in (b"x" * 20, b"a", b"b", b""):
        stage.upload.data(piece)
    assert stage.sent() == [b"x" * 20] and stage.client.holds == 1
    stage.upload.credit(10)
    assert stage.sent() == [] and stage.client.holds == 1, "the overshoot is paid back first"
    stage.upload.credit(1)
    assert stage.sent() == [b"a"]
    stage.upload.credit(1)
    assert stage.sent() == [b"b", b""] and stage.client.holds == 0


def test_the_end_of_a_body_costs_nothing() -> None:
    stage = UploadStage(credit=5)
    stage.upload.data(b"x" * 5)
    stage.upload.data(b"")
    assert stage.sent() == [b"x" * 5, b""] and stage.client.holds == 0


def test_never_more_than_was_announced() -> None:
    stage = UploadStage(credit=10)
    stage.upload.credit(1_000_000)
    stage.upload.data(b"x" * 10)
    stage.upload.data(b"y")
    assert stage.sent() == [b"x" * 10]


def test_a_session_keeps_the_credit_it_began_with() -> None:
    """Whatever words the instance announces later."""
    stage = UploadStage(credit=10)
    stage.instance.credit = 0
    stage.upload.data(b"x" * 10)
    stage.upload.data(b"y")
    stage.upload.credit(10)
    assert stage.sent() == [b"x" * 10, b"y"] and not stage.upload.is_held


def test_credit_does_not_release_a_client_over_its_share() -> None:
    """A node that gives credit, but whose queue does not move."""
    stage = UploadStage(credit=10 * SHARE)
    stage.router.is_stuck = True
    stage.upload.data(b"x" * 2 * SHARE)
    stage.upload.credit(2 * SHARE)
    assert stage.upload.is_held
    stage.empty_queue()
    assert not stage.upload.is_held


def test_room_in_the_queue_does_not_release_a_client_without_credit() -> None:
    stage = UploadStage(credit=10)
    stage.upload.data(b"x" * 10)
    stage.upload.data(b"y")
    stage.upload.writable()
    assert stage.upload.is_held and stage.sent() == [b"x" * 10]


def test_nothing_that_waits_follows_the_end() -> None:
    stage = UploadStage(credit=1)
    stage.upload.data(b"xx")
    stage.upload.data(b"waits")
    stage.upload.end(b"")
    stage.upload.credit(10)
    assert stage.router.take_sent() == [(b"body", b"xx"), (b"end", b"")]


# ---------------------------------------------------------------- what a node is given back


class GrantStage:
    def __init__(self, credit: int = 1) -> None:
        self.client = FakeClient()
        self.router = FakeRouter()
        self.grant = Grant(SID, make_peer(self.router, credit=credit), self.client, WINDOW)

    def given(self) -> list[int]:
        sent = self.router.take_sent()
        assert all(type == b"credit" for type, _ in sent)
        return [int(body) for _, body in sent]


def test_nothing_for_a_node_without_credit() -> None:
    stage = GrantStage(credit=0)
    stage.grant.used(10 * WINDOW)
    stage.grant.give_back()
    assert stage.given() == []


@pytest.mark.parametrize("size", [1, 7, WINDOW // 2, WINDOW, 3 * WINDOW])
def test_at_most_one_message_per_half_window(size: int) -> None:
    stage = GrantStage()
    used = given = messages = 0
    for _ in range(200):
        stage.grant.used(size)
        used += size
        for amount in stage.given():
            assert amount * 2 >= WINDOW
            given += amount
            messages += 1
        assert 0 <= used - given < WINDOW / 2, "everything is given back but less than half a window"
    assert messages


def test_nothing_while_the_client_takes_nothing() -> None:
    stage = GrantStage()
    stage.client.congested = True
    stage.grant.used(WINDOW)
    stage.grant.used(WINDOW)
    assert stage.given() == []
    stage.client.congested = False
    stage.grant.give_back()
    stage.grant.give_back()
    assert stage.given() == [2 * WINDOW]
