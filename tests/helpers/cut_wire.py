"""A TCP relay between nodes and a server, that can be cut: who talks through it loses what was on its way.

Knows bytes only.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType


class CutWire:
    """Relays from `endpoint` to the endpoint `target` while it is whole. A context manager."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("tcp://").rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._partners: dict[socket.socket, socket.socket] = {}
        self._is_whole = True
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Connections end, new ones end at once."""
        with self._lock:
            self._is_whole = False
            for end in list(self._partners):
                self._drop(end)

    def mend(self) -> None:
        with self._lock:
            self._is_whole = True

    def __enter__(self) -> CutWire:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_closing = True
        self._wake.send(b"x")
        self._thread.join(5)
        self.cut()
        self._selector.close()
        for each in (self._listener, self._wake, self._woken):
            each.close()

    def _run(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        while not self._is_closing:
            for key, _ in self._selector.select():
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._partners:
                        self._relay(key.fileobj)

    def _accept(self) -> None:
        near = self._listener.accept()[0]
        if not self._is_whole:
            near.close()
            return
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self._partners[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _relay(self, source: socket.socket) -> None:
        try:
            data = source.recv(1 << 16)
            if data:
                self._partners[source].sendall(data)
                return
        except OSError:
            pass
        self._drop(source)

    def _drop(self, end: socket.socket) -> None:
        other = self._partners.pop(end, None)
        for each in (end, other):
            if each is not None:
                self._partners.pop(each, None)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()
