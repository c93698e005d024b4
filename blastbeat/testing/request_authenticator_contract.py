"""What each judge of requests must keep, as a class to subclass with pytest."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeVar

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import Request
from blastbeat.interfaces import Allow, Answer, RequestAuthenticator, RequestView
from blastbeat.request_changes import allowed
from blastbeat.testing.checks import check_verdict
from blastbeat.testing.contract import Contract
from blastbeat.testing.fakes import make_request, sample_requests
from blastbeat.testing.inherited import inherited
from blastbeat.testing.strategies import requests, view_of

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that a verdict may take before a contract calls it hung."""


class RequestAuthenticatorContract(Contract):
    """Say in `allowed` and `denied` which requests must pass and which must not.

    Override `new_authenticator` where something has to be there for it (a service it asks): it runs in the
    event loop of the test. One that has `aclose` is closed after each test.
    """

    kind: ClassVar[str] = "request-authenticator"
    allowed: Sequence[RequestView] = ()
    denied: Sequence[RequestView] = ()

    def new_authenticator(self) -> RequestAuthenticator:
        made: RequestAuthenticator = self.make()
        return made

    # ------------------------------------------------------------ verdicts

    def test_there_is_something_to_judge(self) -> None:
        assert self.allowed and self.denied, "fill `allowed` and `denied`"

    def test_it_judges_as_said(self) -> None:
        for view in self.allowed:
            assert isinstance(self.judge(view), Allow), f"denied {view.request}"
        for view in self.denied:
            assert isinstance(self.judge(view), Answer), f"allowed {view.request}"

    def test_it_judges_the_same_in_any_order(self) -> None:
        """Who was let in opens the door to nobody else; what it remembers does not change what it says."""
        good, bad = self._expected()
        asked = [*good, *bad, *bad, *good, *bad]
        for (view, expected), verdict in zip(asked, self.ask([view for view, _ in asked]), strict=True):
            assert isinstance(verdict, expected), f"now it says otherwise of {view.request}"

    def test_it_judges_the_same_side_by_side(self) -> None:
        """Requests are judged at once: nothing of one may be left lying in the object for another."""
        good, bad = self._expected()
        asked = [*good, *bad]

        async def all_at_once(authenticator: RequestAuthenticator) -> list[Any]:
            verdicts: list[Any] = [None] * len(asked)

            async def judge(number: int) -> None:
                verdicts[number] = await authenticator.authenticate(self._prepared(asked[number][0]))

            async with anyio.create_task_group() as tasks:
                for number in range(len(asked)):
                    tasks.start_soon(judge, number)
            return verdicts

        for (view, expected), verdict in zip(asked, self.run(all_at_once), strict=True):
            check_verdict(verdict)
            assert isinstance(verdict, expected), f"side by side it says otherwise of {view.request}"

    def _expected(self) -> tuple[list[tuple[RequestView, type]], list[tuple[RequestView, type]]]:
        return [(view, Allow) for view in self.allowed], [(view, Answer) for view in self.denied]

    @pytest.mark.parametrize("number", range(len(sample_requests())))
    def test_any_request_gets_a_verdict_that_can_be_sent(self, number: int) -> None:
        self.judge(view_of(sample_requests()[number]))

    @inherited
    @given(found=st.lists(requests(), max_size=6))
    def test_whatever_clients_send_gets_a_verdict_that_can_be_sent(self, found: list[Request]) -> None:
        self.ask([view_of(request) for request in found])

    @inherited
    @given(data=st.data())
    def test_damaged_credentials_are_no_credentials(self, data: st.DataObject) -> None:
        """Nor are they an exception: that would be in the log for each of them."""
        views = []
        for view in self.allowed:
            fields = list(view.request.headers)
            secrets = [at for at, (name, _) in enumerate(fields) if name in (b"authorization", b"cookie")]
            for at in secrets:
                name, value = fields[at]
                start = data.draw(st.integers(0, len(value)))
                garbage = data.draw(st.text('abcXYZ019=.:, "\\\xe9\xff', max_size=8)).encode("latin-1")
                end = data.draw(st.integers(start, len(value)))
                fields[at] = name, (value[:start] + garbage + value[end:]).strip()
            views.append(view_of(make_request(target=view.request.target, headers=fields)))
        self.ask(views)

    # ------------------------------------------------------------ life

    def test_only_its_judging_awaits(self) -> None:
        async def look(authenticator: RequestAuthenticator) -> None:
            assert inspect.iscoroutinefunction(authenticator.authenticate), "authenticate is not `async def`"

        self.run(look)

    def test_a_client_that_leaves_disturbs_nobody(self) -> None:
        """The judging of its request is cancelled, wherever it is; the next is judged as ever."""

        async def leave(authenticator: RequestAuthenticator) -> list[Any]:
            for view in (*self.allowed, *self.denied):
                with anyio.CancelScope() as scope:
                    scope.cancel()
                    await authenticator.authenticate(self._prepared(view))
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(authenticator.authenticate, self._prepared(view))
                    await anyio.lowlevel.checkpoint()
                    tasks.cancel_scope.cancel()
            return [await authenticator.authenticate(self._prepared(view)) for view in self.allowed]

        for view, verdict in zip(self.allowed, self.run(leave), strict=True):
            assert isinstance(verdict, Allow), f"after clients that left it denies {view.request}"

    def test_it_closes_asked_or_not(self) -> None:
        """A server may stop, or drop it at a reload, before the first request."""

        async def nothing(authenticator: RequestAuthenticator) -> None: ...

        self.run(nothing)
        self.ask([*self.allowed, *self.denied])

    def test_what_it_remembers_is_bounded(self) -> None:
        """Clients try ever new passwords, and come from ever new addresses."""

        async def meet_many(authenticator: RequestAuthenticator) -> None:
            def view(number: int) -> RequestView:
                address = b"10.%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255)
                secret = b"Basic eDo%d=" % number if number % 2 else b"Bearer e.%d.x" % number
                fields = [(b"host", b"a"), (b"authorization", secret), (b"cookie", b"id=%d" % number)]
                request = make_request(remote_addr=address, headers=fields, target=b"/%d" % number)
                return self._prepared(view_of(request))

            self.check_remembering(
                authenticator, lambda number: _step(authenticator.authenticate(view(number)))
            )

        self.run(meet_many)

    # ------------------------------------------------------------ how it is asked

    def judge(self, view: RequestView) -> Allow | Answer:
        """The verdict of a new authenticator; the request must be left as it was."""
        return self.ask([view])[0]

    def ask(self, views: Sequence[RequestView]) -> list[Allow | Answer]:
        """The verdicts of one new authenticator, one after the other; each request must be left as it was."""

        async def one_by_one(authenticator: RequestAuthenticator) -> list[Any]:
            verdicts = []
            for view in views:
                before = copy.deepcopy(view.request)
                verdicts.append(await authenticator.authenticate(self._prepared(view)))
                check_verdict(verdicts[-1])
                if isinstance(verdicts[-1], Allow):
                    allowed(view.request, verdicts[-1])  # what can't be handed to a node denies in a server
                assert view.request == before, "authenticate changed the request"
            return verdicts

        return self.run(one_by_one)

    def run(self, function: Callable[[RequestAuthenticator], Awaitable[T]]) -> T:
        """What `function` makes of a new authenticator, in an event loop of its own."""

        async def main() -> T:
            with anyio.fail_after(PATIENCE):
                authenticator = self.new_authenticator()
                try:
                    return await function(authenticator)
                finally:
                    aclose = getattr(authenticator, "aclose", None)
                    if aclose is not None:
                        assert inspect.iscoroutinefunction(aclose), "aclose is not `async def`"
                        await aclose()

        return anyio.run(main)

    def _prepared(self, view: RequestView) -> RequestView:
        """A view of its own for each time it is asked about, as strict about counters as the server's."""
        return RequestView(view.request, view.connection, now=view.now, count=self.count)


def _step(judging: Any) -> None:
    """Begins a judging and gives it up where it would wait: what it has remembered by then stays."""
    try:
        judging.send(None)
    except StopIteration:
        return
    judging.close()
