"""Starlette: files with ranges, middleware of both kinds, mounted applications, a session of the lifespan."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

closed: list[tuple[int, str]] = []
"""What WebSockets were told at their end."""


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    yield {"owner": "ann"}


class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-stamp"] = request.method
        return response


async def file(request: Request) -> Response:
    return FileResponse(__file__, media_type="text/plain", stat_result=os.stat(__file__))


async def about(request: Request) -> Response:
    told = {"owner": request.state.owner, "path": request.url.path, "root": request.scope["root_path"]}
    return JSONResponse({**told, "link": request.url_for("gallery:about").path})


async def sizes(request: Request) -> Response:
    total = 0
    async for piece in request.stream():
        total += len(piece)
    response = JSONResponse({"size": total}, background=BackgroundTask(lambda: None))
    response.set_cookie("seen", "1", httponly=True)
    response.set_cookie("also", "2")
    return response


async def lines(request: Request) -> Response:
    return StreamingResponse((f"line {number}\n" for number in range(1000)), media_type="text/plain")


async def fails_late(request: Request) -> Response:
    async def generate() -> AsyncIterator[str]:
        yield "half"
        raise RuntimeError("within the response")

    return StreamingResponse(generate(), headers={"content-length": "8"})


async def away(request: Request) -> Response:
    return RedirectResponse("/gallery/about", 303)


async def room(websocket: WebSocket) -> None:
    if websocket.query_params.get("token") != "secret":
        await websocket.send_denial_response(JSONResponse({"error": "no token"}, status_code=401))
        return
    await websocket.accept()
    try:
        while True:
            await websocket.send_bytes(await websocket.receive_bytes())
    except WebSocketDisconnect as left:
        closed.append((left.code, left.reason))


gallery = [
    Route("/about", about, name="about"),
    Route("/file", file),
    Route("/sizes", sizes, methods=["PUT"]),
]
routes = [
    Mount("/gallery", routes=gallery, name="gallery"),
    Route("/lines", lines),
    Route("/fails-late", fails_late),
    Route("/away", away),
    WebSocketRoute("/room", room),
]
middleware = [Middleware(GZipMiddleware, minimum_size=500), Middleware(Stamp)]
application = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
