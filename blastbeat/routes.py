"""Which route of a virtualhost a request belongs to, and how its node is shown the path then.

Generic over what a route leads to. Built once from a virtualhost's routes; a look-up costs a dict access per
segment of the path, as deep as the deepest route, whatever the number of routes.

The rule. Of the routes whose path holds the request's normalised path, those with the longest path are asked
first; among routes of one path, who asks for more (each header and cookie, and methods, count one), then who
has a share, then in the order of the file. The first that gets all it asks for takes the request. Where none
does, the virtualhost itself has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from blastbeat.config.model import FieldMatch, RouteConfig
from blastbeat.config.route_values import path_bytes
from blastbeat.events import Request
from blastbeat.paths import cut_prefix, format_path, has_dot_segments, normalise

T = TypeVar("T")

PREFIX_FIELD = b"x-forwarded-prefix"


class Shares:
    """Where on a line from 0 to 1 each client of the routes with one path has its place: always the same one,
    whichever server asks. `salt` keeps the clients of one canary from being those of every other."""

    __slots__ = ("_key",)

    def __init__(self, *salt: str) -> None:
        self._key = blake2b("\0".join(salt).encode(errors="surrogateescape"), digest_size=32).digest()

    def place(self, client: bytes) -> float:
        """The place of a client's address."""
        digest = blake2b(client, digest_size=6, key=self._key).digest()
        return int.from_bytes(digest) / (1 << 48)


class Candidate(Generic[T]):
    """A route with what it asks for beside its path, made ready. Its clients are those with a place from
    `low` up to, not including, `high`."""

    __slots__ = (
        "_asks",
        "_cookies",
        "_headers",
        "_methods",
        "_shares",
        "config",
        "high",
        "low",
        "prefix",
        "value",
    )

    def __init__(self, config: RouteConfig, value: T, shares: Shares, low: float) -> None:
        self.config = config
        self.value = value
        self.low = low
        self.high = round(low + config.share, 9) if config.share is not None else 1.0
        self.prefix = path_bytes(config.path) if config.strip_prefix and config.path != "/" else b""
        self._shares = shares if config.share is not None else None
        self._methods = frozenset(method.encode() for method in config.methods)
        self._headers = [_encoded(match) for match in config.headers]
        self._cookies = [_encoded(match) for match in config.cookies]
        self._asks = bool(self._methods or self._headers or self._cookies or self._shares)

    def takes(self, request: Request) -> bool:
        """Whether the request, whose path is known to fit, is one of this route."""
        if not self._asks:
            return True
        if self._shares is not None and not self.low <= self._shares.place(request.remote_addr) < self.high:
            return False
        return self.fits(request)

    def fits(self, request: Request) -> bool:
        """The same, but for its client."""
        if self._methods and request.method not in self._methods:
            return False
        if self._headers and not all(_has_field(request, *wanted) for wanted in self._headers):
            return False
        return not self._cookies or all(_has_cookie(request, *wanted) for wanted in self._cookies)

    def why_not(self, request: Request) -> str:
        """What of the request does not fit, in words; empty where all does. For a reader, it is slow."""
        if self._methods and request.method not in self._methods:
            return f"the method is not {' or '.join(self.config.methods)}"
        for wanted in self.config.headers:
            if not _has_field(request, *_encoded(wanted)):
                return f"there is no header {_shown(wanted)}"
        for wanted in self.config.cookies:
            if not _has_cookie(request, *_encoded(wanted)):
                return f"there is no cookie {_shown(wanted)}"
        if self._shares is None or (request.remote_addr and self.takes(request)):
            return ""
        share = f"{(self.config.share or 0) * 100:g}%"
        if not request.remote_addr:
            return f"it is for {share} of the clients"
        return f"it is for {share} of the clients, and {request.remote_addr.decode()} is not among them"

    def why(self, request: Request) -> str:
        """What of a request that it takes it asked for, in words."""
        config = self.config
        asked = [f"the path is {config.path} or below it"] if config.path != "/" else []
        asked += [f"the method is {request.method.decode()}"] if config.methods else []
        asked += [f"there is the header {_shown(match)}" for match in config.headers]
        asked += [f"there is the cookie {_shown(match)}" for match in config.cookies]
        if self._shares is not None:
            asked.append(f"{request.remote_addr.decode()} is among its clients")
        return ", ".join(asked)


