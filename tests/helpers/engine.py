"""The real engine between the fakes: stream, session, dispatcher, admission and node table, without sockets.

Knows `engine_fakes`; what clients and nodes do is for the test to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import inf
from typing import Any

from blastbeat.admission import Admission
from blastbeat.config.model import NodeRef, PluginRef, RouteConfig, VirtualHostConfig
from blastbeat.counters import Counters
from blastbeat.dispatcher import Decode, Dispatcher
from blastbeat.events import Request, RequestHead
from blastbeat.instance import Instance
from blastbeat.interfaces import Filter, NodeAuthenticator, RequestAuthenticator
from blastbeat.nodes import NodeTable
from blastbeat.plugin_manager import PluginManager
from blastbeat.routes import RouteTable
from blastbeat.session import Session
from blastbeat.sessions import Sessions
from blastbeat.stream import Stream
from blastbeat.vhosts import HostTable
from blastbeat.virtualhost import Select, VirtualHost
from tests.helpers.engine_fakes import (
    FakeClient,
    FakeClock,
    FakeRouter,
    FakeTasks,
    Recorder,
    encode_plainly,
    take_first,
)
from tests.helpers.settings import HOST


@cache
def built_in_decoders() -> dict[bytes, Decode]:
    """By message type."""
    manager = PluginManager(load=())
    manager.load()
    registry = manager.build_registry()
    made = {name: registry.make("encoder", PluginRef(name)) for name in registry.names("encoder")}
    return {name.encode(): each.decode for name, each in made.items() if hasattr(each, "decode")}


class Engine:
    """All of the engine, with the fakes around it; one virtualhost of HOST with the node ``app``. `here`
    are the routing ids that announced themselves, with their words; by default each node."""

    def __init__(
        self,
        *,
        nodes: Sequence[str] = ("app",),
        here: Mapping[str, str] | None = None,
        policy: Mapping[str, Any] | None = None,
        select: Select = take_first,
        encode: Callable[[Request], bytes] = encode_plainly,
        filters: Sequence[Filter] = (),
        authenticators: Sequence[RequestAuthenticator] = (),
        node_authenticators: Sequence[NodeAuthenticator] = (),
        max_sessions: int = 0,
        decoders: Mapping[bytes, Decode] | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.counters = Counters()
        self.router = FakeRouter()
        self.tasks = FakeTasks()
        self.recorder = Recorder()
        self.flushes = 0
        self.table = NodeTable(self.router, self.counters, ping_freq=1.0, credit=1024, endpoint="main")
        self.routes: list[tuple[RouteConfig, VirtualHost]] = []
        self._minted = 0
        self.sessions = Sessions(max_sessions, self._make_bytes, self.counters)
        self.dispatcher = Dispatcher(
            {**built_in_decoders(), **(decoders or {})},
            self.sessions,
            self.recorder.lifecycle(),
            self.counters,
            self.clock,
            session_share=1000,
            credit=1024,
            flush=self._flush,
        )
        self.table.sink = self.dispatcher
        self.dispatcher.tables[self.router] = self.table
        self.hosts: HostTable[VirtualHost] = HostTable()
        self.dispatcher.admission = Admission(
            self.hosts, self.sessions, self.dispatcher, self.tasks.spawn, lambda: b"request-id"
        )
        self.virtualhost = self.add_virtualhost(
            HOST,
            nodes,
            policy,
            select=select,
            encode=encode,
            filters=filters,
            authenticators=authenticators,
            node_authenticators=node_authenticators,
        )
        for identity, words in (dict.fromkeys(nodes, "") if here is None else here).items():
            self.node(identity, words)

    def _make_bytes(self, size: int) -> bytes:
        self._minted += 1
        return self._minted.to_bytes(size, "big")

    def _flush(self) -> None:
        self.flushes += 1

    # ------------------------------------------------------------ parts

    def add_virtualhost(
        self,
        name: str,
        nodes: Sequence[str],
        policy: Mapping[str, Any] | None = None,
        *,
        select: Select = take_first,
        encode: Callable[[Request], bytes] = encode_plainly,
        filters: Sequence[Filter] = (),
        authenticators: Sequence[RequestAuthenticator] = (),
        node_authenticators: Sequence[NodeAuthenticator] = (),
    ) -> VirtualHost:
        """`policy` are attributes of `VirtualHostConfig`. Its nodes are not there yet."""
        config = VirtualHostConfig(name, nodes=tuple(map(NodeRef, nodes)), **(policy or {}))
        virtualhost = VirtualHost(
            config,
            self.table,
            select=select,
            request_type=b"uwsgi",
            encode_request=encode,
            filters=filters,
            node_authenticators=node_authenticators,
            request_authenticators=authenticators,
        )
        self.dispatcher.virtualhosts += (virtualhost,)
        self.hosts.add(name, virtualhost)
        for node in nodes:
            self.table.expect(node, 1.0, 4)
        return virtualhost

    def add_route(
        self,
        name: str,
        nodes: Sequence[str] = ("app",),
        *,
        policy: Mapping[str, Any] | None = None,
        encode: Callable[[Request], bytes] = encode_plainly,
        filters: Sequence[Filter] = (),
        authenticators: Sequence[RequestAuthenticator] = (),
        **asked: Any,
    ) -> VirtualHost:
        """A further route of HOST, whose nodes are there; `asked` are attributes of `RouteConfig`, the path
        is `name` unless they say otherwise."""
        whole = self.virtualhost
        config = VirtualHostConfig(whole.name, name, nodes=tuple(map(NodeRef, nodes)), **(policy or {}))
        route = VirtualHost(
            config,
            self.table,
            select=take_first,
            request_type=b"uwsgi",
            encode_request=encode,
            filters=filters,
            request_authenticators=authenticators,
            whole=whole,
        )
        self.routes.append((RouteConfig(name, config, **{"path": name} | asked), route))
        whole.routes = RouteTable(self.routes, whole.name)
        for node in nodes:
            if self.table.find(node.encode()) is None:
                self.table.expect(node, 1.0, 4)
        self.dispatcher.virtualhosts += (route,)
        for node in nodes:
            self.dispatcher.admit(self.node(node), "1.2.3.4")
        return route

    def node(self, identity: str, words: str = "") -> Instance:
        """An instance that has announced itself."""
        instance = self.table.heard(identity.encode(), self.clock.now, lambda: ("1.2.3.4", 7))
        assert instance is not None
        self.table.pong(instance, words.encode().split(), self.clock.now)
        return instance

    def instance(self, identity: str = "app") -> Instance:
        instance = self.table.find(identity.encode())
        assert instance is not None
        return instance

    def stream(self, client: FakeClient | None = None) -> Stream:
        """A client's connection."""
        return Stream(client or FakeClient(), self.dispatcher, self.clock)

    # ------------------------------------------------------------ what happens

    def request(
        self, stream: Stream, head: RequestHead | None = None, *, ends: bool = True
    ) -> Session | None:
        """A whole request, or its head alone. Returns the session it went to."""
        stream.request_head(head or request_head())
        if ends:
            stream.request_end()
        return stream.session

    def say(self, session: Session | None, type: str, body: bytes = b"") -> None:
        """A message of the session's node."""
        assert session is not None
        self.dispatcher.message_received(session.instance, session.sid, type.encode(), body)

    def respond(self, session: Session | None, body: bytes = b"ok") -> None:
        """A whole response of exact length."""
        self.say(session, "headers", response_head(length=len(body)))
        if body:
            self.say(session, "body", body)

    def lose(self, identity: str) -> None:
        """The instance has no route for longer than its grace."""
        self.table.unreachable(self.instance(identity), self.clock.now)
        self.clock.now += 2
        self.table.tick(self.clock.now)

    def expire(self, stream: Stream) -> None:
        """The next deadline of the stream passes."""
        due = stream.deadline()
        assert due < inf
        stream.expire(due - 0.001)  # the wheel never does, but nothing may come of it
        self.clock.now = due
        stream.expire(due)

    def heard(self, session: Session | None) -> list[tuple[bytes, bytes]]:
        """Types and bodies of what the session's node was sent in it."""
        assert session is not None
        return [(type, body) for _, sid, type, body in self.router.sent if sid == session.sid]

    def types(self, session: Session | None) -> list[bytes]:
        return [type for type, _ in self.heard(session)]

    def assert_settled(self) -> None:
        """Nothing is left over: every session that was opened was closed once, and its node heard `end`."""
        assert not self.sessions.by_sid and not self.virtualhost.sessions
        assert [view.sid for view in self.recorder.opened] == list(
            dict.fromkeys(view.sid for view in self.recorder.opened)
        )
        assert sorted(view.sid for view in self.recorder.opened) == sorted(
            view.sid for view in self.recorder.closed
        )
        assert all(view.reason is not None for view in self.recorder.closed)
        assert all(not instance.sessions for instance in self.table)
        ends = [sid for _, sid, type, _ in self.router.sent if type == b"end"]
        assert len(ends) == len(set(ends))
        assert self.counters["sessions.opened"] == self.counters["sessions.closed"]
        assert len(self.recorder.exchanges) == (
            self.counters["responses.completed"] + self.counters["responses.cut"]
        )

    def close(self) -> None:
        self.tasks.close()


def request_head(target: bytes = b"/", method: bytes = b"GET", **changes: Any) -> RequestHead:
    """A request to HOST; `changes` are attributes of `RequestHead`."""
    host = changes.pop("authority", HOST.encode())
    head = RequestHead(1, method, target, target, b"1.1", host, [(b"host", host)])
    for name, value in changes.items():
        setattr(head, name, value)
    return head


def upload_head(length: int | None = None, method: bytes = b"POST", **changes: Any) -> RequestHead:
    """A request with a body, chunked where its length is not given."""
    return request_head(method=method, content_length=length, chunked=length is None, **changes)


def response_head(status: int = 200, length: int | None = None, extra: bytes = b"") -> bytes:
    """What a node says first."""
    declared = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"HTTP/1.1 %d X\r\n%b%b\r\n" % (status, declared, extra)
