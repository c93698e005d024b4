"""From rows to the model: defaults, inheritance, `timeout`, overrides, origins, and keys nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.config import examine, load_config
from blastbeat.config.model import (
    Address,
    Config,
    NodeRef,
    Origin,
    PluginRef,
    ServerConfig,
    VirtualHostConfig,
)
from blastbeat.errors import ConfigError, Problem
from tests.helpers.examine import Examine

SERVER = '[blastbeat]\nbind = "127.0.0.1:8080"\nzmq = "tcp://127.0.0.1:5000"\n'

SEED = """\
[blastbeat]
bind = 0.0.0.0:8080
zmq = tcp://0.0.0.0:5000

[blastbeat:localhost:8000]
node = foobar1
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


def test_the_original_s_example_as_it_stands(examine_text: Examine) -> None:
    config = good(examine_text, SEED, "seed.ini")

    assert config.server == ServerConfig(bind=(Address("0.0.0.0", 8080),), zmq=("tcp://0.0.0.0:5000",))
    assert config.virtualhosts == (VirtualHostConfig("localhost:8000", nodes=(NodeRef("foobar1"),)),)


INI = """\
[blastbeat]
bind = 127.0.0.1:8080 NORMAL
bind = [fe80::1%eth0]:8081
zmq = tcp://127.0.0.1:5000
zmq = ipc:///tmp/x.sock
ping-freq = 2
writequeue-buffer = 16MiB
trusted-proxies = 10.0.0.0/8 ::1
selector = hash key=cookie:id
keep-alive = 0
log-level = DEBUG
[blastbeat:example.org]
node = a weight=3
node = b
alias = www.example.org
alias = *.example.com
cache = 64
bandwidth = 1000
filters = limits rate=5
filters = headers
retry-methods = GET PUT
max-body = 1048576
instances = 0
websocket-protocols =
[plugins]
disabled = access-log
load = a b
[plugin:mine]
one = 1
many = x
many = y
"""

TOML = """\
[blastbeat]
bind = ["127.0.0.1:8080", "[fe80::1%eth0]:8081"]
zmq = ["tcp://127.0.0.1:5000", "ipc:///tmp/x.sock"]
ping-freq = "2s"
writequeue-buffer = 16777216
trusted-proxies = ["10.0.0.0/8", "::1"]
selector = { name = "hash", key = "cookie:id" }
keep-alive = 0
log-level = "debug"
[vhost."example.org"]
node = [{ name = "a", weight = "3" }, "b"]
alias = ["www.example.org", "*.example.com"]
cache = "64MiB"
bandwidth = "1Mbit/s"
filters = ["limits rate=5", { name = "headers" }]
retry-methods = ["GET", "PUT"]
max-body = "1MiB"
instances = 0
websocket-protocols = []
[plugins]
disabled = ["access-log"]
load = ["a", "b"]
[plugin.mine]
one = "1"
many = ["x", "y"]
"""


def test_both_notations_mean_the_same(examine_text: Examine) -> None:
    ini, toml = good(examine_text, INI, "a.ini"), good(examine_text, TOML, "a.toml")

    assert (ini.server, ini.virtualhosts, ini.plugin_options) == (
        toml.server,
        toml.virtualhosts,
        toml.plugin_options,
    )
    virtualhost = ini.virtualhosts[0]
    assert virtualhost.selector == PluginRef("hash", {"key": "cookie:id"})
    assert virtualhost.nodes == (NodeRef("a", {"weight": "3"}), NodeRef("b"))
    assert virtualhost.filters == (PluginRef("limits", {"rate": "5"}), PluginRef("headers"))
    assert (virtualhost.cache, virtualhost.bandwidth) == (64 * 1024 * 1024, 125_000)
    assert (virtualhost.instances, virtualhost.keep_alive) == (0, 0.0)
    assert ini.server.plugins_load == ("a", "b")
    assert ini.plugin_options == {"mine": {"one": "1", "many": ["x", "y"]}}


