"""What check says of the endpoints nodes connect to."""

from __future__ import annotations

import pytest

from tests.helpers.examine import Examine

SERVER = '[blastbeat]\nbind = "127.0.0.1:8080"\n'
OPEN = 'zmq = "tcp://*:5000"\nnode-authenticators = "curve"\n'


def told(examine_text: Examine, text: str) -> list[tuple[str, int, str]]:
    _, problems = examine_text(SERVER + text)
    return [(problem.severity, problem.line, problem.key) for problem in problems]


def test_nodes_need_an_endpoint(examine_text: Examine) -> None:
    text = '[vhost.a]\nnode = "n"\n[vhost.b]\nnode = "n"\nzmq = "ipc://b"\n[vhost.c]\nnode = "n"\n'

    _, (problem,) = examine_text(SERVER + text)

    assert problem.severity == "error"
    assert problem.message == "there is no zmq endpoint for the nodes of a, c"


def test_each_with_its_own_endpoint_the_server_needs_none(examine_text: Examine) -> None:
    assert told(examine_text, '[vhost.a]\nnode = "n"\nzmq = "ipc://a"\n') == []
    assert told(examine_text, '[vhost.a]\nfilters = "answer"\n') == [("warning", 3, "")]


def test_a_bad_endpoint_is_one_problem(examine_text: Examine) -> None:
    assert told(examine_text, 'zmq = "5000"\n[vhost.a]\nnode = "n"\n') == [("error", 3, "zmq")]


def test_without_virtualhosts_too(examine_text: Examine) -> None:
    _, problems = examine_text(SERVER)

    assert "there is no zmq endpoint for nodes" in [problem.message for problem in problems]


def test_each_router_has_endpoints_of_its_own(examine_text: Examine) -> None:
    text = 'zmq = "ipc://x"\n[vhost.a]\nnode = "n"\n[vhost.b]\nnode = "n"\nzmq = ["ipc://y", "ipc://x"]\n'

    assert told(examine_text, text) == [("error", 8, "zmq")]
    assert told(examine_text, text.replace("ipc://x", "tcp://127.0.0.1:*")) == []


def test_the_same_list_is_the_same_router(examine_text: Examine) -> None:
    text = '[vhost.a]\nnode = "n"\nzmq = "ipc://x"\n[vhost.b]\nnode = "n"\nzmq = ["ipc://x"]\n'

    assert told(examine_text, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('zmq = "tcp://0.0.0.0:5000"\n[vhost.a]\nnode = "n"\n', [("warning", 3, "zmq")]),
        ('zmq = ["ipc://x",\n"tcp://*:5000"]\n[vhost.a]\nnode = "n"\n', [("warning", 4, "zmq")]),
        ('zmq = "ipc://x"\n[vhost.a]\nnode = "n"\nzmq = "tcp://eth0:1"\n', [("warning", 6, "zmq")]),
        # Nobody uses the open one, or whoever does asks for more than a name.
        ('zmq = "tcp://*:5000"\n[vhost.a]\nnode = "n"\nzmq = "ipc://x"\n', []),
        ('zmq = "tcp://*:5000"\nnode-authenticators = ["identity", "curve"]\n[vhost.a]\nnode = "n"\n', []),
        (
            f'{OPEN}[vhost.a]\nnode = "n"\n[vhost.b]\nnode = "n"\nnode-authenticators = "identity"\n',
            [("warning", 3, "zmq")],
        ),
    ],
)
def test_an_endpoint_open_to_the_network(
    examine_text: Examine, text: str, expected: list[tuple[str, int, str]]
) -> None:
    assert told(examine_text, text) == expected


def test_the_warning_says_what_may_happen_and_why_instances_is_0(examine_text: Examine) -> None:
    config, (problem,) = examine_text(f'{SERVER}zmq = "tcp://*:5000"\n[vhost.a]\nnode = "n"\n')

    assert config is not None
    for words in ("read the traffic", "under a node's name", "instances is 0"):
        assert words in problem.message
