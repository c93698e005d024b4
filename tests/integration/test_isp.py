"""A provider's server as it runs: a process with three customers on two plans, of which one offends against
one limit after the other. Its clients get the answer that the limit has; the others are served all the time.

How long the others wait meanwhile, `python -m bench isp` prints.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blastbeat.testing import Client
from tests.helpers.app import AppRequest
from tests.helpers.contrib import CONTRIB
from tests.helpers.settings import SERVER_DEFAULTS, Table, configuration
from tests.helpers.stage import Stage

WWW, API, CHAT = "www.acme.example", "api.acme.example", "chat.acme.example"
BOLT, CORP = "bolt.example", "corp.example"
LARGE = 4_000_000
"""Bytes that take 40 s at 800 kbit/s: longer than a test runs."""

POLICY = str(CONTRIB / "blastbeat-policy" / "src")
# What an entry point does for a distribution that is installed.
PLUGIN_FILE = f"""
import sys
sys.path.insert(0, {POLICY!r})
from blastbeat_policy import PolicyPlugin
plugin = PolicyPlugin()
globals().update({{name: getattr(plugin, name) for name in dir(plugin) if name.startswith("blastbeat_")}})
"""


def answer(request: AppRequest) -> bytes:
    return b"x" * LARGE if request.variables["REQUEST_URI"] == "/large" else b"ok"


class Regular:
    """A client of another customer that asks again as soon as it has its answer, until it is stopped."""

    def __init__(self, client: Client) -> None:
        self.statuses: Counter[int] = Counter()
        self.failure: BaseException | None = None
        self._client = client
        self._asked = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name=client.virtualhost, daemon=True)
        self._thread.start()

    def wait_more(self, count: int = 20) -> None:
        """Until it has had so many further answers."""
        with self._asked:
            goal = self.statuses.total() + count
            self._asked.wait_for(lambda: self.failure is not None or self.statuses.total() >= goal, 20)
            assert self.statuses.total() >= goal, f"{self._client.virtualhost}: {self.failure!r}"

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(20)
        self._client.close()

    def _main(self) -> None:
        try:
            while not self._stopping.is_set():
                status = self._client.get().status
                with self._asked:
                    self.statuses[status] += 1
                    self._asked.notify_all()
        except BaseException as error:
            self.failure = error
            with self._asked:
                self._asked.notify_all()


class Provider:
    """The server's process, its customers' nodes, and clients, each from an address of its own."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage, self.folder = stage, folder
        self.config = folder / "blastbeat.toml"
        (folder / "policy.py").write_text(PLUGIN_FILE, encoding="utf-8")
        self.write({}, {})
        self.process = stage.serve_process(self.config)
        self.port = self.process.wait_ready()
        self.endpoint = self.process.wait_endpoint()
        names = ("www", "api", "bolt", "corp")
        self.nodes = {name: stage.app(name, answer, endpoint=self.endpoint) for name in names}
        stage.echo("echo", endpoint=self.endpoint)
        self._reloads = 0
        self._addresses = 9
        self._clients: list[Client] = []
        self._regulars: list[Regular] = []

    def write(self, bronze: dict[str, Any], acme: dict[str, Any]) -> None:
        vhosts = {
            WWW: {"customer": "acme", "node": ["www"]},
            API: {"customer": "acme", "node": ["api"]},
            CHAT: {"customer": "acme", "node": ["echo"]},
            BOLT: {"customer": "bolt", "node": ["bolt"]},
            CORP: {"customer": "corp", "node": ["corp"]},
        }
        tables: dict[str, Table] = {
            "plugins": {"files": ["policy.py"]},
            "plugin.policy": {"file": "usage.sqlite"},
            "plan.bronze": bronze,
            "plan.silver": {"requests": "100000/s", "sessions": 1000, "instances": 10},
            "customer.acme": {"plan": "bronze", **acme},
            "customer.bolt": {"plan": "bronze"},
            "customer.corp": {"plan": "silver"},
        }
        server = {**SERVER_DEFAULTS, "log-level": "info", "access-log": "off"}
        self.config.write_text(configuration(server, vhosts=vhosts, tables=tables), encoding="utf-8")

    def reload(self, bronze: dict[str, Any] | None = None, acme: dict[str, Any] | None = None) -> None:
        """Other plans, in force when this returns."""
        self.write(bronze or {}, acme or {})
        self._reloads += 1
        self.process.send_signal(signal.SIGHUP)
        self.wait_log("configuration read again", self._reloads)

    def wait_log(self, words: str, times: int = 1) -> None:
        deadline = time.monotonic() + 20
        while self.process.stderr.count(words) < times:
            assert time.monotonic() < deadline, self.process.stderr
            time.sleep(0.01)  # between two looks

    def client(self, virtualhost: str = WWW, source: str = "") -> Client:
        self._addresses += 1
        client = Client(
            "127.0.0.1", self.port, virtualhost=virtualhost, source=source or f"127.0.0.{self._addresses}"
        )
        self._clients.append(client)
        return client

    def regular(self, virtualhost: str) -> Regular:
        regular = Regular(self.client(virtualhost))
        self._regulars.append(regular)
        return regular

    def send_home(self) -> None:
        """Closes all of Acme's connections; their sessions have ended when this returns."""
        for client in self._clients:
            if client.virtualhost in (WWW, API):
                client.close()
        deadline = time.monotonic() + 20
        for node in (self.nodes["www"], self.nodes["api"]):
            while any(request.sid not in node.ended for request in node.heads):
                assert time.monotonic() < deadline, f"a session of {node.name} does not end"
                time.sleep(0.01)  # between two looks

    def announce(self, name: str) -> None:
        """A node that is told nothing when it is not let in."""
        self.stage.node(name, endpoint=self.endpoint, announce=False).pong()

    def close(self) -> None:
        for regular in self._regulars:
            regular.stop()
        for client in self._clients:
            client.close()

    def usage(self) -> dict[str, Any]:
        """By customer, as `blastbeat policy usage --json` tells it."""
        done = subprocess.run(
            [sys.executable, "-m", "blastbeat", "policy", "usage", "--json"],
            env={**os.environ, "BLASTBEAT_CONFIG": str(self.config)},
            capture_output=True,
            text=True,
            check=True,
        )
        return {each["customer"]: each for each in json.loads(done.stdout)["customers"]}


