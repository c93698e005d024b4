"""Cases for HTTP tables: bytes in; statuses, the fate of the connection, and what the node saw, out.

Words only; `tests.helpers.probe` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = b"Host: app.test\r\n"
END = b"\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """`statuses` of the final responses, in order. `seen`: ``METHOD target`` of the heads that a node got;
    `bodies` of the requests among them that were whole, where they matter."""

    name: str
    sent: bytes
    statuses: tuple[int, ...] = (200,)
    closes: bool = False
    seen: tuple[str, ...] = ()
    bodies: tuple[bytes, ...] | None = None

    def __str__(self) -> str:
        return self.name


def refused(name: str, sent: bytes, status: int = 400, *seen: str) -> Case:
    """Answered once with `status` and closed; what follows in the same segment never reaches anybody."""
    return Case(name, sent + SMUGGLED, (status,), True, seen)


def get(fields: bytes = b"", target: bytes = b"/") -> bytes:
    """A GET with `fields`, whole lines, behind `Host`."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (target, HOST, fields)


def post(fields: bytes, body: bytes = b"") -> bytes:
    """A POST with `fields`, whole lines, behind `Host`."""
    return b"POST / HTTP/1.1\r\n%b%b\r\n%b" % (HOST, fields, body)
