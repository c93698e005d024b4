"""The message type `uwsgi`, both ways (`protocol.md` §5)."""

from __future__ import annotations

import pytest

from blastbeat.errors import ClientError, NodeError
from blastbeat.events import Headers, NodeHead, Request
from tests.helpers.encoders import encoder, request
from tests.helpers.uwsgi import read_pairs, write_packet


def _encoded(forwarded: Request) -> dict[bytes, bytes]:
    pairs = read_pairs(encoder("uwsgi").encode_request(forwarded))
    variables = dict(pairs)
    assert len(variables) == len(pairs), "a variable comes twice"
    return variables


# ---------------------------------------------------------------- requests


def test_a_plain_request_byte_for_byte() -> None:
    packet = encoder("uwsgi").encode_request(request())
    assert packet == write_packet(
        [
            (b"REQUEST_METHOD", b"GET"),
            (b"REQUEST_URI", b"/a?b=c"),
            (b"PATH_INFO", b"/a"),
            (b"QUERY_STRING", b"b=c"),
            (b"SCRIPT_NAME", b""),
            (b"SERVER_PROTOCOL", b"HTTP/1.1"),
            (b"SERVER_NAME", b"example.org"),
            (b"SERVER_PORT", b"80"),
            (b"REMOTE_ADDR", b"203.0.113.7"),
            (b"REMOTE_PORT", b"4711"),
            (b"REQUEST_SCHEME", b"http"),
            (b"HTTP_HOST", b"example.org"),
        ]
    )


def test_https() -> None:
    variables = _encoded(request(scheme=b"https"))
    assert (variables[b"HTTPS"], variables[b"REQUEST_SCHEME"]) == (b"on", b"https")


def test_content_type_and_length_are_no_http_variables() -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"5"), (b"content-language", b"de")]
    variables = _encoded(request(headers, content_length=5))
    assert (variables[b"CONTENT_TYPE"], variables[b"CONTENT_LENGTH"]) == (b"text/plain", b"5")
    assert variables[b"HTTP_CONTENT_LANGUAGE"] == b"de"
    assert not {b"HTTP_CONTENT_TYPE", b"HTTP_CONTENT_LENGTH"} & set(variables)
    assert not {b"CONTENT_TYPE", b"CONTENT_LENGTH"} & set(_encoded(request()))


def test_repeated_fields_are_joined() -> None:
    headers: Headers = [(b"x-a", b"1"), (b"cookie", b"a=b"), (b"x-a", b"2"), (b"cookie", b"c=d")]
    variables = _encoded(request(headers))
    assert variables[b"HTTP_X_A"] == b"1, 2"
    assert variables[b"HTTP_COOKIE"] == b"a=b; c=d"


def test_a_chunked_upload_and_a_handshake_are_told() -> None:
    headers = [(b"transfer-encoding", b"chunked"), (b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    variables = _encoded(request(headers, chunked=True, upgrade=True))
    assert variables[b"HTTP_TRANSFER_ENCODING"] == b"chunked"
    assert (variables[b"HTTP_CONNECTION"], variables[b"HTTP_UPGRADE"]) == (b"Upgrade", b"websocket")


def test_what_authenticators_add() -> None:
    assert _encoded(request(variables=[(b"REMOTE_USER", b"joe")]))[b"REMOTE_USER"] == b"joe"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", b"/", b""),
        (b"/?", b"/", b""),
        (b"/a?b?c", b"/a", b"b?c"),
        (b"/a%20b%2Fc?d%20e", b"/a b/c", b"d%20e"),
        (b"/%C3%A9", b"/\xc3\xa9", b""),
        (b"/%zz%4%", b"/%zz%4%", b""),
        (b"/%41%4", b"/A%4", b""),
        (b"/%00%0d%0a", b"/\0\r\n", b""),
        (b"/%2525", b"/%25", b""),
        (b"/a+b", b"/a+b", b""),
        (b"/%3Fx", b"/?x", b""),
        (b"//a/../b", b"//a/../b", b""),
        (b"*", b"*", b""),
    ],
)
def test_paths(target: bytes, path: bytes, query: bytes) -> None:
    variables = _encoded(request(target=target))
    assert (variables[b"REQUEST_URI"], variables[b"PATH_INFO"], variables[b"QUERY_STRING"]) == (
        target,
        path,
        query,
    )
    raw = _encoded(request(target=target, raw_path_info=True))
    assert raw[b"PATH_INFO"] == target.partition(b"?")[0]


@pytest.mark.parametrize(
    ("target", "script", "path"),
    [
        (b"/app/x", b"/app", b"/x"),
        (b"/app", b"/app", b""),
        (b"/apple", b"/app", b"/apple"),
        (b"/x", b"/app", b"/x"),
    ],
)
def test_where_an_application_is_mounted(target: bytes, script: bytes, path: bytes) -> None:
    variables = _encoded(request(target=target, script_name=script))
    assert (variables[b"SCRIPT_NAME"], variables[b"PATH_INFO"], variables[b"REQUEST_URI"]) == (
        script,
        path,
        target,
    )


