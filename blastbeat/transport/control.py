"""The control socket: commands of whoever runs the server, one line of JSON in, one line of JSON out.

A unix socket that only its own user and root can speak to. Knows no command: those who can do something
register it by name. Nothing that is said here, and no handler that fails, ends the server.

A request is an object with the key `command`; every other key is an argument. The answer is
``{"ok": true, "result": ...}`` or ``{"ok": false, "error": "what is wrong"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import anyio
from anyio.abc import TaskGroup, TaskStatus

from blastbeat.errors import BlastBeatError, ControlError, StartError

log = logging.getLogger(__name__)

MAX_REQUEST = 64 * 1024
"""Bytes of one request, its newline included."""

MAX_CONNECTIONS = 16
"""Connections that are served at the same time; further ones wait with the kernel."""

REQUEST_TIMEOUT = 10.0
"""Seconds a request may take to arrive, and its answer to be taken."""

PAUSE_WHEN_EXHAUSTED = 0.5
"""Seconds until accepting is tried again after it failed, e.g. for want of descriptors."""

MODE = 0o600
_ROOT = 0

Handler: TypeAlias = Callable[[Mapping[str, Any]], object | Awaitable[object]]
"""Gets the arguments of a command and returns what JSON can say, or awaits it. The text of a BlastBeatError
it raises is the answer; anything else is logged as a fault of the server."""


class ControlSocket:
    """`path` empty: there is no socket, commands may be registered all the same."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._handlers: dict[str, Handler] = {}
        self._socket: socket.socket | None = None
        self._inode = (0, 0)
        self._open: set[socket.socket] = set()
        self._scope: anyio.CancelScope | None = None

    def handle(self, command: str, handler: Handler) -> None:
        """`handler` answers `command` from now on. Raises ValueError where another one does already."""
        if command in self._handlers:
            raise ValueError(f"there is a handler for {command!r} already")
        self._handlers[command] = handler

    def open(self) -> None:
        """Bind, without answering yet. Raises StartError; the file a killed server left behind is
        replaced."""
        if not self.path:
            return
        _make_room(self.path)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            bound.bind(self.path)
            # Nobody can connect before `listen`, so there is no moment with another mode than this.
            os.chmod(self.path, MODE)
            bound.listen(MAX_CONNECTIONS)
        except OSError as error:
            bound.close()
            raise StartError(f"control = {self.path}: can't make the socket: {error.strerror}") from error
        self._socket, self._inode = bound, _inode_of(self.path)

    async def start(self, tasks: TaskGroup) -> None:
        """Answer from here on, until `close` or the end of `tasks`."""
        if self._socket is not None:
            await tasks.start(self._run, self._socket)

    def give_to(self, uid: int, gid: int) -> None:
        """The socket's file belongs to this user from now on (-1 leaves one of them). Raises OSError."""
        if self._socket is not None:
            os.chown(self.path, uid, gid)

    def close(self) -> None:
        """Answer no more, and remove the file, unless it is another server's by now."""
        bound, self._socket = self._socket, None
        if bound is None:
            return
        # Whoever became another user may not write in this folder any more: then the next start removes it.
        with contextlib.suppress(OSError):
            if _inode_of(self.path) == self._inode:
                os.unlink(self.path)
        if self._scope is not None:
            self._scope.cancel()  # who waits for a connection closes the socket
        else:
            bound.close()

    # ------------------------------------------------------------ connections

    async def _run(self, bound: socket.socket, *, task_status: TaskStatus[None]) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                self._scope = tasks.cancel_scope
                task_status.started()
                await self._accept(bound, tasks)
        finally:
            bound.close()
            for connection in self._open:  # those whose task was cancelled before it began
                connection.close()

    async def _accept(self, bound: socket.socket, tasks: TaskGroup) -> None:
        loop, slots = asyncio.get_running_loop(), anyio.Semaphore(MAX_CONNECTIONS)
        while True:
            await slots.acquire()
            try:
                connection, _ = await loop.sock_accept(bound)
            except OSError as error:
                slots.release()
                log.warning("control socket: can't accept: %s", error.strerror)
                await anyio.sleep(PAUSE_WHEN_EXHAUSTED)
                continue
            self._open.add(connection)
            tasks.start_soon(self._serve, connection, slots.release)

    async def _serve(self, connection: socket.socket, release: Callable[[], None]) -> None:
        """One request of one connection. Whatever goes wrong ends this connection alone."""
        try:
            connection.setblocking(False)
            if not _is_allowed(connection):
                return
            answer = await self._answer(connection)
            with anyio.move_on_after(REQUEST_TIMEOUT):
                await asyncio.get_running_loop().sock_sendall(connection, answer)
        except OSError:
            log.debug("control socket: a connection broke", exc_info=True)
        finally:
            self._open.discard(connection)
            connection.close()
            release()

    async def _answer(self, connection: socket.socket) -> bytes:
        try:
            line = await _read_line(connection)
            return _encode({"ok": True, "result": await self._result(line)})
        except BlastBeatError as error:
            return _encode({"ok": False, "error": str(error)})
        except Exception as error:
            # What a handler does is not ours; its fault is told, and the server goes on.
            log.exception("control socket: a command failed")
            what = f"{type(error).__name__}: {error}"
            return _encode({"ok": False, "error": f"the command failed: {what}; the server's log says more"})

    async def _result(self, line: bytes) -> object:
        command, arguments = parse_request(line)
        handler = self._handlers.get(command)
        if handler is None:
            known = ", ".join(sorted(self._handlers)) or "none"
            raise ControlError(f"there is no command {command!r}; known: {known}")
        result = handler(arguments)
        return await result if inspect.isawaitable(result) else result


