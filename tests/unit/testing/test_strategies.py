"""Tests of `blastbeat.testing.strategies`: what they make could have come from the server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import Request, ResponseHead
from blastbeat.headers import is_field
from blastbeat.interfaces import InstanceView, NodeCandidate, RequestView
from blastbeat.testing import strategies


@given(strategies.requests(method=b"GET"))
def test_requests_have_passed_the_gate(request: Request) -> None:
    assert request.method == b"GET"
    assert request.target.startswith(b"/")
    assert all(
        is_field(name, value) and name == name.lower() and b"_" not in name for name, value in request.headers
    )
    length = request.header(b"content-length")
    assert (request.content_length is None) == (length is None)
    assert request.chunked == (request.header(b"transfer-encoding") == b"chunked")


@given(strategies.request_views())
def test_views_tell_of_the_client_that_the_request_tells_of(view: RequestView) -> None:
    assert view.connection.remote_addr.encode() == view.request.remote_addr


@given(strategies.candidates())
def test_candidates_are_several_instances(found: list[InstanceView]) -> None:
    assert found and len({one.identity for one in found}) == len(found)
    assert all(one.identity.partition("/")[0] == one.node for one in found)


@given(strategies.node_candidates())
def test_a_peer_that_was_not_heard_has_no_address(candidate: NodeCandidate) -> None:
    assert candidate.heard or not candidate.address
    assert candidate.identity.partition(b"/")[0] == candidate.node.encode()


@given(strategies.response_heads())
def test_response_heads_agree_with_their_framing(head: ResponseHead) -> None:
    assert head.bodyless == (head.status in (204, 304))
    assert all(is_field(*field) for field in head.headers)


@given(st.data())
def test_splits_are_all_of_it(data: st.DataObject) -> None:
    whole = data.draw(st.binary(max_size=40))
    pieces = data.draw(strategies.byte_splits(whole))
    assert b"".join(pieces) == whole and all(pieces)


@given(strategies.damaged([b"hello"]))
def test_damaged_bodies_are_bytes(body: bytes) -> None:
    assert isinstance(body, bytes) and len(body) <= 300
