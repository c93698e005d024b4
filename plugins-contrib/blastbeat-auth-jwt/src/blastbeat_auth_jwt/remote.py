"""A key set at a URL: fetched when it is first needed, kept, fetched again when it is old or a token names a
key that is not in it.

Whatever goes wrong, the keys there were go on for a while, and then nobody is let in. Fetches follow each
other at a distance, whoever asks: tokens with made-up names cost the issuer nothing.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence

import anyio
import anyio.to_thread
import httpx

from blastbeat_auth_jwt.keys import Key, KeyFault, parse_key_set
from blastbeat_auth_jwt.verifying import KeysUnavailable

log = logging.getLogger(__name__)

MAX_SIZE = 512 * 1024
"""Bytes of a key set."""

DISTANCE = 30.0
"""Seconds between two fetches at least."""

_FAULTS = (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, KeyFault, ssl.SSLError)


class RemoteKeys:
    """`refresh`: seconds after which the set is fetched again; `keep`: seconds for which keys are used after
    the last fetch that went well; `timeout`: seconds a fetch may take in all."""

    def __init__(
        self,
        url: str,
        *,
        refresh: float = 300.0,
        keep: float = 3600.0,
        timeout: float = 5.0,
        ca: str | None = None,
        now: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url, self._ca = url, ca
        self._refresh, self._keep, self._timeout = refresh, keep, timeout
        self._now, self._transport = now, transport
        self._keys: tuple[Key, ...] = ()
        self._names: frozenset[str | None] = frozenset()
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetch: asyncio.Task[None] | None = None
        self._context: ssl.SSLContext | None = None

    async def keys(self, kid: str | None) -> Sequence[Key]:
        """Those of the last fetch that went well. Waits for a new one only where there are none, or none of
        this name. Raises KeysUnavailable."""
        now = self._now()
        is_usable = self._fetched_at is not None and now - self._fetched_at < self._keep
        is_known = is_usable and (kid is None or kid in self._names or None in self._names)
        if self._is_due(now, is_known):
            self._tried_at = now
            self._fetch = asyncio.get_running_loop().create_task(self._fetch_once())
        if not is_known and self._fetch is not None:
            # Not awaited itself: the first client that leaves must not take the keys of all others with it.
            await asyncio.wait({self._fetch})
            is_usable = self._fetched_at is not None and self._now() - self._fetched_at < self._keep
        if not is_usable:
            raise KeysUnavailable("no keys to check tokens with")
        return self._keys

    def _is_due(self, now: float, is_known: bool) -> bool:
        if self._fetch is not None or self._tried_at is not None and now - self._tried_at < DISTANCE:
            return False
        return not is_known or self._fetched_at is None or now - self._fetched_at >= self._refresh

    async def _fetch_once(self) -> None:
        try:
            with anyio.fail_after(self._timeout):
                keys = parse_key_set(await self._download(), secrets=False)
        except _FAULTS as error:
            log.error(
                "the key set at %s could not be fetched: %s", self._url, str(error) or type(error).__name__
            )
        else:
            self._keys, self._fetched_at = keys, self._now()
            self._names = frozenset(key.kid for key in keys)
        finally:
            self._fetch = None

    async def _download(self) -> bytes:
        if self._context is None and self._transport is None:
            # Reading the machine's certificates takes 20 ms, which nobody else need wait for.
            self._context = await anyio.to_thread.run_sync(self._make_context)
        client = httpx.AsyncClient(
            verify=self._context or True, transport=self._transport, timeout=self._timeout, trust_env=False
        )
        # Not compressed, so that MAX_SIZE bounds what is held.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with client, client.stream("GET", self._url, headers=headers) as response:
            if response.status_code != 200:
                raise KeyFault(f"it is answered with {response.status_code}")
            content = b""
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > MAX_SIZE:
                    raise KeyFault(f"it is longer than {MAX_SIZE} bytes")
            return content

    def _make_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca)

    async def aclose(self) -> None:
        """Nothing is fetched any more."""
        if self._fetch is not None:
            self._fetch.cancel()