class RouteTable(Generic[T]):
    """The routes of one virtualhost, each with what it leads to. `salt`: the virtualhost's name."""

    def __init__(self, routes: Sequence[tuple[RouteConfig, T]], salt: str) -> None:
        self.values = tuple(value for _, value in routes)
        self._by_path: dict[bytes, list[Candidate[T]]] = {}
        given: dict[bytes, float] = {}  # of the clients, to the routes of each path so far
        for config, value in routes:
            path = path_bytes(config.path)
            low = given.get(path, 0.0)
            candidate = Candidate(config, value, Shares(salt, config.path), low)
            if config.share is not None:
                given[path] = candidate.high
            self._by_path.setdefault(path, []).append(candidate)
        for candidates in self._by_path.values():
            candidates.sort(key=lambda candidate: candidate.config.rank)
        self._depth = max((path.count(b"/") for path in self._by_path if path != b"/"), default=0)

    def lead(self, request: Request) -> T | None:
        """What takes the request, None for the virtualhost itself; `request` is changed where its node must
        be shown another path than its target says."""
        path = normalise(request.target)
        chosen = next((each for each in self.candidates(path) if each.takes(request)), None)
        self.show_path(request, path, chosen)
        return chosen.value if chosen is not None else None

    def candidates(self, path: bytes) -> Iterator[Candidate[T]]:
        """The routes that a normalised path belongs to, in the order in which they are asked."""
        by_path = self._by_path
        prefix = self._deepest(path)
        while len(prefix) > 1:
            found = by_path.get(prefix)
            if found is not None:
                yield from found
            prefix = prefix[: prefix.rfind(b"/")]
        yield from by_path.get(b"/", ())

    def _deepest(self, path: bytes) -> bytes:
        """The longest beginning of `path`, up to a boundary, that could be a route's. A path has thousands of
        segments if a client likes; those that matter are as many as the deepest route has."""
        end = 0
        for _ in range(self._depth):
            end = path.find(b"/", end + 1)
            if end < 0:
                return path
        return path[:end]

    def _longest(self, path: bytes) -> bytes:
        return next((path_bytes(each.config.path) for each in self.candidates(path)), b"")

    def show_path(self, request: Request, path: bytes, chosen: Candidate[T] | None) -> None:
        """Where the target, read as it is written, could be taken for another route's, the node is shown the
        normalised `path`, by which its route was chosen. So it can't be made to serve what another route's
        filters and authenticators guard."""
        prefix = chosen.prefix if chosen is not None else b""
        written = request.target.partition(b"?")[0]
        if prefix:
            request.script_name = prefix
            _tell_prefix(request, format_path(prefix))
        elif path == written:
            return
        literal = unquote_to_bytes(written)
        if literal == path:
            # Whoever cuts the prefix off the target finds it there only where it is written plainly.
            is_misleading = bool(prefix) and cut_prefix(written, prefix) == written
        elif prefix or has_dot_segments(literal):
            is_misleading = True
        else:
            is_misleading = self._longest(literal) != self._longest(path)
        if is_misleading:
            request.path_info = path[len(prefix) :]


def _tell_prefix(request: Request, prefix: bytes) -> None:
    """Behind what a trusted proxy has cut off already; another's word was dropped before (`forwarding`)."""
    outer = request.header(PREFIX_FIELD)
    if outer is not None:
        request.headers = [field for field in request.headers if field[0] != PREFIX_FIELD]
        prefix = outer.rstrip(b"/") + prefix
    request.headers.append((PREFIX_FIELD, prefix))


def _encoded(match: FieldMatch) -> tuple[bytes, bytes | None]:
    return match.name.encode(), None if match.value is None else match.value.encode()


def _has_field(request: Request, name: bytes, value: bytes | None) -> bool:
    return any(key == name and (value is None or found == value) for key, found in request.headers)


def _has_cookie(request: Request, name: bytes, value: bytes | None) -> bool:
    for key, field in request.headers:
        if key == b"cookie" and name in field:
            for pair in field.split(b";"):
                found, _, its_value = pair.partition(b"=")
                if found.strip() == name and (value is None or its_value.strip().strip(b'"') == value):
                    return True
    return False


def _shown(match: FieldMatch) -> str:
    return match.name if match.value is None else f"{match.name}={match.value}"
