"""Messages to and from nodes, and the only place that knows the order of ZeroMQ frames (`protocol.md` §1,
§4).

A node sees `[sid, type, body]`; our ROUTER sees its routing id in front. Knows no socket (the calls that move
one frame are handed in) and no meaning of a message type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from blastbeat.events import Buffer

SERVER_SID = b""
SID_LENGTH = 16
MAX_TYPE_LENGTH = 32
MAX_PAIRS = 64
MAX_ROUTE_LENGTH = 64
SESSION_ROUTE_LENGTH = 17  # "@" and the 16 raw bytes of a sid
MAX_TYPE_FRAME = MAX_ROUTE_LENGTH + 1 + MAX_TYPE_LENGTH
MAX_SID_FRAME = 255  # a `pong` may come with any sid; longer than a routing id is nobody's
ZERO_COPY_SIZE = 8 * 1024  # below it a copy is cheaper than a view that keeps libzmq's buffer alive

LARGE = 64 * 1024  # bytes of body from which handing it to ZeroMQ costs less than copying it

# types both ways, in the order of protocol.md §3 and §4
UWSGI = b"uwsgi"
HEADERS = b"headers"
BODY = b"body"
CHUNK = b"chunk"
WEBSOCKET = b"websocket"
WEBSOCKET_BINARY = b"websocket-binary"
END = b"end"
ABORT = b"abort"
RETRY = b"retry"
PING = b"ping"
PONG = b"pong"
SPAWN = b"spawn"
DRAIN = b"drain"
CREDIT = b"credit"
MSG = b"msg"

NOT_HEADS = frozenset((BODY, WEBSOCKET, WEBSOCKET_BINARY, CREDIT, MSG, END))
"""What the server sends within a session besides request heads; every other type is a request encoder's,
whoever registered it."""

# capability words (protocol.md §1)
BATCH = "batch"
BINARY = "binary"
ACCEPT = "accept"
EXCHANGE = "exchange"
_PLAIN_WORDS = {word.encode(): word for word in (BATCH, BINARY, ACCEPT, EXCHANGE)}
_CREDIT_WORD = re.compile(rb"credit=([0-9]{1,12})")
_TYPE = re.compile(rb"[!-9;-~]{1,32}")

Pair: TypeAlias = tuple[bytes, Buffer]  # type, with its route still in front, and body


class Frame(Protocol):
    """One ZeroMQ frame that was received without copying it (pyzmq's Frame)."""

    @property
    def more(self) -> bool: ...
    @property
    def bytes(self) -> bytes: ...
    @property
    def buffer(self) -> memoryview: ...
    def __len__(self) -> int: ...
    def get(self, option: int | str) -> object: ...


ReceiveBytes: TypeAlias = "Callable[[], bytes]"
ReceiveFrame: TypeAlias = "Callable[[], Frame]"
SendFrame: TypeAlias = "Callable[[Buffer, int], object]"


def split_type(message_type: bytes) -> tuple[bytes, bytes] | None:
    """Route and plain type: all before the last colon is the route, empty when there is none.

    A route is `@` and the 16 raw bytes of a sid, or a group of 1-64 bytes that does not begin with `@`.
    None when either half is malformed. For types that come without a route use them as they are; this is
    for those nobody knows.
    """
    route, colon, name = message_type.rpartition(b":")
    if _TYPE.fullmatch(name) is None or (colon and not _is_route(route)):
        return None
    return route, name


def _is_route(route: bytes) -> bool:
    if route.startswith(b"@"):
        return len(route) == SESSION_ROUTE_LENGTH
    return 1 <= len(route) <= MAX_ROUTE_LENGTH


def is_sid(sid: bytes) -> bool:
    """True for what can name a session; the empty sid names the server itself."""
    return len(sid) == SID_LENGTH


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an instance announced. `credit` is N of its `credit=N`, 0 for none."""

    words: frozenset[str] = frozenset()
    credit: int = 0

    def format(self) -> bytes:
        """The body of the `ping` that puts them in force."""
        words = sorted(self.words)
        if self.credit:
            words.append(f"credit={self.credit}")
        return " ".join(words).encode("ascii")


def parse_capabilities(words: Iterable[bytes]) -> Capabilities:
    """The words of a `pong` that we know; all others are ignored, as are `credit=0` and repetitions."""
    known: set[str] = set()
    credit = 0
    for word in words:
        plain = _PLAIN_WORDS.get(word)
        if plain is not None:
            known.add(plain)
        elif (match := _CREDIT_WORD.fullmatch(word)) is not None:
            credit = int(match[1])
    return Capabilities(frozenset(known), credit)


class MessageReader:
    """Takes messages from a ROUTER frame by frame; acts on none whose frames are wrong.

    What does not fit is read to its last frame and thrown away, in steps: one `read` never takes more than
    `MAX_FRAMES_PER_READ` frames, so a message of a million frames can't hold up the loop. `recv_bytes` and
    `recv_frame` take the next frame and raise when there is none; that is passed on, and happens only
    between messages, because ZeroMQ hands over whole ones.
    """

    MAX_FRAMES_PER_READ = 1024

    __slots__ = ("_discarding", "_receive_bytes", "_receive_frame", "first_frame")

    def __init__(self, receive_bytes: ReceiveBytes, receive_frame: ReceiveFrame) -> None:
        self._receive_bytes = receive_bytes
        self._receive_frame = receive_frame
        self._discarding = False
        self.first_frame: Frame | None = None
        """The last message's sid frame; where it came from can be asked of it."""

    def read(self) -> tuple[bytes, bytes, Sequence[Pair]]:
        """Routing id, sid and at least one pair; with no pairs the message was dropped as malformed (with an
        empty routing id: a dropped message went on).
        """
        if self._discarding:
            self._discard()
            return b"", b"", ()
        identity = self._receive_bytes()
        frame = self._receive_frame()
        self.first_frame = frame
        if not frame.more:
            return identity, b"", ()
        sid = frame.bytes if len(frame) <= MAX_SID_FRAME else None
        type_frame = self._receive_frame()
        if not type_frame.more:
            return identity, b"", ()
        body = self._receive_frame()
        if sid is None or len(type_frame) > MAX_TYPE_FRAME:
            self._discarding = body.more
            return identity, b"", ()
        pair = (type_frame.bytes, body.buffer if len(body) >= ZERO_COPY_SIZE else body.bytes)
        if body.more:
            return identity, sid, self._read_batch(pair)
        return identity, sid, (pair,)

    def _read_batch(self, first: Pair) -> Sequence[Pair]:
        pairs = [first]
        while True:
            type_frame = self._receive_frame()
            if not type_frame.more:
                return ()
            body = self._receive_frame()
            if len(pairs) == MAX_PAIRS or len(type_frame) > MAX_TYPE_FRAME:
                self._discarding = body.more
                return ()
            pairs.append((type_frame.bytes, body.buffer if len(body) >= ZERO_COPY_SIZE else body.bytes))
            if not body.more:
                return pairs

    def _discard(self) -> None:
        for _ in range(self.MAX_FRAMES_PER_READ):
            if not self._receive_frame().more:
                self._discarding = False
                return


class MessageWriter:
    """Gives messages to a ROUTER frame by frame. `send_frame` takes a frame and flags, `send_large` the same
    for bodies from LARGE up; `more` and `last` are the flags for a frame with and without successor.

    Whatever they raise on the first frame is passed on, and nothing was sent; on a later one they raise
    nothing, because ZeroMQ has taken the message by then.
    """

    __slots__ = ("_last", "_more", "_send_frame", "_send_large")

    def __init__(self, send_frame: SendFrame, send_large: SendFrame, *, more: int, last: int) -> None:
        self._send_frame = send_frame
        self._send_large = send_large
        self._more = more
        self._last = last

    def write(self, identity: bytes, sid: bytes, message_type: bytes, body: Buffer) -> None:
        """One message."""
        send = self._send_frame
        more = self._more
        send(identity, more)
        send(sid, more)
        send(message_type, more)
        (send if len(body) < LARGE else self._send_large)(body, self._last)

    def write_batch(self, identity: bytes, sid: bytes, pairs: Sequence[Pair]) -> None:
        """1 to MAX_PAIRS messages of one sid as one."""
        send = self._send_frame
        more = self._more
        send(identity, more)
        send(sid, more)
        final = len(pairs) - 1
        for index, (message_type, body) in enumerate(pairs):
            send(message_type, more)
            put = send if len(body) < LARGE else self._send_large
            put(body, self._last if index == final else more)


def until_end(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The pairs of a batch up to its first `end`: what follows an `end` is dropped."""
    for index, (message_type, _) in enumerate(pairs):
        if message_type == END:
            return pairs[: index + 1]
    return pairs
