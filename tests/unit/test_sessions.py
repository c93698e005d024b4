"""All sessions of the server: their ids, their number, and the bounds on it."""

from __future__ import annotations

from collections.abc import Callable

from blastbeat.counters import Counters
from blastbeat.instance import Instance
from blastbeat.session import Session
from blastbeat.sessions import Sessions
from blastbeat.virtualhost import VirtualHost
from tests.helpers.fakes import FakeClient, FakeOwner, FakeRouter, make_peer, make_virtualhost


def numbered() -> Callable[[int], bytes]:
    """Not random at all: 0, 1, 2… of the size asked for."""
    numbers = iter(range(1000))
    return lambda size: next(numbers).to_bytes(size, "big")


class Stage:
    def __init__(self, limit: int = 0) -> None:
        self.counters = Counters()
        self.sessions = Sessions(limit, numbered(), self.counters)
        self.instance = make_peer(FakeRouter())

    def open(self, virtualhost: VirtualHost, instance: Instance | None = None) -> Session:
        client = FakeClient()
        session = Session(
            self.sessions.mint(),
            virtualhost,
            instance or self.instance,
            client,
            FakeOwner(client),
            self.counters,
            share=1,
            window=1,
        )
        self.sessions.add(session)
        return session


def test_sids_are_16_bytes_15_of_them_random() -> None:
    asked: list[int] = []

    def random_bytes(size: int) -> bytes:
        asked.append(size)
        return b"\xff" * size

    assert Sessions(0, random_bytes, Counters()).mint() == b"\0" + b"\xff" * 15
    assert asked == [15]


def test_a_session_is_known_until_it_is_removed() -> None:
    stage, virtualhost = Stage(), make_virtualhost()
    first, second = stage.open(virtualhost), stage.open(virtualhost)
    assert stage.sessions.by_sid == {first.sid: first, second.sid: second} == stage.instance.sessions
    assert virtualhost.sessions == 2
    stage.sessions.remove(first)
    stage.sessions.remove(first)
    assert stage.sessions.by_sid == {second.sid: second} == stage.instance.sessions
    assert virtualhost.sessions == 1
    assert (stage.counters["sessions.opened"], stage.counters["sessions.closed"]) == (2, 1)


def test_an_instance_knows_only_its_own() -> None:
    stage, virtualhost = Stage(), make_virtualhost()
    other = make_peer(FakeRouter(), "app/2")
    first, second = stage.open(virtualhost), stage.open(virtualhost, other)
    assert stage.instance.sessions == {first.sid: first} and other.sessions == {second.sid: second}


def test_limit_of_the_server() -> None:
    stage, one, two = Stage(limit=2), make_virtualhost(), make_virtualhost()
    session = stage.open(one)
    assert stage.sessions.find_limit(one) == ""
    stage.open(two)
    assert stage.sessions.find_limit(one) == stage.sessions.find_limit(two)
    assert "server's 2 sessions" in stage.sessions.find_limit(one)
    stage.sessions.remove(session)
    assert stage.sessions.find_limit(one) == ""


def test_limit_of_a_virtualhost() -> None:
    stage, small, other = Stage(limit=10), make_virtualhost(sessions=1), make_virtualhost()
    session = stage.open(small)
    assert "virtualhost's 1 sessions" in stage.sessions.find_limit(small)
    assert stage.sessions.find_limit(other) == ""
    stage.sessions.remove(session)
    assert stage.sessions.find_limit(small) == ""


def test_a_route_counts_in_its_virtualhost_and_for_itself() -> None:
    stage, whole = Stage(), make_virtualhost(sessions=3)
    route = make_virtualhost(route="/api", sessions=2, whole=whole)
    other = make_virtualhost(route="/b", whole=whole)
    sessions = [stage.open(route), stage.open(route)]
    assert stage.sessions.find_limit(route) == "the route's 2 sessions are in use"
    assert stage.sessions.find_limit(whole) == stage.sessions.find_limit(other) == ""
    sessions.append(stage.open(other))
    assert (whole.sessions, route.sessions, other.sessions) == (3, 2, 1)
    for each in (whole, route, other):
        assert stage.sessions.find_limit(each) == "the virtualhost's 3 sessions are in use"
    for session in sessions:
        stage.sessions.remove(session)
    assert (whole.sessions, route.sessions, other.sessions) == (0, 0, 0)


def test_0_is_no_limit() -> None:
    stage, virtualhost = Stage(limit=0), make_virtualhost(sessions=0)
    for _ in range(100):
        stage.open(virtualhost)
    assert stage.sessions.find_limit(virtualhost) == ""
