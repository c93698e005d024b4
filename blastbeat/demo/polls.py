"""A long poll: a request that is answered when somebody knocks, or after a while with nothing.

Knows no socket and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from blastbeat.demo import pages
from blastbeat.demo.request import Message, Request, answer_json, answer_nothing, answer_page

POLL_SECONDS = 25.0
"""How long a poll waits. Well below the minute after which the server would answer 504 by itself."""

MAX_POLLS = 256
"""Polls that wait at one time; a further one is answered with 503."""


@dataclass(slots=True)
class _Poll:
    began: float


class Polls:
    """The polls that wait, one per session at most."""

    def __init__(self) -> None:
        self._polls: dict[bytes, _Poll] = {}
        self._knocks = 0

    def begin(self, request: Request, now: float) -> list[Message]:
        """Nothing is answered yet: that is what a long poll is."""
        if request.method == "HEAD":
            return answer_nothing(request.sid)
        if len(self._polls) >= MAX_POLLS:
            page = pages.message("503", "Too many polls wait already. Try again in a few seconds.")
            return answer_page(request, "503 Service Unavailable", page, {"Retry-After": "5"})
        self._polls[request.sid] = _Poll(now)
        return []

    def knock(self, request: Request, now: float) -> list[Message]:
        """Answers everybody who waits, whatever connection they came on, and then the one who knocks."""
        self._knocks += 1
        answers: list[Message] = []
        for sid, poll in self._polls.items():
            waited = round((now - poll.began) * 1000)
            answers += answer_json(sid, {"knock": self._knocks, "waited": waited})
        woken = len(self._polls)
        self._polls.clear()
        return answers + answer_json(request.sid, {"knock": self._knocks, "woken": woken})

    def forget(self, sid: bytes) -> None:
        """The session is over, or has another request."""
        self._polls.pop(sid, None)

    def next_due(self) -> float | None:
        """When the next poll has waited long enough (seconds); None while none waits."""
        return min((poll.began + POLL_SECONDS for poll in self._polls.values()), default=None)

    def due(self, now: float) -> list[Message]:
        """Answers to those who waited in vain."""
        over = [sid for sid, poll in self._polls.items() if poll.began + POLL_SECONDS <= now]
        for sid in over:
            del self._polls[sid]
        return [message for sid in over for message in answer_nothing(sid)]
