"""FastAPI as its tutorial shows it: validation, dependencies, forms, streams, events, WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, Form, Header, HTTPException, UploadFile, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, Field


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    yield {"prices": {"tea": 3}}


class Order(BaseModel):
    item: str
    number: int = Field(gt=0)


def user(token: Annotated[str | None, Header()] = None) -> str:
    if token != "secret":
        raise HTTPException(401, "no token", headers={"WWW-Authenticate": "Token"})
    return "ann"


application = FastAPI(lifespan=lifespan)
left: list[str] = []
"""Of streams whose client left."""


@application.get("/items/{number}")
async def item(number: int, q: str | None = None) -> dict[str, Any]:
    return {"number": number, "q": q}


@application.post("/orders", status_code=201)
def order(order: Order, name: Annotated[str, Depends(user)]) -> dict[str, Any]:
    return {"user": name, **order.model_dump()}


@application.post("/upload")
async def upload(note: Annotated[str, Form()], file: UploadFile) -> dict[str, Any]:
    return {"note": note, "name": file.filename, "size": len(await file.read())}


@application.get("/later")
async def later(tasks: BackgroundTasks) -> str:
    tasks.add_task(asyncio.sleep, 0)
    return "soon"


@application.get("/events")
async def events() -> StreamingResponse:
    async def generate() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"

    return StreamingResponse(generate(), media_type="text/event-stream")


@application.get("/idle")
async def idle() -> StreamingResponse:
    async def generate() -> AsyncIterator[str]:
        yield "data: 1\n\n"
        try:
            await asyncio.Event().wait()
        finally:
            left.append("idle")

    return StreamingResponse(generate(), media_type="text/event-stream")


@application.get("/fails", response_class=PlainTextResponse)
async def fails() -> str:
    raise RuntimeError("as you like")


@application.websocket("/chat/{room}")
async def chat(websocket: WebSocket, room: str) -> None:
    if room == "closed":
        await websocket.close()
        return
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_json({"room": room, "text": text})
