"""The states of a response, how its node frames it, and when it is complete (`protocol.md` §4, §6).

Pure: payload in, payload out. Knows neither the client's framing (the driver's business) nor the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Protocol

from blastbeat.errors import BlastBeatError, NodeError
from blastbeat.events import Buffer, CloseReason, NodeHead, ResponseHead
from blastbeat.gates.chunked import ChunkedDecoder
from blastbeat.headers import find_head_end, parse_response_head

BODYLESS_STATUSES = frozenset({204, 304})
RAW_PREFIX = b"HTTP/1."
MAX_RAW_HEAD = 64 * 1024
NOTHING: Sequence[Buffer] = ()


class ResponseState(Enum):
    """Where the response side of a session stands."""

    FRESH = "no exchange yet"
    AWAITING_FIRST = "the first exchange awaits its head"
    AWAITING_NEXT = "a later exchange awaits its head"
    AWAITING_RAW = "a later exchange awaits its head, which may come raw: the one before did"
    RAW_HEAD = "a raw head is being collected from `body` messages"
    STREAMING = "the head has gone, the body passes"
    OVER_EXACT = "complete by its declared length, nothing forwarded since"
    OVER = "complete, nothing forwarded since"
    CLOSED = "the session is over"

    # Attributes, since to look a member up in a dict or set costs a call in Python each time.
    awaits_head: bool
    is_complete: bool
    handlers: dict[type, Any]

    def __init__(self, text: str) -> None:
        self.awaits_head = self._name_ in ("AWAITING_FIRST", "AWAITING_NEXT", "AWAITING_RAW", "RAW_HEAD")
        self.is_complete = self._name_ in ("FRESH", "OVER", "OVER_EXACT")


class ResponseOwner(Protocol):
    """What the response side tells the client's stream; after each call it looks at its state anew."""

    def response_begins(self, head: ResponseHead) -> ResponseHead:
        """The final head is about to go: filters see it here, and may change it."""
        ...

    def data_passed(self, size: int) -> None: ...
    def response_complete(self) -> None: ...

    def response_failed(self, reason: CloseReason, detail: str) -> None:
        """Nothing was sent yet: the client is answered 502."""
        ...

    def response_cut(self, reason: CloseReason, detail: str) -> None:
        """The head has gone: the client must notice that the rest is missing."""
        ...

    def node_ended(self, reason: CloseReason, detail: str) -> None:
        """Flush what there is and close the client's connection (stream)."""
        ...

    def stale_end(self) -> None:
        """An `end` that belongs to the exchange before met a request without an answer."""
        ...

    def retry_asked(self) -> None: ...

    def upgrade_accepted(self, head: NodeHead) -> None:
        """A 101: nothing was sent yet, and perhaps somebody waits for it."""
        ...


class ResponseBody:
    """Counts a declared length down, or decodes the node's own chunked coding, or lets everything pass."""

    __slots__ = ("_decoder", "length", "remaining")

    def __init__(self, length: int | None, chunked: bool) -> None:
        self.length = None if chunked else length
        self.remaining = self.length
        self._decoder = ChunkedDecoder() if chunked else None

    @property
    def is_complete(self) -> bool:
        """The declared length was reached, or the node's coding came to its last chunk."""
        return self._decoder.finished if self._decoder is not None else self.remaining == 0

    @property
    def may_end(self) -> bool:
        """An `end` (or an empty `chunk`) completes the response here, rather than breaking it off."""
        if self._decoder is not None:
            return self._decoder.finished or not self._decoder.begun
        return not self.remaining

    def take_body(self, data: Buffer) -> tuple[Sequence[Buffer], bool]:
        """Payload of a `body` message, and whether the message held more than the response may have.

        Raises NodeError when the node's own chunked coding is malformed.
        """
        if self._decoder is None:
            return self.take_payload(data)
        try:
            pieces = self._decoder.decode(data)
        except BlastBeatError as error:
            raise NodeError(f"the node's own chunked coding is malformed: {error}") from error
        return pieces, bool(self._decoder.excess)

    def take_payload(self, data: Buffer) -> tuple[Sequence[Buffer], bool]:
        """Payload of a `chunk` message, counted where a length was declared; likewise with a verdict."""
        if self.remaining is None:
            return (data,), False
        size = len(data)
        if size <= self.remaining:
            self.remaining -= size
            return (data,), False
        fitting = data[: self.remaining]
        self.remaining = 0
        return ((fitting,) if len(fitting) else NOTHING), True


class RawHead:
    """Collects a response head from `body` messages, as the original let it through."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: Buffer) -> NodeHead | None:
        """The head with what followed it, None while it is incomplete.

        Raises NodeError when it is malformed or longer than MAX_RAW_HEAD bytes.
        """
        searched = len(self._data)
        self._data += data
        end = find_head_end(self._data, max(0, searched - 3))
        if end < 0 and len(self._data) > MAX_RAW_HEAD:
            raise NodeError(f"a raw response head longer than {MAX_RAW_HEAD} bytes")
        return parse_response_head(bytes(self._data)) if end >= 0 else None

    @staticmethod
    def can_begin_with(data: Buffer) -> bool:
        """True where `data` is, or may become, the beginning of a raw response."""
        start = bytes(data[: len(RAW_PREFIX)])
        return bool(start) and RAW_PREFIX.startswith(start)
