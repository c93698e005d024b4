"""An ASGI application as a node in a process: `python -m tests.helpers.asgi_program module:name endpoint`.

Ends with its standard input."""

from __future__ import annotations

import importlib
import sys

import anyio
from anyio.lowlevel import current_token

from blastbeat.node import Node
from blastbeat.node.asgi import asgi_handler
from blastbeat.node.lifespan import Lifespan


async def main(target: str, endpoint: str) -> None:
    module, _, attribute = target.partition(":")
    application = getattr(importlib.import_module(module), attribute)
    async with Lifespan(application) as lifespan:
        node = Node(endpoint, "app", asgi_handler(application, state=lifespan.state))
        token = current_token()

        def wait_end() -> None:
            sys.stdin.read()
            anyio.from_thread.run_sync(node.stop, token=token)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, wait_end)
            await node.run(graceful_timeout=5.0)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