@pytest.fixture
def provider(stage: Stage, tmp_path: Path) -> Iterator[Provider]:
    provider = Provider(stage, tmp_path)
    try:
        yield provider
    finally:
        provider.close()


# ---------------------------------------------------------------- offences

# Each is given a plan with one limit and comes to it; what it returns is what the clients of Acme were told.
Told = list[tuple[int, bool]]
"""Status, and whether `Retry-After` said when to come back."""


def tell(client: Client, method: str = "GET", body: bytes | None = None) -> tuple[int, bool]:
    response = client.request(method, "/", body=body)
    return response.status, "Retry-After" in response


def ask_in_turn(provider: Provider, *hosts: str, source: str = "") -> Told:
    """A connection for each request, which stays open."""
    return [tell(provider.client(host, source)) for host in hosts]


def ask_on_one(provider: Provider, times: int) -> Told:
    client = provider.client(WWW)
    return [tell(client) for _ in range(times)]


YES, LATER, FULL = (200, False), (429, True), (503, True)
SAME = "127.0.0.250"


@dataclass(frozen=True)
class Offence:
    """Terms with one limit, requests that come to it, and what their clients must be told. `is_own`: agreed
    with Acme alone; else the plan's, on which Bolt is, too."""

    terms: dict[str, Any]
    commit: Callable[[Provider], Told]
    told: Told
    is_own: bool = False


