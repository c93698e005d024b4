"""Tests of `blastbeat.testing.contracts`: each contract lets a good object pass and finds each breach."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import pytest

from blastbeat.errors import ClientError, NodeError
from blastbeat.events import CloseReason, NodeData
from blastbeat.interfaces import Allow, Answer, Filter, Route
from blastbeat.testing import (
    EncoderContract,
    FilterContract,
    NodeAuthenticatorContract,
    RequestAuthenticatorContract,
    SelectorContract,
    make_candidate,
    make_instance,
    make_request_view,
)


class GoodEncoder:
    def encode_request(self, request: Any) -> Any:
        if request.method == b"PUT":
            raise ClientError(431, "too large")
        return bytes(request.target)

    def decode(self, body: Any) -> Any:
        if bytes(body) != b"ok":
            raise NodeError("not ok")
        return NodeData(body)


class GoodSelector:
    def select(self, candidates: Sequence[Any], request: Any) -> Any:
        return candidates[0]


class GoodNodeAuthenticator:
    def authenticate(self, candidate: Any) -> Any:
        return candidate.node == "good"


class GoodRequestAuthenticator:
    is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True

    async def authenticate(self, view: Any) -> Any:
        told = Allow(headers=[(b"X-User", b"good")])
        assert not self.is_closed
        return told if view.request.header(b"x-good") else Answer(403, b"", [(b"X-Why", b"no")])


class GoodFilter(Filter):
    def on_data(self, view: Any, direction: str, n: int) -> Any:
        if view.request.method == b"POST":
            raise ClientError(413, "too large", headers=[(b"Retry-After", b"1")], limit="body")
        return 0.5

    def on_request(self, view: Any) -> Any:
        return {b"HEAD": Answer(204), b"PUT": Route(["node2"])}.get(view.request.method)


CONTRACTS: dict[type, tuple[type, str, dict[str, Any]]] = {
    GoodEncoder: (EncoderContract, "new_encoder", {"valid_bodies": [b"ok"], "invalid_bodies": [b"no"]}),
    GoodSelector: (SelectorContract, "new_selector", {}),
    GoodNodeAuthenticator: (
        NodeAuthenticatorContract,
        "new_authenticator",
        {"accepted": [make_candidate("good")], "denied": [make_candidate("bad")]},
    ),
    GoodRequestAuthenticator: (
        RequestAuthenticatorContract,
        "new_authenticator",
        {"allowed": [make_request_view(headers=[(b"x-good", b"1")])], "denied": [make_request_view()]},
    ),
    GoodFilter: (FilterContract, "new_filter", {}),
}


def run_contract(base: type, subject: type, **changes: Any) -> None:
    """Every test of the contract, as pytest would run them."""
    contract, factory, values = CONTRACTS[base]
    made = type("Contract", (contract,), {factory: lambda self: subject(), **values, **changes})
    for name, _ in inspect.getmembers(made, inspect.isfunction):
        if name.startswith("test_"):
            getattr(made(), name)()


@pytest.mark.parametrize("good", CONTRACTS)
def test_a_good_object_passes(good: type) -> None:
    run_contract(good, good)


def refuses_with(error: ClientError) -> Any:
    def refuse(self: Any, *arguments: Any) -> Any:
        raise error

    return refuse


def returns(value: Any) -> Any:
    return lambda self, *arguments: value


async def says_nothing(self: object, view: object) -> None: ...


async def answers_100(self: object, view: object) -> Answer:
    return Answer(100)


async def breaks_the_head(self: object, view: object) -> Answer:
    return Answer(403, b"", [(b"X-Why", b"a\r\nSet-Cookie: b")])


async def changes_the_request(self: object, view: Any) -> Answer:
    view.request.headers.append((b"x-good", b"1"))
    return Answer(403)


def changes_the_method(self: object, request: Any) -> bytes:
    request.method = b"GET" if request.method != b"GET" else b"HEAD"
    return b""


def counts_up(self: object, request: Any) -> bytes:
    COUNT.append(1)
    return b"%d" % len(COUNT)


COUNT: list[int] = []


def raises_type_error(self: object, body: Any) -> Any:
    return NodeData(body + b"")


def changes_a_candidate(self: object, candidates: Any, request: Any) -> Any:
    candidates[0].sessions += 1
    return candidates[0]


def sorts_the_candidates(self: object, candidates: Any, request: Any) -> Any:
    candidates.sort(key=lambda one: one.identity, reverse=True)
    return candidates[0]


@pytest.mark.parametrize(
    ("good", "method", "breach"),
    [
        (GoodEncoder, "encode_request", returns("text")),
        (GoodEncoder, "encode_request", changes_the_method),
        (GoodEncoder, "encode_request", counts_up),
        (GoodEncoder, "decode", returns(None)),
        (GoodEncoder, "decode", raises_type_error),
        (GoodEncoder, "decode", returns(NodeData(b""))),
        (GoodSelector, "select", returns(make_instance())),
        (GoodSelector, "select", returns("node1")),
        (GoodSelector, "select", changes_a_candidate),
        (GoodSelector, "select", sorts_the_candidates),
        (GoodNodeAuthenticator, "authenticate", returns(True)),
        (GoodNodeAuthenticator, "authenticate", returns(False)),
        (GoodNodeAuthenticator, "authenticate", lambda self, candidate: candidate.node == "good" or None),
        (GoodRequestAuthenticator, "authenticate", says_nothing),
        (GoodRequestAuthenticator, "authenticate", answers_100),
        (GoodRequestAuthenticator, "authenticate", breaks_the_head),
        (GoodRequestAuthenticator, "authenticate", changes_the_request),
        (GoodRequestAuthenticator, "aclose", returns(None)),
        (GoodFilter, "on_request", returns("no")),
        (GoodFilter, "on_request", returns(Answer(99))),
        (GoodFilter, "on_response", returns(None)),
        (GoodFilter, "on_data", returns(None)),
        (GoodFilter, "on_data", returns(-1.0)),
        (GoodFilter, "on_data", refuses_with(ClientError(200, "fine"))),
        (GoodFilter, "on_message", refuses_with(ClientError(429, "x", headers=[(b"a", b"\n")]))),
        (GoodFilter, "on_message", returns(CloseReason.LIMIT.value)),
    ],
)
def test_each_breach_is_found(good: type, method: str, breach: Any) -> None:
    with pytest.raises((AssertionError, TypeError, AttributeError)):
        run_contract(good, type("Broken", (good,), {method: breach}))


@pytest.mark.parametrize(
    ("good", "changes"),
    [
        (GoodNodeAuthenticator, {"accepted": []}),
        (GoodRequestAuthenticator, {"denied": []}),
        (GoodEncoder, {"invalid_bodies": [b"ok"]}),
    ],
)
def test_a_contract_that_was_not_filled_in_is_found(good: type, changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        run_contract(good, good, **changes)


def test_an_encoder_that_owns_no_direction_is_found() -> None:
    with pytest.raises(AssertionError):
        run_contract(GoodEncoder, type("Empty", (), {}), valid_bodies=[], invalid_bodies=[])


def test_the_factory_must_be_given() -> None:
    with pytest.raises(NotImplementedError, match="new selector"):
        SelectorContract().new_selector()
