"""A node that does what a test tells it: a DEALER in a thread of its own that answers from a table or by a
function, remembers what came, and can hold back, stream, fall silent and die.

Knows ZeroMQ and `protocol.md` version 1; announces capabilities only where the test says so.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import zmq

from blastbeat.testing.node_request import (
    HEAD_READERS,
    Answer,
    NodeRequest,
    ReadHead,
    expects_more,
)
from blastbeat.testing.running import PATIENCE, RunningServer

AnswerFunction = Callable[[NodeRequest], Answer]
Answers = AnswerFunction | Mapping[str, Answer | AnswerFunction] | Answer
"""What a node says: one answer for all requests, a function, or a table of these by path (404 for others)."""

MAX_REQUESTS = 100_000
"""So many requests are remembered, the newest ones."""


def hello(request: NodeRequest) -> Answer:
    """What a node answers that was told nothing: method, target and body, so that a test sees what came."""
    return f"{request.method} {request.target} ".encode() + request.body


def echo(request: NodeRequest, message: bytes) -> bytes | str | None:
    """What a node does with a WebSocket message that was told nothing: it sends it back."""
    try:
        return message.decode()
    except UnicodeDecodeError:
        return message


class ScriptedNode:
    """Connected by the constructor, and known to the server when that returns, unless `wait` is False (for a
    node that is to be refused).

    `answers` are what it says when a request is whole; `on_message` what it sends back for a WebSocket
    message, None for nothing. `words` are the capabilities it announces. `read_head` reads request heads of
    types besides `uwsgi` and `headers`. Its methods may be called from any thread.
    """

    def __init__(
        self,
        server: RunningServer,
        answers: Answers | None = None,
        *,
        name: str = "app",
        endpoint: str = "",
        words: str = "",
        on_message: Callable[[NodeRequest, bytes], bytes | str | None] = echo,
        read_head: Mapping[str, ReadHead] | None = None,
        wait: bool = True,
    ) -> None:
        self.name = name
        self.answers: Answers = hello if answers is None else answers
        self.answers_pings = True
        """Set it to False, and it falls silent: the server thinks it hung after three periods."""
        self._server = server
        self._endpoint = endpoint or server.endpoint
        self._words = words.encode()
        self._on_message = on_message
        self._readers = {**HEAD_READERS, **(read_head or {})}
        self._changed = threading.Condition()
        self._requests: deque[NodeRequest] = deque(maxlen=MAX_REQUESTS)
        self._untaken: deque[NodeRequest] = deque(maxlen=MAX_REQUESTS)
        self._open: dict[bytes, NodeRequest] = {}
        self._failures: list[BaseException] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._lock = threading.Lock()
        self._connect()
        if wait:
            try:
                server.wait_node(name)
            except BaseException:
                self.close()
                raise

    # ------------------------------------------------------------ what came

    @property
    def requests(self) -> Sequence[NodeRequest]:
        """Requests whose head has come, in order."""
        with self._changed:
            return list(self._requests)

    def wait_request(self) -> NodeRequest:
        """The next request that was not returned yet, as soon as its head is here."""
        with self._changed:
            came = self._changed.wait_for(lambda: self._untaken or self._failures, PATIENCE)
            if self._failures:
                raise self._failures.pop(0)
            assert came, f"node {self.name}: no further request came; there were {list(self._requests)}"
            return self._untaken.popleft()

    # ------------------------------------------------------------ what it does

    def send(self, sid: bytes, type: str, body: bytes = b"") -> None:
        """A message, however wrong."""
        self.send_frames(sid, type.encode("latin-1"), body)

    def send_frames(self, *frames: bytes) -> None:
        """Frames as they are."""
        self._outgoing.append(frames)
        if threading.current_thread() is not self._thread:
            self._wake()

    def announce(self, words: str = "") -> None:
        """Says that it is there, and its capabilities, which its answers to pings repeat."""
        self._words = words.encode()
        self.send(b"", "pong", self._words)

    def drain(self) -> None:
        """Takes no further request (what it has goes on)."""
        self.send(b"", "drain")

    def die(self) -> None:
        """Is gone at once, as if killed: what it was about to send is lost."""
        self._linger = 0
        self._end()

    def restart(self) -> None:
        """Comes back under its name, having forgotten its sessions."""
        self._end()
        self._open.clear()
        self._connect()
        self._server.wait_node(self.name)

    def close(self) -> None:
        """Ends it, delivering what it has sent; raises what a function of the test has raised in it."""
        self._end()
        self._context.destroy(linger=0)
        if self._failures:
            raise self._failures.pop(0)

    # ------------------------------------------------------------ the thread

    def _connect(self) -> None:
        self._linger = 1000
        self._is_ending = False
        self._outgoing: deque[Sequence[bytes]] = deque([(b"", b"pong", self._words)])
        self._waker = self._context.socket(zmq.PAIR)
        self._waker.bind("inproc://wake")
        self._thread = threading.Thread(target=self._main, name=f"node {self.name}", daemon=True)
        self._thread.start()

    def _wake(self) -> None:
        with self._lock:
            if not self._waker.closed:
                # Its thread may be over already, and with it whoever would take this.
                with contextlib.suppress(zmq.Again):
                    self._waker.send(b"", zmq.NOBLOCK)

    def _end(self) -> None:
        if self._thread.is_alive():
            self._is_ending = True
            self._wake()
            self._thread.join(2 * PATIENCE)
            assert not self._thread.is_alive(), f"node {self.name} did not end"
        with self._lock:
            self._waker.close(linger=0)

    def _main(self) -> None:
        dealer, bell = self._context.socket(zmq.DEALER), self._context.socket(zmq.PAIR)
        dealer.setsockopt(zmq.IDENTITY, self.name.encode())
        dealer.setsockopt(zmq.SNDTIMEO, int(PATIENCE * 1000))
        try:
            dealer.connect(self._endpoint)
            bell.connect("inproc://wake")
            self._serve(dealer, bell)
        except BaseException as error:
            self._fail(error)
        finally:
            dealer.close(linger=self._linger)
            bell.close(linger=0)

    def _serve(self, dealer: zmq.Socket[bytes], bell: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(dealer, zmq.POLLIN)
        poller.register(bell, zmq.POLLIN)
        while True:
            if self._is_ending and not self._linger:
                return
            while self._outgoing:
                dealer.send_multipart(self._outgoing.popleft())
            if self._is_ending:
                return
            ready = dict(poller.poll())
            if bell in ready:
                bell.recv()
            if dealer in ready:
                sid, *rest = dealer.recv_multipart()
                for type, body in zip(rest[::2], rest[1::2], strict=True):
                    self._handle(sid, type.decode("latin-1"), body)

    def _handle(self, sid: bytes, type: str, body: bytes) -> None:
        if not sid:
            if type == "ping" and self.answers_pings and not body:
                self.send(b"", "pong", self._words)
            return
        with self._changed:
            request = self._open.get(sid)
            if type == "end":
                self._open.pop(sid, None)
                if request is not None:
                    request.end = body
            elif type not in ("body", "websocket", "websocket-binary"):
                request = self._begin(sid, type, body)
            elif request is not None and type == "body":
                request.body += body
            elif request is not None:
                request.messages.append(body)
            whole = request is not None and self._note_whole(request, is_last=type == "body" and not body)
            self._changed.notify_all()
        # The test's own functions run without the lock, so that they may wait.
        if request is not None and type.startswith("websocket"):
            self._guarded(request, lambda request: self._reply(request, body))
        elif request is not None and whole:
            self._guarded(request, self._answer)

    def _begin(self, sid: bytes, type: str, body: bytes) -> NodeRequest:
        read = self._readers.get(type)
        head = read(body) if read is not None else None
        request = NodeRequest(sid, type, body, head, self.send, self._changed, PATIENCE)
        self._open[sid] = request
        self._requests.append(request)
        self._untaken.append(request)
        return request

    def _note_whole(self, request: NodeRequest, is_last: bool) -> bool:
        """Whether it became whole just now."""
        if request.is_whole or request.end is not None:
            return False
        request.is_whole = not expects_more(request._head, len(request.body), is_last)
        return request.is_whole

    def _answer(self, request: NodeRequest) -> None:
        if request.is_websocket:
            return  # the server has accepted it
        answers = self.answers
        if isinstance(answers, Mapping):
            answers = answers.get(request.path, 404)
        request.answer(answers(request) if callable(answers) else answers)

    def _reply(self, request: NodeRequest, message: bytes) -> None:
        reply = self._on_message(request, message)
        if reply is not None:
            request.send_message(reply)

    def _guarded(self, request: NodeRequest, function: Callable[[NodeRequest], None]) -> None:
        """A mistake of the test fails the test, and doesn't let a client wait."""
        try:
            function(request)
        except BaseException as error:
            self._fail(error)
            request.abort("the test's own function failed")

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failures.append(error)
            self._changed.notify_all()
