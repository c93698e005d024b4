"""The vocabulary between drivers, sessions and encoders: small slotted value objects, each with its
`stream_id`.

Knows no bytes on the wire: how an event is spelled for a client is the driver's business, how it is spelled
for a node is the encoder's. Objects are cheap on purpose (no freezing, no validation): many are made per
request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Header fields in order. From clients the names are lower case; from nodes they are as the node wrote
them."""


class CloseReason(Enum):
    """Why a connection, a session or an exchange ended. Closed set: it labels logs and counters."""

    COMPLETE = "complete"
    CLIENT_LEFT = "client-left"
    CLIENT_ERROR = "client-error"
    KEEP_ALIVE_OVER = "keep-alive-over"
    SLOW_REQUEST = "slow-request"
    SLOW_CLIENT = "slow-client"
    WRITE_TIMEOUT = "write-timeout"
    RESPONSE_TIMEOUT = "response-timeout"
    IDLE_TIMEOUT = "idle-timeout"
    LINGER_OVER = "linger-over"
    NODE_END = "node-end"
    NODE_ABORT = "node-abort"
    NODE_ERROR = "node-error"
    NODE_GONE = "node-gone"
    NODE_DRAIN = "node-drain"
    NODE_RETRY = "node-retry"
    NO_INSTANCE = "no-instance"
    OTHER_VIRTUALHOST = "other-virtualhost"
    REFUSED = "refused"
    LIMIT = "limit"
    MEMORY = "memory"
    PLUGIN_ERROR = "plugin-error"
    SERVER_STOP = "server-stop"
    PING_TIMEOUT = "ping-timeout"

    counter: str
    text: str

    def __init__(self, text: str) -> None:
        # Precomputed: no string is put together for each request. An Enum's `value` costs a call in Python.
        self.counter = f"exchanges.{text}"
        self.text = text


class RepeatedHeaders(list[tuple[bytes, bytes]]):
    """Headers of a request of which all but the last field are those of the request before, on the same
    connection to the same virtualhost.

    `rendered` is for whoever writes them for nodes, by writer: what is kept there stays right as long as the
    client repeats them. Whoever makes another list of them makes a plain one. It is to be set (an `__init__`
    that did would take three times as long as the list).
    """

    __slots__ = ("rendered",)

    rendered: dict[object, Any]


class PlainHeaders(list[tuple[bytes, bytes]]):
    """Headers of a response that may go to the client as its node wrote them: no field is the affair of one
    connection alone, and lines end as they should.

    `text` is the status line and they, each with its line end. `length` is the declared one, None for none.
    Whoever makes another list of them makes a plain one.
    """

    __slots__ = ("has_date", "has_server", "length", "text")

    has_date: bool
    has_server: bool
    length: int | None
    text: bytes


# ---------------------------------------------------------------- client -> session


@dataclass(slots=True)
class RequestHead:
    """A request begins. `target` is as sent; `path` is its origin form (``*`` for ``OPTIONS *``).

    `authority` is the host asked for, as sent: the absolute-form target's, else `Host`, else empty
    (HTTP/1.0). `content_length` is None when no length was declared; then `chunked` says whether a body
    follows at all.
    """

    stream_id: int
    method: bytes
    target: bytes
    path: bytes
    version: bytes  # b"1.0", b"1.1"
    authority: bytes
    headers: Headers
    content_length: int | None = None
    chunked: bool = False
    keep_alive: bool = True
    expect_continue: bool = False
    upgrade: bool = False  # a WebSocket handshake

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.content_length)


@dataclass(slots=True)
class RequestData:
    """A piece of the request body, transfer coding removed."""

    stream_id: int
    data: bytes


@dataclass(slots=True)
class RequestEnd:
    """The request was read to its end (also for requests without a body)."""

    stream_id: int


ClientEvent: TypeAlias = RequestHead | RequestData | RequestEnd


# ---------------------------------------------------------------- client -> session, once upgraded


@dataclass(slots=True)
class WebSocketMessage:
    """A whole message: defragmented, unmasked, inflated. Text was checked to be UTF-8."""

    stream_id: int
    data: Buffer
    is_text: bool


@dataclass(slots=True)
class WebSocketPing:
    """The client wants a pong with this payload."""

    stream_id: int
    payload: bytes


@dataclass(slots=True)
class WebSocketPong:
    """An answer to a ping of ours, or one nobody asked for."""

    stream_id: int
    payload: bytes


@dataclass(slots=True)
class WebSocketClose:
    """The client's close frame; nothing follows it. `code` is 1005 where the frame had none."""

    stream_id: int
    code: int
    reason: bytes  # UTF-8


