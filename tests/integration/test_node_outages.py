"""Nodes of the library while something breaks: killed or stopped under load, a server restarted, the network
cut, two servers of which one goes away."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from blastbeat.events import CloseReason
from blastbeat.node import Disconnected, Node, Session
from tests.helpers.client import ConnectionEnded, RawClient, request_head
from tests.helpers.cut_wire import CutWire
from tests.helpers.node_thread import NodeThread, Watched
from tests.helpers.printing import PrintingProcess
from tests.helpers.process import ServerProcess
from tests.helpers.server import RunningServer
from tests.helpers.settings import Table, configuration
from tests.helpers.stage import Stage
from tests.helpers.waiting import wait_until

ROOT = Path(__file__).parents[2]
FAST: Table = {"ping-freq": 0.2}
MANY: Table = {"instances": 8}
BODY = bytes(range(256)) * 16
REQUEST = request_head("/load", method="POST", headers=[("Content-Length", str(len(BODY)))]) + BODY


def node_process(*endpoints: str) -> PrintingProcess:
    return PrintingProcess([sys.executable, "-m", "tests.helpers.node_program", "app", *endpoints], ROOT)


class Load:
    """Clients that ask without a pause, each in a thread; what was answered is counted by status, what was
    not as `cut` or `refused`. An answer of 200 must be the right one."""

    def __init__(self, port: Callable[[], int], clients: int) -> None:
        self.outcomes: Counter[int | str] = Counter()
        self._port = port
        self._changed = threading.Condition()
        self._is_stopping = False
        self._failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._main, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def wait(self, number: int, outcome: int | str = 200) -> None:
        """Until so many more had this outcome."""
        with self._changed:
            goal = self.outcomes[outcome] + number
            self._changed.wait_for(lambda: self.outcomes[outcome] >= goal or self._failures, 15)
            assert not self._failures, self._failures
            assert self.outcomes[outcome] >= goal, f"{goal} of {outcome} expected: {self.outcomes}"

    def stop(self) -> Counter[int | str]:
        self._is_stopping = True
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        assert not self._failures, self._failures
        return self.outcomes

    def _main(self) -> None:
        try:
            while not self._is_stopping:
                self._connection()
        except BaseException as error:
            self._failures.append(error)

    def _connection(self) -> None:
        try:
            client = RawClient(self._port())
        except OSError:
            self._count("refused")
            threading.Event().wait(0.01)  # nobody is there to be waited for
            return
        try:
            while not self._is_stopping:
                client.send(REQUEST)
                response = client.read_response()
                assert response.status != 200 or response.body == b"POST /load " + BODY
                self._count(response.status)
                if "Connection" in response:
                    break
        except (ConnectionEnded, OSError):
            self._count("cut")
        finally:
            client.close()

    def _count(self, outcome: int | str) -> None:
        with self._changed:
            self.outcomes[outcome] += 1
            self._changed.notify_all()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def instances_up(server: RunningServer, number: int) -> None:
    server.wait_until(lambda: server.server.figures().instances_up == number, f"{number} instances are up")


def ask(stage: Stage, target: str) -> str:
    client = stage.client()
    client.get(target)
    response = client.read_response()
    client.close()
    assert response.status == 200, response
    return response.body.decode()


def test_a_node_is_killed_under_load(stage: Stage, opened: ExitStack) -> None:
    """Another takes over. What was lost with it is answered 502, one for each client at most, and counted."""
    clients = 6
    server = stage.serve(FAST, MANY)
    victim, _ = [opened.enter_context(node_process(server.endpoint)) for _ in range(2)]
    instances_up(server, 2)
    load = Load(lambda: server.port, clients)
    load.wait(200)
    victim.send_signal(signal.SIGKILL)
    server.wait_counter("nodes.gone")
    load.wait(200)
    outcomes = load.stop()
    assert set(outcomes) <= {200, 502}, outcomes
    assert outcomes[502] <= clients
    lost = [view for view in server.exchanges if view.reason is CloseReason.NODE_GONE]
    assert len(lost) == outcomes[502]


def test_safe_requests_survive_a_killed_node(stage: Stage, opened: ExitStack) -> None:
    """They are repeated elsewhere: what waits at the killed one is answered by the other."""
    server = stage.serve(FAST, MANY)
    victim = opened.enter_context(node_process(server.endpoint))
    instances_up(server, 1)
    clients = [stage.client() for _ in range(5)]
    for client in clients:
        client.get("/wait")
    victim.wait_until(lambda lines: lines.count("waits") == 5, "five requests wait")
    other = opened.enter_context(node_process(server.endpoint))
    instances_up(server, 2)
    victim.send_signal(signal.SIGKILL)
    other.wait_until(lambda lines: lines.count("waits") == 5, "five requests wait here")
    for client in clients:
        client.close()
    other.wait_until(lambda lines: lines.count("left") == 5, "five clients have left")
    assert server.counters["hops.retried"] == 5


def test_a_stopped_node_is_passed_over_until_it_goes_on(stage: Stage, opened: ExitStack) -> None:
    """SIGSTOP: silent, so that others get what is new; SIGCONT: it is one of them again."""
    server = stage.serve(FAST, MANY)
    stopped, other = [opened.enter_context(node_process(server.endpoint)) for _ in range(2)]
    instances_up(server, 2)
    stopped.send_signal(signal.SIGSTOP)
    server.wait_counter("nodes.silent")
    assert {ask(stage, "/pid") for _ in range(10)} == {str(other.pid)}
    stopped.send_signal(signal.SIGCONT)
    instances_up(server, 2)
    wait_until(lambda: ask(stage, "/pid") == str(stopped.pid), "the other answers again")


def test_a_node_that_was_given_up_comes_back_empty(stage: Stage, opened: ExitStack) -> None:
    """Stopped for so long that the connection was given up: it finds out, and keeps no session of before."""
    server = stage.serve({"ping-freq": 0.05}, MANY)
    node = opened.enter_context(node_process(server.endpoint))
    instances_up(server, 1)
    client = stage.client()
    client.send_head("/wait", method="PATCH")
    node.wait_line("waits")
    node.send_signal(signal.SIGSTOP)
    server.wait_counter("nodes.gone")
    assert client.read_response().status == 502
    node.send_signal(signal.SIGCONT)
    node.wait_line("left")
    instances_up(server, 1)
    wait_until(lambda: ask(stage, "/sessions") == "0", "it keeps nothing")


@pytest.mark.timeout(40)
def test_a_server_is_restarted_under_load(stage: Stage, opened: ExitStack, tmp_path: Path) -> None:
    """Killed, so that nobody is told. Nodes come back by themselves, with nothing left of before."""
    config = stage.configure({**FAST, "access-log": "off"}, MANY)
    server = stage.serve_process(config)
    port = server.wait_ready()
    endpoint = zmq_endpoint(server)
    fixed = configuration({**FAST, "access-log": "off", "bind": f"127.0.0.1:{port}", "zmq": endpoint}, MANY)
    config.write_text(fixed)
    nodes = [opened.enter_context(node_process(endpoint)) for _ in range(2)]
    for node in nodes:
        node.wait_line("up ")
    load = Load(lambda: port, 4)
    waiting = RawClient(port)
    opened.callback(waiting.close)
    try:
        load.wait(100)
        waiting.get("/wait")
        wait_until(lambda: any("waits" in node.lines for node in nodes), "one waits")
        for times in (2, 3):
            server.send_signal(signal.SIGKILL)
            server.wait()
            load.wait(1, "refused")
            server = stage.serve_process(config)
            server.wait_ready()
            for node in nodes:
                node.wait_until(lambda lines, times=times: _ups(lines) >= times, "it is back")  # type: ignore[misc]
            load.wait(100)
    finally:
        outcomes = load.stop()
    assert set(outcomes) <= {200, 503, "cut", "refused"}, outcomes
    assert sum(node.lines.count("left") for node in nodes) == 1
    for _ in range(4):
        client = RawClient(port)
        client.get("/sessions")
        assert client.read_response().body == b"0"
        client.close()


def zmq_endpoint(server: ServerProcess) -> str:
    match = re.search(r" zmq (tcp://\S+)", server.wait_line("ready"))
    assert match is not None
    return match[1]


def _ups(lines: list[str]) -> int:
    return sum(line.startswith("up ") for line in lines)


# ---------------------------------------------------------------- the network


async def wait(session: Session) -> None:
    if session.request.path == "/quick":
        await session.respond(200, (), b"quick")
        return
    while session.ended is None:
        await session.wait_input()
    raise Disconnected(session.ended)


def test_the_network_is_cut_for_long(stage: Stage) -> None:
    """Both sides give up the sessions between them; when it is mended the node is there again."""
    server = stage.serve(FAST, MANY)
    watched = Watched(wait)
    with (
        CutWire(server.endpoint) as wire,
        NodeThread(Node(wire.endpoint, "app", watched, silence=1.0)) as node,
    ):
        node.wait_up(server)
        client = stage.client()
        client.send_head("/slow", method="PUT")
        watched.wait_begun()
        wire.cut()
        assert client.read_response().status == 502
        wire.mend()
        assert isinstance(watched.wait_ended(), Disconnected)
        node.wait_up(server)
        wait_until(lambda: ask(stage, "/quick") == "quick", "it answers again")
        node.wait_forgotten()


def test_the_network_is_cut_for_a_moment(stage: Stage) -> None:
    """The node is back before the server has given it up. But what was on its way is lost: a response that
    has begun must not go on with a gap."""
    server = stage.serve(FAST, {**MANY, "node-grace": 1})

    async def stream(session: Session) -> None:
        if session.request.path == "/quick":
            await session.respond(200, (), b"quick")
            return
        await session.start(200)
        number = 0
        while True:
            await session.send(b"%019d\n" % number)
            number += 1

    watched = Watched(stream)
    with CutWire(server.endpoint) as wire, NodeThread(Node(wire.endpoint, "app", watched)) as node:
        node.wait_up(server)
        client = stage.client(receive_buffer=4096)
        client.get("/stream")
        assert client.read_head().status == 200
        number = 0

        def check(lines: int) -> None:
            nonlocal number
            for _ in range(lines):
                assert client.read_chunk() == b"%019d\n" % number, "a gap"
                number += 1

        check(1000)
        wire.cut()
        wire.mend()
        with pytest.raises(ConnectionEnded):
            while True:
                check(1000)
        assert isinstance(watched.wait_ended(), Disconnected)
        wait_until(lambda: ask(stage, "/quick") == "quick", "it answers again")
        node.wait_forgotten()


# ---------------------------------------------------------------- two servers


def test_one_node_serves_two_servers(stage: Stage, tmp_path: Path) -> None:
    """Each has its own sessions; one goes away, and the other is not disturbed."""
    first = stage.serve(FAST)
    path = tmp_path / "second.toml"
    path.write_text(configuration(FAST))
    second = RunningServer(path)
    watched = Watched(wait)
    with NodeThread(Node([first.endpoint, second.endpoint], "app", watched)) as node:
        node.wait_up(first, second)
        clients = [RawClient(server.port) for server in (first, second)]
        for client in clients:
            client.get("/slow")
            watched.wait_begun()
        assert node.session_count == 2
        clients[1].close()
        assert isinstance(watched.wait_ended(), Disconnected)
        second.stop()
        assert node.session_count == 1
        for _ in range(20):
            assert ask(stage, "/quick") == "quick"
        clients[0].close()
        assert watched.wait_begun() is not None
        node.wait_forgotten()
