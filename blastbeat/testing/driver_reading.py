"""Both directions of a driver as a test sees them: a client's bytes through gate and driver, piece by piece,
and a response's bytes read by a reader that shares no code with any driver.

Knows the gate, events, and the framing of RFC 9112; no driver.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from blastbeat.errors import ClientError
from blastbeat.events import ClientEvent, RequestData, RequestEnd, RequestHead
from blastbeat.gates.http1 import Http1Gate
from blastbeat.interfaces import Driver, HttpLimits

_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d\d\d) ([\t -~\x80-\xff]*)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")


@dataclass
class ReadRequest:
    """One request as far as it got: the bytes the gate let through, and what the driver made of them."""

    passed: bytes = b""
    head: RequestHead | None = None
    body: bytes = b""
    is_complete: bool = False

    def add(self, events: Iterable[ClientEvent]) -> None:
        for event in events:
            assert not self.is_complete, f"{event} after the end of the request"
            if isinstance(event, RequestHead):
                assert self.head is None, "a second head"
                self.head = event
            else:
                assert self.head is not None, f"{event} before the head"
                if isinstance(event, RequestData):
                    assert type(event.data) is bytes, (
                        f"a piece of body is {type(event.data).__name__}, not bytes"
                    )
                    assert event.data, "an empty piece of body"
                    self.body += event.data
                else:
                    assert isinstance(event, RequestEnd), f"{event} is no event of a client"
                    self.is_complete = True


@dataclass
class Reading:
    """All requests of a connection, in order; the last may be incomplete: `refusal` is about that one."""

    requests: list[ReadRequest] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    held: int = 0

    @property
    def complete(self) -> list[ReadRequest]:
        return [request for request in self.requests if request.is_complete]

    @property
    def status(self) -> int | None:
        """What the client would be refused with, None when it would not."""
        return self.refusal[0] if self.refusal else None


def read_requests(
    pieces: Iterable[bytes], new_driver: Callable[[HttpLimits], Driver], limits: HttpLimits | None = None
) -> Reading:
    """Every request as soon as the one before is complete, as if each were answered at once."""
    limits = limits or HttpLimits()
    driver = new_driver(limits)
    gate = Http1Gate(limits, getattr(driver, "plain_heads", None))
    reading = Reading()
    request = ReadRequest()
    try:
        for piece in pieces:
            passed = gate.receive(piece)
            while True:
                request.passed += passed
                request.add(driver.receive_data(passed))
                assert gate.head_complete == (request.head is not None), (
                    "the driver is late or early with the head"
                )
                assert gate.request_complete == request.is_complete, (
                    "the driver is late or early with the end"
                )
                if not request.is_complete:
                    break
                reading.requests.append(request)
                request = ReadRequest()
                driver.start_next_exchange()
                passed = gate.next_request()
    except ClientError as error:
        reading.refusal = (error.status, error.reason)
        assert 400 <= error.status < 600 and error.reason
    reading.requests.append(request)
    reading.held = gate.buffered
    return reading


def each_byte(data: bytes) -> list[bytes]:
    """`data` in pieces of one byte."""
    return [data[at : at + 1] for at in range(len(data))]


@dataclass
class WrittenResponse:
    """A response read from what a driver wrote. `framing` says how its end can be told: ``none``, ``length``,
    ``chunked``, ``close``."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    framing: str = "none"
    body: bytes = b""

    def all(self, name: bytes) -> list[bytes]:
        """The values of a field, in order; its name in lower case."""
        return [value for key, value in self.headers if key.lower() == name]


def read_response(data: bytes, *, is_bodyless: bool = False) -> WrittenResponse:
    """The one response that `data` is, no byte more; `is_bodyless`: to HEAD. AssertionError where it is
    none."""
    response, rest = read_response_head(data)
    coding, lengths = response.all(b"transfer-encoding"), response.all(b"content-length")
    assert len(coding) <= 1 and len(lengths) <= 1, f"ambiguous framing: {response.headers}"
    assert not (coding and lengths), f"a length and a coding: {response.headers}"
    if is_bodyless or response.status < 200 or response.status in (204, 304):
        pass
    elif coding:
        assert coding == [b"chunked"], coding
        response.framing = "chunked"
        response.body, rest = _read_chunks(rest)
    elif lengths:
        response.framing = "length"
        response.body, rest = rest[: int(lengths[0])], rest[int(lengths[0]) :]
        assert len(response.body) == int(lengths[0]), "the body is shorter than its length"
    else:
        response.framing, response.body, rest = "close", rest, b""
    assert rest == b"", f"after the response there is {rest[:200]!r}"
    return response


def read_response_head(data: bytes) -> tuple[WrittenResponse, bytes]:
    """A head, and what follows it."""
    head, empty_line, rest = data.partition(b"\r\n\r\n")
    assert empty_line, f"no end of the head: {data[:200]!r}"
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    assert status is not None, f"not a status line: {first!r}"
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        assert match is not None, f"not a header line: {line!r}"
        fields.append((match[1], match[2]))
    return WrittenResponse(int(status[1]), status[2], fields), rest


def _read_chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, line_end, data = data.partition(b"\r\n")
        assert line_end and re.fullmatch(rb"[0-9a-fA-F]+", line), f"not the size of a chunk: {line!r}"
        size = int(line, 16)
        payload, data = data[:size], data[size:]
        assert len(payload) == size and data.startswith(b"\r\n"), "a chunk is cut short"
        data = data[2:]
        if not size:
            return body, data
        body += payload
