"""Reads a client's bytes as the server does, through gate and driver, piece by piece, and tells what came of
it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from blastbeat.errors import ClientError
from blastbeat.events import ClientEvent, RequestData, RequestEnd, RequestHead
from blastbeat.gates.http1 import Http1Gate
from blastbeat.interfaces import HttpLimits
from blastbeat.plugins.http1_h11 import H11Driver


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
                    assert event.data, "an empty piece of body"
                    self.body += event.data
                else:
                    assert isinstance(event, RequestEnd)
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


def read_requests(pieces: Iterable[bytes], limits: HttpLimits | None = None) -> Reading:
    """Every request as soon as the one before is complete, as if each were answered at once."""
    limits = limits or HttpLimits()
    gate, driver = Http1Gate(limits), H11Driver(limits)
    reading = Reading()
    request = ReadRequest()
    try:
        for piece in pieces:
            passed = gate.receive(piece)
            while True:
                request.passed += passed
                request.add(driver.receive_data(passed))
                assert gate.head_complete == (request.head is not None)
                assert gate.request_complete == request.is_complete
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
