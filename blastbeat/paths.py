"""The path of a request as it is compared: one spelling for all that a node could take for the same place.

Text only, no routes and no filters. Every comparison with a path (a route's, a filter's, a plugin's own) uses
`normalise` on what the client sent, so that `/x/%2e%2e//admin` is `/admin` for all of them.
"""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes, unquote_to_bytes

# What an ordinary path has none of; a path without is normal already.
_UNUSUAL = re.compile(rb"[%;\\]|//|/\.\.?(?:/|\Z)")

_DOTS = re.compile(rb"[/\\]\.\.?(?:[/\\;]|\Z)")

_NOT_ESCAPED = "/!$&'()*+,:=@~"
"""What RFC 3986 §3.3 lets stand in a path, but `;`: it would read as the beginning of a parameter."""


def normalise(target: bytes) -> bytes:
    """The path of an origin-form `target`, decoded and with nothing left to interpret.

    Cuts the query, decodes every percent escape once (malformed ones stay as they are, bytes from 0x80 on
    too), drops path parameters (``;x=1``), takes a backslash for a slash, merges slashes and resolves dot
    segments as RFC 3986 §5.2.4 does, never above the root. A slash at the end stays. The result begins with
    `/`; the only other one is ``*``, of ``OPTIONS *``.

    Escapes go first: a node is shown the decoded path, so `%2f` may separate and `%2e%2e` may climb there.
    Parameters and backslashes mean something to some servers only. They go because a request that lands in a
    stricter route than meant is refused, and one that slips by it is served. For the same reason nothing is
    decoded twice: `%252e%252e` is no dot segment to a node that reads the path as it is given.
    """
    path = target.partition(b"?")[0]
    if path == b"*":
        return path
    if path[:1] != b"/":
        path = b"/" + path
    return path if _UNUSUAL.search(path) is None else _resolve(path)


def _resolve(path: bytes) -> bytes:
    kept: list[bytes] = []
    segment = b""
    for raw in unquote_to_bytes(path).replace(b"\\", b"/").split(b"/"):
        segment = raw.partition(b";")[0]
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    if segment in (b"", b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def format_path(path: bytes) -> bytes:
    """A normalised path as it stands in a request target: `normalise` gives it back."""
    return path if path == b"*" else quote_from_bytes(path, _NOT_ESCAPED).encode()


def has_dot_segments(path: bytes) -> bool:
    """True where a decoded path climbs, or stands, in a way that some servers resolve and others do not."""
    return _DOTS.search(path) is not None


def cut_prefix(path: bytes, prefix: bytes) -> bytes:
    """What is left of `path` below `prefix`, perhaps nothing; `path` itself where it is not below it."""
    if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"", b"/"):
        return path[len(prefix) :]
    return path


def is_below(path: bytes, prefix: bytes) -> bool:
    """True when the normalised `path` is `prefix` or lies below it: `/api` holds `/api/x`, not `/apis`.

    `prefix` is normalised too; a slash at its end asks for one in `path`. `/` holds everything, ``*`` too.
    """
    if not path.startswith(prefix):
        return prefix == b"/"
    return prefix[-1:] == b"/" or path[len(prefix) : len(prefix) + 1] in (b"", b"/")
