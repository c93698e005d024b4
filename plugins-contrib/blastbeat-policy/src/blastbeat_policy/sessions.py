"""Which session counts for whom, from the request that will open it until its end.

A request that opens a session is counted for at once, so that requests which wait, for an authenticator say,
can't exceed the limit together. The notices of the server then say whether a session came of it. Knows no
limit.
"""

from __future__ import annotations

from blastbeat_policy.customers import Account, Customer
from blastbeat_policy.meters import Keys


class Place:
    """What a session takes of its customer's: from the request on (`sid` empty), or since it is open."""

    __slots__ = ("account", "connection", "customer", "keys", "sid")

    def __init__(self, customer: Customer, account: Account, keys: Keys, connection: int) -> None:
        self.customer = customer
        self.account = account
        self.keys = keys
        self.connection = connection
        self.sid = b""


class Places:
    """Those of one server. Bounded by the server's `connections` and `sessions`."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[Place]] = {}  # by connection
        self._open: dict[bytes, Place] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values())) + len(self._open)

    def take(self, place: Place) -> None:
        """A request that will open a session."""
        place.customer.sessions.add(place.keys)
        self._waiting.setdefault(place.connection, []).append(place)

    def opened(self, connection: int, sid: bytes) -> None:
        """A session began on this connection. One that no request of a customer's waited for is nobody's."""
        waiting = self._waiting.get(connection)
        if waiting is None:
            return
        place = waiting.pop(0)
        if not waiting:
            del self._waiting[connection]
        place.sid = sid
        place.account.sessions += 1
        self._open[sid] = place

    def retried(self, sid: bytes) -> None:
        """The session ends, and its request opens another one: the place waits for it."""
        place = self._open.pop(sid, None)
        if place is not None:
            place.sid = b""
            place.account.sessions -= 1  # a request that needed two tries has opened one session
            self._waiting.setdefault(place.connection, []).append(place)

    def closed(self, sid: bytes) -> None:
        place = self._open.pop(sid, None)
        if place is not None:
            place.customer.sessions.remove(place.keys)

    def give_back(self, place: Place) -> None:
        """Its request is over: where no session came of it, the place is free."""
        waiting = self._waiting.get(place.connection)
        if waiting is None or place not in waiting:
            return
        waiting.remove(place)
        if not waiting:
            del self._waiting[place.connection]
        place.customer.sessions.remove(place.keys)