# In this order: before the first one there was no traffic.
OFFENCES = {
    "virtualhost-traffic": Offence(
        {"virtualhost-traffic": 1},
        lambda provider: ask_in_turn(provider, WWW, WWW, API),
        [YES, FULL, YES],
        is_own=True,
    ),
    "traffic": Offence(
        {"traffic": 1}, lambda provider: ask_in_turn(provider, WWW, API), [FULL, FULL], is_own=True
    ),
    "requests": Offence(
        {"requests": "1/h", "requests-burst": 3},
        lambda provider: ask_in_turn(provider, WWW, API, WWW, API, WWW),
        [YES, YES, YES, LATER, LATER],
    ),
    "virtualhost-requests": Offence(
        {"virtualhost-requests": "1/h", "virtualhost-requests-burst": 2},
        lambda provider: ask_in_turn(provider, WWW, WWW, WWW, API),
        [YES, YES, LATER, YES],
    ),
    "client-requests": Offence(
        {"client-requests": "1/h", "client-requests-burst": 2},
        lambda provider: ask_in_turn(provider, WWW, API, WWW, source=SAME) + ask_in_turn(provider, WWW),
        [YES, YES, LATER, YES],
    ),
    "new-sessions": Offence(
        {"new-sessions": "1/h", "new-sessions-burst": 2},
        lambda provider: ask_on_one(provider, 5) + ask_in_turn(provider, API, API),
        [YES] * 5 + [YES, LATER],
    ),
    "virtualhost-new-sessions": Offence(
        {"virtualhost-new-sessions": "1/h", "virtualhost-new-sessions-burst": 1},
        lambda provider: ask_in_turn(provider, WWW, WWW, API),
        [YES, LATER, YES],
    ),
    "client-new-sessions": Offence(
        {"client-new-sessions": "1/h", "client-new-sessions-burst": 1},
        lambda provider: ask_in_turn(provider, WWW, API, source=SAME) + ask_in_turn(provider, WWW),
        [YES, LATER, YES],
    ),
    "sessions": Offence(
        {"sessions": 2},
        lambda provider: ask_in_turn(provider, WWW, API, WWW),
        [YES, YES, FULL],
    ),
    "virtualhost-sessions": Offence(
        {"virtualhost-sessions": 1},
        lambda provider: ask_in_turn(provider, WWW, WWW, API),
        [YES, FULL, YES],
    ),
    "client-sessions": Offence(
        {"client-sessions": 1},
        lambda provider: ask_in_turn(provider, WWW, API, source=SAME) + ask_in_turn(provider, API),
        [YES, FULL, YES],
    ),
    "max-body": Offence(
        {"max-body": 10},
        lambda provider: [tell(provider.client(), "POST", b"x" * size) for size in (10, 11)],
        [YES, (413, False)],
    ),
    "methods": Offence(
        {"methods": ["GET", "POST"]},
        lambda provider: [tell(provider.client(), method) for method in ("POST", "DELETE")],
        [YES, (405, False)],
    ),
    "maintenance": Offence(
        {"maintenance": True}, lambda provider: ask_in_turn(provider, WWW, API), [FULL, FULL], is_own=True
    ),
}


@pytest.mark.timeout(60)
def test_each_limit_answers_who_reached_it_and_nobody_else(provider: Provider) -> None:
    """One server, whose plans change while it serves: nobody loses a request by that either."""
    bolt, corp = provider.client(BOLT), provider.regular(CORP)
    for name, offence in OFFENCES.items():
        provider.reload(*(({}, offence.terms) if offence.is_own else (offence.terms, {})))
        assert (name, offence.commit(provider)) == (name, offence.told)
        assert (name, bolt.get().status) == (name, 200), "on the same plan, where it is the plan's"
        corp.wait_more()
        provider.send_home()
    corp.stop()
    provider.process.send_signal(signal.SIGTERM)
    assert provider.process.wait() == 0
    refused = Counter(
        {name: sum(not 200 <= status < 300 for status, _ in each.told) for name, each in OFFENCES.items()}
    )
    usage = provider.usage()
    assert usage["acme"]["refused"] == refused
    assert usage["bolt"]["refused"] == usage["corp"]["refused"] == {}
    assert usage["bolt"]["requests"] == len(OFFENCES)
    assert corp.statuses == {200: usage["corp"]["requests"]}


