"""Requests whose session is lost: repeated, answered or cut (`protocol.md` §2, §4, §6)."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason
from blastbeat.progress import Phase
from blastbeat.session import Session
from blastbeat.stream import Stream
from tests.helpers.engine import Engine, request_head, response_head, upload_head
from tests.helpers.engine_fakes import FakeClient

THREE = {"app": "", "app/2": "", "app/3": ""}


def serve(**options: object) -> tuple[Engine, FakeClient, Stream]:
    engine, client = Engine(here=THREE, **options), FakeClient()  # type: ignore[arg-type]
    return engine, client, engine.stream(client)


def identity(session: Session | None) -> str:
    assert session is not None
    return session.instance.view.identity


def lose(engine: Engine, name: str) -> None:
    """This one goes; the others are heard again at once."""
    engine.lose(name)
    for other in THREE:
        if other != name and engine.table.find(other.encode()) is not None:
            engine.node(other)


# ---------------------------------------------------------------- retry


def test_retry_goes_to_an_instance_not_tried_yet() -> None:
    engine, client, stream = serve()
    tried: list[Session] = []
    for _ in THREE:
        session = stream.session or engine.request(stream)
        assert session is not None
        tried.append(session)
        engine.say(session, "retry")
    assert [identity(session) for session in tried] == list(THREE)
    assert len({session.sid for session in tried}) == 3
    assert all(engine.heard(session) == [(b"uwsgi", b"GET /"), (b"end", b"")] for session in tried)
    assert client.statuses == [503]
    view = engine.recorder.exchange
    assert (view.hops, view.reason) == (3, CloseReason.NO_INSTANCE)
    assert [each.identity for each in engine.recorder.retried] == list(THREE)
    assert all(each.reason is CloseReason.NODE_RETRY for each in engine.recorder.closed)
    assert engine.counters["hops.retried"] == 3
    engine.assert_settled()


def test_the_body_goes_along() -> None:
    engine, client, stream = serve()
    first = engine.request(stream, upload_head(), ends=False)
    stream.request_data(b"one ")
    stream.request_data(b"two ")
    engine.say(first, "retry")
    second = stream.session
    assert second is not first and second is not None
    stream.request_data(b"three")
    stream.request_end()
    body = [(b"body", b"one "), (b"body", b"two "), (b"body", b"three"), (b"body", b"")]
    assert engine.heard(second)[1:] == body
    engine.say(second, "retry")
    assert engine.heard(stream.session)[1:] == body
    engine.respond(stream.session)
    assert client.statuses == [200] and engine.recorder.exchange.bytes_in == 13
    assert engine.recorder.exchange.hops == 2


@pytest.mark.parametrize(("size", "statuses"), [(10, []), (11, [502])])
def test_more_body_than_was_kept(size: int, statuses: list[int]) -> None:
    engine, client, stream = serve(policy={"retry_buffer": 10})
    session = engine.request(stream, upload_head(100), ends=False)
    stream.request_data(b"12345")
    stream.request_data(b"x" * (size - 5))
    engine.say(session, "retry")
    assert client.statuses == statuses
    assert engine.heard(session)[-1] == (b"end", b"")
    if statuses:
        assert "retry-buffer" in engine.recorder.exchange.detail
        engine.assert_settled()


def test_max_hops() -> None:
    """How many instances are tried for one request."""
    engine, client, stream = serve(policy={"max_hops": 2})
    engine.say(engine.request(stream), "retry")
    assert not client.heads
    engine.say(stream.session, "retry")
    assert client.statuses == [503]
    assert engine.recorder.exchange.reason is CloseReason.NODE_RETRY
    engine.assert_settled()


def test_a_full_instance_is_no_way_out() -> None:
    engine, client, stream = serve()
    engine.router.full = {b"app/2"}
    engine.say(engine.request(stream), "retry")
    assert identity(stream.session) == "app/3"
    engine.router.full = {b"app/2", b"app/3"}
    engine.say(stream.session, "retry")
    assert client.statuses == [503]


def test_a_late_retry_is_counted_and_nothing_else() -> None:
    engine, client, stream = serve()
    session = engine.request(stream)
    engine.say(session, "headers", response_head(length=2))
    engine.say(session, "retry")
    engine.say(session, "body", b"ok")
    engine.say(session, "retry")
    assert client.statuses == [200] and client.body == b"ok"
    assert engine.counters["messages.dropped.late-retry"] == 2


def test_the_place_of_the_session_that_was_given_up_is_free() -> None:
    engine, client, stream = serve(max_sessions=1)
    engine.say(engine.request(stream), "retry")
    engine.respond(stream.session)
    assert client.statuses == [200]


def test_what_was_tried_is_forgotten_with_the_next_request() -> None:
    engine, client, stream = serve()
    engine.say(engine.request(stream), "retry")
    engine.respond(stream.session)
    engine.request(stream)
    engine.say(stream.session, "retry")
    assert identity(stream.session) == "app"


# ---------------------------------------------------------------- an `end` of the exchange before


def second_request(engine: Engine, stream: Stream, method: bytes = b"GET", length: int = 0) -> Session | None:
    engine.respond(engine.request(stream))
    return engine.request(stream, request_head(b"/2", method, content_length=length or None), ends=not length)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
def test_a_stale_end_repeats_what_is_harmless(method: bytes) -> None:
    engine, client, stream = serve()
    first = second_request(engine, stream, method)
    engine.say(first, "end")
    assert stream.session is not first and stream.phase is Phase.FORWARDING
    assert engine.heard(stream.session) == [(b"uwsgi", method + b" /2")]
    assert engine.types(first) == [b"uwsgi", b"uwsgi", b"end"]
    engine.respond(stream.session)
    assert client.statuses == [200, 200] and engine.recorder.exchanges[1].hops == 0


def test_only_once() -> None:
    """In the new session it is the first request: its `end` comes before the head, so 502."""
    engine, client, stream = serve()
    engine.say(second_request(engine, stream), "end")
    engine.say(stream.session, "end")
    assert client.statuses == [200, 502]
    assert stream.session is None


@pytest.mark.parametrize(("method", "length"), [(b"POST", 0), (b"DELETE", 0), (b"GET", 5)])
def test_a_stale_end_leaves_everything_else_unanswered(method: bytes, length: int) -> None:
    engine, client, stream = serve()
    engine.say(second_request(engine, stream, method, length), "end")
    assert client.statuses == [200] and client.closings
    view = engine.recorder.exchanges[1]
    assert (view.status, view.reason) == (0, CloseReason.NODE_END)
    engine.assert_settled()


def test_nobody_there_for_the_repetition() -> None:
    engine, client, stream = serve()
    session = second_request(engine, stream)
    engine.router.full = {name.encode() for name in THREE}
    engine.say(session, "end")
    assert client.statuses == [200, 503]


# ---------------------------------------------------------------- an instance that is gone


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
def test_a_lost_instance_before_the_head(method: bytes) -> None:
    engine, client, stream = serve()
    first = engine.request(stream, request_head(method=method))
    lose(engine, "app")
    assert identity(stream.session) == "app/2"
    engine.respond(stream.session, b"")
    assert client.statuses == [200]
    assert b"end" not in engine.types(first), "there is nobody to hear it"
    assert engine.recorder.closed[0].reason is CloseReason.NODE_GONE
    assert engine.recorder.exchange.hops == 1


def test_a_get_with_its_body_goes_on_too() -> None:
    engine, client, stream = serve()
    engine.request(stream, upload_head(8, b"GET"), ends=False)
    stream.request_data(b"1234")
    lose(engine, "app")
    stream.request_data(b"5678")
    assert engine.heard(stream.session) == [(b"uwsgi", b"GET /"), (b"body", b"1234"), (b"body", b"5678")]
    assert not client.heads


@pytest.mark.parametrize(
    ("policy", "method", "data"),
    [
        ({}, b"POST", b""),
        ({"retry_methods": ()}, b"GET", b""),
        ({"retry_buffer": 3}, b"GET", b"1234"),
        ({"max_hops": 1}, b"GET", b""),
    ],
)
def test_what_must_not_be_repeated_is_a_502(policy: dict[str, object], method: bytes, data: bytes) -> None:
    engine, client, stream = serve(policy=policy)
    engine.request(stream, upload_head(4, method), ends=False)
    if data:
        stream.request_data(data)
    lose(engine, "app")
    assert client.statuses == [502]
    assert engine.recorder.exchange.reason is CloseReason.NODE_GONE
    engine.assert_settled()


def test_retry_methods_may_name_others() -> None:
    engine, client, stream = serve(policy={"retry_methods": ("POST",)})
    engine.request(stream, request_head(method=b"POST"))
    lose(engine, "app")
    assert identity(stream.session) == "app/2"


def test_nobody_else_is_there() -> None:
    """The node went away before its head, and that is what the client is told."""
    engine, client = Engine(), FakeClient()
    engine.request(engine.stream(client))
    engine.lose("app")
    assert client.statuses == [502]


def test_a_response_that_has_begun_is_cut() -> None:
    engine, client, stream = serve()
    engine.say(engine.request(stream), "headers", response_head())
    lose(engine, "app")
    assert client.cuts == 1 and not client.ends
    assert engine.recorder.exchange.reason is CloseReason.NODE_GONE
    assert engine.counters["responses.cut"] == 1
    engine.assert_settled()


def test_a_response_that_is_complete_is_kept() -> None:
    engine, client, stream = serve()
    engine.respond(engine.request(stream, upload_head(10), ends=False))
    lose(engine, "app")
    assert client.closings and not client.cuts and client.ends == 1
    engine.assert_settled()


def test_an_idle_client_notices_nothing() -> None:
    engine, client, stream = serve()
    engine.respond(engine.request(stream))
    lose(engine, "app")
    assert stream.session is None and not client.is_over
    engine.respond(engine.request(stream))
    assert client.statuses == [200, 200]


def test_every_session_of_a_lost_instance_is_seen_to() -> None:
    engine = Engine(here=THREE)
    clients = [FakeClient() for _ in range(5)]
    streams = [engine.stream(client) for client in clients]
    for stream in streams:
        engine.request(stream)
    lose(engine, "app")
    assert {identity(stream.session) for stream in streams} == {"app/2"}
    for stream in streams:
        engine.respond(stream.session)
        stream.client_left()
    assert [client.statuses for client in clients] == [[200]] * 5
    engine.assert_settled()


@pytest.mark.parametrize("is_seen", [False, True])
def test_a_post_that_no_node_has_seen_goes_on(is_seen: bool) -> None:
    """Its head still waited for its instance when that went."""
    engine, client, stream = serve()
    session = engine.request(stream, request_head(method=b"POST"))
    assert session is not None
    if not is_seen:
        session.instance.outbox.put(session.sid, b"uwsgi", b"POST /", opens_session=True)
    lose(engine, "app")
    if is_seen:
        assert client.statuses == [502]
    else:
        engine.respond(stream.session)
        assert client.statuses == [200] and engine.recorder.exchange.hops == 1
