"""Judges a request by its name and password.

Puts credentials, users and checks together, and words the answers. Says neither the client nor the log what
of the two was wrong, and takes as long either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import anyio
import anyio.to_thread

from blastbeat.buckets import client_of
from blastbeat.events import CloseReason
from blastbeat.interfaces import Allow, Answer, RequestView
from blastbeat_auth_basic.checks import Busy, Checks
from blastbeat_auth_basic.credentials import Credentials, Malformed, challenge, parse_credentials
from blastbeat_auth_basic.users import RECHECK, UserFiles

COUNTERS = {
    "auth-basic.refused": "requests without the right name and password",
    "auth-basic.limited": "requests whose password was not checked: too many wrong ones, or too many at once",
}


class BasicAuthenticator:
    """Lets in who is in `files` (and among `users`, where these are named) with the right password."""

    def __init__(
        self,
        files: UserFiles,
        checks: Checks,
        *,
        realm: str,
        users: Sequence[str] = (),
        headers: Sequence[bytes] = (),
        keeps_authorization: bool = False,
    ) -> None:
        self._files = files
        self._checks = checks
        self._challenge = ((b"WWW-Authenticate", challenge(realm)),)
        self._users = frozenset(user.encode() for user in users)
        self._headers = tuple(headers)
        self._removed = () if keeps_authorization else (b"authorization",)
        self._looked_at: float | None = None

    async def authenticate(self, view: RequestView) -> Allow | Answer:
        try:
            credentials = parse_credentials(view.request.headers)
        except Malformed as error:
            return self._refuse(view, str(error))
        if credentials is None:
            return self._refuse(view, "no name and password")
        await self._refresh(view.now())
        try:
            is_right = await self._is_right(credentials, view)
        except Busy as busy:
            view.count("auth-basic.limited")
            return _too_busy(busy)
        if not is_right:
            return self._refuse(view, "wrong name or password")
        if self._users and credentials.user not in self._users:
            return Answer(403, detail="this user is not allowed here")
        return self._allow(credentials.user)

    def _allow(self, user: bytes) -> Allow:
        variables = ((b"REMOTE_USER", user), (b"AUTH_TYPE", b"Basic"))
        return Allow(variables, [(name, user) for name in self._headers], self._removed)

    async def _is_right(self, credentials: Credentials, view: RequestView) -> bool:
        users = self._files.users
        hashed = users.find(credentials.user)
        fits = await self._checks.check(
            credentials.password, hashed or users.decoy, client_of(view.request.remote_addr), view.now()
        )
        return fits and hashed is not None

    async def _refresh(self, now: float) -> None:
        """Those who come meanwhile take the users there are."""
        if self._looked_at is None or now - self._looked_at >= RECHECK:
            self._looked_at = now
            await anyio.to_thread.run_sync(self._files.refresh)

    def _refuse(self, view: RequestView, detail: str) -> Answer:
        view.count("auth-basic.refused")
        return Answer(401, headers=self._challenge, detail=detail)


def _too_busy(busy: Busy) -> Answer:
    status = 429 if busy.client else 503
    headers = ((b"Retry-After", b"%d" % ceil(busy.wait)),)
    return Answer(status, headers=headers, reason=CloseReason.LIMIT, detail=str(busy), limit="auth-basic")
