"""The actors of the chaos: clients and nodes that do something random, again and again.

They keep one promise whatever happens around them: a client that gets a whole 200 gets the answer to its own
request. Everything else may fail; a broken promise is kept in `failures`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import zmq

from tests.helpers.client import ConnectionEnded, RawClient, request_head
from tests.helpers.node import Message, ScriptedNode, head
from tests.helpers.uwsgi import read_variables

GARBAGE = [
    b"\0" * 50,
    b"GET / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"x" * 100_000,
    b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\n",
]


def answer_to(target: str) -> bytes:
    """What a node says to `target`, whatever it does about it; its length depends on the target."""
    return (target.encode() + b";") * (1 + int(target.rsplit("/", 1)[1]) % 300)


class Actor:
    """A thread that calls `step` until `stop`; keeps what must not happen in `failures`."""

    def __init__(self, name: str, seed: int) -> None:
        self.random = random.Random(f"{name} {seed}")
        self.failures: list[str] = []
        self.steps = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self) -> None:
        self._thread.join(30)
        if self._thread.is_alive():
            self.failures.append(f"{self._thread.name} hangs")

    def step(self) -> None:
        raise NotImplementedError

    def finish(self) -> None: ...

    def _main(self) -> None:
        try:
            while not self._stopping.is_set() and len(self.failures) < 5:
                self.step()
                self.steps += 1
        except Exception as error:
            self.failures.append(f"{self._thread.name}: {error!r}")
        finally:
            self.finish()


class ChaosClient(Actor):
    """One connection per step, with a few requests and often a bad end."""

    def __init__(self, port: int, number: int, seed: int) -> None:
        super().__init__(f"client {number}", seed)
        self._port = port
        self._number = number
        self._ways: list[Callable[[RawClient], None]] = [
            self._ask,
            self._ask,
            self._ask,
            self._pipeline,
            self._upload,
            self._vanish,
            self._garble,
            self._deafen,
        ]

    def step(self) -> None:
        client = RawClient(self._port, receive_buffer=self.random.choice([None, 4096]))
        try:
            self.random.choice(self._ways)(client)
        except (ConnectionEnded, ConnectionError):
            pass  # cut off: allowed
        except AssertionError as error:
            self.failures.append(f"client {self._number}: {error}")
        finally:
            self.random.choice([client.close, client.reset])()

    def _target(self) -> str:
        return f"/{self._number}/{self.steps}/{self.random.randrange(10**6)}"

    def _check(self, client: RawClient, target: str) -> None:
        response = client.read_response()
        if response.status == 200 and response.framing != "close":
            assert response.body == answer_to(target), f"{target}: got {response.body[:100]!r}"
        if response.all("Connection") == ["close"]:
            raise ConnectionEnded("said so")

    def _ask(self, client: RawClient) -> None:
        for _ in range(self.random.randrange(1, 20)):
            target = self._target()
            client.get(target)
            self._check(client, target)

    def _pipeline(self, client: RawClient) -> None:
        targets = [self._target() for _ in range(self.random.randrange(2, 30))]
        client.send(b"".join(request_head(target) for target in targets))
        for target in targets:
            self._check(client, target)

    def _upload(self, client: RawClient) -> None:
        target, size = self._target(), self.random.randrange(300_000)
        if self.random.random() < 0.5:
            client.send_head(target, method="POST", headers=[("Content-Length", str(size))])
            client.send(b"x" * size)
        else:
            client.send_head(target, method="PUT", headers=[("Transfer-Encoding", "chunked")])
            client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (size + 1, b"x" * (size + 1)))
        self._check(client, target)

    def _vanish(self, client: RawClient) -> None:
        raw = request_head(self._target(), method="POST", headers=[("Content-Length", "1000")]) + b"x" * 1000
        client.send(raw[: self.random.randrange(len(raw) + 1)])
        if self.random.random() < 0.5:
            client.half_close()

    def _garble(self, client: RawClient) -> None:
        client.send(self.random.choice(GARBAGE))
        client.wait_input(0.2)

    def _deafen(self, client: RawClient) -> None:
        client.send(b"".join(request_head(self._target()) for _ in range(200)))
        client.wait_input(0.2)


class ChaosNode(Actor):
    """Answers most requests well, some badly, and restarts under another name now and then."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, number: int, seed: int
    ) -> None:
        super().__init__(f"node {number}", seed)
        self._context = context
        self._endpoint = endpoint
        self._number = number
        self._life = 0
        self._leaves_at = 0.0
        self._sids: list[bytes] = [b"?" * 16]
        self._node: ScriptedNode | None = None
        self._good = [self._length, self._chunks, self._own_coding, self._pieces]
        self._bad = [
            self._hang,
            self._abort,
            self._retry,
            self._end,
            self._too_much,
            self._too_little,
            self._nonsense,
        ]

    def step(self) -> None:
        if self._node is None or time.monotonic() > self._leaves_at:
            self._restart()
        assert self._node is not None
        message = self._node.maybe_receive(0.02)
        if message is not None and message.type == b"uwsgi":
            self._answer(self._node, message)
        if self.random.random() < 0.02:
            self._disturb(self._node)

    def finish(self) -> None:
        if self._node is not None:
            self._node.close()

    def _restart(self) -> None:
        if self._node is not None:
            if self.random.random() < 0.3:
                self._node.send(b"", "drain")
            self._node.close(flush=self.random.random() < 0.5)
        self._life += 1
        self._leaves_at = time.monotonic() + self.random.uniform(0.2, 6)
        self._node = ScriptedNode(self._context, self._endpoint, f"app/{self._number}-{self._life}")
        self._node.pong(self.random.choice(["", "", "exchange"]))

    def _answer(self, node: ScriptedNode, message: Message) -> None:
        body = answer_to(read_variables(message.body)["REQUEST_URI"])
        self._sids = [*self._sids[-20:], message.sid]
        ways = self._bad if self.random.random() < 0.1 else self._good
        self.random.choice(ways)(node, message.sid, body)

    def _disturb(self, node: ScriptedNode) -> None:
        sid = self.random.choice([*self._sids, b"?" * 16, b""])
        frames = self.random.choice([[sid], [sid, b"x"], [sid, b"x", b"", b"y"], [sid, b"x" * 40, b""]])
        node.send_frames(*frames)

    def _length(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        node.respond(sid, body)

    def _chunks(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        node.send_frames(
            sid, b"headers", head(), b"chunk", body[:10], b"chunk", body[10:] or b"", b"chunk", b""
        )

    def _own_coding(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        node.send(sid, "headers", head(headers=[("Transfer-Encoding", "chunked")]))
        node.send(sid, "body", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    def _pieces(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        node.send(sid, "headers", head(headers=[("Content-Length", str(len(body)))]))
        for offset in range(0, len(body), 1000):
            node.send(sid, "body", body[offset : offset + 1000])

    def _hang(self, node: ScriptedNode, sid: bytes, body: bytes) -> None: ...

    def _abort(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        if self.random.random() < 0.5:
            node.send(sid, "headers", head())
        node.send(sid, "abort", b"chaos")

    def _retry(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        node.send(sid, "retry")

    def _end(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        if self.random.random() < 0.5:
            node.respond(sid, body)
        node.send(sid, "end")

    def _too_much(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        node.send(sid, "headers", head(headers=[("Content-Length", str(len(body)))]) + body + b"too much")

    def _too_little(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        node.send(sid, "headers", head(headers=[("Content-Length", str(len(body) + 1))]) + body)

    def _nonsense(self, node: ScriptedNode, sid: bytes, body: bytes) -> None:
        node.send(sid, self.random.choice(["headers", "uwsgi", "chunk", "credit", "what"]), b"\r\0nonsense")
