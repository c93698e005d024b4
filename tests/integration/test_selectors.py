"""The selectors over real sockets: weights in both notations, keys that stay, and a node that stands by."""

from __future__ import annotations

from collections import Counter

import pytest

from blastbeat.config import load_config
from blastbeat.errors import ConfigError
from blastbeat.preflight import examine_file
from tests.helpers.app import AppNode
from tests.helpers.server import RunningServer
from tests.helpers.stage import Stage

INI = """\
[blastbeat]
bind = 127.0.0.1:0
zmq = tcp://127.0.0.1:*
stats-freq = 0

[blastbeat:app.test]
node = a weight=3
node = b
selector = weighted-round-robin
node-grace = 200ms
"""


def asked(stage: Stage, number: int, cookie: str = "") -> None:
    """So many clients ask once each."""
    for each in range(number):
        client = stage.client()
        client.get(f"/{each}", headers=[("Cookie", cookie)] if cookie else [])
        assert client.read_response().status == 200
        client.close()


def served(*nodes: AppNode) -> dict[str, int]:
    return {node.name: len(node.served) for node in nodes if node.served}


@pytest.mark.parametrize("nodes", [["a weight=3", "b"], [{"name": "a", "weight": 3}, {"name": "b"}]])
def test_weights_in_toml(stage: Stage, nodes: list[object]) -> None:
    stage.serve(vhost={"node": nodes, "selector": "weighted-round-robin"})
    a, b = stage.app("a"), stage.app("b")
    asked(stage, 20)
    assert served(a, b) == {"a": 15, "b": 5}


def test_weights_in_ini(stage: Stage) -> None:
    path = stage.folder / "old.ini"
    path.write_text(INI)
    stage._server = RunningServer(load_config(path)[0])
    a, b = stage.app("a"), stage.app("b")
    asked(stage, 20)
    assert served(a, b) == {"a": 15, "b": 5}


def test_two_virtualhosts_weigh_the_same_nodes_otherwise(stage: Stage) -> None:
    common = {"selector": "weighted-round-robin", "node-grace": 0.2}
    stage.serve(
        vhosts={
            "app.test": {"node": ["a weight=4", "b"], **common},
            "other.test": {"node": ["a", "b weight=4"], **common},
        }
    )
    a, b = stage.app("a"), stage.app("b")
    for host, counts in (("app.test", (8, 2)), ("other.test", (2, 8))):
        before = len(a.served), len(b.served)
        for _ in range(10):
            client = stage.client()
            client.get(host=host)
            client.read_response()
            client.close()
        assert (len(a.served) - before[0], len(b.served) - before[1]) == counts


def test_a_bad_weight_is_told_at_check_and_at_the_start(stage: Stage) -> None:
    table = {"node": ["a weight=0", "b"], "selector": "weighted-round-robin"}
    (problem,) = [each for each in examine_file(stage.configure(vhost=table), {}) if each.severity == "error"]
    assert problem.message == "node a: weight=0: must be from 1 to 1000" and problem.line
    with pytest.raises(ConfigError, match="node a: weight=0"):
        stage.serve(vhost=table)


def test_a_cookie_always_gets_the_same_node(stage: Stage) -> None:
    stage.serve(vhost={"node": list("abc"), "selector": "hash key=cookie:id"})
    nodes = [stage.app(name) for name in "abc"]
    owner: dict[str, str] = {}
    for cookie in ("id=1", "id=2", "id=3", "id=4", "id=5", "id=6"):
        before = Counter(served(*nodes))
        asked(stage, 3, cookie)
        ((owner[cookie], number),) = (Counter(served(*nodes)) - before).items()
        assert number == 3
    assert len(set(owner.values())) > 1


def test_the_next_one_only_when_the_first_has_gone(stage: Stage) -> None:
    server = stage.serve(vhost={"node": ["main", "spare"], "selector": "first"})
    spare, main = stage.app("spare"), stage.app("main")
    asked(stage, 5)
    assert served(main, spare) == {"main": 5}
    main.close()
    server.wait_counter("nodes.gone")
    asked(stage, 5)
    assert served(main, spare) == {"main": 5, "spare": 5}
    main.restart()
    server.wait_counter("nodes.up", 3)
    asked(stage, 5)
    assert served(main, spare) == {"main": 10, "spare": 5}


def test_two_choices_serve_everybody(stage: Stage) -> None:
    stage.serve(vhost={"node": list("abc"), "selector": "two-choices"})
    nodes = [stage.app(name) for name in "abc"]
    asked(stage, 30)
    assert sum(served(*nodes).values()) == 30
