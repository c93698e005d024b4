"""One call of an application, in its thread: `start_response`, `write`, the iterable (PEP 3333).

Knows what a response is made of; how it travels is the channel's business.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sized
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol, TypeAlias
from wsgiref.types import WSGIApplication
from wsgiref.util import FileWrapper

from blastbeat.node.errors import ClientGone, NodeUsageError
from blastbeat.node.head import declared_length, format_head, with_length
from blastbeat.node.wsgi.channel import Piece

log = logging.getLogger(__name__)

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

FILE_BLOCK = 128 * 1024
"""Bytes of a file that are read at once."""

_STATUS = re.compile(r"([2-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")  # RFC 9112 §4
_BODYLESS = (b"204", b"304")

HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailers transfer-encoding"
    " upgrade".split()
)
"""What an application must not set (PEP 3333): how a connection is kept and framed is the server's to say."""


class Sink(Protocol):
    def put(self, piece: Piece, /, *, waits: bool = True) -> None: ...

    def has_room(self) -> bool: ...


class Response:
    """`channel` takes the pieces. Not thread-safe: it belongs to the application's thread."""

    __slots__ = (
        "_about",
        "_channel",
        "_head",
        "_is_complete",
        "_is_head_request",
        "_is_longer",
        "_is_sent",
        "_left",
        "_result",
    )

    def __init__(self, channel: Sink, method: str, about: str) -> None:
        self._channel = channel
        self._is_head_request = method == "HEAD"
        self._about = about
        self._head: bytes | None = None
        self._is_sent = False
        self._is_complete = False
        self._is_longer = False
        self._result: Any = None
        self._left: int | None = None  # bytes that are declared and have not come yet

    # ------------------------------------------------------------ what the application calls

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Keeps the head until the first piece of body, or the end."""
        if exc_info is not None:
            try:
                if self._is_sent and exc_info[1] is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it refers to this frame
        elif self._head is not None:
            raise NodeUsageError("start_response may be called once more only with exc_info")
        self._head = head = make_head(status, headers)
        self._left = declared_length(head)
        return self.write

    def write(self, data: bytes, /) -> None:
        """For applications that can't return an iterable."""
        self._deliver(data)

    # ------------------------------------------------------------ the call

    def run(self, application: WSGIApplication, environ: dict[str, Any]) -> bool:
        """False: there is no room for more of a file; `go_on` when there is. Raises what the application
        raises, and ClientGone. Its iterable is closed in any case, once."""
        self._result = result = application(environ, self.start_response)
        if type(result) is FileWrapper:
            return self.go_on()
        with self._closing():
            self._iterate(result)
        return True

    def go_on(self) -> bool:
        """As `run`. A file knows no threads: while its client is slow it holds none."""
        with self._closing() as closing:
            while data := self._result.filelike.read(FILE_BLOCK):
                is_wanted = not self._is_complete
                self._deliver(data, waits=False)
                if not is_wanted:
                    break
                if not self._channel.has_room():
                    closing.pop_all()
                    return False
            self._end()
        return True

    def _closing(self) -> ExitStack:
        stack = ExitStack()
        close = getattr(self._result, "close", None)
        if close is not None:
            stack.callback(close)
        return stack

    def fail(self) -> None:
        """The application raised."""
        if not self._is_complete:
            self._is_complete = True
            self._channel.put(Piece(None, is_failed=True))

    def _iterate(self, result: Iterable[bytes]) -> None:
        if isinstance(result, (list, tuple)):
            data = result[0] if len(result) == 1 else b"".join(map(_checked, result))
            self._deliver(data, is_end=True)
            return
        if (
            isinstance(result, (str, bytes))
            or not isinstance(result, Iterable)
            and not hasattr(result, "__getitem__")
        ):
            raise NodeUsageError(
                f"the application returned {type(result).__name__}, not an iterable of bytes"
            )
        is_single = _length(result) == 1  # PEP 3333, "Handling the Content-Length Header"
        for data in result:
            is_wanted = not self._is_complete or not data
            self._deliver(data, is_end=is_single)
            if not is_wanted:
                return  # else what stands behind the last `yield` runs too
        self._end()

    def _end(self) -> None:
        if not self._is_complete:
            if self._left and not self._is_bodyless:
                raise NodeUsageError(f"the response is {self._left} bytes shorter than its Content-Length")
            self._deliver(b"", is_end=True)

    @property
    def _is_bodyless(self) -> bool:
        return self._is_head_request or self._head is not None and self._head[9:12] in _BODYLESS

    def _deliver(self, data: bytes, *, is_end: bool = False, waits: bool = True) -> None:
        head = self._head
        if head is None:
            raise NodeUsageError("the application did not call start_response before the body")
        _checked(data)
        if self._is_complete:
            self._cut(data)
            return
        if is_end and not self._is_sent and self._left is None and head[9:12] not in _BODYLESS:
            head = with_length(head, len(data))
        if self._is_bodyless:
            is_last, data = bool(data) or is_end, b""
        elif self._left is not None:
            if len(data) > self._left:
                self._cut(data)
                data = data[: self._left]
            self._left -= len(data)
            if is_end and self._left:
                raise NodeUsageError(f"the response is {self._left} bytes shorter than its Content-Length")
            is_last = is_end or not self._left and bool(data)
        else:
            is_last = is_end
        if not data and not is_last:
            return  # the head waits for something to send
        piece = Piece(None if self._is_sent else head, data, is_last)
        self._is_sent = True
        self._is_complete = is_last
        self._channel.put(piece, waits=waits)

    def _cut(self, data: bytes) -> None:
        """More than was declared."""
        if data and not self._is_bodyless and not self._is_longer:
            self._is_longer = True
            log.warning("%s: the response is longer than its Content-Length", self._about)


def make_head(status: str, headers: list[tuple[str, str]]) -> bytes:
    """As a `headers` message has it. Raises NodeUsageError, and TypeError, for what is none: PEP 3333 wants
    that while the application can still answer."""
    if type(status) is not str:
        raise TypeError(f"start_response: the status must be a str, not {type(status).__name__}")
    match = _STATUS.fullmatch(status)
    if match is None:
        raise NodeUsageError(f"start_response: {status!r} is no final status, such as '200 OK'")
    fields = []
    for name, value in headers:
        if type(name) is not str or type(value) is not str:
            raise TypeError(f"start_response: the header ({name!r}, {value!r}) must be two str")
        if name.lower() in HOP_BY_HOP:
            log.debug("start_response: %s is the server's to say, it is left out", name)
            continue
        try:
            fields.append((name.encode("latin-1"), value.encode("latin-1")))
        except UnicodeEncodeError:
            raise NodeUsageError(
                f"start_response: the header {name!r} has characters beyond latin-1: {value!r}"
            ) from None
    head = format_head(int(match[1]), fields)
    line = b"HTTP/1.1 %b" % status.encode("latin-1")  # with the reason phrase that the application chose
    return line + head[head.index(b"\r") :]


def _checked(data: bytes) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError(f"a response is made of bytes, not of {type(data).__name__}")
    return data


def _length(result: Iterable[bytes]) -> int | None:
    return len(result) if isinstance(result, Sized) else None


def is_about_client(error: BaseException | None) -> bool:
    """Whether it, or what it was raised from, is that the client left."""
    for _ in range(20):
        if error is None or isinstance(error, ClientGone):
            return error is not None
        error = error.__cause__ or error.__context__
    return False
