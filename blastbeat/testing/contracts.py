"""What each family of plugins must keep, as classes to subclass with pytest.

A subclass says how its object is made, and inherits every test; BlastBeat's own plugins run the same ones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import anyio

from blastbeat.errors import ClientError, NodeError
from blastbeat.events import CloseReason, ResponseHead
from blastbeat.interfaces import (
    Allow,
    Answer,
    Closable,
    Encoder,
    ExpectsNodes,
    Filter,
    InstanceView,
    NodeAuthenticator,
    NodeCandidate,
    RequestAuthenticator,
    RequestView,
    Route,
    Selector,
)
from blastbeat.request_changes import allowed
from blastbeat.testing.fakes import (
    make_candidate,
    make_connection_view,
    make_instance,
    make_request,
    make_request_view,
    sample_requests,
)


class EncoderContract:
    """Say in `valid_bodies` what nodes may send under the type, and in `invalid_bodies` what must be refused;
    both stay empty for an encoder that only writes requests."""

    valid_bodies: Sequence[bytes] = ()
    invalid_bodies: Sequence[bytes] = ()

    def new_encoder(self) -> Encoder:
        raise NotImplementedError("return a new encoder")

    def test_it_owns_at_least_one_direction(self) -> None:
        encoder = self.new_encoder()
        assert hasattr(encoder, "encode_request") or hasattr(encoder, "decode")
        assert hasattr(encoder, "decode") or not self.valid_bodies

    def test_requests_become_bytes_or_a_client_error(self) -> None:
        encode: Any = getattr(self.new_encoder(), "encode_request", None)
        for request in sample_requests() if encode else ():
            before = copy.deepcopy(request)
            try:
                body = encode(request)
            except ClientError:
                continue
            assert type(body) is bytes, f"encode_request returned {type(body).__name__}, not bytes"
            assert request == before, "encode_request changed the request"
            assert encode(request) == body, "the same request was written differently the second time"

    def test_valid_bodies_are_read_from_any_buffer(self) -> None:
        decode: Any = getattr(self.new_encoder(), "decode", None)
        for body in self.valid_bodies if decode else ():
            expected = plain(decode(body))
            for buffer in (bytearray(body), memoryview(body)):
                assert plain(decode(buffer)) == expected, f"read differently from a {type(buffer).__name__}"

    def test_invalid_bodies_are_node_errors(self) -> None:
        decode: Any = getattr(self.new_encoder(), "decode", None)
        for body in self.invalid_bodies:
            assert decode is not None
            assert raises(NodeError, decode, body), f"{body!r} was not refused"

    def test_garbage_is_an_event_or_a_node_error(self) -> None:
        decode: Any = getattr(self.new_encoder(), "decode", None)
        for body in damaged(self.valid_bodies) if decode else ():
            try:
                event = decode(body)
            except NodeError:
                continue
            assert event is not None, f"decode returned None for {body!r}"


class SelectorContract:
    """A selector picks from what it is offered, whoever comes and goes."""

    def new_selector(self) -> Selector:
        raise NotImplementedError("return a new selector")

    def offers(self) -> list[list[InstanceView]]:
        """What is offered in turn; override to add what your selector looks at."""
        names = ["node1", "node2", "node2/a", "node3"]
        pools = [[make_instance(name, sessions=len(name)) for name in names[:n]] for n in (1, 4, 2, 3, 1)]
        return [*pools, [make_instance("node9", sessions=7, queued_bytes=1 << 20)]]

    def test_it_returns_what_it_was_offered_or_none(self) -> None:
        selector = self.new_selector()
        for candidates in self.offers():
            for request in sample_requests():
                chosen = selector.select(candidates, request)
                assert chosen is None or any(chosen is one for one in candidates), (
                    f"{chosen!r} is not offered"
                )

    def test_it_takes_any_sequence(self) -> None:
        candidates = tuple(make_instance(f"node{n}") for n in range(3))
        chosen = self.new_selector().select(candidates, make_request())
        assert chosen is None or any(chosen is one for one in candidates)

    def test_nodes_without_options_are_welcome(self) -> None:
        selector = self.new_selector()
        if isinstance(selector, ExpectsNodes):
            selector.expect_nodes({})
            self.new_selector().expect_nodes({"node1": {}, "node2": {}})  # type: ignore[attr-defined]

    def test_it_changes_nothing(self) -> None:
        selector = self.new_selector()
        for candidates in self.offers():
            before, request = copy.deepcopy(candidates), make_request()
            selector.select(candidates, request)
            assert candidates == before and request == make_request()


class NodeAuthenticatorContract:
    """Say in `accepted` and `denied` who must be let in and who must not."""

    accepted: Sequence[NodeCandidate] = ()
    denied: Sequence[NodeCandidate] = ()

    def new_authenticator(self) -> NodeAuthenticator:
        raise NotImplementedError("return a new node authenticator")

    def test_there_is_something_to_judge(self) -> None:
        assert self.accepted and self.denied, "fill `accepted` and `denied`"

    def test_it_judges_as_said(self) -> None:
        authenticator = self.new_authenticator()
        for candidate in self.accepted:
            assert authenticator.authenticate(candidate) is True, f"denied {candidate}"
        for candidate in self.denied:
            assert authenticator.authenticate(candidate) is False, f"accepted {candidate}"

    def test_strange_candidates_get_a_plain_answer(self) -> None:
        authenticator = self.new_authenticator()
        for candidate in (
            make_candidate(address=""),
            make_candidate(identity=b"node1/\xff\x00"),
            make_candidate(expected=frozenset()),
            make_candidate(address="2001:db8::1", endpoint="ipc:///run/nodes"),
        ):
            assert type(authenticator.authenticate(candidate)) is bool


class RequestAuthenticatorContract:
    """Say in `allowed` and `denied` which requests must pass and which must not."""

    allowed: Sequence[RequestView] = ()
    denied: Sequence[RequestView] = ()

    def new_authenticator(self) -> RequestAuthenticator:
        raise NotImplementedError("return a new request authenticator")

    def test_there_is_something_to_judge(self) -> None:
        assert self.allowed and self.denied, "fill `allowed` and `denied`"

    def test_it_judges_as_said(self) -> None:
        for view in self.allowed:
            verdict = self.judge(view)
            assert isinstance(verdict, Allow), f"denied {view.request}"
            allowed(view.request, verdict)  # what can't be handed to a node denies in a server
        for view in self.denied:
            assert isinstance(self.judge(view), Answer), f"allowed {view.request}"

    def test_any_request_gets_a_verdict_that_can_be_sent(self) -> None:
        for request in sample_requests():
            verdict = self.judge(RequestView(request, make_connection_view()))
            if isinstance(verdict, Answer):
                check_answer(verdict)
            else:
                assert isinstance(verdict, Allow), f"{verdict!r} is neither Allow nor Answer"
                allowed(request, verdict)

    def test_it_closes_asked_or_not(self) -> None:
        """Where it has `aclose`: a server may stop, or drop it, before the first request."""
        for views in ((), (*self.allowed, *self.denied)):
            authenticator = self.new_authenticator()
            if isinstance(authenticator, Closable):
                anyio.run(_ask_and_close, authenticator, views)

    def judge(self, view: RequestView) -> Allow | Answer:
        """The verdict of a new authenticator; the request must be left as it was."""
        before = copy.deepcopy(view.request)
        verdict = anyio.run(self.new_authenticator().authenticate, view)
        assert view.request == before, "authenticate changed the request"
        return verdict


class FilterContract:
    """A filter returns what its methods promise, for every request, in every order they are called."""

    def new_filter(self) -> Filter:
        raise NotImplementedError("return a new filter")

    def test_an_exchange_from_begin_to_end(self) -> None:
        subject = self.new_filter()
        for number, request in enumerate(sample_requests()):
            view = RequestView(request, make_connection_view(), opens_session=number % 2 == 0)
            before = copy.deepcopy(request)
            check_decision(subject.on_request(view))
            head = ResponseHead(1, 200, b"OK", [(b"Content-Type", b"text/plain")], length=3)
            assert isinstance(subject.on_response(view, head), ResponseHead)
            pace = subject.on_output(view)
            wait = pace(1000) if pace is not None else 0
            assert isinstance(wait, int | float) and wait >= 0, f"what on_output returned said {wait!r}"
            try:
                self.pass_data(subject, view)
            except ClientError as error:
                check_refusal(error)
            subject.on_closed(view)
            assert request == before, "the filter changed the request; return a Route instead"

    def pass_data(self, subject: Filter, view: RequestView) -> None:
        """Payload and messages, until the filter refuses."""
        for direction in ("in", "out"):
            pause = subject.on_data(view, direction, 1000)
            assert isinstance(pause, int | float) and pause >= 0, f"on_data returned {pause!r}"
            closed = subject.on_message(view, direction, 10)
            assert closed is None or isinstance(closed, CloseReason), f"on_message returned {closed!r}"

    def test_an_exchange_that_ends_at_once(self) -> None:
        subject = self.new_filter()
        view = make_request_view()
        subject.on_request(view)
        subject.on_closed(view)

    def test_exchanges_side_by_side(self) -> None:
        subject = self.new_filter()
        views = [make_request_view(request_id=b"%d" % number) for number in range(10)]
        for view in views:
            check_decision(subject.on_request(view))
        for view in reversed(views):
            subject.on_closed(view)


# ---------------------------------------------------------------- what the contracts ask


async def _ask_and_close(authenticator: Any, views: Sequence[RequestView]) -> None:
    for view in views:
        await authenticator.authenticate(view)
    assert await authenticator.aclose() is None


def check_decision(decision: object) -> None:
    """Fails unless `decision` is what `Filter.on_request` may return."""
    assert decision is None or isinstance(decision, Answer | Route), f"on_request returned {decision!r}"
    if isinstance(decision, Answer):
        check_answer(decision)


def check_refusal(error: ClientError) -> None:
    """Fails unless what `Filter.on_data` or `on_message` raised can be answered with."""
    assert 400 <= error.status <= 599, f"{error.status} is no status of a refusal"
    check_answer(Answer(error.status, b"", error.headers))
    assert isinstance(error.reason, str) and isinstance(error.limit, str), f"{error!r}: these are texts"


def check_answer(answer: Answer) -> None:
    """Fails unless the answer can be sent as it is."""
    assert 200 <= answer.status <= 599, f"{answer.status} is no status of a final response"
    for name, value in answer.headers:
        assert name and not set(name + value) & set(b"\r\n\0"), f"{name!r}: {value!r} would break the head"


def damaged(bodies: Sequence[bytes]) -> list[bytes]:
    """Garbage: each body cut, grown and with single bytes changed, and what never was one."""
    found = [b"", b"\0" * 70, b"\xff" * 70, bytes(range(256)), b"x" * 70_000]
    for body in bodies:
        found += [body[:end] for end in range(min(len(body), 200))]
        found += [body + b"\0", b"\0" + body, body * 2]
        found += [
            body[:at] + bytes([value]) + body[at + 1 :]
            for at in range(min(len(body), 100))
            for value in (0, 10, 13, 255)
        ]
    return found


def plain(event: Any) -> Any:
    """The event with its buffers as bytes, so that two can be compared."""
    values = {name: getattr(event, name) for name in type(event).__slots__}
    buffers = bytes | bytearray | memoryview
    return type(event), {
        name: bytes(value) if isinstance(value, buffers) else value for name, value in values.items()
    }


def raises(error: type[Exception], function: Callable[[bytes], object], body: bytes) -> bool:
    """True when `function` raises `error` for `body`, False when it returns."""
    try:
        function(body)
    except error:
        return True
    return False
