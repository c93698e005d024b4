"""What the node library raises. Knows nothing of sockets."""

from __future__ import annotations

from blastbeat.errors import BlastBeatError


class Disconnected(BlastBeatError):
    """The client left, or the server ended the session; nothing can be read or sent any more. `reason` is the
    server's word for it, empty where it said none."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason or "the session is over")


class WebSocketClosed(Disconnected):
    """A WebSocket is over, with the close code and reason that a browser would see (RFC 6455 §7.1.5, 1006
    where the client vanished)."""

    def __init__(self, code: int, reason: str = "") -> None:
        self.code = code
        super().__init__(reason)


class ClientGone(OSError):
    """The same as an application gets it: from `send` under ASGI (specification 2.4), from whatever reads or
    writes under WSGI. An OSError, as from a file or socket, for frameworks know what to do with one."""


class NodeUsageError(BlastBeatError):
    """A handler asked for what a session can't do now, e.g. a second response."""


class LifespanFailed(BlastBeatError):
    """An ASGI application does not start: it said so, or raised where its lifespan is required."""


def is_departure(error: BaseException) -> bool:
    """Whether it says nothing but that the client left: a Disconnected, an OSError made of one for an ASGI
    application, or a group of such from a handler's own tasks."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_departure, error.exceptions))
    return isinstance(error, Disconnected | ClientGone)
