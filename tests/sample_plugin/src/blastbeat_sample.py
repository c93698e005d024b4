"""A plugin with one small object of most kinds: encoder, selector, both authenticators, filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blastbeat import hookimpl
from blastbeat.errors import ClientError, NodeError
from blastbeat.events import Buffer, NodeHead, Request, ResponseHead
from blastbeat.interfaces import (
    Allow,
    Answer,
    ExchangeView,
    Filter,
    InstanceView,
    NodeCandidate,
    Options,
    Register,
    RegisterOptions,
    RequestView,
)

GREETING = {"text": "hello"}


class LineEncoder:
    """Requests as `METHOD target`, responses as `status text`."""

    def encode_request(self, request: Request) -> bytes:
        line = b"%b %b" % (request.method, request.target)
        if len(line) > 1000:
            raise ClientError(431, "too long for one line")
        return line

    def decode(self, body: Buffer) -> NodeHead:
        status, blank, text = bytes(body).partition(b" ")
        if not blank or not status.isdigit() or not 200 <= int(status) <= 599:
            raise NodeError("a line response is `status text`", retryable=True)
        headers = [(b"Content-Length", b"%d" % len(text)), (b"Content-Type", b"text/plain")]
        return NodeHead(int(status), b"", headers, text)


class NamedSelector:
    """The instance of one node as long as it is offered, else the last one offered."""

    def __init__(self, prefer: str) -> None:
        self._prefer = prefer

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView | None:
        preferred = [candidate for candidate in candidates if candidate.node == self._prefer]
        return preferred[0] if preferred else candidates[-1]


class SuffixAuthenticator:
    """Lets in nodes whose names end as wanted."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix

    def authenticate(self, candidate: NodeCandidate) -> bool:
        return candidate.node.endswith(self._suffix)


class TokenAuthenticator:
    """Lets in requests whose `X-Token` is the right one, and tells the node who it is."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def authenticate(self, view: RequestView) -> Allow | Answer:
        if view.request.header(b"x-token") == self._token:
            return Allow([(b"REMOTE_USER", b"sample")])
        return Answer(401, b"no token\n", [(b"WWW-Authenticate", b"Token")])


class GreetingFilter(Filter):
    """Answers `/greeting` itself and marks every other response."""

    def on_request(self, view: RequestView) -> Answer | None:
        if view.request.path == b"/greeting":
            return Answer(200, GREETING["text"].encode(), [(b"Content-Type", b"text/plain")])
        return None

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        head.headers.append((b"X-Sample", b"yes"))
        return head


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return value


def receive_options(options: Options) -> None:
    GREETING.update(options)


@hookimpl
def blastbeat_register_options(register: RegisterOptions) -> None:
    register({"text": text}, receive_options)


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("line", lambda options: LineEncoder())


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("named", lambda options: NamedSelector(options.get("prefer", "")), options={"prefer": text})


@hookimpl
def blastbeat_register_node_authenticators(register: Register) -> None:
    register(
        "suffix", lambda options: SuffixAuthenticator(options.get("suffix", "")), options={"suffix": text}
    )


@hookimpl
def blastbeat_register_request_authenticators(register: Register) -> None:
    register("token", lambda options: TokenAuthenticator(options["token"]), options={"token": text})


@hookimpl
def blastbeat_register_filters(register: Register) -> None:
    register("greeting", lambda options: GreetingFilter())


class Replacement:
    """A plugin of its own, made once per server: takes a built-in's place by registering its name."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    @hookimpl
    def blastbeat_register_selectors(self, register: Register) -> None:
        register("least-connections", lambda options: NamedSelector("app2"))

    @hookimpl
    def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
        self.statuses.append(view.status)
