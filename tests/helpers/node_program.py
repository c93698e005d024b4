"""A node of the library as a program: ``python -m tests.helpers.node_program NAME ENDPOINT…``.

`/pid` says who it is, `/sessions` how many other sessions it keeps; `/wait` waits until the client has gone;
any POST is echoed; `/down?N` sends N bytes of `blocks`; a PUT is answered with its digest, and is read no
further than its first MiB until somebody asks for `/release`, or with `?rate=N` by N bytes per second. Prints
`up` for each server that it has found.
"""

from __future__ import annotations

import hashlib
import os
import sys

import anyio

from blastbeat.node import Node, Session
from blastbeat.node.link import Link
from tests.helpers.blocks import MIB, blocks


def main(name: str, *endpoints: str) -> None:
    def changed(link: Link) -> None:
        say("up" if link.is_up else "lost", link.endpoint)

    async def run() -> None:
        released = anyio.Event()
        node = Node(endpoints, name, lambda session: answer(node, session, released), changed=changed)
        await node.run()

    anyio.run(run)


async def answer(node: Node, session: Session, released: anyio.Event) -> None:
    request = session.request
    if request.method == "POST":
        body = await session.body()
        await session.respond(200, (), b"POST %b " % request.raw_path + body)
    elif request.method == "PUT":
        await upload(session, released)
    elif request.path == "/down":
        await session.start(200, [("Content-Length", request.query.decode())])
        for piece in blocks(int(request.query)):
            await session.send(piece)
        await session.end()
    elif request.path == "/release":
        released.set()
        await session.respond(200, (), b"released")
    elif request.path == "/wait":
        say("waits")
        while session.ended is None:
            await session.wait_input()
        say("left")
    elif request.path == "/sessions":
        kept = sum(len(link.sessions) for link in node.links)
        await session.respond(200, (), str(kept - 1))
    else:
        await session.respond(200, (), str(os.getpid()))


async def upload(session: Session, released: anyio.Event) -> None:
    value, count = hashlib.sha256(), 0
    rate = int(session.request.query.partition(b"rate=")[2] or 0)
    begun = anyio.current_time()
    async for piece in session:
        value.update(piece)
        count += len(piece)
        if rate:
            await anyio.sleep_until(begun + count / rate)
        elif count >= MIB:
            await released.wait()
    await session.respond(200, (), value.hexdigest())


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
