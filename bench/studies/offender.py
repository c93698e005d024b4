"""A customer's clients that want more than its plan allows; `isp.py` starts it as a process of its own.

    python offender.py KIND PORT VIRTUALHOST

Goes on until it is ended. What it is answered is not judged.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SECOND = 1.0
MEGABYTE = 1_000_000


class Offender:
    def __init__(self, port: int, virtualhost: str) -> None:
        self._port = port
        self._host = f"Host: {virtualhost}\r\n".encode()

    async def ask(self, streams: Streams, target: bytes = b"/", body: bytes = b"") -> None:
        """One request and its whole response."""
        reader, writer = streams
        method = b"POST" if body else b"GET"
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        writer.write(b"%s %s HTTP/1.1\r\n%s%s\r\n" % (method, target, self._host, length) + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        if b"connection: close" in head:
            raise ConnectionError

    async def connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def ask_on(self, pause: float, target: bytes = b"/", body: bytes = b"") -> None:
        """Again and again over one connection, and over another one when that is closed."""
        while True:
            streams = await self.connect()
            with contextlib.suppress(OSError, EOFError):
                while True:
                    await self.ask(streams, target, body)
                    await asyncio.sleep(pause)
            streams[1].close()
            await asyncio.sleep(pause)

    async def chatter(self, pause: float) -> None:
        """Sends messages whether they come back or not, as far as it is read from."""
        reader, writer = await self.connect()
        handshake = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        writer.write(b"GET / HTTP/1.1\r\n" + self._host + handshake + key)
        await reader.readuntil(b"\r\n\r\n")
        frame = b"\x81\x85\x00\x00\x00\x00hello"  # text, masked by zeros (RFC 6455, section 5.2)
        reading = asyncio.create_task(self._drain(reader))
        while not reading.done():
            writer.write(frame)
            await writer.drain()
            await asyncio.sleep(pause)
        writer.close()

    @staticmethod
    async def _drain(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass


KINDS: dict[str, Callable[[Offender], list[Awaitable[None]]]] = {
    # 500 requests a second where the plan has 50
    "requests": lambda it: [it.ask_on(20 / 500) for _ in range(20)],
    # again at once: as many refusals as the server can answer
    "flood": lambda it: [it.ask_on(0) for _ in range(20)],
    # 300 connections where the plan has 100, each of which asks again
    "sessions": lambda it: [it.ask_on(SECOND) for _ in range(300)],
    # bodies as fast as they are read
    "upload": lambda it: [it.ask_on(0, body=b"x" * (MEGABYTE - 1)) for _ in range(8)],
    "download": lambda it: [it.ask_on(0, b"/large") for _ in range(8)],
    # 1000 messages a second where the plan has 100
    "messages": lambda it: [it.chatter(10 / 1000) for _ in range(10)],
}


async def main(kind: str, port: str, virtualhost: str) -> None:
    await asyncio.gather(*KINDS[kind](Offender(int(port), virtualhost)))


if __name__ == "__main__":
    # It may take all of the server's CPU, but not that of the nodes and of the clients that are timed.
    os.nice(19)
    asyncio.run(main(*sys.argv[1:]))
