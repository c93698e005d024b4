"""Tests of `blastbeat.testing.encoder_contract`: a good encoder passes, and each mistake is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blastbeat.errors import ClientError, NodeError
from blastbeat.events import NodeData, NodeHead
from blastbeat.testing import EncoderContract
from tests.helpers.contract_runs import assert_fails, failures_of

VALID, INVALID = b'{"status": 200}', b'{"status": "x"}'


class Json:
    """A good one."""

    def encode_request(self, request: Any) -> Any:
        fields = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers]
        method, target = request.method.decode(), request.target.decode("latin-1")
        body = json.dumps([method, target, fields, request.content_length])
        if len(body) > 100_000:
            raise ClientError(431, "too large")
        return body.encode()

    def decode(self, body: Any) -> Any:
        try:
            status = json.loads(bytes(body))["status"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise NodeError("no JSON with a status") from error
        if type(status) is not int or not 100 <= status <= 599:
            raise NodeError("no status")
        return NodeHead(status, b"", [])


class AsText(Json):
    def encode_request(self, request: Any) -> Any:
        return super().encode_request(request).decode()


class WithoutQuery(Json):
    def encode_request(self, request: Any) -> Any:
        return b"%b %b %r" % (request.method, request.path, bytes(str(request.headers), "ascii"))


class FieldsInADict(Json):
    """Of a repeated field only the last is left."""

    def encode_request(self, request: Any) -> Any:
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        parts = [request.method.decode(), request.target.decode(), fields, request.content_length]
        return json.dumps(parts).encode()


class InUtf8(Json):
    def encode_request(self, request: Any) -> Any:
        return b"".join(value.decode().encode() for _, value in request.headers) + request.target


class WithoutALimit(Json):
    def encode_request(self, request: Any) -> Any:
        return len(request.headers[-1][1] if request.headers else b"").to_bytes(2, "big") + request.target


class Changes(Json):
    def encode_request(self, request: Any) -> Any:
        request.headers.append((b"x-seen", b"1"))
        return super().encode_request(request)


class Counts(Json):
    def __init__(self) -> None:
        self.number = 0

    def encode_request(self, request: Any) -> Any:
        self.number += 1
        return super().encode_request(request) + b" " * self.number


class RemembersNames(Json):
    def __init__(self) -> None:
        self.names: dict[bytes, bytes] = {}

    def encode_request(self, request: Any) -> Any:
        for name, _ in request.headers:
            self.names[name] = name.upper()
        return super().encode_request(request)


class RefusesAll(Json):
    def encode_request(self, request: Any) -> Any:
        raise ClientError(431, "no")


class RefusesWith200(Json):
    def encode_request(self, request: Any) -> Any:
        if request.method == b"PUT":
            raise ClientError(200, "fine")
        return super().encode_request(request)


class Unguarded(Json):
    def decode(self, body: Any) -> Any:
        return NodeHead(json.loads(bytes(body))["status"], b"", [])


class WithoutDepth(Json):
    def decode(self, body: Any) -> Any:
        try:
            json.loads(bytes(body))
        except ValueError as error:
            raise NodeError("no JSON") from error
        return super().decode(body)


class BytesOnly(Json):
    def decode(self, body: Any) -> Any:
        return super().decode(body.strip())


class Splits(Json):
    """Whoever writes the node writes the client's fields."""

    def decode(self, body: Any) -> Any:
        super().decode(body)
        return NodeHead(200, b"", [(b"X", bytes(body) + b"\r\nSet-Cookie: a")])


class AnyStatus(Json):
    def decode(self, body: Any) -> Any:
        super().decode(body)
        return NodeHead(99, b"", [])


class NoEvent(Json):
    def decode(self, body: Any) -> Any:
        super().decode(body)


class Sticky(Json):
    """What was wrong once makes what follows wrong."""

    def __init__(self) -> None:
        self.is_broken = False

    def decode(self, body: Any) -> Any:
        try:
            found = super().decode(body)
        except NodeError:
            self.is_broken = True
            raise
        return NodeData(b"") if self.is_broken else found


class Contract(EncoderContract):
    valid_bodies = (VALID,)
    invalid_bodies = (INVALID,)

    def read_request(self, body: bytes) -> tuple[bytes, bytes, dict[bytes, bytes]] | None:
        method, target, fields, _ = json.loads(body)
        found: dict[bytes, bytes] = {}
        for name, value in fields.items() if isinstance(fields, dict) else fields:
            joined = found.get(name.encode(), b"") + b", " + value.encode("latin-1")
            found[name.encode()] = joined
        return method.encode(), target.encode(), found


def contract(encoder: type, **changes: Any) -> type[EncoderContract]:
    values = {"new_encoder": lambda self: encoder(), **changes}
    return type(f"For{encoder.__name__}", (Contract,), values)


def test_a_good_one_passes() -> None:
    assert failures_of(contract(Json)) == {}


@pytest.mark.parametrize(
    ("broken", "test", "saying"),
    [
        (AsText, "test_requests_become_bytes", "not bytes"),
        (WithoutQuery, "test_another_request_is_another_message", "can't tell this request"),
        (FieldsInADict, "test_what_is_written_is_read_again", "is lost"),
        (InUtf8, "test_any_request_becomes_bytes", "UnicodeDecodeError"),
        (WithoutALimit, "test_a_head_of_any_size", "OverflowError"),
        (Changes, "test_requests_become_bytes", "changed the request"),
        (Counts, "test_requests_become_bytes", "differently the second time"),
        (Counts, "test_no_request_leaves_a_trace", ""),
        (RemembersNames, "test_what_it_remembers_is_bounded", "no end"),
        (RefusesAll, "test_a_plain_request_fits", "431"),
        (RefusesWith200, "test_requests_become_bytes", "200"),
        (Unguarded, "test_garbage_is", "JSONDecodeError"),
        (Unguarded, "test_any_bytes_are", ""),
        (Unguarded, "test_bodies_cut_short", "JSONDecodeError"),
        (Unguarded, "test_invalid_bodies", "not refused"),
        (WithoutDepth, "test_garbage_is", "RecursionError"),
        (BytesOnly, "test_valid_bodies_are_read_from_any_buffer", "AttributeError"),
        (Splits, "test_valid_bodies_become_events", "would break the head"),
        (AnyStatus, "test_valid_bodies_become_events", "99"),
        (NoEvent, "test_valid_bodies_become_events", "no event"),
        (Sticky, "test_no_body_leaves_a_trace", ""),
    ],
)
def test_each_mistake_is_found(broken: type, test: str, saying: str) -> None:
    assert_fails(contract(broken), test, saying=saying)


def test_an_encoder_that_owns_no_direction_is_found() -> None:
    empty = contract(type("Empty", (), {}), valid_bodies=(), invalid_bodies=())
    assert_fails(empty, "test_it_owns_at_least_one_direction")


def test_a_decoder_of_which_nothing_is_said_is_found() -> None:
    silent = contract(Json, valid_bodies=())
    assert_fails(silent, "test_it_owns_at_least_one_direction", saying="valid_bodies")


def test_one_that_only_writes_needs_no_bodies() -> None:
    writer = type("Writer", (), {"encode_request": Json.encode_request})
    assert failures_of(contract(writer, valid_bodies=(), invalid_bodies=())) == {}
