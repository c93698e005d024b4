"""ASGI without a framework: every framing of a response, and what a scope holds."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain")


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "websocket":
        await websocket(scope, receive, send)
    else:
        path = scope["path"].removeprefix(scope["root_path"])
        await PAGES[path.split("/")[1]](scope, receive, send)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    scope["state"]["greeting"] = "hello"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """Echo; a path `/refuse…` refuses, the text `close` closes."""
    await receive()
    if scope["path"] == "/refuse":
        await send({"type": "websocket.close"})
        return
    if scope["path"] == "/refuse-with":
        headers = [TEXT, (b"x-why", b"closed")]
        await send({"type": "websocket.http.response.start", "status": 410, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"gone"})
        return
    chosen = scope["subprotocols"][-1] if scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": chosen, "headers": [(b"x-a", b"1")]})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4001, "reason": "as you like"})
        elif message.get("text") == "fail":
            raise RuntimeError("as you like")
        else:
            await send({**message, "type": "websocket.send"})


# ---------------------------------------------------------------- pages


async def read(receive: Any) -> bytes:
    pieces, has_more = [], True
    while has_more:
        message = await receive()
        pieces.append(message["body"])
        has_more = message["more_body"]
    return b"".join(pieces)


async def respond(send: Any, data: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def show_scope(scope: Any, receive: Any, send: Any) -> None:
    """What must be the same wherever the application is served."""
    told = {key: scope[key] for key in ("type", "http_version", "method", "scheme", "path", "root_path")}
    told["raw_path"], told["query"] = scope["raw_path"].decode(), scope["query_string"].decode()
    told["headers"] = sorted(
        (name.decode(), value.decode("latin-1"))
        for name, value in scope["headers"]
        if not name.startswith((b"x-forwarded-", b"x-request-id", b"connection"))
    )
    told["client"], told["state"] = scope["client"][0], scope["state"]
    await respond(send, json.dumps(told).encode(), JSON)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    data = await read(receive)
    await respond(send, data, (b"content-length", b"%d" % len(data)), (b"x-size", b"%d" % len(data)))


async def pieces(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [TEXT]})
    for number in range(100):
        await send({"type": "http.response.body", "body": b"%d " % number * 1000, "more_body": True})
    await send({"type": "http.response.body"})


async def sized_pieces(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    for number in range(3):
        await send({"type": "http.response.body", "body": b"ab", "more_body": number < 2})


async def by_status(scope: Any, receive: Any, send: Any) -> None:
    status = int(scope["path"].split("/")[2])
    headers = [(b"location", b"/else")] if status in (301, 302, 307) else []
    await respond(send, b"" if status in (204, 304) else b"status", *headers, status=status)


async def cookies(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, b"ok", (b"set-cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2"), (b"X-Empty", b""))


async def unread(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, b"not read")


async def fails(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("before the response")


async def returns(scope: Any, receive: Any, send: Any) -> None: ...


async def fails_late(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("within the response")


async def wrong_header(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, b"", (b"x-a", b"1\r\nx-b: 2"))


Page = Callable[[Any, Any, Any], Awaitable[None]]

PAGES: dict[str, Page] = {
    "scope": show_scope,
    "echo": echo,
    "pieces": pieces,
    "sized-pieces": sized_pieces,
    "status": by_status,
    "cookies": cookies,
    "unread": unread,
    "fails": fails,
    "returns": returns,
    "fails-late": fails_late,
    "wrong-header": wrong_header,
}
