"""Judges a request by what the service says of it.

Asks the cache first, then the service; where neither says anything, nobody is let in.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from blastbeat.events import CloseReason
from blastbeat.headers import field_values
from blastbeat.interfaces import Allow, Answer, RequestView
from blastbeat_forward_auth.cache import Cache
from blastbeat_forward_auth.complaints import Complaints
from blastbeat_forward_auth.questions import Reply, answer_fields, cookies_of, question, told_fields
from blastbeat_forward_auth.service import Overloaded, Service, Unavailable

log = logging.getLogger(__name__)

NOTE = "forward-auth.cookies"
"""Where the cookies of a consent are put aside for the filter that adds them to the response."""

RETRY_AFTER = 5
"""Seconds a client waits while the service is not there."""

COUNTERS = {
    "forward-auth.asked": "questions that the authorization service was asked",
    "forward-auth.remembered": "requests let in by an answer it gave before",
    "forward-auth.refused": "requests that it refused",
    "forward-auth.unavailable": "requests refused because it gave no answer",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """`request_headers`: what the service is shown of the client's (empty: all). `response_headers`: what of
    its consent the node is told. `user_header`: the one of them that is the user's name, empty for none."""

    request_headers: frozenset[bytes] = frozenset()
    response_headers: Sequence[bytes] = ()
    user_header: bytes = b""
    keeps_authorization: bool = True


class ForwardAuthenticator:
    """Lets in whom `service` lets in; `cache` None remembers nothing."""

    def __init__(self, service: Service, policy: Policy, cache: Cache | None, about: str) -> None:
        self._service, self._policy, self._cache = service, policy, cache
        self._complaints = Complaints(log, about)
        # Whatever the service may say of a client, the client must not.
        removed = [*policy.response_headers, *([policy.user_header] if policy.user_header else [])]
        self._removed = tuple(removed if policy.keeps_authorization else [*removed, b"authorization"])

    async def authenticate(self, view: RequestView) -> Allow | Answer:
        cache, key = self._cache, b""
        if cache is not None:
            key = cache.key(view.request)
            if (known := cache.find(key, view.now())) is not None:
                view.count("forward-auth.remembered")
                return self._allow(known)
        view.count("forward-auth.asked")
        try:
            reply = await self._service.ask(question(view.request, self._policy.request_headers))
            return self._judge(reply, view, key)
        except Unavailable as error:
            return self._give_up(error, view)

    def _judge(self, reply: Reply, view: RequestView, key: bytes) -> Allow | Answer:
        if not reply.allows:
            view.count("forward-auth.refused")
            detail = f"the authorization service answered {reply.status}"
            return Answer(reply.status, reply.body, answer_fields(reply), detail=detail)
        verdict = self._allow(reply)
        if self._cache is not None:
            self._cache.keep(key, reply, view.now())
        if cookies := cookies_of(reply):
            view.notes[NOTE] = cookies
        return verdict

    def _allow(self, reply: Reply) -> Allow:
        variables = []
        if name := self._policy.user_header:
            users = [value for value in field_values(reply.headers, name) if value]
            if len(users) > 1:
                raise Unavailable(f"its answer has {len(users)} fields {name.decode()}")
            if users:
                variables = [(b"REMOTE_USER", users[0])]
        return Allow(variables, told_fields(reply, self._policy.response_headers), self._removed)

    def _give_up(self, error: Unavailable, view: RequestView) -> Answer:
        view.count("forward-auth.unavailable")
        self._complaints.add(str(error), view.now())
        is_overload = isinstance(error, Overloaded)
        return Answer(
            503,
            headers=((b"Retry-After", b"%d" % RETRY_AFTER),),
            reason=CloseReason.LIMIT if is_overload else CloseReason.REFUSED,
            detail=f"the authorization service: {error}",
            limit="forward-auth" if is_overload else "",
        )

    async def aclose(self) -> None:
        await self._service.aclose()
