"""Requests that wait for an instance: who waits, in which order they go, and all the ways it ends."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.events import CloseReason
from blastbeat.holding import MAX_PLACED_AT_ONCE
from blastbeat.interfaces import Filter, RequestView, Route
from blastbeat.progress import Phase
from blastbeat.stream import Stream
from blastbeat.virtualhost import VirtualHost
from tests.helpers.engine import Engine, request_head, upload_head
from tests.helpers.engine_fakes import FakeClient, GatedAuthenticator

HOLD: dict[str, Any] = {"hold": 10.0, "hold_queue": 100}


def serve(**options: Any) -> Engine:
    """Nobody is there, and requests are held."""
    options.setdefault("here", {})
    options["policy"] = HOLD | options.get("policy", {})
    return Engine(**options)


def ask(engine: Engine, number: int = 1) -> list[tuple[FakeClient, Stream]]:
    """Requests ``/0``, ``/1``… of a client each."""
    asked = []
    for each in range(number):
        client = FakeClient()
        stream = engine.stream(client)
        engine.request(stream, request_head(b"/%d" % each))
        asked.append((client, stream))
    return asked


def come(engine: Engine, identity: str = "app") -> None:
    """The instance announces itself, and what it said was read."""
    engine.node(identity)
    engine.router.drain()


def waits(stream: Stream) -> bool:
    return stream.phase is Phase.HOLDING


def runs(stream: Stream) -> bool:
    return stream.phase is Phase.FORWARDING


def targets(engine: Engine) -> list[bytes]:
    """Of the requests that nodes were sent, in order."""
    return [body for _, _, type, body in engine.router.sent if type == b"uwsgi"]


# ---------------------------------------------------------------- waiting, and who comes


def test_a_request_waits_for_a_node_that_comes() -> None:
    engine = serve()
    ((client, stream),) = ask(engine)
    assert waits(stream) and not client.heads
    assert engine.counters["requests.held"] == 1 and engine.dispatcher.holding.size == 1
    engine.clock.now += 9
    come(engine)
    assert runs(stream)
    assert stream.deadline() == engine.clock.now + stream.policy.response_timeout, "begins now"
    engine.respond(stream.session)
    assert client.statuses == [200] and engine.recorder.exchange.hops == 0
    stream.client_left()
    assert engine.dispatcher.holding.size == 0
    engine.assert_settled()


def test_without_hold_nobody_waits() -> None:
    engine = Engine(here={})
    ((client, _),) = ask(engine)
    assert client.statuses == [503] and engine.counters["requests.held"] == 0


def test_they_go_in_the_order_of_their_arrival() -> None:
    engine = serve()
    ask(engine, 5)
    engine.node("app")
    assert not targets(engine), "what the node has sent so far is read first"
    late = ask(engine)
    assert late[0][1].phase is Phase.HOLDING, "behind those that wait"
    engine.router.drain()
    assert targets(engine) == [b"GET /%d" % number for number in (0, 1, 2, 3, 4, 0)]


def test_others_have_a_turn_in_between() -> None:
    engine = serve(policy={"hold_queue": 1000})
    asked = ask(engine, MAX_PLACED_AT_ONCE * 2 + 1)
    come(engine)
    assert len(targets(engine)) == MAX_PLACED_AT_ONCE
    engine.router.drain()
    engine.router.drain()
    assert targets(engine) == [b"GET /%d" % number for number in range(len(asked))]


def test_a_node_that_becomes_full_leaves_the_others_waiting() -> None:
    engine = serve()
    ask(engine, 4)
    taken = 0

    def take_two(*arguments: Any) -> bool:
        nonlocal taken
        taken += 1
        engine.router.full = {b"app"} if taken > 2 else set()
        return type(engine.router).offer(engine.router, *arguments)

    engine.router.offer = take_two  # type: ignore[method-assign,assignment]
    come(engine)
    assert targets(engine) == [b"GET /0", b"GET /1"] and engine.dispatcher.holding.size == 2
    taken = -10
    engine.dispatcher.instance_ready(engine.instance())
    engine.router.drain()
    assert targets(engine) == [b"GET /%d" % number for number in range(4)]
    assert engine.counters["requests.held"] == 4, "who waits on is not counted again"


def test_full_instances_are_waited_for_too() -> None:
    engine = serve(here={"app": ""})
    engine.router.full = {b"app"}
    ((client, stream),) = ask(engine)
    assert waits(stream)
    engine.router.full = set()
    engine.dispatcher.instance_ready(engine.instance())
    engine.router.drain()
    engine.respond(stream.session)
    assert client.statuses == [200]


def test_a_drained_node_is_followed_by_the_next() -> None:
    """A rolling redeploy: the old instance drains, the new one comes later."""
    engine = serve(here={"app/old": ""})
    ((client, stream),) = ask(engine)
    engine.dispatcher.message_received(engine.instance("app/old"), b"", b"drain", b"")
    ((second, waiting),) = ask(engine)
    engine.respond(stream.session)
    assert client.statuses == [200] and waits(waiting)
    come(engine, "app/new")
    engine.respond(waiting.session)
    assert second.statuses == [200]


def test_a_silent_node_that_speaks_again() -> None:
    engine = serve(here={"app": ""})
    engine.clock.now += 4
    engine.table.tick(engine.clock.now)
    ((_, stream),) = ask(engine)
    assert waits(stream)
    come(engine)
    assert runs(stream)


def test_a_node_that_was_away_so_shortly_that_nobody_was_told() -> None:
    """Lost and back between two ticks: neither silent nor up is said."""
    engine = serve(here={"app": ""})
    engine.table.unreachable(engine.instance(), engine.clock.now)
    ((_, stream),) = ask(engine)
    assert waits(stream)
    engine.table.reachable(engine.instance())
    come(engine)
    assert runs(stream) and len(engine.recorder.nodes) == 1


def test_a_node_that_the_authenticators_let_in_later() -> None:
    class Gate:
        verdict = False

        def authenticate(self, candidate: object) -> bool:
            return self.verdict

    gate = Gate()
    engine = serve(here={"app": ""}, node_authenticators=[gate])
    ((_, stream),) = ask(engine)
    assert waits(stream)
    gate.verdict = True
    engine.dispatcher.admit(engine.instance(), "1.2.3.5")
    engine.router.drain()
    assert runs(stream)


def test_only_who_waits_for_this_node_is_placed() -> None:
    class ToOther(Filter):
        def on_request(self, view: RequestView) -> Route | None:
            return Route(nodes=["other"]) if view.request.target == b"/1" else None

    engine = serve(nodes=("app", "other"), filters=[ToOther()], here={})
    (_, first), (_, second) = ask(engine, 2)
    come(engine)
    assert runs(first) and waits(second)
    ((_, third),) = ask(engine)
    assert runs(third), "nobody waits for this node any more"
    come(engine, "other")
    assert runs(second)


def test_without_any_node_name_there_is_nothing_to_wait_for() -> None:
    engine = serve(nodes=())
    ((client, _),) = ask(engine)
    assert client.statuses == [503]


def test_a_selector_that_refuses_is_obeyed() -> None:
    engine = serve(here={"app": ""}, select=lambda candidates, request: None)
    ((client, _),) = ask(engine)
    assert client.statuses == [503] and engine.counters["requests.held"] == 0


def test_filters_and_authenticators_look_once() -> None:
    gate = GatedAuthenticator()
    gate.is_open = True
    engine = serve(authenticators=[gate])
    ((_, stream),) = ask(engine)
    engine.tasks.run()
    assert waits(stream)
    come(engine)
    assert runs(stream) and gate.asked == 1
    engine.close()


# ---------------------------------------------------------------- bodies


def test_a_body_stays_with_its_client() -> None:
    engine, client = serve(), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, upload_head(expect_continue=True), ends=False)
    assert not client.continues, "no node, no 100"
    stream.request_data(b"what came ")
    stream.request_data(b"with the same read")
    assert client.holds == 1
    come(engine)
    assert client.holds == 0 and not client.continues, "it has not waited for it"
    stream.request_data(b", and more")
    stream.request_end()
    bodies = [b"what came ", b"with the same read", b", and more", b""]
    assert engine.heard(stream.session)[1:] == [(b"body", body) for body in bodies]


def test_100_continue_is_said_when_a_node_is_there() -> None:
    engine, client = serve(), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, upload_head(5, expect_continue=True), ends=False)
    come(engine)
    assert client.continues == 1


def test_a_body_that_is_too_long_is_answered_while_it_waits() -> None:
    engine, client = serve(policy={"max_body": 4}), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, upload_head(), ends=False)
    stream.request_data(b"12345")
    assert client.statuses == [413] and client.holds == 0
    come(engine)
    assert not targets(engine)
    engine.assert_settled()


# ---------------------------------------------------------------- nobody comes


def test_the_time_is_over() -> None:
    engine = serve()
    ((client, stream),) = ask(engine)
    engine.expire(stream)
    assert client.statuses == [503] and (b"Retry-After", b"5") in client.heads[0].headers
    assert engine.counters["requests.held-over"] == 1 and engine.dispatcher.holding.size == 0
    come(engine)
    assert not targets(engine)
    engine.request(stream)
    engine.respond(stream.session)
    assert client.statuses == [503, 200], "the connection goes on"


def test_the_queue_is_bounded() -> None:
    engine = serve(policy={"hold_queue": 2})
    (first, _), (_, second), (third, _) = ask(engine, 3)
    assert third.statuses == [503] and not first.heads
    assert engine.recorder.exchange.reason is CloseReason.LIMIT
    assert engine.counters["requests.held-refused"] == 1 and engine.counters["requests.held"] == 2
    second.client_left()
    ((_, fourth),) = ask(engine)
    assert waits(fourth), "there is room again"


def test_a_client_that_leaves_is_forgotten() -> None:
    engine = serve()
    (_, gone), (_, stays) = ask(engine, 2)
    gone.client_left()
    assert engine.dispatcher.holding.size == 1 and engine.virtualhost.held is not None
    assert engine.virtualhost.held.size == 1
    come(engine)
    assert targets(engine) == [b"GET /1"] and runs(stays)
    assert engine.recorder.exchange.reason is CloseReason.CLIENT_LEFT


def test_all_are_answered_when_the_server_stops() -> None:
    engine = serve()
    asked = ask(engine, 3)
    engine.dispatcher.is_stopping = True
    engine.dispatcher.holding.give_up(CloseReason.SERVER_STOP, "the server stops")
    assert [client.statuses for client, _ in asked] == [[503]] * 3
    assert all(client.closings for client, _ in asked)
    ((client, _),) = ask(engine)
    assert client.statuses == [503], "none waits from here on"
    engine.assert_settled()


def test_those_of_one_virtualhost_are_answered() -> None:
    engine = serve()
    other = engine.add_virtualhost("other.test", ["app"], HOLD)
    ((client, _),) = ask(engine)
    theirs = FakeClient()
    engine.request(engine.stream(theirs), request_head(authority=b"other.test"))
    engine.dispatcher.holding.give_up(CloseReason.NO_INSTANCE, "it was removed", other)
    assert theirs.statuses == [503] and not client.heads


def test_a_limit_on_sessions_is_not_waited_for() -> None:
    engine = serve(policy={"sessions": 1})
    (first, _), (second, _) = ask(engine, 2)
    come(engine)
    assert not first.heads and second.statuses == [503]
    assert engine.recorder.exchange.reason is CloseReason.LIMIT


# ---------------------------------------------------------------- requests that were with a node already


def test_a_request_whose_node_went_away_waits_for_its_successor() -> None:
    engine = serve(here={"app": ""})
    ((client, stream),) = ask(engine)
    engine.lose("app")
    assert waits(stream)
    come(engine)
    engine.respond(stream.session)
    assert client.statuses == [200] and engine.recorder.exchange.hops == 1


def test_and_is_told_that_it_went_away_when_there_is_none() -> None:
    engine = serve(here={"app": ""})
    ((client, stream),) = ask(engine)
    engine.lose("app")
    engine.expire(stream)
    assert client.statuses == [502]


def test_the_body_goes_along() -> None:
    engine, client = serve(here={"app": ""}), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, upload_head(method=b"GET"), ends=False)
    stream.request_data(b"one ")
    engine.lose("app")
    stream.request_data(b"two")
    stream.request_end()
    assert client.holds == 1
    come(engine)
    assert engine.heard(stream.session)[1:] == [(b"body", b"one "), (b"body", b"two"), (b"body", b"")]


def test_who_asked_for_retry_does_not_get_it_again() -> None:
    """But newcomers do, and so does the request when the instance comes anew."""
    engine = serve(here={"app": ""})
    ((client, stream),) = ask(engine)
    engine.say(stream.session, "retry")
    assert waits(stream)
    ((_, newcomer),) = ask(engine)
    assert runs(newcomer)
    engine.clock.now += 4
    engine.table.tick(engine.clock.now)  # silent
    come(engine)
    engine.respond(stream.session)
    assert client.statuses == [200] and engine.recorder.exchange.hops == 1


def test_one_that_can_not_go_holds_up_none_behind_it() -> None:
    engine = serve(nodes=("app", "b"), here={"app": "", "b": ""})
    ((_, first),) = ask(engine)
    engine.say(first.session, "retry")
    engine.say(first.session, "retry")
    assert waits(first)
    engine.clock.now += 4
    engine.table.tick(engine.clock.now)
    ((_, second),) = ask(engine)
    assert waits(second)
    first.exchange.tried |= {"never"}  # type: ignore[union-attr]
    engine.router.full = {b"b"}
    come(engine, "b")
    engine.router.full = set()
    come(engine)
    assert runs(first) and runs(second)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_the_next_request_of_a_connection_whose_node_is_away(method: bytes) -> None:
    """It begins a new session, held like any other."""
    engine = serve(here={"app/1": ""})
    ((client, stream),) = ask(engine)
    first = stream.session
    engine.respond(first)
    engine.table.unreachable(engine.instance("app/1"), engine.clock.now)
    engine.request(stream, request_head(method=method))
    assert waits(stream)
    assert engine.types(first) == [b"uwsgi", b"end"], "waits for it, should it come back"
    come(engine, "app/2")
    assert stream.session is not None and stream.session.instance.identity == b"app/2"
    engine.respond(stream.session)
    assert client.statuses == [200, 200]


def test_without_hold_it_waits_for_its_own_node() -> None:
    engine = Engine(here={"app/1": ""})
    ((_, stream),) = ask(engine)
    first = stream.session
    engine.respond(first)
    engine.table.unreachable(engine.instance("app/1"), engine.clock.now)
    engine.request(stream)
    assert stream.session is first


# ---------------------------------------------------------------- another virtualhost in its place


def heir(engine: Engine, *nodes: str, **policy: Any) -> VirtualHost:
    return engine.add_virtualhost(engine.virtualhost.name, nodes, HOLD | policy)


def test_what_waits_moves_to_the_nodes_of_the_one_in_its_place() -> None:
    engine = serve()
    asked = ask(engine, 3)
    fresh = heir(engine, "other")
    engine.dispatcher.holding.move(engine.virtualhost, fresh)
    assert all(waits(stream) and stream.virtualhost is fresh for _, stream in asked)
    assert all(stream.policy is fresh.config for _, stream in asked)
    come(engine, "other")
    assert targets(engine) == [b"GET /0", b"GET /1", b"GET /2"]
    assert engine.dispatcher.holding.size == 0


def test_somebody_may_be_there_already() -> None:
    engine = serve()
    ((_, stream),) = ask(engine)
    fresh = heir(engine, "other")
    engine.node("other")
    engine.dispatcher.holding.move(engine.virtualhost, fresh)
    assert runs(stream)


def test_where_nothing_waits_any_more() -> None:
    engine = serve()
    ((client, _),) = ask(engine)
    engine.dispatcher.holding.move(engine.virtualhost, heir(engine, "other", hold=0.0))
    assert client.statuses == [503]


def test_nodes_that_a_filter_chose_stay_chosen() -> None:
    class Choose(Filter):
        def on_request(self, view: RequestView) -> Route:
            return Route(nodes=("two",))

    engine = serve(nodes=("one", "two"), filters=[Choose()])
    ((_, stream),) = ask(engine)
    engine.dispatcher.holding.move(engine.virtualhost, heir(engine, "one", "two"))
    engine.node("one")
    engine.router.drain()
    assert waits(stream)
    come(engine, "two")
    assert runs(stream)


def test_those_of_another_virtualhost_stay_where_they_are() -> None:
    engine = serve()
    asked = ask(engine, 2)
    other = engine.add_virtualhost("other.test", ["other"], HOLD)
    engine.dispatcher.holding.move(other, engine.virtualhost)
    assert all(stream.virtualhost is engine.virtualhost for _, stream in asked)
