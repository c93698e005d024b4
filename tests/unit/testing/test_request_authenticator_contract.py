"""Tests of `blastbeat.testing.request_authenticator_contract`: each mistake is found."""

from __future__ import annotations

import base64
from typing import Any

import anyio.lowlevel
import pytest

from blastbeat.interfaces import Allow, Answer
from blastbeat.testing import RequestAuthenticatorContract, make_request_view
from tests.helpers.contract_runs import assert_fails, failures_of

GOOD = [(b"host", b"a"), (b"authorization", b"Basic " + base64.b64encode(b"me:secret"))]
DENY = Answer(401, headers=[(b"WWW-Authenticate", b"Basic")])


class Basic:
    """A good one."""

    async def authenticate(self, view: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return self.judge(view.request.header(b"authorization") or b"")

    def judge(self, value: bytes) -> Any:
        try:
            user, _, password = base64.b64decode(value.removeprefix(b"Basic "), validate=True).partition(b":")
        except ValueError:
            return DENY
        return Allow([(b"REMOTE_USER", user)]) if password == b"secret" and user == b"me" else DENY


class Unguarded(Basic):
    def judge(self, value: bytes) -> Any:
        user, password = base64.b64decode(value.split(b" ")[1]).split(b":")
        return Allow() if password == b"secret" else DENY


class Anybody(Basic):
    async def authenticate(self, view: Any) -> Any:
        return Allow()


class SaysNothing(Basic):
    async def authenticate(self, view: Any) -> Any:
        return None


class BreaksTheHead(Basic):
    async def authenticate(self, view: Any) -> Any:
        found = await super().authenticate(view)
        return (
            found
            if isinstance(found, Allow)
            else Answer(403, b"", [(b"X-Why", view.request.target + b"\r\n")])
        )


class WithoutChallenge(Basic):
    async def authenticate(self, view: Any) -> Any:
        found = await super().authenticate(view)
        return found if isinstance(found, Allow) else Answer(401)


class TextForTheNode(Basic):
    async def authenticate(self, view: Any) -> Any:
        found = await super().authenticate(view)
        return Allow([("REMOTE_USER", "me")]) if isinstance(found, Allow) else found  # type: ignore[list-item]


class Answers100(Basic):
    async def authenticate(self, view: Any) -> Any:
        found = await super().authenticate(view)
        return found if isinstance(found, Allow) else Answer(100)


class Changes(Basic):
    async def authenticate(self, view: Any) -> Any:
        view.request.headers.append((b"x-user", b"me"))
        return await super().authenticate(view)


class KeepsTheView(Basic):
    """One request's view lies about while another's is judged."""

    view: Any = None

    async def authenticate(self, view: Any) -> Any:
        self.view = view
        await anyio.lowlevel.checkpoint()
        return self.judge(self.view.request.header(b"authorization") or b"")


class OpensTheDoor(Basic):
    is_open = False

    async def authenticate(self, view: Any) -> Any:
        found = await super().authenticate(view)
        self.is_open = self.is_open or isinstance(found, Allow)
        return Allow() if self.is_open else found


class KeepsPasswords(Basic):
    def __init__(self) -> None:
        self.verdicts: dict[bytes, Any] = {}

    async def authenticate(self, view: Any) -> Any:
        value = view.request.header(b"authorization") or b""
        if value not in self.verdicts:
            self.verdicts[value] = self.judge(value)
        return self.verdicts[value]


class Locks(Basic):
    """A client that leaves keeps the key."""

    is_busy = False

    async def authenticate(self, view: Any) -> Any:
        if self.is_busy:
            return DENY
        self.is_busy = True
        found = await super().authenticate(view)
        self.is_busy = False
        return found


class Miscounts(Basic):
    async def authenticate(self, view: Any) -> Any:
        view.count("requests.no-such-counter")
        return await super().authenticate(view)


class ClosesLate(Basic):
    """Its client is made by the first request."""

    client: Any = None

    async def aclose(self) -> None:
        self.client.close()


class ClosesAtOnce(Basic):
    def aclose(self) -> None: ...


def contract(authenticator: type, **changes: Any) -> type[RequestAuthenticatorContract]:
    values = {
        "new_authenticator": lambda self: authenticator(),
        "allowed": [make_request_view(headers=GOOD)],
        "denied": [make_request_view(), make_request_view(headers=[(b"authorization", b"Basic bWU6bm8=")])],
        **changes,
    }
    return type(f"For{authenticator.__name__}", (RequestAuthenticatorContract,), values)


def test_a_good_one_passes() -> None:
    assert failures_of(contract(Basic)) == {}


@pytest.mark.parametrize(
    ("broken", "test", "saying"),
    [
        (Unguarded, "test_any_request_gets", "IndexError"),
        (Unguarded, "test_whatever_clients_send", ""),
        (Unguarded, "test_damaged_credentials", ""),
        (Anybody, "test_it_judges_as_said", "allowed"),
        (SaysNothing, "test_any_request_gets", "neither Allow nor Answer"),
        (BreaksTheHead, "test_any_request_gets", "would break the head"),
        (WithoutChallenge, "test_any_request_gets", "WWW-Authenticate"),
        (TextForTheNode, "test_it_judges_as_said", "is not bytes"),
        (Answers100, "test_any_request_gets", "100"),
        (Changes, "test_any_request_gets", "changed the request"),
        (KeepsTheView, "test_it_judges_the_same_side_by_side", "side by side"),
        (OpensTheDoor, "test_it_judges_the_same_in_any_order", "otherwise"),
        (KeepsPasswords, "test_what_it_remembers", "no end"),
        (Locks, "test_a_client_that_leaves", "it denies"),
        (Miscounts, "test_any_request_gets", "no counter"),
        (ClosesLate, "test_it_closes_asked_or_not", "AttributeError"),
        (ClosesAtOnce, "test_only_its_judging_awaits", "aclose"),
    ],
)
def test_each_mistake_is_found(broken: type, test: str, saying: str) -> None:
    assert_fails(contract(broken), test, saying=saying)


@pytest.mark.parametrize("changes", [{"allowed": []}, {"denied": []}])
def test_a_contract_that_was_not_filled_in_is_found(changes: dict[str, Any]) -> None:
    assert_fails(contract(Basic, **changes), "test_there_is_something_to_judge", saying="fill")


def test_a_counter_of_the_plugins_own_is_known_by_its_name() -> None:
    made = contract(Miscounts, counters=["requests.no-such-counter"])
    assert failures_of(made, only="test_any_request_gets") == {}