def parse_request(line: bytes) -> tuple[str, Mapping[str, Any]]:
    """Command and arguments of one request. Raises ControlError."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"the request is not JSON: {error}") from None
    command = request.pop("command", None) if isinstance(request, dict) else None
    if not isinstance(command, str):
        raise ControlError('a request is an object with a command: {"command": "status"}')
    return command, request


def _encode(answer: object) -> bytes:
    return json.dumps(answer).encode() + b"\n"


async def _read_line(connection: socket.socket) -> bytes:
    """Up to the first newline, or the end. Raises ControlError where it is too long or too slow."""
    loop = asyncio.get_running_loop()
    data = b""
    with anyio.move_on_after(REQUEST_TIMEOUT):
        while len(data) < MAX_REQUEST:
            piece = await loop.sock_recv(connection, MAX_REQUEST - len(data))
            data += piece
            if not piece or b"\n" in piece:
                return data.partition(b"\n")[0]
        raise ControlError(f"a request is one line of at most {MAX_REQUEST} bytes")
    raise ControlError(f"no request within {REQUEST_TIMEOUT:g} s")


def _is_allowed(connection: socket.socket) -> bool:
    """The file's mode keeps others out; this holds also where a file system does not care for modes."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if uid in (_ROOT, os.geteuid()):
        return True
    log.warning("control socket: user %d is neither the server's own nor root", uid)
    return False


# ---------------------------------------------------------------- the file


def _make_room(path: str) -> None:
    """What is left of a server that was killed goes away. Raises StartError for anything else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartError(f"control = {path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise StartError(
            f"control = {path}: there is a file that is no socket; name another path or remove it"
        )
    if _is_alive(path):
        raise StartError(f"control = {path}: another server listens there; stop it, or name another path")
    try:
        os.unlink(path)
    except OSError as error:
        what = f"a socket that nobody listens on is in the way and can't be removed: {error.strerror}"
        raise StartError(f"control = {path}: {what}") from error


def _is_alive(path: str) -> bool:
    """Somebody listens there, or we may not know; then the socket is not ours to remove."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)  # a full backlog is somebody, too
        try:
            asking.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
        return True


def _inode_of(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
