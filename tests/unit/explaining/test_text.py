"""Explanations as readers see them."""

from __future__ import annotations

from blastbeat.explaining.explanation import Explanation, Host, Limit, Listener, Pick, Place, RouteChoice
from blastbeat.explaining.text import format_explanation


def test_all_steps_in_order() -> None:
    found = Explanation(
        "http://a.test/api",
        "GET",
        "/api",
        "192.0.2.1",
        path="/api",
        listener=Listener("127.0.0.1:80", "has port 80"),
        virtualhost=Host("a.test", "by its name", Place("a.toml", 5)),
        route="/api",
        routes=[
            RouteChoice("/api", "/api", "yes", "the path is /api or below it", Place("a.toml", 9)),
            RouteChoice("all", "/", "no", "/api comes before it", Place("a.toml", 7)),
        ],
        other_routes=1,
        filters=[Pick("answer", {"status": "200", "path": "/x"}, "lets it pass")],
        request_encoder="uwsgi",
        shown={"REQUEST_URI": "/api", "SCRIPT_NAME": ""},
        selector="first",
        nodes=["a", "b"],
        endpoints=["ipc:///x"],
        node_authenticators=["identity"],
        limits=[Limit("hold", "10s", Place("a.toml", 6)), Limit("max-hops", "10", Place())],
        outcome="node a or b",
        notes=["mind the gap"],
    )
    assert (
        format_explanation(found)
        == """\
GET http://a.test/api
  listener                127.0.0.1:80: has port 80
  virtualhost             a.test: by its name (a.toml:5)
  path                    /api, as it is compared
  routes                  /api: yes, the path is /api or below it (a.toml:9)
                          all: no, /api comes before it (a.toml:7)
                          1 other is for other paths
  filters                 answer status=200 path=/x: lets it pass
  request-authenticators  none
  request-encoder         uwsgi: REQUEST_URI /api
  selector                first
  nodes                   a b, at ipc:///x
  node-authenticators     identity
  limits                  hold 10s (a.toml:6)
                          max-hops 10 (default)
note: mind the gap
=> node a or b
"""
    )


def test_what_gets_nowhere_is_short() -> None:
    found = Explanation("a.test", "GET", "/", "", status=404, outcome="no virtualhost for a.test")
    assert format_explanation(found) == "GET a.test\n=> 404: no virtualhost for a.test\n"


def test_routes_none_of_which_takes_it() -> None:
    host = Host("a.test", "by its name", Place())
    found = Explanation("a.test", "GET", "/", "", virtualhost=host, other_routes=7)
    text = format_explanation(found)
    assert "7 others are for other paths" in text and "none takes it: the virtualhost itself has it" in text


def test_nothing_a_terminal_acts_on() -> None:
    found = Explanation("a.test/\x1b[2J", "GET", "/", "", outcome="\x07")
    assert format_explanation(found) == "GET a.test/\\x1b[2J\n=> \\x07\n"
