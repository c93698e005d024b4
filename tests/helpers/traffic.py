"""Clients that ask without a pause, each in a thread of its own, and check every byte of every answer.

Knows HTTP only; what may be answered is for the test to say.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Collection

from tests.helpers.client import RawClient
from tests.helpers.server import PATIENCE

BODY = bytes(range(256)) * 64
"""What each POST sends and wants back, after its number: 16 KiB."""


class Traffic:
    """Asks `host` again and again, with a body that `tests.helpers.app.echo` must return, until `stop`. A
    connection lasts for `per_connection` requests. Answers may have a status of `statuses`."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        address: Callable[[], tuple[str, int]],
        host: str,
        *,
        per_connection: int = 1_000_000,
        statuses: Collection[int] = (200,),
    ) -> None:
        self.statuses: Counter[int] = Counter()
        self.done = 0
        self._address = address
        self._host = host
        self._per_connection = per_connection
        self._allowed = frozenset(statuses)
        self._changed = threading.Condition()
        self._is_stopping = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name=f"traffic {host}", daemon=True)
        self._thread.start()

    def wait(self, number: int) -> None:
        """Until so many more requests were answered, as they must be."""
        with self._changed:
            goal = self.done + number
            self._changed.wait_for(lambda: self.done >= goal or self._failure is not None, 2 * PATIENCE)
            if self._failure is not None:
                raise self._failure
            assert self.done >= goal, f"{self._host}: {self.done} answers, {goal} expected"

    def stop(self) -> None:
        """After the request that runs; raises what was wrong with an answer."""
        self._is_stopping = True
        self._thread.join(2 * PATIENCE)
        assert not self._thread.is_alive(), f"{self._host}: no answer"
        if self._failure is not None:
            raise self._failure

    def _main(self) -> None:
        try:
            while not self._is_stopping:
                host, port = self._address()
                client = RawClient(port, host=host)
                try:
                    for _ in range(self._per_connection):
                        if self._is_stopping or not self._exchange(client):
                            break
                finally:
                    client.close()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _exchange(self, client: RawClient) -> bool:
        """One request; False where the server says that the connection ends with it."""
        target = f"/{next(self._numbers)}"
        client.send_head(target, method="POST", host=self._host, headers=[("Content-Length", str(len(BODY)))])
        client.send(BODY)
        response = client.read_response()
        assert response.status in self._allowed, f"{self._host}: {response.status} {response.body[:200]!r}"
        if response.status == 200:
            assert response.body == f"POST {target} ".encode() + BODY, f"{self._host}: not what was sent"
        with self._changed:
            self.statuses[response.status] += 1
            self.done += 1
            self._changed.notify_all()
        return "Connection" not in response or response["Connection"] != "close"
