"""Hypothesis strategies for what the server hands to plugins: requests as it forwards them, instances,
candidates, response heads, bytes in any pieces.

What comes out has passed the server's gate, or could have: tokens as methods, fields in lower case without a
line break, consistent lengths. Knows no contract.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from hypothesis import strategies as st

from blastbeat.events import Request, ResponseHead
from blastbeat.interfaces import InstanceView, NodeCandidate, RequestView
from blastbeat.testing.fakes import make_candidate, make_connection_view, make_instance, make_request

_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_COMMON_FIELDS = (
    b"accept",
    b"cookie",
    b"user-agent",
    b"authorization",
    b"content-type",
    b"x-forwarded-proto",
)

methods: st.SearchStrategy[bytes] = st.sampled_from(
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"M-SEARCH", b"get"]
)
"""Of requests; any token is one."""

field_names: st.SearchStrategy[bytes] = st.sampled_from(_COMMON_FIELDS) | st.text(
    "abcxyz-.09!~", min_size=1, max_size=12
).map(str.encode)
"""As requests have them: in lower case, without underscore."""

field_values: st.SearchStrategy[bytes] = st.binary(max_size=60).map(
    lambda text: _CONTROLS.sub(b"", text).strip()
)
"""Any bytes that may stand in a field, those that are no UTF-8 too."""

targets: st.SearchStrategy[bytes] = st.one_of(
    st.sampled_from(
        [b"/", b"//", b"/a/../b", b"/%00%ff", b"/%2e%2e/x", b"/?", b"/a?b=c&d=%", b"/" + b"q" * 3000]
    ),
    st.text("abc/.%?=&;:@+~-_0123456789", max_size=40).map(lambda text: b"/" + text.encode()),
)
"""In origin form."""

addresses: st.SearchStrategy[bytes] = st.one_of(
    st.sampled_from([b"192.0.2.1", b"::1", b"::ffff:192.0.2.1", b"fe80::1%eth0"]),
    st.binary(min_size=4, max_size=4).map(lambda packed: str(ip_address(packed)).encode()),
    st.binary(min_size=16, max_size=16).map(lambda packed: str(ip_address(packed)).encode()),
)
"""Of clients, as text."""


@st.composite
def requests(draw: st.DrawFn, /, **fixed: Any) -> Request:
    """A request as it is forwarded; `fixed` are attributes of it. Its fields and its lengths agree."""
    fields = draw(st.lists(st.tuples(field_names, field_values), max_size=8))
    fields.insert(0, (b"host", draw(st.sampled_from([b"example.org", b"EXAMPLE.org:8080", b"[::1]"]))))
    values: dict[str, Any] = {
        "method": draw(methods),
        "target": draw(targets),
        "version": draw(st.sampled_from([b"1.1", b"1.0"])),
        "headers": fields,
        "scheme": draw(st.sampled_from([b"http", b"https"])),
        "remote_addr": draw(addresses),
        "remote_port": b"%d" % draw(st.integers(0, 65535)),
        "virtualhost": draw(st.sampled_from(["example.org", "*.example.org", "*"])),
    }
    kind = draw(st.sampled_from(["bodyless", "bodyless", "length", "chunked", "upgrade"]))
    if kind == "length":
        values["content_length"] = length = draw(st.integers(0, 1 << 40))
        fields.append((b"content-length", b"%d" % length))
    elif kind == "chunked":
        values["chunked"] = True
        fields.append((b"transfer-encoding", b"chunked"))
    elif kind == "upgrade":
        values |= {"upgrade": True, "method": b"GET", "version": b"1.1"}
        fields += [(b"upgrade", b"websocket"), (b"connection", b"Upgrade")]
    return make_request(**values | fixed)


def request_views(**fixed: Any) -> st.SearchStrategy[RequestView]:
    """Such a request as filters and authenticators see it, on a connection that fits."""
    return requests(**fixed).map(view_of)


def view_of(request: Request) -> RequestView:
    """`request` on a connection of the client that it is said to come from."""
    address, port = request.remote_addr.decode(), int(request.remote_port)
    return RequestView(request, make_connection_view(remote_addr=address, remote_port=port))


identities: st.SearchStrategy[str] = st.builds(
    lambda node, word: f"{node}/{word}" if word else node,
    st.sampled_from(["node1", "node2", "node3", "node4", "app", "the-backend"]),
    st.sampled_from(["", "", "a", "blue", "x.y_z-0"]) | st.text("abcXYZ019._-", min_size=1, max_size=12),
)
"""Routing ids of nodes and instances."""


def instances(**fixed: Any) -> st.SearchStrategy[InstanceView]:
    """One instance at any load; `fixed` are attributes of it."""
    return st.builds(
        lambda identity, values: make_instance(identity, **values | fixed),
        identities,
        st.fixed_dictionaries(
            {
                "sessions": st.integers(0, 3) | st.integers(0, 100_000),
                "queued_bytes": st.just(0) | st.integers(0, 1 << 30),
                "capabilities": st.frozensets(
                    st.sampled_from(["batch", "binary", "exchange", "credit=65536"])
                ),
            }
        ),
    )


def candidates(**fixed: Any) -> st.SearchStrategy[list[InstanceView]]:
    """What a selector is offered: one instance or several, each another one."""
    return st.lists(instances(**fixed), min_size=1, max_size=12, unique_by=lambda one: one.identity)


@st.composite
def node_candidates(draw: st.DrawFn, /, **fixed: Any) -> NodeCandidate:
    """A peer that wants to speak as a node: expected or not, heard or not, from anywhere."""
    node = draw(st.sampled_from(["node1", "node2", "stranger", ""]))
    heard = draw(st.booleans())
    word = draw(st.binary(max_size=8))
    values: dict[str, Any] = {
        "identity": node.encode() + (b"/" + word if word else b""),
        "endpoint": draw(st.sampled_from(["tcp://127.0.0.1:5000", "tcp://*:5000", "ipc:///run/nodes"])),
        "address": draw(addresses).decode() if heard and draw(st.booleans()) else "",
        "virtualhost": draw(st.sampled_from(["example.org", "*"])),
        "expected": draw(st.frozensets(st.sampled_from(["node1", "node2"]))),
        "heard": heard,
    }
    return make_candidate(node, **values | fixed)


@st.composite
def response_heads(draw: st.DrawFn) -> ResponseHead:
    """The head of a final response, its framing told."""
    status = draw(st.sampled_from([200, 201, 204, 301, 304, 404, 500, 599]))
    bodyless = status in (204, 304)
    names = st.sampled_from([b"Content-Type", b"Set-Cookie", b"ETag", b"X-Powered-By", b"location"])
    return ResponseHead(
        1,
        status,
        draw(st.sampled_from([b"OK", b"", b"Not\xe4t Found"])),
        draw(st.lists(st.tuples(names, field_values), max_size=6)),
        length=None if bodyless else draw(st.none() | st.integers(0, 1 << 40)),
        bodyless=bodyless,
        close=draw(st.booleans()),
    )


@st.composite
def byte_splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in pieces, none of them empty."""
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=12))
    return cut(data, cuts)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """`data` cut at these places."""
    ends = sorted({place for place in places if 0 < place < len(data)} | ({len(data)} if data else set()))
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@st.composite
def damaged(draw: st.DrawFn, bodies: Sequence[bytes]) -> bytes:
    """Bytes that are nearly one of `bodies`: cut, grown, with something put in the place of something; or any
    bytes at all."""
    if not bodies or draw(st.integers(0, 3)) == 0:
        return draw(st.binary(max_size=300))
    body = draw(st.sampled_from(list(bodies)))
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 8)))
    return body[:start] + draw(st.binary(max_size=8)) + body[end:]


option_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(
            ["", " ", "\0", "a\nb", "\ud800", "-1", "0", "1e9", "nan", "inf", "9" * 5000, "yes", "%"]
        ),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.dates(),
        st.datetimes(),
        st.times(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
"""Whatever a TOML file can put behind a key, and texts as the ini notation has them."""
