"""A response that is sent line by line, whenever a line is due. Knows no socket and no clock."""

from __future__ import annotations

from dataclasses import dataclass

from blastbeat.demo import pages
from blastbeat.demo.request import Message, Request, answer_page, format_head

BEATS = 12
"""Lines in one stream."""

BEAT_SECONDS = 0.3

MAX_STREAMS = 256
"""Streams at one time; beyond them a request for one is answered with 503."""


@dataclass(slots=True)
class _Stream:
    beat: int
    due: float


class Streams:
    """The streams under way, one per session at most. `process` is named in each line."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._streams: dict[bytes, _Stream] = {}

    def begin(self, request: Request, now: float) -> list[Message]:
        if len(self._streams) >= MAX_STREAMS:
            page = pages.message("503", "Too many streams at one time. Try again in a few seconds.")
            return answer_page(request, "503 Service Unavailable", page, {"Retry-After": "5"})
        # No Content-Length: the length is not known yet, so every line travels as a chunk of its own.
        fields = {"Content-Type": "text/plain; charset=utf-8", "Transfer-Encoding": "chunked"}
        if request.method == "GET":
            self._streams[request.sid] = _Stream(beat=1, due=now)
        return [(request.sid, b"headers", format_head("200 OK", fields))]

    def forget(self, sid: bytes) -> None:
        """The session is over, or has another request."""
        self._streams.pop(sid, None)

    def next_due(self) -> float | None:
        """When `due` has something to send next (seconds); None while nothing is streaming."""
        return min((stream.due for stream in self._streams.values()), default=None)

    def due(self, now: float) -> list[Message]:
        """The lines whose time has come; after the last line the empty chunk that ends the response."""
        messages: list[Message] = []
        for sid, stream in list(self._streams.items()):
            if stream.due > now:
                continue
            line = f"beat {stream.beat} of {BEATS} from process {self._process}\n"
            messages.append((sid, b"chunk", line.encode()))
            stream.beat += 1
            stream.due = now + BEAT_SECONDS
            if stream.beat > BEATS:
                del self._streams[sid]
                messages.append((sid, b"chunk", b""))
        return messages
