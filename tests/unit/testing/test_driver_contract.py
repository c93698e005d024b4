"""Tests of `blastbeat.testing.driver_contract`: the reference driver passes, and each mistake is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import Buffer, RequestData, RequestHead, ResponseHead
from blastbeat.interfaces import HttpLimits
from blastbeat.plugins.http1_h11 import H11Driver
from blastbeat.testing import DriverContract
from tests.helpers.contract_runs import assert_fails


class Altered(H11Driver):
    """The reference driver, its heads altered on their way."""

    __slots__ = ()

    def receive_data(self, data: Buffer) -> Sequence[Any]:
        return [
            self.alter(event) if isinstance(event, RequestHead) else event
            for event in super().receive_data(data)
        ]

    def alter(self, head: RequestHead) -> RequestHead:
        return head


class AsWritten(Altered):
    __slots__ = ()

    def alter(self, head: RequestHead) -> RequestHead:
        return replace(head, headers=[(name.title(), value) for name, value in head.headers])


class Decodes(Altered):
    __slots__ = ()

    def alter(self, head: RequestHead) -> RequestHead:
        return replace(head, path=head.path.replace(b"%2E", b"."))


class AlwaysKeepsAlive(Altered):
    __slots__ = ()

    def alter(self, head: RequestHead) -> RequestHead:
        return replace(head, keep_alive=True)


class NoAuthorityOfTarget(Altered):
    __slots__ = ()

    def alter(self, head: RequestHead) -> RequestHead:
        return replace(head, authority=dict(head.headers).get(b"host", b""))


class OfOneGoOnly(H11Driver):
    """Takes each piece for a whole request."""

    __slots__ = ()

    def receive_data(self, data: Buffer) -> Sequence[Any]:
        return super().receive_data(data) if b"\r\n\r\n" in bytes(data) else ()


class KeepsTheBuffer(H11Driver):
    __slots__ = ()

    def receive_data(self, data: Buffer) -> Sequence[Any]:
        events = list(super().receive_data(data))
        return [
            RequestData(1, memoryview(data)[-len(event.data) :])  # type: ignore[arg-type]
            if isinstance(event, RequestData)
            else event
            for event in events
        ]


class HoldsBack(H11Driver):
    """Tells of a body when it is whole."""

    __slots__ = ("_body",)

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__(limits)
        self._body = b""

    def receive_data(self, data: Buffer) -> Sequence[Any]:
        found = []
        for event in super().receive_data(data):
            if isinstance(event, RequestData):
                self._body += event.data
            elif self._body and not isinstance(event, RequestHead):
                found += [RequestData(1, self._body), event]
                self._body = b""
            else:
                found.append(event)
        return found


class RaisesItsOwn(H11Driver):
    __slots__ = ()

    def receive_data(self, data: Buffer) -> Sequence[Any]:
        try:
            return super().receive_data(data)
        except ClientError as error:
            raise ValueError(str(error)) from error


class CopiesPayload(H11Driver):
    __slots__ = ()

    def send_data(self, data: Buffer, out: list[Buffer]) -> None:
        super().send_data(bytes(bytearray(data)), out)


class NoLastChunk(H11Driver):
    __slots__ = ()

    def send_end(self, out: list[Buffer]) -> None:
        super().send_end([])


class BodyForHead(H11Driver):
    __slots__ = ()

    def send_head(self, head: ResponseHead, out: list[Buffer]) -> None:
        super().send_head(replace(head, bodyless=False), out)


class ForwardsAll(H11Driver):
    __slots__ = ()

    def send_head(self, head: ResponseHead, out: list[Buffer]) -> None:
        super().send_head(head, out)
        lines = b"".join(b"%b: %b\r\n" % field for field in head.headers if field[0].lower() == b"te")
        out[-1] = bytes(out[-1])[:-2] + lines + b"\r\n"


class NeverCloses(H11Driver):
    __slots__ = ()

    def must_close(self) -> bool:
        return False


class RemembersAll(H11Driver):
    __slots__ = ("heads",)

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__(limits)
        self.heads: list[Any] = []

    def receive_data(self, data: Buffer) -> Sequence[Any]:
        events = super().receive_data(data)
        self.heads += events
        return events


class SharesState(H11Driver):
    """One for all connections."""

    __slots__ = ()
    one: Any = None

    def __new__(cls, limits: HttpLimits) -> Any:
        cls.one = cls.one or super().__new__(cls)
        return cls.one


def contract(driver: type[H11Driver]) -> type[DriverContract]:
    class Factory:
        protocols = ("http/1.1",)

        def new_driver(self, limits: HttpLimits) -> H11Driver:
            return driver(limits)

    return type(f"For{driver.__name__}", (DriverContract,), {"new_factory": lambda self: Factory()})


@pytest.mark.parametrize(
    ("broken", "test", "saying"),
    [
        (AsWritten, "test_a_request_is_read", ""),
        (AsWritten, "test_it_reads_what_the_reference_reads", ""),
        (Decodes, "test_a_request_is_read", "path"),
        (AlwaysKeepsAlive, "test_a_request_is_read", "keep_alive"),
        (NoAuthorityOfTarget, "test_a_request_is_read", "authority"),
        (OfOneGoOnly, "test_a_request_is_read", "late or early"),
        (OfOneGoOnly, "test_the_pieces_bytes_come_in", ""),
        (KeepsTheBuffer, "test_any_buffer_will_do", ""),
        (HoldsBack, "test_payload_is_not_held_back", ""),
        (RaisesItsOwn, "test_any_bytes_are_events", "ValueError"),
        (RaisesItsOwn, "test_what_it_refuses_can_be_answered", "ValueError"),
        (CopiesPayload, "test_large_payload_is_not_copied", ""),
        (NoLastChunk, "test_a_response_is_framed", "size of a chunk"),
        (NoLastChunk, "test_any_response_is_read", ""),
        (BodyForHead, "test_a_response_is_framed", "after the response"),
        (ForwardsAll, "test_hop_by_hop_fields", "te"),
        (NeverCloses, "test_a_response_is_framed", ""),
        (NeverCloses, "test_an_error_is_answered_between_requests", ""),
        (RemembersAll, "test_what_a_connection_remembers", "no end"),
        (SharesState, "test_connections_share_nothing", ""),
    ],
)
def test_each_mistake_is_found(broken: type[H11Driver], test: str, saying: str) -> None:
    assert_fails(contract(broken), test, saying=saying)
