"""What the demo node answers: messages from the server in, messages to the server out.

Knows neither sockets nor the clock, so it reads (and is tested) as a conversation: a message from the server
is `(sid, type, body)`, and so is each answer. A page is a table entry in `ROUTES`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from blastbeat.demo import pages
from blastbeat.demo.chat import Chat
from blastbeat.demo.frames import Frames
from blastbeat.demo.polls import Polls
from blastbeat.demo.request import Message, Request, answer_page, read_variables
from blastbeat.demo.streams import BEATS, Streams
from blastbeat.demo.uploads import Uploads

__all__ = ["BEATS", "Message", "Site"]


class Site:
    """The demo's pages and what it has under way."""

    def __init__(
        self, node: str, process: int, new_word: Callable[[], str] = lambda: secrets.token_urlsafe(12)
    ) -> None:
        self.node = node
        self.process = process
        self.streams = Streams(process)
        self.polls = Polls()
        self.uploads = Uploads()
        self.chat = Chat()
        self.echoes: set[bytes] = set()
        self.frames = Frames(new_word)

    def receive(self, sid: bytes, type: bytes, body: bytes, now: float) -> list[Message]:
        """The answers to one message. Types the demo has no use for are passed over."""
        if type == b"ping":
            return [(sid, b"pong", b"")]
        if type == b"uwsgi":
            answers = self._forget(sid)
            answers += self._answer(Request(sid, read_variables(body), len(body)), body, now)
        elif type == b"body":
            self.frames.note("received", sid, type, body, now)
            answers = self.uploads.receive(sid, body, now)
        elif type == b"websocket":
            self.frames.note("received", sid, type, body, now)
            answers = self._message(sid, body, now)
        elif type == b"end":
            self.frames.note("received", sid, type, body, now)
            answers = self._forget(sid)
        else:
            return []
        self.frames.note_sent(answers, now)
        return answers

    def _forget(self, sid: bytes) -> list[Message]:
        """The session is over, or has another request; what others are told of it."""
        for each in (self.streams, self.polls, self.uploads, self.frames):
            each.forget(sid)
        self.echoes.discard(sid)
        return self.chat.leave(sid)

    def _message(self, sid: bytes, body: bytes, now: float) -> list[Message]:
        """A message that came over a WebSocket."""
        if sid in self.chat:
            return self.chat.receive(sid, body, now)
        return [(sid, b"websocket", body)] if sid in self.echoes else []

    def _open(self, request: Request, _: bytes, now: float) -> list[Message]:
        """`/chat` and `/echo`: the handshake is the server's business, what follows is ours."""
        if not request.is_handshake:
            page = pages.message("426", f"{request.path} is for WebSockets.")
            fields = {"Upgrade": "websocket", "Connection": "Upgrade"}
            return answer_page(request, "426 Upgrade Required", page, fields)
        if request.path == "/chat":
            return self.chat.join(request.sid)
        self.echoes.add(request.sid)
        return []

    def next_due(self) -> float | None:
        """When `due` has something to send next; None while nothing waits for its time."""
        times = (self.streams.next_due(), self.polls.next_due(), self.frames.next_due())
        return min((time for time in times if time is not None), default=None)

    def due(self, now: float) -> list[Message]:
        """What is to be sent because its time has come."""
        messages = self.streams.due(now) + self.polls.due(now)
        self.frames.note_sent(messages, now)
        return messages + self.frames.due(now)

    def _answer(self, request: Request, packet: bytes, now: float) -> list[Message]:
        route = ROUTES.get(request.path)
        if route is None:
            return answer_page(request, "404 Not Found", pages.not_found(request.path))
        if request.method not in route.methods:
            allowed = ", ".join(route.methods)
            text = f"This address is for {allowed}, not for {request.method}."
            page = pages.message("405", text)
            return answer_page(request, "405 Method Not Allowed", page, {"Allow": allowed})
        if route.is_noted:
            self.frames.begin(request, request.parameter("page"), packet, now)
        return route.handle(self, request, packet, now)

    def _welcome(self, request: Request, packet: bytes, now: float) -> list[Message]:
        word = ""
        if request.method == "GET":
            word = self.frames.new_page()
            self.frames.begin(request, word, packet, now)
        page = pages.welcome(
            request.variables, sid=request.sid, node=self.node, process=self.process, beats=BEATS, word=word
        )
        return answer_page(request, "200 OK", page)


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the demo. `is_noted`: its frames are shown on the page that asks for it."""

    handle: Callable[[Site, Request, bytes, float], list[Message]]
    methods: tuple[str, ...] = ("GET", "HEAD")
    is_noted: bool = True


ROUTES: dict[str, Route] = {
    "/": Route(Site._welcome, is_noted=False),
    "/stream": Route(lambda site, request, _, now: site.streams.begin(request, now)),
    "/poll": Route(lambda site, request, _, now: site.polls.begin(request, now)),
    "/knock": Route(lambda site, request, _, now: site.polls.knock(request, now), ("POST",)),
    "/upload": Route(lambda site, request, _, now: site.uploads.begin(request, now), ("POST", "PUT")),
    "/chat": Route(Site._open, ("GET",)),
    "/echo": Route(Site._open, ("GET",)),
    "/frames": Route(lambda site, request, _, now: site.frames.feed(request, now), ("GET",), False),
}
