"""What check says of routes that nobody reaches, that ask for the same, or that nobody answers."""

from __future__ import annotations

import pytest

from tests.helpers.examine import Examine

HEAD = """\
[blastbeat]
bind = 127.0.0.1:8080
zmq = tcp://127.0.0.1:5000
[blastbeat:x]
node = n
"""


def told(examine_text: Examine, text: str) -> list[tuple[str, str, str]]:
    _, problems = examine_text(HEAD + text, "a.ini")
    return [(found.severity, found.section, found.message) for found in problems]


GOOD = """\
[blastbeat:x/a]
[blastbeat:x/a/b]
[blastbeat:x/get]
path = /a
method = GET
[blastbeat:x/beta]
path = /a
header = X-Beta
[blastbeat:x/ten]
path = /a
share = 10%
[blastbeat:x/twenty]
path = /a
share = 90%
[blastbeat:x/twenty-beta]
path = /b
cookie = a=1
cookie = b
[blastbeat:x/b]
[blastbeat:x/b2]
path = /b
cookie = b
[blastbeat:x/A]
"""


def test_routes_that_all_have_requests_of_their_own(examine_text: Examine) -> None:
    assert told(examine_text, GOOD) == []


@pytest.mark.parametrize(
    ("text", "section", "message"),
    [
        ("[blastbeat:x/]\n", "x/", "asks for nothing, and so for all that its virtualhost is there for"),
        ("[blastbeat:x/c]\npath = /\n", "x/c", "asks for nothing"),
        ("[blastbeat:x/a]\n[blastbeat:x/a/]\n", "x/a/", "asks for the same as [blastbeat:x/a] ("),
        ("[blastbeat:x/a]\n[blastbeat:x/%61]\n", "x/%61", "asks for the same as [blastbeat:x/a] ("),
        (
            "[blastbeat:x/a]\nmethod = GET PUT\n[blastbeat:x/b]\npath = /a\nmethod = PUT GET\n",
            "x/b",
            "asks for the same",
        ),
        (
            "[blastbeat:x/a]\nmethod = GET PUT\n[blastbeat:x/b]\npath = /a\nmethod = GET\n",
            "x/b",
            "is never reached: [blastbeat:x/a] (",
        ),
        (
            "[blastbeat:x/a]\nheader = X\n[blastbeat:x/b]\npath = /a\nheader = X=1\n",
            "x/b",
            "is never reached",
        ),
        ("[blastbeat:x/a]\n[blastbeat:x/b]\npath = /a\nshare = 100%\n", "x/a", "is never reached"),
        (
            "[blastbeat:x/a]\nshare = 60%\n[blastbeat:x/b]\npath = /a\nshare = 50%\n",
            "x/b",
            "brings the shares of the path /a to 110%, more than all",
        ),
    ],
)
def test_errors(examine_text: Examine, text: str, section: str, message: str) -> None:
    ((severity, where, what),) = told(examine_text, text)
    assert (severity, where) == ("error", f"blastbeat:{section}")
    assert what.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[blastbeat:x/a]\nshare = 0%\n", "its share is 0%: no client gets here"),
        ("[blastbeat:x/c]\npath = /\nmethod = GET\nstrip-prefix = yes\n", "has no prefix to strip"),
    ],
)
def test_warnings(examine_text: Examine, text: str, message: str) -> None:
    ((severity, _, what),) = told(examine_text, text)
    assert severity == "warning" and message in what


def test_what_asks_for_more_is_not_shadowed_by_what_is_written_first(examine_text: Examine) -> None:
    assert told(examine_text, "[blastbeat:x/a]\n[blastbeat:x/b]\npath = /a\nmethod = GET\n") == []
    assert told(examine_text, "[blastbeat:x/a]\n[blastbeat:x/b]\npath = /a\nshare = 1%\n") == []


def test_a_value_that_is_refused_brings_no_problem_of_another_route(examine_text: Examine) -> None:
    (problem,) = told(examine_text, "[blastbeat:x/a]\n[blastbeat:x/b]\npath = a\n")
    assert "does not begin with /" in problem[2]


def test_routes_without_a_node(examine_text: Examine) -> None:
    server = "[blastbeat]\nbind = 127.0.0.1:8080\nzmq = tcp://127.0.0.1:5000\n"
    text = (
        f"{server}[blastbeat:x]\n[blastbeat:x/a]\nnode = n\n[blastbeat:x/b]\n[blastbeat:x/c]\nfilters = f\n"
    )
    _, problems = examine_text(text, "a.ini")
    assert [(found.severity, found.line, found.message) for found in problems] == [
        ("error", 7, "it has no node, so nobody answers its requests"),
        ("warning", 8, "it has no node: what its filters do not answer is answered 503"),
    ]


def test_nodes_of_routes_need_an_endpoint_too(examine_text: Examine) -> None:
    text = "[blastbeat]\nbind = 127.0.0.1:8080\n[blastbeat:x]\n[blastbeat:x/a]\nnode = n\n"
    _, problems = examine_text(text, "a.ini")
    assert [found.message for found in problems] == ["there is no zmq endpoint for the nodes of x"]


def test_plugins_of_routes_are_looked_up(examine_text: Examine) -> None:
    _, problems = examine_text(
        f"{HEAD}[blastbeat:x/a]\nfilters = nobodys\n", "a.ini", known={"filter": ["a"]}
    )
    assert [(found.line, found.message) for found in problems] == [
        (7, "no plugin offers the filter 'nobodys'")
    ]