def test_a_default_for_all_virtualhosts_and_one_of_its_own(examine_text: Examine) -> None:
    text = SERVER + 'max-body = 5\nfilters = "a"\nsessions = 7\nmemory = "1MiB"\n'
    text += '[vhost.x]\nnode = "n"\n[vhost.y]\nnode = "n"\nmax-body = 6\nfilters = []\n'

    config = good(examine_text, text)

    first, second = config.virtualhosts
    assert (first.max_body, second.max_body) == (5, 6)
    assert (first.filters, second.filters) == ((PluginRef("a"),), ())
    # These two are the server's own: a virtualhost has others of the same name.
    assert (config.server.sessions, first.sessions) == (7, 0)
    assert (config.server.memory, first.memory) == (1024 * 1024, VirtualHostConfig("").memory)


@pytest.mark.parametrize(
    ("server", "own", "response", "idle"),
    [
        ("", "", 60.0, 300.0),
        ("timeout = 1800", "", 1800.0, 1800.0),
        ("timeout = 1800", "timeout = 5", 5.0, 5.0),
        ("timeout = 1800\nidle-timeout = 7", "", 1800.0, 7.0),
        ("response-timeout = 7", "timeout = 5", 5.0, 5.0),
        ("timeout = 1800", "response-timeout = 7", 7.0, 1800.0),
        ("", "timeout = 5\nidle-timeout = 0", 5.0, 0.0),
        ("timeout = 1800", "timeout = 0", 0.0, 0.0),
    ],
)
def test_timeout_stands_in_for_two(
    examine_text: Examine, server: str, own: str, response: float, idle: float
) -> None:
    config = good(examine_text, f'{SERVER}{server}\n[vhost.x]\nnode = "n"\n{own}\n')

    (virtualhost,) = config.virtualhosts
    assert (virtualhost.response_timeout, virtualhost.idle_timeout) == (response, idle)


def test_overrides_replace_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "seed.ini"
    path.write_text(SEED + "[plugins]\n")

    config, _ = load_config(path, {"bind": ["127.0.0.1:0", "[::1]:0"], "log-level": "error"}, {})

    assert config.server.bind == (Address("127.0.0.1", 0), Address("::1", 0))
    assert config.server.zmq == ("tcp://0.0.0.0:5000",)
    assert config.server.log_level == "error"
    assert config.server.origins["log-level"] == Origin("command line", 0, "")


def test_a_bad_override_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "seed.ini"
    path.write_text(SEED)

    with pytest.raises(ConfigError) as refused:
        load_config(path, {"bind": "nowhere", "bnid": "1"}, {})

    found = [(problem.file, problem.section, problem.key, problem.line) for problem in refused.value.problems]
    assert found == [("command line", "", "--bind", 0), ("command line", "", "--bnid", 0)]
    assert "command line: error: --bind = 'nowhere': has no port" in str(refused.value)


def test_origins_say_where_a_value_was_written(examine_text: Examine, tmp_path: Path) -> None:
    config = good(examine_text, SERVER + 'timeout = 5\n[vhost.x]\nnode = "n"\n')

    file = str(tmp_path / "test.toml")
    (virtualhost,) = config.virtualhosts
    assert (virtualhost.file, virtualhost.line, virtualhost.section) == (file, 5, 'vhost."x"')
    assert virtualhost.origins == {
        "node": Origin(file, 6, 'vhost."x"'),
        "timeout": Origin(file, 4, "blastbeat"),
        "response-timeout": Origin(file, 4, "blastbeat"),
        "idle-timeout": Origin(file, 4, "blastbeat"),
    }
    assert config.server.origins["bind"] == Origin(file, 2, "blastbeat")


def test_file_names_start_at_the_folder_of_their_file(examine_text: Examine, tmp_path: Path) -> None:
    text = SERVER + '[plugins]\nfiles = ["mine.py", "/abs/other.py"]\n[vhost.x]\nnode = "n"\nkey = ""\n'

    config = good(examine_text, text)

    assert config.server.plugins_files == (str(tmp_path / "mine.py"), "/abs/other.py")
    assert config.virtualhosts[0].key == ""


