"""What would serve a request: the same as the server would do, and the reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blastbeat.config import load_config
from blastbeat.explaining.explainer import explain
from blastbeat.explaining.explanation import Explanation
from blastbeat.explaining.question import read_question
from blastbeat.plugin_manager import PluginManager

CONFIG = """\
[blastbeat]
bind = 0.0.0.0:8080
bind = 127.0.0.1:8081
zmq = tcp://127.0.0.1:5000
trusted-proxies = 10.0.0.0/8
response-timeout = 20
[blastbeat:shop.example]
node = shop
alias = www.shop.example
alias = *.shop.example:8080
sessions = 100
hold = 10
[blastbeat:shop.example/api]
node = api1
node = api2 weight=3
strip-prefix = yes
timeout = 5
max-body = 10
[blastbeat:shop.example/beta]
path = /
cookie = beta=yes
[blastbeat:shop.example/canary]
path = /
share = 10%
node = next
[blastbeat:shop.example/all]
path = /x
share = 100%
[blastbeat:shop.example/moved]
filters = headers set="X-A: 1"
filters = redirect to=https://shop.example/new{rest} path=/moved
[blastbeat:own.example]
bind = 127.0.0.2:9000
node = own
[blastbeat:only.example]
[blastbeat:only.example/a]
node = a
[blastbeat:*]
filters = answer status=410
"""


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    path = tmp_path / "shop.ini"
    path.write_text(CONFIG)
    config, _ = load_config(path)
    manager = PluginManager(load=())
    manager.load()
    registry = manager.build_registry()

    def explain_url(url: str, **question: Any) -> Explanation:
        return explain(config, registry, read_question(url, **question))

    return explain_url


def verdicts(found: Explanation) -> dict[str, str]:
    return {route.name: route.takes for route in found.routes}


def test_a_route_and_what_serves_it(ask: Any) -> None:
    found = ask("shop.example:8080/x/../api/a%20b?q", client="192.0.2.1")
    assert found.listener.address == "0.0.0.0:8080" and found.listener.why == "has port 8080"
    assert (found.virtualhost.name, found.virtualhost.why) == ("shop.example", "by its name")
    assert found.virtualhost.place.line == 7
    assert (found.path, found.route, found.other_routes) == ("/api/a%20b", "/api", 2)
    assert verdicts(found) == {"/api": "yes", "/beta": "no", "/canary": "no"}
    assert found.routes[0].why == "the path is /api or below it" and found.routes[0].place.line == 13
    assert found.routes[1].why == "/api comes before it"
    assert found.shown == {
        "REQUEST_URI": "/x/../api/a%20b?q",
        "SCRIPT_NAME": "/api",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "q",
    }
    assert (found.nodes, found.endpoints) == (["api1", "api2"], ["tcp://127.0.0.1:5000"])
    assert (found.request_encoder, found.selector) == ("uwsgi", "least-connections")
    assert found.node_authenticators == ["identity"]
    assert found.status == 0
    chosen, _, otherwise = found.outcome.partition("; ")
    assert chosen == "node api1 or api2, as least-connections chooses"
    assert otherwise == "while none is available it waits up to 10s, then 503"
    limits = {limit.key: (limit.value, limit.place.line) for limit in found.limits}
    assert limits["response-timeout"] == ("5s", 17) and limits["hold"] == ("10s", 12)
    assert limits["body-timeout"] == ("1m", 0) and limits["bandwidth"] == ("no limit", 0)
    assert limits["sessions of the virtualhost"] == ("100", 11)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("www.shop.example:8080", "by its alias www.shop.example"),
        ("a.shop.example:8080", "its alias *.shop.example:8080 is for all hosts below shop.example:8080"),
        ("a.shop.example:8081", "its name * is for all hosts that no other takes"),
    ],
)
def test_by_which_name(ask: Any, url: str, why: str) -> None:
    assert ask(url).virtualhost.why == why


def test_without_a_client_a_share_is_open(ask: Any) -> None:
    found = ask("shop.example:8080/")
    assert verdicts(found) == {"/beta": "no", "/canary": "perhaps"}
    assert [route.why for route in found.routes] == [
        "there is no cookie beta=yes",
        "it is for 10% of the clients",
    ]
    assert found.notes == ["whether /canary takes it, --client ADDRESS would tell"]
    assert (found.route, found.nodes) == ("", ["shop"])


def test_with_a_client_it_is_not(ask: Any) -> None:
    sides = {ask("shop.example:8080/", client=f"192.0.2.{number}").route for number in range(100)}
    assert sides == {"", "/canary"}
    found = ask("shop.example:8080/", client="192.0.2.1")
    assert verdicts(found)["/canary"] in ("yes", "no") and not found.notes


def test_what_a_trusted_proxy_tells_of_the_client_counts(ask: Any) -> None:
    told = ["X-Forwarded-For: 192.0.2.7"]
    assert ask("shop.example:8080/", client="10.0.0.1", headers=told).client == "192.0.2.7"
    found = ask("shop.example:8080/", client="192.0.2.1", headers=told)
    assert found.client == "192.0.2.1"
    assert found.notes == ["X-Forwarded-* is dropped: --client is not in trusted-proxies"]


def test_filters_that_only_look_are_asked(ask: Any) -> None:
    found = ask("shop.example:8080/moved/7?q", client="192.0.2.1")
    assert [(pick.name, pick.says) for pick in found.filters] == [
        ("headers", "sets x-a"),
        ("redirect", "answers 302 to https://shop.example/new/7?q"),
    ]
    assert (found.status, found.outcome) == (302, "the filter redirect answers; no node is asked")


@pytest.mark.parametrize(
    ("url", "question", "status", "outcome"),
    [
        ("only.example:8080/b", {}, 404, "no route of this virtualhost is for this request"),
        ("shop.example:8080/a%00", {}, 400, "a zero byte in the path"),
        ("shop.example:8080/api", {"headers": ["Content-Length: 11"]}, 413, "the body would be 11 bytes, 10"),
        ("shop.example:8080/" + "x" * 20_000, {}, 414, "target"),
        ("nowhere.test:8080", {}, 410, "the filter answer answers"),
        ("nowhere.test:9000", {}, 404, "no virtualhost for nowhere.test:9000"),
        ("127.0.0.2:9000", {"headers": ["Host: a b"]}, 400, "does not name a valid host"),
    ],
)
def test_what_gets_to_no_node(
    ask: Any, url: str, question: dict[str, Any], status: int, outcome: str
) -> None:
    found = ask(url, **question)
    assert found.status == status and outcome in found.outcome
    assert not found.limits


def test_a_host_that_is_reachable_elsewhere_only(ask: Any) -> None:
    assert ask("own.example:9000").virtualhost.name == "own.example"
    found = ask("127.0.0.2:9000", headers=["Host: shop.example"])
    assert found.status == 404
    assert found.notes == ["shop.example is reachable on 0.0.0.0:8080 only, not on 127.0.0.2:9000"]


@pytest.mark.parametrize(
    ("url", "address", "why"),
    [
        ("127.0.0.1:8081", "127.0.0.1:8081", "has port 8081"),
        ("10.1.2.3:8080", "0.0.0.0:8080", "has port 8080"),
        ("own.example:9000", "127.0.0.2:9000", "has port 9000"),
        ("shop.example", "0.0.0.0:8080", "nothing listens at shop.example:80"),
        ("10.1.2.3:8081", "0.0.0.0:8080", "nothing listens at 10.1.2.3:8081"),
        ("own.example", "127.0.0.2:9000", "nothing listens at own.example:80"),
    ],
)
def test_listeners(ask: Any, url: str, address: str, why: str) -> None:
    found = ask(url)
    reason = found.listener.why.removesuffix(", so something in front leads here")
    assert (found.listener.address, reason) == (address, why)


def test_https_ends_in_front(ask: Any) -> None:
    found = ask("https://shop.example/api", client="192.0.2.1")
    assert found.route == "/api" and found.listener is not None
    assert "something in front" in found.listener.why


def test_a_virtualhost_without_routes(ask: Any) -> None:
    found = ask("own.example:9000/x")
    assert not found.routes and found.route == "" and found.nodes == ["own"]


SECURE = """\
[blastbeat]
bind = 0.0.0.0:80
bind-ssl = 0.0.0.0:443
certificate = /etc/s.pem
zmq = tcp://127.0.0.1:5000
[blastbeat:a.example]
node = a
https-redirect = yes
[blastbeat:b.example]
node = b
client-ca = /etc/ca.pem
"""


def test_tls(tmp_path: Path) -> None:
    path = tmp_path / "secure.ini"
    path.write_text(SECURE)
    config, _ = load_config(path)
    manager = PluginManager(load=())
    manager.load()

    def ask(url: str) -> Explanation:
        return explain(config, manager.build_registry(), read_question(url))

    plain, secure = ask("http://a.example/x"), ask("https://a.example/x")
    assert (plain.status, plain.outcome) == (301, "https-redirect to https://a.example/x")
    assert secure.status == 0 and secure.nodes == ["a"]
    assert "certificate /etc/s.pem, client-verify off" in secure.notes
    assert ask("http://b.example/").status == 403
    assert "certificate /etc/s.pem, client-verify required" in ask("https://b.example/").notes
