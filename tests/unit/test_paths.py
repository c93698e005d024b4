"""One spelling of a path for everything that a node could take for the same place."""

from __future__ import annotations

import pytest

from blastbeat.paths import format_path, is_below, normalise

SPELLINGS_OF_ADMIN = [
    b"/admin",
    b"/admin?x=1",
    b"/admin?/../x",
    b"//admin",
    b"///admin",
    b"/./admin",
    b"/././admin",
    b"/../admin",
    b"/../../admin",
    b"/x/../admin",
    b"/x/y/../../admin",
    b"/x//../admin",
    b"/%61dmin",
    b"/%61%64%6d%69%6e",
    b"/%61%64%6D%69%6E",
    b"%2fadmin",
    b"/%2fadmin",
    b"/%2Fadmin",
    b"/%2e/admin",
    b"/%2E/admin",
    b"/%2e%2e/admin",
    b"/x/%2e%2e/admin",
    b"/x/.%2e/admin",
    b"/x/%2e./admin",
    b"/x/..%2fadmin",
    b"/x%2f..%2fadmin",
    b"/x/%2e%2e%2fadmin",
    b"\\admin",
    b"/\\admin",
    b"/x\\..\\admin",
    b"/x/..\\admin",
    b"/x%5c..%5cadmin",
    b"/x/..%5Cadmin",
    b"/admin;x=1",
    b"/admin;x=1;y=2?z",
    b"/admin%3bx",
    b"/x/..;/admin",
    b"/x/..;y=1/admin",
    b"/;x/admin",
    b"/.;/admin",
]


@pytest.mark.parametrize("target", SPELLINGS_OF_ADMIN)
def test_spellings_of_a_path(target: bytes) -> None:
    assert normalise(target) == b"/admin"


@pytest.mark.parametrize(
    "target",
    [b"/admin/", b"/admin/.", b"/admin//", b"/admin%2f", b"/admin/x/..", b"/admin/x/../", b"/admin/;x"],
)
def test_a_slash_at_the_end_stays(target: bytes) -> None:
    assert normalise(target) == b"/admin/"


@pytest.mark.parametrize(
    "target",
    [b"/", b"", b"?x", b"//", b"/.", b"/..", b"/../..", b"/a/..", b"/a/../..", b"/%2e%2e", b"/;x", b"\\"],
)
def test_nothing_is_above_the_root(target: bytes) -> None:
    assert normalise(target) == b"/"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"*", b"*"),
        (b"/*", b"/*"),
        (b"/...", b"/..."),
        (b"/.well-known/x", b"/.well-known/x"),
        (b"/a.b/..c/d..", b"/a.b/..c/d.."),
        (b"/%zz/%4/%", b"/%zz/%4/%"),
        (b"/%252e%252e/x", b"/%2e%2e/x"),
        (b"/a%3fb", b"/a?b"),
        (b"/a%20b+c", b"/a b+c"),
        (b"/\xc3\xa9/%C3%A9", b"/\xc3\xa9/\xc3\xa9"),
        (b"/%c0%ae%c0%ae/x", b"/\xc0\xae\xc0\xae/x"),
        (b"/Admin", b"/Admin"),
    ],
)
def test_what_is_no_other_spelling_stays_itself(target: bytes, path: bytes) -> None:
    assert normalise(target) == path


def test_an_ordinary_path_is_the_same_object() -> None:
    path = b"/a.b/.c/d~e/f%"[:-1]
    assert normalise(path) is path


@pytest.mark.parametrize(
    ("path", "prefix", "expected"),
    [
        (b"/api", b"/api", True),
        (b"/api/", b"/api", True),
        (b"/api/x", b"/api", True),
        (b"/apis", b"/api", False),
        (b"/ap", b"/api", False),
        (b"/api", b"/api/", False),
        (b"/api/x", b"/api/", True),
        (b"/x", b"/", True),
        (b"/", b"/", True),
        (b"*", b"/", True),
        (b"*", b"/api", False),
        (b"*", b"*", True),
    ],
)
def test_below_a_prefix(path: bytes, prefix: bytes, expected: bool) -> None:
    assert is_below(path, prefix) is expected


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"*", b"*"),
        (b"/a b", b"/a%20b"),
        (b"/a?b", b"/a%3Fb"),
        (b"/100%", b"/100%25"),
        (b"/a:b@c/~d", b"/a:b@c/~d"),
    ],
)
def test_a_path_as_it_stands_in_a_target(path: bytes, target: bytes) -> None:
    assert format_path(path) == target
