"""ASGI 3 applications as handlers of a node: scopes from requests, and what becomes of an application that
fails.

Source: asgi.readthedocs.io, HTTP & WebSocket 2.5 and its extensions. Knows sessions, not how they travel;
the messages of each scope are in `asgi_http` and `asgi_websocket`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import quote

from blastbeat.node.asgi_http import Heads, HttpExchange
from blastbeat.node.asgi_websocket import WebSocketExchange
from blastbeat.node.errors import is_departure
from blastbeat.node.request import Request
from blastbeat.node.session import Session
from blastbeat.node.websocket import WebSocket

log = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

# Applications take 2.4 as "do not watch for `http.disconnect` while you stream, `send` will raise", and then
# one that waits for an event of its own never learns that its client has left.
HTTP_VERSION = "2.3"
WEBSOCKET_VERSION = "2.5"

MAX_CHAIN = 50
"""Exceptions looked at for the reason of another."""


def asgi_handler(
    application: Application, *, root_path: str = "", state: dict[str, Any] | None = None
) -> Callable[[Session], Coroutine[Any, Any, None]]:
    """A handler that calls `application` for each session. `root_path`: where it is mounted, without a slash
    at the end. `state`: of the lifespan; each scope gets a shallow copy."""
    heads = Heads()
    raw_root = quote(root_path).encode()
    shared = state if state is not None else {}

    async def handle(session: Session) -> None:
        scope = make_scope(session.request, session.websocket, root_path, raw_root)
        scope["state"] = shared.copy()
        exchange: HttpExchange | WebSocketExchange
        if session.websocket is None:
            exchange = HttpExchange(session, heads)
        else:
            exchange = WebSocketExchange(session, session.websocket)
        try:
            await application(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # the node stops, and tells the client
            _log_failure(session, error)  # of its own, which must not end anything but this
            exchange.fail()
        except (Exception, SystemExit) as error:
            _log_failure(session, error)
            exchange.fail()
        else:
            if exchange.is_left_open():
                request = session.request
                log.error(
                    "the application returned without a whole response to %s %r", request.method, request.path
                )
                exchange.fail()

    return handle


def make_scope(request: Request, websocket: WebSocket | None, root_path: str, raw_root: bytes) -> Scope:
    """All of a scope but its `state`."""
    root = root_path + request.root_path
    client = request.client
    if websocket is None:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": HTTP_VERSION},
            "http_version": request.version,
            "method": request.method,
            "scheme": request.scheme,
            "path": root + request.path,
            "raw_path": raw_root + request.raw_path,
            "query_string": request.query,
            "root_path": root,
            "headers": request.headers,
            "client": client if client[0] else None,
            "server": request.server,
            "extensions": _extensions(request, "http.response.early_hint", request.version != "1.0"),
        }
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": WEBSOCKET_VERSION},
        "http_version": request.version,
        "scheme": "wss" if request.scheme == "https" else "ws",
        "path": root + request.path,
        "raw_path": raw_root + request.raw_path,
        "query_string": request.query,
        "root_path": root,
        "headers": request.headers,
        "client": client if client[0] else None,
        "server": request.server,
        "subprotocols": websocket.protocols,
        "extensions": _extensions(request, "websocket.http.response", websocket.can_reject),
    }


def _extensions(request: Request, name: str, is_there: bool) -> dict[str, dict[str, Any]]:
    extensions: dict[str, dict[str, Any]] = {name: {}} if is_there else {}
    if request.scheme == "https":
        subject = request.variables.get(b"SSL_CLIENT_S_DN", b"")
        extensions["tls"] = {
            "server_cert": None,
            "client_cert_chain": (),
            "client_cert_name": subject.decode("utf-8", "replace") or None,
            "client_cert_error": None,
            "tls_version": None,
            "cipher_suite": None,
        }
    return extensions


def _log_failure(session: Session, error: BaseException) -> None:
    method, path = session.request.method, session.request.path
    if session.ended is None or session.is_complete:
        log.error("the application failed: %s %r", method, path, exc_info=error)
    elif _is_about_the_client(error):
        log.debug("the client of %s %r left", method, path, exc_info=error)
    else:  # mostly what a framework makes of `http.disconnect`
        log.warning("the application failed after the client of %s %r had left: %r", method, path, error)


def _is_about_the_client(error: BaseException) -> bool:
    """Whether it is, or came of, what `send` raises once the client has left."""
    chain = [error]
    for cause in chain:
        if is_departure(cause):
            return True
        if isinstance(cause, BaseExceptionGroup):
            return all(map(_is_about_the_client, cause.exceptions))
        chain += [near for near in (cause.__cause__, cause.__context__) if near is not None][:MAX_CHAIN]
        if len(chain) > MAX_CHAIN:
            break
    return False
