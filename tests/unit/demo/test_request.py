"""Requests as the demo's node reads them, and the answers it writes."""

from __future__ import annotations

import struct

import pytest

from blastbeat.demo.pages import Page
from blastbeat.demo.request import Request, answer_json, answer_nothing, answer_page, read_variables
from tests.helpers.demo import SID, data_of, fields_of, packet, request


def test_a_packet_is_read_to_its_variables_in_order() -> None:
    assert list(read_variables(packet(A="1", B="", C="x y")).items()) == [("A", "1"), ("B", ""), ("C", "x y")]


def test_a_packet_whose_size_counts_its_own_head_reads_the_same() -> None:
    body = packet(A="1")
    assert read_variables(struct.pack("<BHB", 0, len(body), 0) + body[4:]) == {"A": "1"}


def test_bytes_that_are_no_text_are_spelled_out() -> None:
    assert read_variables(b"\0\0\0\0\1\0A\1\0\xff") == {"A": "\\xff"}


@pytest.mark.parametrize(
    ("variables", "length"),
    [
        ({}, 0),
        ({"CONTENT_LENGTH": "12"}, 12),
        ({"CONTENT_LENGTH": "x"}, 0),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, None),
    ],
)
def test_the_body_to_come_is_counted_or_ends_by_itself(variables: dict[str, str], length: int | None) -> None:
    assert Request(SID, variables, 0).length == length


def test_parameters_come_from_the_query() -> None:
    asked = request(QUERY_STRING="page=a%2Fb&since=12&since=13&bad=1x&long=" + "9" * 40)
    assert asked.parameter("page") == "a/b"
    assert asked.parameter("missing") == ""
    assert [asked.number(name) for name in ("since", "bad", "long", "missing")] == [13, 0, 0, 0]


def test_a_page_is_a_head_with_its_length_and_policy_and_a_body() -> None:
    page = Page(b"<p>hello", "default-src 'none'")
    (_, _, head), body = answer_page(request(), "200 OK", page, {"X": "1"})
    fields = fields_of(head)
    assert fields["content-length"] == "8" and fields["x"] == "1"
    assert fields["content-security-policy"] == "default-src 'none'"
    assert fields["cache-control"] == "no-store"
    assert body == (SID, b"body", b"<p>hello")
    assert len(answer_page(request(method="HEAD"), "200 OK", page)) == 1


def test_data_and_nothing() -> None:
    assert data_of(answer_json(SID, {"a": 1})) == {"a": 1}
    ((sid, kind, head),) = answer_nothing(SID)
    assert (sid, kind) == (SID, b"headers") and head.startswith(b"HTTP/1.1 204 ")
    assert "content-length" not in fields_of(head)
