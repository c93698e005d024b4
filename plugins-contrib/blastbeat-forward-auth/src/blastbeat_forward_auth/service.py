"""The way to the service: bounded connections, a bounded queue, a time by which it must have answered.

Never follows a redirect, keeps no cookie of one client for another, and takes nothing from the environment.
"""

from __future__ import annotations

import ssl

import anyio
import httpx

from blastbeat.events import Headers
from blastbeat_forward_auth.questions import Reply


class Unavailable(Exception):
    """The service did not say anything that could be followed; so nobody is let in. The text says why."""


class Overloaded(Unavailable):
    """So many questions wait already that this one was not asked."""


def new_transport(connections: int, context: ssl.SSLContext | bool) -> httpx.AsyncHTTPTransport:
    """Not httpx's client: with that, a cookie of one answer would go along with all questions after it."""
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30
    )
    return httpx.AsyncHTTPTransport(verify=context, limits=limits, trust_env=False)


class Service:
    """`timeout` seconds for everything; at most `most` questions at a time, those included that wait for a
    connection; `max_body` bytes of an answer."""

    def __init__(
        self, url: str, transport: httpx.AsyncBaseTransport, *, timeout: float, most: int, max_body: int
    ) -> None:
        self._url = httpx.URL(url)
        self._transport = transport
        self._timeout, self._most, self._max_body = timeout, most, max_body
        self._asking = 0

    async def ask(self, headers: Headers) -> Reply:
        """Raises Unavailable."""
        if self._asking >= self._most:
            raise Overloaded(f"{self._most} questions wait already")
        self._asking += 1
        try:
            with anyio.fail_after(self._timeout):
                return await self._ask(headers)
        except TimeoutError:
            raise Unavailable(f"no answer within {self._timeout:g} s") from None
        except httpx.HTTPError as error:
            raise Unavailable(str(error) or type(error).__name__) from None
        finally:
            self._asking -= 1

    async def _ask(self, headers: Headers) -> Reply:
        try:
            return await self._ask_once(headers)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # Most likely the service closed an idle connection just then. A question changes nothing, so it
            # may be asked twice.
            return await self._ask_once(headers)

    async def _ask_once(self, headers: Headers) -> Reply:
        # All of httpx's own times: what holds for the whole is `fail_after`.
        times = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        request = httpx.Request("GET", self._url, headers=headers, extensions={"timeout": times})
        response = await self._transport.handle_async_request(request)
        try:
            if not 200 <= response.status_code <= 599:  # a 101, say
                raise Unavailable(f"it answered {response.status_code}")
            fields = [(name.lower(), value) for name, value in response.headers.raw]
            return Reply(response.status_code, fields, await self._read(response))
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response) -> bytes:
        """The body as it came, its content coding included."""
        assert isinstance(response.stream, httpx.AsyncByteStream)
        body = bytearray()
        async for piece in response.stream:
            body += piece
            if len(body) > self._max_body:
                if 200 <= response.status_code < 300:
                    return b""  # nobody reads it
                raise Unavailable(f"its answer is longer than {self._max_body} bytes")
        return bytes(body)

    async def aclose(self) -> None:
        await self._transport.aclose()
