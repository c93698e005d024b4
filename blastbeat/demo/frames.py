"""The frames that travelled for each request of each open page, to be shown on that page.

A page sees its own requests only: they carry a word that nobody else knows. Knows no socket and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from blastbeat.demo import pages
from blastbeat.demo.request import Message, Request, answer_json, answer_page

MAX_PAGES = 64
"""Pages whose requests are remembered; the one that was quiet for the longest makes room."""

MAX_REQUESTS = 24
"""Requests remembered per page, the oldest of which makes room."""

EACH = 16
"""Frames of a request with a row of their own; of what follows, like frames in a row share one."""

MAX_ROWS = 40
"""Rows per request; frames beyond them are only counted."""

PREVIEW = 40
"""Bytes of a body that are shown."""

FEED_SECONDS = 20.0
"""How long the page's request for news waits for some."""

GATHER_SECONDS = 0.1
"""News are gathered for so long, so that a burst of frames is one answer."""

MAX_FEEDS = 256
"""Requests for news that wait at one time."""


@dataclass(slots=True)
class Row:
    """One frame, or several alike. `at` is milliseconds since the request began."""

    at: int
    direction: str  # "received" or "sent", as the node sees it
    type: str
    size: int
    preview: str
    count: int = 1


@dataclass(slots=True)
class Exchange:
    """What travelled for one request."""

    number: int
    method: str
    target: str
    began: float
    rows: list[Row] = field(default_factory=list)
    more: int = 0
    changed: int = 0  # the page's serial when this last changed

    def note(self, direction: str, type: bytes, body: bytes, now: float) -> None:
        at = round((now - self.began) * 1000)
        row = Row(at, direction, type.decode("ascii", "replace"), len(body), _preview(type, body))
        last = self.rows[-1] if self.rows else None
        alike = last is not None and (last.direction, last.type) == (row.direction, row.type)
        if last is not None and alike and len(self.rows) >= EACH and not self.more:
            last.at, last.size, last.count, last.preview = at, last.size + row.size, last.count + 1, ""
        elif len(self.rows) < MAX_ROWS:
            self.rows.append(row)
        else:
            self.more += 1

    def shown(self) -> dict[str, object]:
        rows = [(row.at, row.direction, row.type, row.size, row.count, row.preview) for row in self.rows]
        return {
            "number": self.number, "method": self.method, "target": self.target, "rows": rows,
            "more": self.more,
        }  # fmt: skip


@dataclass(slots=True)
class _PageLog:
    serial: int = 0
    changed_at: float = 0.0
    requests: deque[Exchange] = field(default_factory=lambda: deque(maxlen=MAX_REQUESTS))
    count: int = 0


@dataclass(slots=True)
class _Feed:
    request: Request
    word: str
    since: int
    until: float


class Frames:
    """`new_word` makes the word that a page's requests are known by."""

    def __init__(self, new_word: Callable[[], str]) -> None:
        self._new_word = new_word
        self._pages: dict[str, _PageLog] = {}
        self._current: dict[bytes, tuple[_PageLog, Exchange]] = {}
        self._feeds: dict[bytes, _Feed] = {}

    # ------------------------------------------------------------ what travels

    def new_page(self) -> str:
        """A page is about to be sent: the word its requests will carry."""
        while len(self._pages) >= MAX_PAGES:
            del self._pages[min(self._pages, key=lambda word: self._pages[word].changed_at)]
        word = self._new_word()
        self._pages[word] = _PageLog()
        return word

    def begin(self, request: Request, word: str, body: bytes, now: float) -> None:
        """A request begins; it is noted where it belongs to a page."""
        self.forget(request.sid)
        page = self._pages.get(word)
        if page is None:
            return
        page.count += 1
        exchange = Exchange(page.count, request.method, request.path, now)
        page.requests.append(exchange)
        self._current[request.sid] = page, exchange
        self.note("received", request.sid, b"uwsgi", body, now)

    def note(self, direction: str, sid: bytes, type: bytes, body: bytes, now: float) -> None:
        """A message travelled. Those of sessions without a page are nobody's to see."""
        found = self._current.get(sid)
        if found is None:
            return
        page, exchange = found
        exchange.note(direction, type, body, now)
        page.serial += 1
        page.changed_at = now
        exchange.changed = page.serial

    def note_sent(self, messages: Iterable[Message], now: float) -> None:
        for sid, type, body in messages:
            self.note("sent", sid, type, body, now)

    def forget(self, sid: bytes) -> None:
        """The session is over, or has another request."""
        self._current.pop(sid, None)
        self._feeds.pop(sid, None)

    # ------------------------------------------------------------ what the page asks for

    def feed(self, request: Request, now: float) -> list[Message]:
        """News since the serial that the page knows of: now where there are some, else when they come."""
        word = request.parameter("page")
        if word not in self._pages or len(self._feeds) >= MAX_FEEDS:
            text = "This page is not known any more. Load it again."
            return answer_page(request, "404 Not Found", pages.message("404", text))
        self._feeds[request.sid] = _Feed(request, word, request.number("since"), now + FEED_SECONDS)
        return self.due(now)

    def next_due(self) -> float | None:
        """When the next request for news is to be answered (seconds); None while none waits."""
        return min(map(self._due_at, self._feeds.values()), default=None)

    def due(self, now: float) -> list[Message]:
        """Answers to the requests for news whose time has come."""
        ready = [feed for feed in self._feeds.values() if self._due_at(feed) <= now]
        answers: list[Message] = []
        for feed in ready:
            del self._feeds[feed.request.sid]
            page = self._pages.get(feed.word, _PageLog())
            news = [exchange.shown() for exchange in page.requests if exchange.changed > feed.since]
            answers += answer_json(feed.request.sid, {"serial": page.serial, "requests": news})
        return answers

    def _due_at(self, feed: _Feed) -> float:
        page = self._pages.get(feed.word)
        if page is None:
            return 0.0
        return page.changed_at + GATHER_SECONDS if page.serial > feed.since else feed.until


def _preview(type: bytes, body: bytes) -> str:
    """What a reader makes of a body at a glance: the first line of a head, text where it is text."""
    if type == b"uwsgi":
        return "the request, as CGI variables"
    start = body[:PREVIEW].partition(b"\r\n")[0] if type == b"headers" else body[:PREVIEW]
    text = start.decode("utf-8", "replace").strip()
    if not body:
        return "empty: the last one" if type in (b"chunk", b"body") else "empty"
    if "\ufffd" in text or not text.isprintable():
        return ""
    return text + ("…" if len(body) > PREVIEW or type == b"headers" else "")