@dataclass(slots=True)
class WebSocketFailure:
    """What came breaks RFC 6455 or a limit: nothing more is read. `code` is for our close frame (1002, 1007,
    1009)."""

    stream_id: int
    code: int
    detail: str


WebSocketEvent: TypeAlias = (
    WebSocketMessage | WebSocketPing | WebSocketPong | WebSocketClose | WebSocketFailure
)


# ---------------------------------------------------------------- session -> client


@dataclass(slots=True)
class ResponseHead:
    """A response head, framing left to the driver.

    `length` is the exact number of body bytes that will follow, None when unknown. `bodyless`: no body will
    follow whatever the fields say (HEAD, 1xx, 204, 304); `length` is then only shown. `close` asks the
    driver to tell the client that the connection ends with this response.
    """

    stream_id: int
    status: int
    reason: bytes
    headers: Headers
    length: int | None = None
    bodyless: bool = False
    close: bool = False

    @property
    def is_interim(self) -> bool:
        return 100 <= self.status < 200


# ---------------------------------------------------------------- node -> session (what encoders decode)


@dataclass(slots=True)
class NodeHead:
    """A response head as a node wrote it: grammar checked, nothing interpreted."""

    status: int
    reason: bytes
    headers: Headers
    body: Buffer = b""  # what followed the head in the same message


@dataclass(slots=True)
class NodeData:
    """`body`: raw payload, or the node's own chunked coding where its head said so."""

    data: Buffer


@dataclass(slots=True)
class NodeChunk:
    """`chunk`: the payload of one HTTP chunk; empty = last chunk."""

    data: Buffer


@dataclass(slots=True)
class NodeMessage:
    """A WebSocket message for the client: `websocket-binary` is sent as binary, `websocket` as text when it
    is valid UTF-8, else as binary."""

    data: Buffer
    is_binary: bool


@dataclass(slots=True)
class NodeEnd:
    """`end`: the response is complete, flush and close. `detail` is a WebSocket's close code and reason."""

    detail: bytes = b""


@dataclass(slots=True)
class NodeAbort:
    """`abort`: the response failed."""

    reason: bytes = b""


@dataclass(slots=True)
class NodeRetry:
    """`retry`: somebody else should answer this request."""


@dataclass(slots=True)
class NodeCredit:
    """`credit`: the node consumed `amount` body bytes of this session."""

    amount: int


@dataclass(slots=True)
class NodePong:
    """`pong`: the node is alive; `words` are the capabilities it announces."""

    words: tuple[bytes, ...] = ()


@dataclass(slots=True)
class NodeDrain:
    """`drain`: the instance takes no further request."""


SessionEvent: TypeAlias = (
    NodeHead | NodeData | NodeChunk | NodeMessage | NodeEnd | NodeAbort | NodeRetry | NodeCredit
)
NodeEvent: TypeAlias = SessionEvent | NodePong | NodeDrain


# ---------------------------------------------------------------- session -> encoder


@dataclass(slots=True)
class Request:
    """The request as it is forwarded: what encoders write for the node, and what selectors and filters look
    at.

    `headers` are cleaned already (hop-by-hop fields, names with underscore, `Proxy` and untrusted forwarding
    fields dropped; `X-Forwarded-For`, `-Proto`, `-Host` and `X-Request-Id` set by the server; `Host` as
    matched), in lower case, repeated fields still repeated. Both request encoders therefore say the same.
    `variables` are further CGI variables (e.g. REMOTE_USER from an authenticator). `script_name` is the
    beginning of the path that the application is mounted at, to be cut off what it is shown; `path_info`,
    where it is not None, is what is left of the (decoded) path then, whatever the target says.
    """

    method: bytes
    target: bytes  # origin form, as sent: REQUEST_URI
    version: bytes
    headers: Headers
    content_length: int | None
    chunked: bool
    scheme: bytes  # b"http" or b"https"
    server_name: bytes
    server_port: bytes
    remote_addr: bytes
    remote_port: bytes
    request_id: bytes
    virtualhost: str
    script_name: bytes = b""
    raw_path_info: bool = False
    upgrade: bool = False
    variables: Sequence[tuple[bytes, bytes]] = field(default=())
    path_info: bytes | None = None

    @property
    def path(self) -> bytes:
        """The target up to the query, percent-encoding left as it is."""
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        return self.target.partition(b"?")[2]

    def header(self, name: bytes) -> bytes | None:
        """The first value of a field (name in lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)
