"""The filter `limits`: how much clients may ask for and be sent, all together and each.

A virtualhost that says `bandwidth` gets one by itself. Rates are kept as one time per client, bounded in
number; IPv6 clients are told apart by their /64, which is what one customer of a provider has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from blastbeat import hookimpl, validators
from blastbeat.buckets import Buckets, client_of
from blastbeat.errors import ConfigError, Problem
from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, Filter, Options, Pace, Register, RequestView, Validator

SMOOTHING = 0.1
"""Seconds that a rate of bytes may be ahead: what timers are late by is made up for within it."""

MAX_RATE = 125_000_000_000
DEFAULT_CLIENTS = 10_000
RETRY_AFTER = b"1"
"""Seconds a client over `concurrent` is asked to wait: one of its requests may be over at any time."""

EVERYBODY = b""


class Limits(Filter):
    """Bounds requests: how often, and how many at the same time."""

    def __init__(
        self,
        *,
        concurrent: int,
        client_concurrent: int,
        requests: Buckets | None,
        client_requests: Buckets | None,
        written: Mapping[str, str],
    ) -> None:
        self._concurrent = concurrent
        self._client_concurrent = client_concurrent
        self._requests = requests
        self._client_requests = client_requests
        self._written = written
        self._running = 0
        self._running_of: dict[bytes, int] = {}  # bounded by the server's `connections`
        self._note = f"limits {id(self):x}"

    def on_request(self, view: RequestView) -> Answer | None:
        client = client_of(view.request.remote_addr)
        if self._client_concurrent and self._running_of.get(client, 0) >= self._client_concurrent:
            return self._refuse(view, 503, "client-concurrent", RETRY_AFTER)
        if self._concurrent and self._running >= self._concurrent:
            return self._refuse(view, 503, "concurrent", RETRY_AFTER)
        now = view.now()
        for name, buckets, key in (
            ("client-requests", self._client_requests, client),
            ("requests", self._requests, EVERYBODY),
        ):
            wait = buckets.wait(key, now) if buckets is not None else 0.0
            if wait > 0:
                return self._refuse(view, 429, name, b"%d" % math.ceil(wait))
        # Only what passes them all counts for any.
        self._count_in(view, client, now)
        return None

    def _count_in(self, view: RequestView, client: bytes, now: float) -> None:
        if self._client_requests is not None and self._client_requests.charge(client, 1, now):
            view.count("limits.clients-forgotten")
        if self._requests is not None:
            self._requests.charge(EVERYBODY, 1, now)
        if self._concurrent or self._client_concurrent:
            view.notes[self._note] = client
            self._running += 1
            self._running_of[client] = self._running_of.get(client, 0) + 1

    def _refuse(self, view: RequestView, status: int, name: str, retry_after: bytes) -> Answer:
        view.count(f"limits.{name}")
        detail = f"over the limit {name}={self._written[name]}"
        headers = [(b"Retry-After", retry_after)]
        return Answer(status, b"", headers, CloseReason.LIMIT, detail, limit=name)

    def on_closed(self, view: RequestView) -> None:
        client = view.notes.pop(self._note, None)
        if client is None:
            return
        self._running -= 1
        left = self._running_of[client] - 1
        if left:
            self._running_of[client] = left
        else:
            del self._running_of[client]


class Bandwidth(Filter):
    """Bounds bytes to clients, and from them: of all together, and of each client."""

    def __init__(
        self,
        *,
        download: Buckets | None = None,
        client_download: Buckets | None = None,
        upload: Buckets | None = None,
        client_upload: Buckets | None = None,
    ) -> None:
        self._download = download
        self._client_download = client_download
        both = ((upload, False), (client_upload, True))
        self._uploads = [(each, is_client) for each, is_client in both if each is not None]

    def on_output(self, view: RequestView) -> Pace | None:
        if self._client_download is None:
            return self._pace_all(view.now)
        return self._pace_client(view, client_of(view.request.remote_addr))

    def _pace_all(self, now: Callable[[], float]) -> Pace | None:
        buckets = self._download
        return None if buckets is None else lambda n: buckets.take(EVERYBODY, n, now())

    def _pace_client(self, view: RequestView, client: bytes) -> Pace:
        of_client, of_all, now = self._client_download, self._download, view.now
        assert of_client is not None

        def pace(n: int) -> float:
            time = now()
            wait = of_client.wait(client, time)
            if of_client.charge(client, n, time):
                view.count("limits.clients-forgotten")
            return wait if of_all is None else max(wait, of_all.take(EVERYBODY, n, time))

        return pace

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        if direction != "in":
            return 0.0
        now, longest = view.now(), 0.0
        for buckets, is_client in self._uploads:
            key = client_of(view.request.remote_addr) if is_client else EVERYBODY
            if buckets.charge(key, n, now):
                view.count("limits.clients-forgotten")
            longest = max(longest, buckets.wait(key, now))
        return longest


class DownloadLimit(Bandwidth):
    """Has no business with uploads, so it is not asked about them."""

    on_data = Filter.on_data


# ---------------------------------------------------------------- options

_ONE_RATE = validators.rate(125, MAX_RATE)
_FREQUENCY = validators.frequency(1 / 3600, 1_000_000)
_BURST = validators.whole(1, 1_000_000)
_CONCURRENT = validators.whole(1, 1_000_000)

REQUEST_OPTIONS: dict[str, Validator] = {
    "requests": _FREQUENCY,
    "burst": _BURST,
    "client-requests": _FREQUENCY,
    "client-burst": _BURST,
    "concurrent": _CONCURRENT,
    "client-concurrent": _CONCURRENT,
}
BYTE_OPTIONS: dict[str, Validator] = {
    "download": _ONE_RATE,
    "client-download": _ONE_RATE,
    "upload": _ONE_RATE,
    "client-upload": _ONE_RATE,
}
OPTIONS = REQUEST_OPTIONS | BYTE_OPTIONS | {"clients": validators.whole(100, 1_000_000)}


class Both(Limits):
    """Bounds requests and bytes."""

    def __init__(self, bytes_: Bandwidth, **options: Any) -> None:
        super().__init__(**options)
        self._bytes = bytes_

    def on_output(self, view: RequestView) -> Pace | None:
        return self._bytes.on_output(view)

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        return self._bytes.on_data(view, direction, n)


def _make(options: Options) -> Filter:
    chosen = set(options) - {"clients"}
    for burst, rate in (("burst", "requests"), ("client-burst", "client-requests")):
        if burst in options and rate not in options:
            raise ConfigError([Problem(f"`{burst}` says how far `{rate}` may be exceeded, which is not set")])
    if not chosen:
        raise ConfigError([Problem("it limits nothing: limits client-requests=10/s client-burst=20")])
    of_bytes = _bandwidth(options) if chosen & set(BYTE_OPTIONS) else None
    if not chosen & set(REQUEST_OPTIONS):
        assert of_bytes is not None
        return of_bytes
    arguments: dict[str, Any] = {
        "concurrent": options.get("concurrent", 0),
        "client_concurrent": options.get("client-concurrent", 0),
        "requests": _request_buckets(options, "requests", "burst"),
        "client_requests": _request_buckets(options, "client-requests", "client-burst"),
        "written": {name: getattr(value, "written", str(value)) for name, value in options.items()},
    }
    return Limits(**arguments) if of_bytes is None else Both(of_bytes, **arguments)


def _request_buckets(options: Options, name: str, burst_name: str) -> Buckets | None:
    rate = options.get(name)
    if rate is None:
        return None
    burst = options.get(burst_name) or max(1, math.ceil(rate))
    # A request is let through when it would have been on time at the rate, or up to burst - 1 early.
    return Buckets(rate, (burst - 1) / rate, _table_size(options))


def _bandwidth(options: Options) -> Bandwidth:
    def buckets(name: str) -> Buckets | None:
        rate = options.get(name)
        return None if rate is None else Buckets(rate, SMOOTHING, _table_size(options))

    downloads = {"download": buckets("download"), "client_download": buckets("client-download")}
    if "upload" in options or "client-upload" in options:
        return Bandwidth(**downloads, upload=buckets("upload"), client_upload=buckets("client-upload"))
    return DownloadLimit(**downloads)


def _table_size(options: Options) -> int:
    size: int = options.get("clients", DEFAULT_CLIENTS)
    return size


@hookimpl
def blastbeat_register_filters(register: Register) -> None:
    register("limits", _make, options=OPTIONS)
