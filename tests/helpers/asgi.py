"""ASGI applications of tests, called over sessions that send nowhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from blastbeat.node import Session
from blastbeat.node.asgi import Application, asgi_handler
from blastbeat.node.request import Request
from tests.helpers.node_link import FakeLink, session_of

Step = Callable[[Session], Awaitable[None]]


def call(
    application: Application, link: FakeLink, head: Request | None = None, *, step: Step | None = None
) -> Any:
    """Runs it to its end; `step` beside it, once it waits for something. Returns its session."""

    async def main() -> Session:
        session = session_of(link, head)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asgi_handler(application), session)
            if step is not None:
                await anyio.wait_all_tasks_blocked()
                await anyio.lowlevel.checkpoint()  # a turn for what is done at its end
                await step(session)
        return session

    return anyio.run(main)


def sends(*messages: dict[str, Any]) -> Application:
    """Sends these and returns."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return application


def start(status: Any = 200, *headers: Any, **more: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def body(data: Any = b"", more_body: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more_body}


async def ends(session: Session) -> None:
    """A step: the client leaves."""
    session.session_ended("client-left")
