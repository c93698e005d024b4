"""Routes in both notations: whose they are, what they ask for, what they inherit."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.config import examine
from blastbeat.config.model import Config, FieldMatch, NodeRef, PluginRef, RouteConfig
from blastbeat.errors import Problem
from tests.helpers.examine import Examine

SERVER = '[blastbeat]\nbind = "127.0.0.1:8080"\nzmq = "tcp://127.0.0.1:5000"\n'

INI = """\
[blastbeat]
bind = 127.0.0.1:8080
zmq = tcp://127.0.0.1:5000
response-timeout = 7
[blastbeat:shop.example]
node = app
alias = www.shop.example
sessions = 100
timeout = 30
filters = a
[blastbeat:Shop.Example./api]
node = api weight=2
strip-prefix = yes
sessions = 10
response-timeout = 5
[blastbeat:shop.example/canary]
path = /
node = new
share = 10%
[blastbeat:shop.example/upload/]
method = PUT POST
method = PATCH
header = X-Key=k
header = X-Trace
cookie = user
max-body = 4GiB
filters =
"""

TOML = """\
[blastbeat]
bind = "127.0.0.1:8080"
zmq = "tcp://127.0.0.1:5000"
response-timeout = 7
[vhost."shop.example"]
node = "app"
alias = "www.shop.example"
sessions = 100
timeout = 30
filters = "a"
[vhost."shop.example".route."/api"]
node = [{ name = "api", weight = "2" }]
strip-prefix = true
sessions = 10
response-timeout = 5
[vhost."shop.example".route."/canary"]
path = "/"
node = "new"
share = "10%"
[vhost."shop.example".route."/upload/"]
method = ["PUT", "POST", "PATCH"]
header = ["X-Key=k", "X-Trace"]
cookie = "user"
max-body = "4GiB"
filters = []
"""


def good(examine_text: Examine, text: str, name: str = "test.toml") -> Config:
    config, problems = examine_text(text, name)
    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    assert config is not None
    return config


def errors(examine_text: Examine, text: str, name: str = "test.toml") -> list[Problem]:
    config, problems = examine_text(text, name)
    assert config is None
    return [problem for problem in problems if problem.severity == "error"]


def routes_of(config: Config) -> dict[str, RouteConfig]:
    (host,) = config.virtualhosts
    return {route.name: route for route in host.routes}


def test_both_notations_mean_the_same(examine_text: Examine) -> None:
    ini, toml = good(examine_text, INI, "a.ini"), good(examine_text, TOML, "a.toml")

    assert ini.virtualhosts == toml.virtualhosts
    assert [route.name for route in ini.virtualhosts[0].routes] == ["/api", "/canary", "/upload/"]


def test_what_they_ask_for(examine_text: Examine) -> None:
    routes = routes_of(good(examine_text, TOML))

    api, canary, upload = routes["/api"], routes["/canary"], routes["/upload/"]
    assert (api.path, api.strip_prefix, api.share, api.methods) == ("/api", True, None, ())
    assert (canary.path, canary.share) == ("/", 0.1)
    assert (upload.path, upload.methods) == ("/upload", ("PUT", "POST", "PATCH"))
    assert upload.headers == (FieldMatch("x-key", "k"), FieldMatch("x-trace"))
    assert upload.cookies == (FieldMatch("user"),)


def test_what_they_inherit(examine_text: Examine) -> None:
    config = good(examine_text, TOML)
    (host,) = config.virtualhosts
    api, canary, upload = (route.policy for route in host.routes)

    assert (host.response_timeout, host.idle_timeout) == (30.0, 30.0)
    assert (api.response_timeout, api.idle_timeout) == (5.0, 30.0)
    assert (canary.response_timeout, canary.max_body) == (30.0, host.max_body)
    assert [policy.nodes for policy in host.parts] == [
        (NodeRef("app"),),
        (NodeRef("api", {"weight": "2"}),),
        (NodeRef("new"),),
        (NodeRef("app"),),
    ]
    assert (api.filters, upload.filters) == ((PluginRef("a"),), ())
    assert upload.max_body == 4 * 1024**3
    # What is a limit of the virtualhost as a whole is no default of its routes.
    assert [policy.sessions for policy in host.parts] == [100, 10, 0, 0]
    assert all(policy.name == "shop.example" and policy.alias == host.alias for policy in host.parts)
    assert [policy.route for policy in host.parts] == ["", "/api", "/canary", "/upload/"]
    assert not any(policy.routes for policy in host.parts[1:])


def test_where_their_values_were_written(examine_text: Examine) -> None:
    policy = routes_of(good(examine_text, INI, "a.ini"))["/api"].policy

    assert (policy.line, policy.section) == (11, "blastbeat:Shop.Example./api")
    assert policy.origins["strip-prefix"].line == 13
    assert policy.origins["idle-timeout"].line == 9
    assert policy.origins["filters"].section == "blastbeat:shop.example"


def test_a_route_without_a_path_in_its_name_is_for_all_paths(examine_text: Examine) -> None:
    text = SERVER + '[vhost."x.test"]\nnode = "n"\n[vhost."x.test".route.canary]\nshare = "5%"\n'
    assert routes_of(good(examine_text, text))["canary"].path == "/"


@pytest.mark.parametrize(
    ("host", "route"),
    [("x.test:8080", "x.test:8080/api"), ("[::1]:8080", "[0:0::1]:8080/api"), ("*.x.test", "*.x.test/api")],
)
def test_ports_literals_and_suffixes(examine_text: Examine, host: str, route: str) -> None:
    text = f"[blastbeat]\nbind = [::1]:8080\nzmq = tcp://127.0.0.1:5000\n[blastbeat:{host}]\nnode = n\n"
    config = good(examine_text, f"{text}[blastbeat:{route}]\nnode = m\n", "a.ini")
    assert routes_of(config)["/api"].policy.nodes == (NodeRef("m"),)


@pytest.mark.parametrize(
    ("route", "hint"),
    [
        ("shop.exampel/api", "did you mean 'shop.example'?"),
        ("www.shop.example/api", "that is an alias; its routes belong to the name shop.example"),
        ("other.test/api", "write [blastbeat:other.test] as well"),
        ("/api", "write [blastbeat:HOST/PATH]"),
    ],
)
def test_a_route_of_no_virtualhost(examine_text: Examine, route: str, hint: str) -> None:
    (problem,) = errors(examine_text, f"{INI}[blastbeat:{route}]\nnode = n\n", "a.ini")
    assert (problem.line, problem.section, problem.hint) == (28, f"blastbeat:{route}", hint)
    assert "there is no virtualhost" in problem.message


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("alias = 'b'", "is no key of a route: a route is for the hosts of its virtualhost", ""),
        ("bind = '1.2.3.4:5'", "is no key of a route: clients connect before", ""),
        ("zmq = 'ipc://x'", "is no key of a route: the nodes of a route connect where", ""),
        ("memory = 1", "is no key of a route", ""),
        ("drain = 1", "unknown key", "it belongs in [blastbeat]"),
        ("shares = '1%'", "unknown key", "did you mean 'share'?"),
        ("share = 10", "is not a percentage", ""),
        ("share = '101%'", "at most 100%", ""),
        ("path = 'x'", "does not begin with /", "write /x"),
        ("method = 'get'", "in capitals", ""),
        ("header = 'a b'", "is not the name of a header", ""),
        ("cookie = ''", "is empty", ""),
        ("strip-prefix = 'maybe'", "is neither yes nor no", ""),
    ],
)
def test_keys_that_are_refused(examine_text: Examine, key: str, message: str, hint: str) -> None:
    text = f'{SERVER}[vhost.x]\nnode = "n"\n[vhost.x.route."/a"]\n{key}\n'
    (problem,) = errors(examine_text, text)
    assert (problem.line, problem.section) == (7, 'vhost."x".route."/a"')
    assert message in problem.message and hint in problem.hint


def test_keys_of_routes_elsewhere(examine_text: Examine) -> None:
    (problem,) = errors(examine_text, f'{SERVER}[vhost.x]\nnode = "n"\nshare = "1%"\n')
    assert problem.hint == "it belongs in the section of a route"


@pytest.mark.parametrize("name", ["", " ", "a\tb"])
def test_names_that_cannot_be_shown(examine_text: Examine, name: str) -> None:
    text = f'{SERVER}[vhost.x]\nnode = "n"\n[vhost.x.route."{name}"]\nshare = "1%"\n'
    found = errors(examine_text, text.replace("\t", "\\t"))
    assert [problem.message for problem in found] == ["it has no name that can be printed"]


def test_a_path_in_a_name_is_checked_unless_another_is_given(examine_text: Examine) -> None:
    text = f'{SERVER}[vhost.x]\nnode = "n"\n[vhost.x.route."/a/../b"]\n'
    (problem,) = errors(examine_text, text)
    assert problem.message == "the path in its name is the same as /b" and problem.line == 6
    assert routes_of(good(examine_text, f'{text}path = "/b"\n'))["/a/../b"].path == "/b"


def test_a_route_that_is_no_table(examine_text: Examine) -> None:
    (problem,) = errors(examine_text, f'{SERVER}[vhost.x]\nnode = "n"\nroute = {{ "/a" = 1 }}\n')
    assert problem.message == "must be a table" and problem.section == 'vhost."x".route."/a"'


def test_sections_of_routes_may_not_repeat(examine_text: Examine) -> None:
    (problem,) = errors(examine_text, f"{INI}[blastbeat:Shop.Example./api]\nnode = n\n", "a.ini")
    assert "already given" in problem.message


def test_routes_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    first = tmp_path / "a.toml"
    first.write_text(f'include = ["b.toml", "c.toml"]\n{SERVER}')
    (tmp_path / "b.toml").write_text('[vhost."x.test".route."/api"]\nnode = "m"\n')
    (tmp_path / "c.toml").write_text('[vhost."x.test"]\nnode = "n"\n[vhost."x.test".route."/b"]\n')
    config, problems = examine(first, environ={})
    assert config is not None, problems
    assert sorted(routes_of(config)) == ["/api", "/b"]


def test_a_virtualhost_may_be_its_routes(examine_text: Examine) -> None:
    text = f'{SERVER}[vhost."x.test".route."/api"]\nnode = "m"\n'
    (host,) = good(examine_text, text).virtualhosts
    assert (host.name, host.nodes, host.line) == ("x.test", (), 4)
