"""Whatever a node writes as a head, a client gets one response: one head in the grammar, framed one way."""

from __future__ import annotations

import re

import h11
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import NodeError
from blastbeat.events import Buffer, ResponseHead
from blastbeat.headers import parse_response_head, response_framing
from blastbeat.plugins.http1_writer import Http1Writer
from blastbeat.response import BODYLESS_STATUSES

PAYLOAD = b"HTTP/1.1 200 OK\r\n\r\n"  # must never be taken for a head
HEAD = re.compile(
    rb"HTTP/1\.1 [1-9][0-9]{2} [\t -~\x80-\xff]*\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*\r\n"
)
pieces = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 204 X",
        b"HTTP/1.1 304",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b":",
        b"A: b",
    ]
    + [b"\r\nContent-Length: 5", b"\r\nContent-Length: 19", b"\r\nTransfer-Encoding: chunked", b"\r\n c"]
    + [b"\r\nConnection: close, A", b"\r\nSet-Cookie: a=b", b"\x85", b"\xe2\x80\xa8", b"\x0b", b"\x1c"]
)
lines = st.sampled_from(
    [b"Content-Length: 5", b"content-length:19", b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED"]
    + [b"Connection: close, A", b"Connection: keep-alive", b"A: b", b"A:", b"Server: c", b"Date: d", b"TE: e"]
)
nearly_good = st.lists(lines, max_size=3).map(lambda fields: b"".join(b"\r\n" + line for line in fields))
heads = st.lists(pieces | st.binary(max_size=2), max_size=12).map(b"".join)


@given(
    text=(nearly_good | heads).map(lambda text: b"HTTP/1.1 200 OK" + text + b"\r\n\r\n") | heads,
    version=st.sampled_from([b"1.1", b"1.0"]),
    keep_alive=st.booleans(),
)
def test_one_response_whatever_the_node_writes(text: bytes, version: bytes, keep_alive: bool) -> None:
    try:
        head = parse_response_head(text)
        length, _ = response_framing(head)
    except NodeError:
        return
    if head.status < 200:
        return
    bodyless = head.status in BODYLESS_STATUSES
    payload = PAYLOAD if length is None else (PAYLOAD * (length // len(PAYLOAD) + 1))[: min(length, 4096)]
    writer = Http1Writer()
    writer.answer(version, keep_alive)
    out: list[Buffer] = []
    writer.send_head(ResponseHead(1, head.status, head.reason, head.headers, length, bodyless), out)
    written = bytes(out[0])
    assert HEAD.fullmatch(written), written
    names = [line.partition(b":")[0].lower() for line in written.split(b"\r\n")[1:]]
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert names.count(b"connection") <= 1 and names.count(b"server") >= 1
    writer.send_data(payload, out)
    writer.send_end(out)
    if length is None or length == len(payload):
        assert read(b"".join(out)) == (head.status, b"" if bodyless else payload)


def read(written: bytes) -> tuple[int, bytes]:
    """What another reader takes it for; everything must belong to that one response."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(written)
    client.receive_data(b"")
    response = client.next_event()
    assert isinstance(response, h11.Response)
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage) and not client.trailing_data[0]
    return response.status_code, body
