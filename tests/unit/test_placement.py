"""Who gets a request, and what a session may begin with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, Request
from blastbeat.interfaces import InstanceView
from tests.helpers.engine import Engine, request_head
from tests.helpers.engine_fakes import FakeClient

TWO = {"app": "", "app/2": ""}


def test_the_selector_is_shown_who_is_available() -> None:
    shown: list[list[str]] = []

    def select(candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        shown.append([each.identity for each in candidates])
        return candidates[-1]

    engine = Engine(here=TWO, select=select)
    session = engine.request(engine.stream())
    assert shown == [["app", "app/2"]]
    assert session is not None and session.instance.identity == b"app/2"


def test_a_full_instance_is_passed_over() -> None:
    engine, client = Engine(here=TWO), FakeClient()
    engine.router.full = {b"app"}
    session = engine.request(engine.stream(client))
    assert session is not None and session.instance.identity == b"app/2"
    assert len(engine.recorder.opened) == 1


def test_all_are_full() -> None:
    engine, client = Engine(here=TWO), FakeClient()
    engine.router.full = {b"app", b"app/2"}
    engine.request(engine.stream(client))
    assert client.statuses == [503] and not client.heads[0].close
    assert b"Retry-After" in dict(client.heads[0].headers)
    assert engine.recorder.exchange.reason is CloseReason.NO_INSTANCE
    assert not engine.recorder.opened
    engine.assert_settled()


def test_nobody_is_there() -> None:
    engine, client = Engine(here={}), FakeClient()
    engine.request(engine.stream(client))
    assert client.statuses == [503]


def raising(candidates: Sequence[InstanceView], request: Request) -> InstanceView:
    raise RuntimeError("oops")


def foreign(candidates: Sequence[InstanceView], request: Request) -> InstanceView:
    """Equal to one that was offered, but not it."""
    return InstanceView(candidates[0].node, candidates[0].identity, candidates[0].endpoint)


def none(candidates: Sequence[InstanceView], request: Request) -> None:
    return None


@pytest.mark.parametrize("select", [raising, foreign, none])
def test_a_selector_that_gives_nobody(select: object, caplog: pytest.LogCaptureFixture) -> None:
    engine, client = Engine(select=select), FakeClient()  # type: ignore[arg-type]
    engine.request(engine.stream(client))
    assert client.statuses == [503] and not engine.router.sent
    assert bool([each for each in caplog.records if each.levelname == "ERROR"]) is (select is not none)
    engine.assert_settled()


def test_a_selector_may_do_to_its_list_what_it_likes() -> None:
    def select(candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        assert isinstance(candidates, list)
        chosen: InstanceView = candidates.pop()
        candidates.clear()
        return chosen

    engine, client = Engine(here=TWO, select=select), FakeClient()
    engine.router.full = {b"app/2"}
    session = engine.request(engine.stream(client))
    assert session is not None and session.instance.identity == b"app"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ClientError(431, "too long"), 431, CloseReason.REFUSED),
        (ClientError(418, "no such answer of ours"), 500, CloseReason.REFUSED),
        (RuntimeError("oops"), 500, CloseReason.PLUGIN_ERROR),
        (None, 500, CloseReason.PLUGIN_ERROR),
    ],
    ids=repr,
)
@pytest.mark.parametrize("continues", [False, True])
def test_a_request_encoder_that_writes_nothing(
    error: Exception | None, status: int, reason: CloseReason, continues: bool
) -> None:
    """In a new session and in one that is there already."""
    is_broken = not continues

    def encode(request: Request) -> bytes:
        if not is_broken:
            return b"head"
        if error is not None:
            raise error
        return "head"  # type: ignore[return-value]

    engine, client = Engine(encode=encode), FakeClient()
    stream = engine.stream(client)
    if continues:
        engine.respond(engine.request(stream))
        is_broken = True
    engine.request(stream)
    assert client.statuses[-1] == status and stream.session is None
    assert engine.recorder.exchanges[-1].reason is reason
    engine.assert_settled()


def test_limits_on_sessions() -> None:
    engine = Engine(max_sessions=2)
    streams = [engine.stream(FakeClient()) for _ in range(3)]
    for stream in streams:
        engine.request(stream)
    assert streams[2].session is None and engine.recorder.exchange.reason is CloseReason.LIMIT
    assert engine.recorder.exchange.status == 503
    engine.respond(streams[0].session)
    engine.request(streams[0])  # goes on in its session
    assert streams[0].session is not None
    streams[1].client_left()
    engine.request(streams[2])
    assert streams[2].session is not None


def test_the_limit_of_one_virtualhost() -> None:
    engine = Engine(policy={"sessions": 1})
    engine.add_virtualhost("other.test", ["app"])
    engine.dispatcher.admit(engine.instance(), "1.2.3.4")
    first, second, other = (engine.stream(FakeClient()) for _ in range(3))
    engine.request(first)
    engine.request(second)
    engine.request(other, request_head(authority=b"other.test"))
    assert second.session is None and other.session is not None
    assert engine.recorder.exchange.reason is CloseReason.LIMIT


def test_every_request_is_a_session_where_the_instance_wants_it() -> None:
    """§1 `exchange`."""
    engine = Engine(here={"app/1": "exchange"})
    stream = engine.stream()
    sids = []
    for _ in range(3):
        session = engine.request(stream)
        assert session is not None
        sids.append(session.sid)
        engine.respond(session)
        assert engine.heard(session)[-1] == (b"end", b"")
    assert len(set(sids)) == 3
    stream.client_left()
    engine.assert_settled()


def test_what_a_session_notice_tells() -> None:
    engine, client = Engine(), FakeClient()
    stream = engine.stream(client)
    session = engine.request(stream)
    stream.client_left(CloseReason.WRITE_TIMEOUT)
    opened, closed = engine.recorder.opened[0], engine.recorder.closed[0]
    assert session is not None and opened.sid == closed.sid == session.sid
    assert (opened.virtualhost, opened.node, opened.identity) == (engine.virtualhost.name, "app", "app")
    assert opened.connection is client.view
    assert (opened.reason, closed.reason) == (None, CloseReason.WRITE_TIMEOUT)