# ---------------------------------------------------------------- limits that slow down


def test_a_download_that_is_slowed_down_makes_nobody_wait(provider: Provider) -> None:
    provider.reload({"download": "800kbit/s"})
    others = [provider.regular(host) for host in (BOLT, CORP)]
    slow = provider.client(WWW)
    slow.send_request("GET", "/large")
    slow.read_head()
    for one in others:
        one.wait_more()
    provider.reload()
    assert slow.read(LARGE) == b"x" * LARGE
    assert [set(one.statuses) for one in others] == [{200}, {200}]


def test_an_upload_that_is_slowed_down_makes_nobody_wait(provider: Provider) -> None:
    provider.reload({"upload": "800kbit/s"})
    others = [provider.regular(host) for host in (BOLT, CORP)]
    slow = provider.client(WWW)
    slow.send_request("POST", "/", {"Content-Length": str(LARGE)})
    sender = threading.Thread(target=slow.send, args=(b"x" * LARGE,))
    sender.start()
    for one in others:
        one.wait_more()
    assert provider.nodes["www"].served == []
    provider.reload()
    sender.join(20)
    assert slow.read_response().status == 200
    assert [set(one.statuses) for one in others] == [{200}, {200}]


def test_messages_over_the_rate_make_nobody_wait(provider: Provider) -> None:
    provider.reload({"messages": "5/s", "messages-burst": 2})
    others = [provider.regular(host) for host in (BOLT, CORP)]
    websocket = provider.client(CHAT).websocket()
    messages = [str(number) for number in range(8)]
    for message in messages:
        websocket.send(message)
    for one in others:
        one.wait_more()
    assert [websocket.receive() for _ in messages] == messages, "late, and all of them"
    provider.reload({"client-messages": "1/h", "messages-over": "close"})
    closed = provider.client(CHAT).websocket()
    closed.send("one")
    assert closed.receive() == "one"
    closed.send("two")
    assert closed.wait_close() == 1008
    assert [set(one.statuses) for one in others] == [{200}, {200}]


# ---------------------------------------------------------------- nodes


def test_nodes_beyond_the_plan_are_not_let_in(provider: Provider) -> None:
    others = [provider.regular(host) for host in (BOLT, CORP)]
    provider.reload({"instances": 3})
    provider.announce("www/second")
    provider.wait_log("www/second is refused")
    provider.reload(acme={"node-networks": ["192.0.2.0/24"]})
    provider.announce("api/elsewhere")
    provider.wait_log("api/elsewhere is refused")
    provider.write({"nodes": 2}, {})
    provider.process.send_signal(signal.SIGHUP)
    provider.wait_log("configuration not taken over")
    assert "customer acme has 3 nodes" in provider.process.stderr
    for one in others:
        one.wait_more()
    assert [tell(provider.client(host)) for host in (WWW, API)] == [YES, YES], "those it had"
    assert [set(one.statuses) for one in others] == [{200}, {200}]


# ---------------------------------------------------------------- kill -9


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [11.5, 14, 16.5])
def test_kill_9_loses_ten_seconds_of_accounting_at_most(provider: Provider, seconds: float) -> None:
    """With `write-every` as it is by default, under load, at three moments of its period."""
    corp = provider.regular(CORP)
    answered = [(time.monotonic(), 0)]
    while time.monotonic() < answered[0][0] + seconds:
        corp.wait_more(1)
        answered.append((time.monotonic(), corp.statuses[200]))
    provider.process.send_signal(signal.SIGKILL)
    provider.process.wait()
    killed = time.monotonic()
    books = provider.usage()["corp"]["requests"]
    # what was answered since the last moment at which no more was than is in the books
    since = killed - max(when for when, count in answered if count <= books)
    assert since <= 10, f"{books} of {answered[-1][1]} requests are in the books"
