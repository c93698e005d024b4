"""Paths, however spelled: nothing is left to interpret, and no spelling changes where one leads."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.paths import format_path, is_below, normalise

FRAGMENTS = [
    b"/",
    b"//",
    b".",
    b"..",
    b"%2e",
    b"%2E",
    b"%2f",
    b"%5c",
    b"\\",
    b";",
    b"%3b",
    b"%25",
    b"%",
    b"a",
    b"b",
]
FRAGMENTS += [b"%61", b"%3f", b"\x80", b"%00", b"*", b"=1"]
targets = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=12).map(b"".join)
names = st.lists(st.sampled_from([b"a", b"b", b"admin", b"..x", b"c%"]), max_size=5)
noise = st.sampled_from(
    [b"", b"/", b"/.", b"/%2e", b"/x/..", b"/y/%2E.", b"\\", b"%2f", b"/;p=1", b"/z/..;q"]
)


@given(targets)
def test_nothing_is_left_to_interpret(target: bytes) -> None:
    path = normalise(target)
    assert path == b"*" or path[:1] == b"/"
    assert not re.search(rb"//|[\\;]|/\.\.?(/|\Z)", path)


@given(targets)
def test_a_normal_path_is_normal(target: bytes) -> None:
    path = normalise(target)
    assert normalise(format_path(path)) == path
    if b"%" not in path and b"?" not in path:
        assert normalise(path) == path


@given(names, st.data())
def test_no_spelling_leads_elsewhere(segments: list[bytes], data: st.DataObject) -> None:
    target = b""
    for segment in segments:
        escaped = b"".join(
            b"%%%02x" % byte if byte == 0x25 or data.draw(st.booleans()) else bytes([byte])
            for byte in segment
        )
        target += data.draw(noise) + b"/" + escaped
    assert normalise(target) == b"/" + b"/".join(segments)


@given(targets, targets)
def test_below_means_the_first_segments_are_the_same(path: bytes, prefix: bytes) -> None:
    path, prefix = normalise(path), normalise(prefix)
    if b"*" in (path, prefix) or prefix[-1:] == b"/" and prefix != b"/":
        return
    wanted = prefix.split(b"/")[1:] if prefix != b"/" else []
    assert is_below(path, prefix) == (path.split(b"/")[1 : len(wanted) + 1] == wanted)
