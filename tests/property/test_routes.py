"""Whatever a client writes: who takes the request is who the path shown to the node reads like."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.config.model import RouteConfig, VirtualHostConfig
from blastbeat.plugins.headers_encoder import HeadersEncoder
from blastbeat.plugins.uwsgi_encoder import UwsgiEncoder
from blastbeat.routes import RouteTable
from blastbeat.testing import make_request
from tests.helpers.uwsgi import read_pairs

POLICY = VirtualHostConfig("a.test")
PATHS = ["/a", "/a/b", "/b", "/a/b/c"]
FRAGMENTS = rb"/ // . .. %2e %2E %2f %5c \ ; %3b %25 % a b c %61 %62 %3f * =1 ab".split()
targets = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(lambda parts: b"/" + b"".join(parts))
stripping = st.lists(st.booleans(), min_size=4, max_size=4)


def literally(path: bytes) -> str:
    """The route that a node's own router would take a path for, which resolves and decodes nothing."""
    fitting = [each for each in PATHS if path == each.encode() or path.startswith(each.encode() + b"/")]
    return max(fitting, key=len, default="")


@given(targets, stripping, st.booleans())
def test_the_path_shown_reads_like_its_route(target: bytes, strips: list[bool], raw: bool) -> None:
    routes = [
        RouteConfig(path, POLICY, path=path, strip_prefix=strip)
        for path, strip in zip(PATHS, strips, strict=True)
    ]
    request = make_request(target=target, headers=[(b"host", b"a.test")], raw_path_info=raw)
    taken = RouteTable([(route, route.name) for route in routes], "a.test").lead(request)

    shown = dict(read_pairs(UwsgiEncoder().encode_request(request)))
    assert shown[b"REQUEST_URI"] == target
    script, path_info = shown[b"SCRIPT_NAME"], shown[b"PATH_INFO"]
    decoded = unquote_to_bytes(path_info) if raw else path_info
    assert literally(script + decoded) == (taken or "")
    assert not re.search(rb"/\.\.?(/|\Z)", decoded)
    assert script == b"" or path_info[:1] in (b"", b"/") and path_info[:2] != b"//"

    line = HeadersEncoder().encode_request(request).split(b"\r\n")[0].split(b" ")
    path = unquote_to_bytes(line[1].partition(b"?")[0])
    assert literally(script + path) == (taken or "")
    assert path[:1] == b"/" and not re.search(rb"/\.\.?(/|\Z)", path)