def _with_size(size: int) -> Request:
    """A request whose variables take this many bytes."""
    used = len(encoder("uwsgi").encode_request(request([(b"x", b"")]))) - 4
    return request([(b"x", b"y" * (size - used))])


def test_the_format_has_65535_bytes() -> None:
    packet = encoder("uwsgi").encode_request(_with_size(65535))
    assert packet[:4] == b"\0\xff\xff\0"
    assert read_pairs(packet)[-1][0] == b"HTTP_X"


@pytest.mark.parametrize(
    "forwarded",
    [
        _with_size(65536),
        request([(b"x", b"y" * 65536)]),
        request([(b"x" * 65531, b"")]),
        request([(b"x", b"y" * 40000), (b"z", b"y" * 40000)]),
        request(target=b"/" + b"x" * 65535),
        request(variables=[(b"X" * 65536, b"")]),
    ],
)
def test_what_does_not_fit_gets_431(forwarded: Request) -> None:
    with pytest.raises(ClientError) as caught:
        encoder("uwsgi").encode_request(forwarded)
    assert caught.value.status == 431


def test_a_long_value_that_fits_is_whole() -> None:
    for size in (1023, 1024, 1025, 60_000):
        assert _encoded(request([(b"x", b"y" * size)]))[b"HTTP_X"] == b"y" * size


# ---------------------------------------------------------------- responses

FIELDS = [
    (b"STATUS", b"404 Not Found"),
    (b"Content-Type", b"text/plain"),
    (b"Set-Cookie", b"a"),
    (b"Set-Cookie", b"b"),
]


@pytest.mark.parametrize("count_header", [False, True])
@pytest.mark.parametrize("container", [bytes, memoryview])
def test_a_response_head_in_both_forms_of_the_size(
    count_header: bool, container: type[bytes] | type[memoryview]
) -> None:
    packet = container(write_packet(FIELDS, count_header=count_header))
    assert encoder("uwsgi").decode(packet) == NodeHead(404, b"Not Found", FIELDS[1:], b"")


def test_the_status_may_stand_anywhere_and_without_a_reason() -> None:
    packet = write_packet([(b"A", b"1"), (b"STATUS", b"200"), (b"Status", b"a header")])
    assert encoder("uwsgi").decode(packet) == NodeHead(200, b"", [(b"A", b"1"), (b"Status", b"a header")])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "0 bytes are no head"),
        (b"\0\0\0", "3 bytes are no head"),
        (b"\0\0\0\0", "one variable STATUS, found 0"),
        (b"\0\x04\0\0", "one variable STATUS, found 0"),
        (write_packet([(b"A", b"b")]), "one variable STATUS, found 0"),
        (write_packet(FIELDS[:1] * 2), "one variable STATUS, found 2"),
        (write_packet([(b"status", b"200 OK")]), "one variable STATUS, found 0"),
        (write_packet(FIELDS) + b"x", "declares 79 bytes, but 80 follow"),
        (write_packet(FIELDS)[:-1], "declares 79 bytes, but 78 follow"),
        (write_packet(FIELDS, count_header=True)[:-1], "declares 83 bytes, but 78 follow"),
        (b"\0\xff\xff\0" + b"\0" * 65536, "65540 bytes are no head"),
        (b"\0\x01\0\0\x05", "a length at byte 4 leads beyond the end"),
        (b"\0\x02\0\0\x01\0", "a length at byte 4 leads beyond the end"),
        (b"\0\x02\0\0\xff\xff", "a length at byte 4 leads beyond the end"),
        (b"\0\x03\0\0\x01\0A", "a length at byte 7 leads beyond the end"),
        (b"\0\x05\0\0\x01\0A\x01\0", "a length at byte 7 leads beyond the end"),
        (write_packet([(b"STATUS", b"OK")]), "malformed status"),
        (write_packet([(b"STATUS", b"200 O\r\nA: b")]), "malformed status"),
        (write_packet([*FIELDS, (b"A", b"b\r\nC: d")]), "line break"),
        (write_packet([*FIELDS, (b"A", b"b\nC: d")]), "line break"),
        (write_packet([*FIELDS, (b"A\r\nC: d", b"b")]), "malformed header name"),
        (write_packet([*FIELDS, (b"", b"b")]), "malformed header name"),
        (write_packet([*FIELDS, (b"A", b"\0")]), "NUL"),
    ],
)
def test_a_malformed_response_head_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(NodeError) as caught:
        encoder("uwsgi").decode(memoryview(body))
    assert reason in caught.value.reason