def test_a_value_listed_twice_counts_once(examine_text: Examine) -> None:
    config, problems = examine_text(SERVER + '[vhost.x]\nnode = ["n", "m",\n"n"]\n')

    assert config is not None
    assert config.virtualhosts[0].nodes == (NodeRef("n"), NodeRef("m"))
    (problem,) = problems
    assert (problem.severity, problem.line, problem.message) == ("warning", 6, "lists n twice; once counts")


def test_one_filter_may_run_twice_with_other_options(examine_text: Examine) -> None:
    text = SERVER + '[vhost.x]\nnode = "n"\nfilters = ["add a=1", { name = "add", a = "2" }, "add a=1"]\n'

    config, problems = examine_text(text)

    assert config is not None
    assert config.virtualhosts[0].filters == (PluginRef("add", {"a": "1"}), PluginRef("add", {"a": "2"}))
    assert [problem.message for problem in problems] == ["lists add twice; once counts"]


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "hint"),
    [
        ("bnid = 1", 5, "bnid", "unknown key", "did you mean 'bind'?"),
        ("ping_freq = 1", 5, "ping_freq", "unknown key", "did you mean 'ping-freq'?"),
        ("node = 'x'", 5, "node", "unknown key", "belongs in the section of a virtualhost"),
        ("disabled = 'x'", 5, "disabled", "unknown key", "belongs in [plugins]"),
        ("[vhost.x]\nnode='n'\ndrain = 1", 7, "drain", "unknown key", "belongs in [blastbeat]"),
        ("[vhost.www.x]\nnode='n'", 5, "x", "unknown key", 'a name with dots is quoted: [vhost."www.x"]'),
        ("[vhost.x]\nnode='n'\nroute='/'\n", 7, "route", "is no key", '[vhost."x".route."/PATH"]'),
        ("[vhost.'a/b']\nnode='n'", 5, "", "names a path", 'a route is [vhost."HOST".route."/PATH"]'),
        ("ping-freq = [1,\n2]", 6, "ping-freq", "more than once, first at line 5", ""),
        ("ping-freq = [1, 2]", 5, "ping-freq", "more than once, first at the same place", ""),
        ("ping-freq = []", 5, "ping-freq", "is not a time", ""),
        ("ping-freq = 0", 5, "ping-freq", "is too small; at least 50ms", ""),
        ("sessions = -1", 5, "sessions", "is too small; at least 1, or 0 for no limit", ""),
        ("drain = '2d'", 5, "drain", "is too large; at most 1d", ""),
        ("log-level = 'inof'", 5, "log-level", "must be one of", "did you mean 'info'?"),
        ("node-authenticators = []", 5, "node-authenticators", "is empty", ""),
        ("[vhost.x]\nnode = []", 6, "node", "is empty; it takes at least one value", ""),
        ("[vhost.x]\nnode = ['n',\n'a/b']", 7, "node", "instances", ""),
    ],
)
def test_what_is_refused(
    examine_text: Examine, text: str, line: int, key: str, message: str, hint: str
) -> None:
    found = errors(examine_text, f"# first\n{SERVER}{text}\n")

    problem = next(problem for problem in found if problem.line == line and problem.key == key)
    assert message in problem.message
    assert hint in problem.hint


def test_every_problem_is_told_not_only_the_first(examine_text: Examine) -> None:
    text = (
        "[blastbeat]\nbind = x\nbnid = 1\nzmq = y\n[blastbeat:a]\nnode = a/b\ncache = big\n[blastbeat:b c]\n"
    )

    found = errors(examine_text, text, "a.ini")

    assert [(problem.line, problem.key) for problem in found] == [
        (2, "bind"),
        (3, "bnid"),
        (4, "zmq"),
        (6, "node"),
        (7, "cache"),
        (8, ""),
        (8, ""),
    ]


def test_examine_never_raises_and_load_always_does(tmp_path: Path) -> None:
    config, problems = examine(tmp_path / "none.toml", environ={})

    assert config is None
    (problem,) = problems  # and not that nothing listens: who knows what the file says
    assert "No such file" in problem.message
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml", environ={})
