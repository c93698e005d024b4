"""The authenticator as the server makes it: contract, options, answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from auth_basic_case import ANNA, BERT, CARL, field, load, make, request, write
from blastbeat.errors import ConfigError
from blastbeat.events import CloseReason
from blastbeat.interfaces import Allow, Answer, RequestAuthenticator, RequestView
from blastbeat.testing import RequestAuthenticatorContract, make_request_view
from blastbeat_auth_basic.checks import Busy


@pytest.fixture
def users(tmp_path: Path) -> Path:
    return write(tmp_path, ANNA, BERT, CARL)


class TestContract(RequestAuthenticatorContract):
    allowed: Sequence[RequestView] = (
        request("anna", "sesame"),
        request("b\u00e9rt", "s\u00e9cret 1"),
        request("carl", "Hello", upgrade=True),
    )
    denied: Sequence[RequestView] = (
        make_request_view(),
        request("anna", "Sesame"),
        request("anna", ""),
        request("ANNA", "sesame"),
        request("nobody", "sesame"),
        request("", ""),
        make_request_view(headers=[field("anna", "sesame")] * 2),
        make_request_view(headers=[(b"authorization", b"Bearer abc")]),
        make_request_view(headers=[(b"proxy-authorization", field("anna", "sesame")[1])]),
    )

    @pytest.fixture(autouse=True)
    def _users(self, users: Path) -> None:
        self.users = users

    def new_authenticator(self) -> RequestAuthenticator:
        authenticator: RequestAuthenticator = make(self.users)
        return authenticator


def judge(authenticator: Any, view: RequestView) -> Allow | Answer:
    verdict: Allow | Answer = anyio.run(authenticator.authenticate, view)
    return verdict


def test_the_node_is_told_who_it_is(users: Path) -> None:
    verdict = judge(make(users), request("b\u00e9rt", "s\u00e9cret 1"))
    assert isinstance(verdict, Allow)
    assert dict(verdict.variables) == {b"REMOTE_USER": "b\u00e9rt".encode(), b"AUTH_TYPE": b"Basic"}


def test_fields_for_nodes_that_read_no_variables(users: Path) -> None:
    verdict = judge(make(users, header="X-Remote-User,X-User"), request("anna", "sesame"))
    assert isinstance(verdict, Allow)
    assert list(verdict.headers) == [(b"x-remote-user", b"anna"), (b"x-user", b"anna")]
    assert list(verdict.remove_headers) == [b"authorization"]
    kept = judge(make(users, authorization="keep"), request("anna", "sesame"))
    assert isinstance(kept, Allow) and not kept.remove_headers


def test_the_client_is_asked_for_a_password(users: Path) -> None:
    verdict = judge(make(users, realm="The shop"), make_request_view())
    assert isinstance(verdict, Answer) and verdict.status == 401
    assert dict(verdict.headers) == {b"WWW-Authenticate": b'Basic realm="The shop", charset="UTF-8"'}


def test_neither_client_nor_log_is_told_what_was_wrong(users: Path) -> None:
    wrong = [judge(make(users), request(*pair)) for pair in (("anna", "x"), ("nobody", "s3cret"))]
    assert wrong[0] == wrong[1]
    assert "nobody" not in repr(wrong) and "s3cret" not in repr(wrong)


def test_an_unknown_name_is_checked_like_a_known_one(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authenticator, asked = make(users), list[bytes]()

    async def check(password: bytes, hashed: bytes, client: bytes, now: float) -> bool:
        asked.append(hashed)
        return True  # whatever it says of a user that is none

    monkeypatch.setattr(authenticator._checks, "check", check)
    verdict = judge(authenticator, request("nobody", "x"))
    assert len(asked) == 1 and isinstance(verdict, Answer) and verdict.status == 401


def test_only_those_named_are_let_in(users: Path) -> None:
    authenticator = make(users, users="anna b\u00e9rt")
    assert isinstance(judge(authenticator, request("anna", "sesame")), Allow)
    refused = judge(authenticator, request("carl", "Hello"))
    assert isinstance(refused, Answer) and refused.status == 403
    guessing = judge(authenticator, request("carl", "hello"))
    assert isinstance(guessing, Answer) and guessing.status == 401, "a guess must not tell that he is none"


@pytest.mark.parametrize(("own_fault", "status"), [(True, 429), (False, 503)])
def test_a_full_queue(users: Path, monkeypatch: pytest.MonkeyPatch, own_fault: bool, status: int) -> None:
    authenticator = make(users)

    async def check(*_: object) -> bool:
        raise Busy("busy", client=own_fault, wait=1.5)

    monkeypatch.setattr(authenticator._checks, "check", check)
    verdict = judge(authenticator, request("anna", "sesame"))
    assert isinstance(verdict, Answer)
    assert (verdict.status, verdict.reason, verdict.limit) == (status, CloseReason.LIMIT, "auth-basic")
    assert dict(verdict.headers) == {b"Retry-After": b"2"}


def test_a_changed_file_is_read_after_a_second(users: Path) -> None:
    authenticator, now = make(users), 0.0

    def view(user: str, password: str) -> RequestView:
        found = request(user, password)
        found.now = lambda: now
        return found

    async def main() -> None:
        nonlocal now
        assert isinstance(await authenticator.authenticate(view("anna", "sesame")), Allow)
        write(users.parent, ANNA.replace("anna", "inga"))
        now = 0.9
        assert isinstance(await authenticator.authenticate(view("anna", "sesame")), Allow)
        now = 1.0
        assert isinstance(await authenticator.authenticate(view("anna", "sesame")), Answer)
        assert isinstance(await authenticator.authenticate(view("inga", "sesame")), Allow)

    anyio.run(main)


def test_a_bad_file_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 2: the password of bob is no hash"):
        make(write(tmp_path, ANNA, "bob:s3cret"))
    with pytest.raises(ConfigError, match="cannot be read"):
        make(tmp_path / "missing")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"realm": "caf\u00e9"}, "printable ASCII"),
        ({"header": "Host"}, "has 'host', which the server tells nodes itself"),
        ({"header": "X_User"}, "has 'x_user'"),
        ({"failures": "0/s"}, "from 1/h"),
        ({"checks": "0"}, "from 1 to 64"),
        ({"remember": "2d"}, "from 0"),
        ({"pasword": "x"}, "unknown option"),
    ],
)
def test_bad_options_are_explained(users: Path, options: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        make(users, **options)


def test_a_file_must_be_named() -> None:
    with pytest.raises(ConfigError, match="say file=NAME"):
        load({})
