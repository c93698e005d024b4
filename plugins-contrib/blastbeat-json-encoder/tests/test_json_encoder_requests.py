"""Request heads as JSON: what is in them, and that every byte can be told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.testing import make_request
from json_encoder_case import relaxed, told


def test_all_that_a_request_says() -> None:
    request = make_request(
        method=b"POST",
        target=b"/app/caf%C3%A9?a=b&c",
        headers=[(b"host", b"a.test"), (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-odd", b'\xff\t"')],
        content_length=5,
        scheme=b"https",
        server_port=b"8443",
        script_name=b"/app",
        variables=[(b"REMOTE_USER", b"ann"), (b"X", b"\xe9")],
    )
    assert told(request) == {
        "method": "POST",
        "target": "/app/caf%C3%A9?a=b&c",
        "path": "/caf\xc3\xa9",
        "query": "a=b&c",
        "script_name": "/app",
        "version": "1.1",
        "scheme": "https",
        "server_name": "example.org",
        "server_port": 8443,
        "remote_addr": "192.0.2.1",
        "remote_port": 50000,
        "request_id": "r1",
        "headers": [["host", "a.test"], ["cookie", "a=1"], ["cookie", "b=2"], ["x-odd", '\xff\t"']],
        "content_length": 5,
        "chunked": False,
        "websocket": False,
        "variables": {"REMOTE_USER": "ann", "X": "\xe9"},
    }


def test_how_a_body_ends_is_told() -> None:
    assert told(make_request())["content_length"] is None and not told(make_request())["chunked"]
    chunked = told(make_request(chunked=True, headers=[(b"transfer-encoding", b"chunked")]))
    assert chunked["chunked"] and chunked["headers"] == [["transfer-encoding", "chunked"]]


def test_what_nobody_knows_is_null() -> None:
    assert told(make_request(remote_port=b""))["remote_port"] is None
    assert told(make_request(upgrade=True))["websocket"] is True


any_bytes = st.binary(max_size=30)


@relaxed
@given(
    st.lists(st.tuples(any_bytes, any_bytes), max_size=6),
    any_bytes,
    any_bytes,
    st.lists(st.tuples(any_bytes, any_bytes), max_size=4, unique_by=lambda pair: pair[0]),
)
def test_every_byte_comes_back(
    headers: list[tuple[bytes, bytes]],
    target: bytes,
    name: bytes,
    variables: list[tuple[bytes, bytes]],
) -> None:
    """Also of what no server would let through: line breaks have no meaning in JSON."""
    request = make_request(
        method=name, target=target, headers=headers, server_name=name, remote_addr=name, variables=variables
    )
    head = told(request)
    back = [(one.encode("latin-1"), other.encode("latin-1")) for one, other in head["headers"]]
    assert back == headers
    for key in ("method", "server_name", "remote_addr"):
        assert head[key].encode("latin-1") == name
    assert head["target"].encode("latin-1") == target
    assert head["query"].encode("latin-1") == target.partition(b"?")[2]
    assert {key.encode("latin-1"): text.encode("latin-1") for key, text in head["variables"].items()} == dict(
        variables
    )


@pytest.mark.parametrize(
    ("target", "changes", "path"),
    [
        (b"/a%20b/%C3%A9?q=/", {}, b"/a b/\xc3\xa9"),
        (b"/%zz/\xe9/%2f", {}, b"/%zz/\xe9//"),
        (b"/a%20b", {"raw_path_info": True}, b"/a%20b"),
        (b"/app/x%20", {"script_name": b"/app"}, b"/x "),
        (b"/app", {"script_name": b"/app"}, b""),
        (b"/apps", {"script_name": b"/app"}, b"/apps"),
        (b"/old", {"path_info": b"/n\xc3\xa9w ?"}, b"/n\xc3\xa9w ?"),
        (b"/old", {"path_info": b"/n\xc3\xa9w ?", "raw_path_info": True}, b"/n%C3%A9w%20%3F"),
        (b"*", {"method": b"OPTIONS"}, b"*"),
    ],
)
def test_the_path_is_that_of_the_type_uwsgi(target: bytes, changes: dict[str, Any], path: bytes) -> None:
    assert told(make_request(target=target, **changes))["path"].encode("latin-1") == path
