"""The filter `rewrite`."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import ConfigError
from blastbeat.interfaces import Answer, Route
from blastbeat.plugins import rewrite
from blastbeat.plugins.patterns import MAX_PATH
from blastbeat.testing import FilterContract, make_registered, make_request_view


def make(**options: Any) -> Any:
    return make_registered(rewrite, "filter", "rewrite", options)


class TestRewriteOfAPrefix(FilterContract):
    plugin = rewrite
    name = "rewrite"
    options = {"path": "/", "to": "/x{rest}"}


class TestRewriteByPattern(FilterContract):
    plugin = rewrite
    name = "rewrite"
    options = {"pattern": "/(.*)", "to": "/x?of={1}"}


def rewritten(options: dict[str, Any], target: bytes) -> bytes | None:
    verdict = make(**options).on_request(make_request_view(target=target))
    if verdict is None:
        return None
    assert isinstance(verdict, Route)
    return verdict.target


@pytest.mark.parametrize(
    ("options", "target", "expected"),
    [
        ({"path": "/old", "to": "/new{rest}"}, b"/old/a?b=c", b"/new/a?b=c"),
        ({"path": "/old", "to": "/new{rest}"}, b"/old", b"/new"),
        ({"path": "/old", "to": "/new{rest}"}, b"/x/%2e%2e//old/a", b"/new/a"),
        ({"path": "/old", "to": "/new{rest}"}, b"/older", None),
        ({"path": "/old", "to": "/new{path}"}, b"/old/a", b"/new/old/a"),
        ({"path": "/old", "to": "/new", "query": "drop"}, b"/old/a?b=c", b"/new"),
        ({"path": "/old", "to": "/new?x=1"}, b"/old?b=c", b"/new?x=1&b=c"),
        ({"path": "/old", "to": "/new?{query}&x=1"}, b"/old?b=c", b"/new?b=c&x=1"),
        ({"path": "/", "to": "{rest}"}, b"/a", b"/a"),
        ({"path": "/", "to": "/app{rest}"}, b"/../a/%2e%2e/b", b"/app/b"),
        ({"pattern": "/a/([0-9]+)", "to": "/article?id={1}"}, b"/a/7?b", b"/article?id=7&b"),
        ({"pattern": "/a/(?P<id>.+)", "to": "/article?id={id}"}, b"/a/7%261", b"/article?id=7%261"),
        ({"pattern": "/a/(.+)", "to": "/b/{1}"}, b"/a/x%3fy%20%C3%A9", b"/b/x%3Fy%20%C3%A9"),
        ({"pattern": "/a/(.+)", "to": "/b/{1}"}, b"/a/%ff", b"/b/%FF"),
        ({"pattern": "/a(/x)?", "to": "/b{1}"}, b"/a", b"/b"),
        ({"pattern": "a", "to": "/b"}, b"/a", None),
        ({"pattern": "/.*", "to": "/b"}, b"*", None),
        ({"pattern": "/a/(.*)", "to": "{path}"}, b"/a//b", b"/a/b"),
    ],
)
def test_rewritten(options: dict[str, Any], target: bytes, expected: bytes | None) -> None:
    assert rewritten(options, target) == expected


def test_a_path_too_long_for_a_pattern_does_not_get_around_it() -> None:
    view = make_request_view(target=b"/" + b"a" * MAX_PATH)
    verdict = make(pattern="/admin.*", to="/none").on_request(view)
    assert isinstance(verdict, Answer) and verdict.status == 414 and str(MAX_PATH) in verdict.detail
    assert rewritten({"path": "/", "to": "/x"}, b"/" + b"a" * MAX_PATH) == b"/x"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"to": "/new"}, "either `path` or `pattern`"),
        ({"to": "/new", "path": "/a", "pattern": "/b"}, "either `path` or `pattern`"),
        ({"path": "/a"}, "needs `to`"),
        ({"path": "/a", "to": "https://x.example/"}, "is not a path"),
        ({"path": "/a", "to": "/{1}"}, "placeholder"),
        ({"pattern": "/a", "to": "/{rest}"}, "placeholder"),
        ({"pattern": "/(a)", "to": "/{2}"}, "known: {path} {query} {1}"),
        ({"pattern": "/(a", "to": "/b"}, "not a regular expression"),
    ],
)
def test_options_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("{", r"\{")):
        make(**options)
