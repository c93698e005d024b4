"""What each owner of a message type must keep, as a class to subclass with pytest.

Knows requests and node events; what a format looks like, the subclass tells by its bodies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import ClientError, NodeError
from blastbeat.events import Request
from blastbeat.interfaces import Encoder
from blastbeat.testing.checks import check_client_error, check_node_event
from blastbeat.testing.contract import Contract
from blastbeat.testing.fakes import make_request, sample_requests
from blastbeat.testing.inherited import inherited
from blastbeat.testing.strategies import damaged, requests

# What has brought down readers of one format or another: depth, size, digits, text that is none, no text at
# all.
GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "a NUL": b"\0",
    "many NULs": b"\0" * 70,
    "all ones": b"\xff" * 70,
    "every byte": bytes(range(256)),
    "a long word": b"x" * 70_000,
    "deep brackets": b"[" * 100_000,
    "deep braces": b'{"a":' * 20_000,
    "many digits": b"9" * 10_000,
    "text cut in a character": b'"\xe2\x82',
    "a lone surrogate": b'"\\ud800"',
    "no number": b"NaN",
    "an overlong text": b"\xc0\x80",
    "line ends": b"\r\n\r\n\r\n",
}


class EncoderContract(Contract):
    """`valid_bodies` are what nodes may send under the type, `invalid_bodies` what must be refused; both stay
    empty for an encoder that only writes requests. Override `read_request` where requests are written: then
    what is written is read again and compared."""

    kind: ClassVar[str] = "encoder"
    valid_bodies: Sequence[bytes] = ()
    invalid_bodies: Sequence[bytes] = ()

    def new_encoder(self) -> Encoder:
        made: Encoder = self.make()
        return made

    def read_request(self, body: bytes) -> tuple[bytes, bytes, dict[bytes, bytes]] | None:
        """How a node reads it: method, target and fields by name in lower case (of a repeated one any form
        that holds each value). None: not compared."""
        return None

    # ------------------------------------------------------------ requests

    def test_it_owns_at_least_one_direction(self) -> None:
        encoder = self.new_encoder()
        assert hasattr(encoder, "encode_request") or hasattr(encoder, "decode")
        assert hasattr(encoder, "decode") or not self.valid_bodies
        assert hasattr(encoder, "decode") == bool(self.valid_bodies), "say in `valid_bodies` what it decodes"

    def test_a_plain_request_fits(self) -> None:
        encode = self._encode()
        if encode is not None:
            assert encode(make_request()), "the request of every browser is an empty message"

    @pytest.mark.parametrize("number", range(len(sample_requests())))
    def test_requests_become_bytes_or_a_client_error(self, number: int) -> None:
        if self._encode() is not None:
            self._check_request(sample_requests()[number])

    @inherited
    @given(request=requests())
    def test_any_request_becomes_bytes_or_a_client_error(self, request: Request) -> None:
        if self._encode() is not None:
            self._check_request(request)

    @pytest.mark.parametrize("size", [65_535, 65_536, 300_000])
    def test_a_head_of_any_size_is_written_or_refused(self, size: int) -> None:
        if self._encode() is not None:
            self._check_request(make_request(headers=[(b"host", b"a"), (b"cookie", b"x" * size)]))
            self._check_request(make_request(target=b"/" + b"x" * size))

    @pytest.mark.parametrize(
        "changes",
        [
            {"method": b"DELETE"},
            {"target": b"/other?query=1"},
            {"target": b"/path?query=2"},
        ],
        ids=lambda changes: " ".join(map(repr, changes.values()))[:40],
    )
    def test_another_request_is_another_message(self, changes: dict[str, Any]) -> None:
        """What fields a format has is its own affair; `read_request` says so, and then none may be lost."""
        encode = self._encode()
        if encode is not None:
            assert encode(make_request(**changes)) != encode(make_request()), (
                f"the node can't tell this request from another one: {changes}"
            )

    @inherited
    @given(first=requests(), second=requests())
    def test_no_request_leaves_a_trace_in_the_next(self, first: Request, second: Request) -> None:
        encoder: Any = self.new_encoder()
        if self._encode() is not None:
            alone = _outcome(encoder.encode_request, second)
            _outcome(encoder.encode_request, first)
            assert _outcome(encoder.encode_request, second) == alone

    @inherited
    @given(request=requests())
    def test_what_is_written_is_read_again(self, request: Request) -> None:
        encode = self._encode()
        if encode is None or self.read_request(encode(make_request())) is None:
            return
        try:
            read = self.read_request(encode(request))
        except ClientError:
            return
        assert read is not None
        method, target, fields = read
        assert (method, target) == (request.method, request.target)
        for name, value in request.headers:
            if name not in (b"connection", b"upgrade"):
                assert value in fields.get(name, b"\0"), f"{name!r}: {value!r} is lost"

    def test_what_it_remembers_is_bounded(self) -> None:
        encoder: Any = self.new_encoder()
        if self._encode() is not None:

            def meet(number: int) -> None:
                fields = [(b"x-%d" % number, b"%d" % number)]
                _outcome(encoder.encode_request, make_request(headers=fields, target=b"/%d" % number))

            self.check_remembering(encoder, meet)

    # ------------------------------------------------------------ what nodes send

    def test_valid_bodies_are_read_from_any_buffer(self) -> None:
        decode: Any = getattr(self.new_encoder(), "decode", None)
        for body in self.valid_bodies if decode else ():
            expected = plain(decode(body))
            for buffer in (bytearray(body), memoryview(body), memoryview(b"." + body)[1:]):
                assert plain(decode(buffer)) == expected, f"read differently from a {type(buffer).__name__}"
                assert bytes(buffer) == body, "decode changed the buffer it was handed"

    def test_valid_bodies_become_events_that_can_be_used(self) -> None:
        decode: Any = getattr(self.new_encoder(), "decode", None)
        for body in self.valid_bodies if decode else ():
            with self.watched():
                event = decode(body)
            check_node_event(event)

    def test_invalid_bodies_are_node_errors(self) -> None:
        decode: Any = getattr(self.new_encoder(), "decode", None)
        for body in self.invalid_bodies:
            assert decode is not None
            assert raises(NodeError, decode, body), f"{body!r} was not refused"

    @pytest.mark.parametrize("garbage", GARBAGE)
    def test_garbage_is_an_event_or_a_node_error(self, garbage: str) -> None:
        self._check_body(GARBAGE[garbage])

    def test_bodies_cut_short_are_events_or_node_errors(self) -> None:
        for body in self.valid_bodies:
            for end in range(min(len(body), 300)):
                self._check_body(body[:end])

    @inherited
    @given(data=st.data())
    def test_any_bytes_are_an_event_or_a_node_error(self, data: st.DataObject) -> None:
        self._check_body(data.draw(damaged(self.valid_bodies)))

    @inherited
    @given(data=st.data())
    def test_no_body_leaves_a_trace_in_the_next(self, data: st.DataObject) -> None:
        decode: Any = getattr(self.new_encoder(), "decode", None)
        for body in self.valid_bodies if decode else ():
            before = plain(decode(body))
            _outcome(decode, data.draw(damaged(self.valid_bodies)))
            assert plain(decode(body)) == before

    # ------------------------------------------------------------ how it is asked

    def _encode(self) -> Callable[[Request], bytes] | None:
        return getattr(self.new_encoder(), "encode_request", None)

    def _check_request(self, request: Request) -> None:
        encoder: Any = self.new_encoder()
        before = copy.deepcopy(request)
        with self.watched():
            try:
                body = encoder.encode_request(request)
            except ClientError as error:
                check_client_error(error)
                body = None
        assert request == before, "encode_request changed the request"
        assert body is None or type(body) is bytes, (
            f"encode_request returned {type(body).__name__}, not bytes"
        )
        again = _outcome(encoder.encode_request, request)
        assert again == (("refused",) if body is None else body), "written differently the second time"

    def _check_body(self, body: bytes) -> None:
        decode: Any = getattr(self.new_encoder(), "decode", None)
        if decode is not None:
            try:
                event = decode(body)
            except NodeError as error:
                assert error.reason, "a NodeError must say what is wrong"
            else:
                check_node_event(event)


def _outcome(function: Callable[..., Any], argument: Any) -> Any:
    try:
        return function(argument)
    except (ClientError, NodeError):
        return ("refused",)


def plain(event: Any) -> Any:
    """The event with its buffers as bytes, so that two can be compared."""
    values = {name: getattr(event, name) for name in type(event).__slots__}
    buffers = bytes | bytearray | memoryview
    return type(event), {
        name: bytes(value) if isinstance(value, buffers) else value for name, value in values.items()
    }


def raises(error: type[Exception], function: Callable[[bytes], object], body: bytes) -> bool:
    """True when `function` raises `error` for `body`, False when it returns."""
    try:
        function(body)
    except error:
        return True
    return False
