"""What views work out for themselves."""

from __future__ import annotations

from dataclasses import replace

from blastbeat.testing import make_request_view


def test_a_requests_path_is_the_one_to_compare() -> None:
    assert make_request_view(target=b"/x/%2e%2e//admin?q").path == b"/admin"
    assert make_request_view(target=b"").path == b"/"


def test_the_path_follows_a_rewrite_and_is_worked_out_once() -> None:
    view = make_request_view(target=b"/a//b")
    first = view.path
    assert first == b"/a/b" and view.path is first
    view.request = replace(view.request, target=b"/c/./d")
    assert view.path == b"/c/d"


def test_views_of_the_same_request_are_equal_whether_asked_or_not() -> None:
    asked, other = make_request_view(target=b"/x//y"), make_request_view(target=b"/x//y")
    assert asked.path == b"/x/y"
    assert asked == other
