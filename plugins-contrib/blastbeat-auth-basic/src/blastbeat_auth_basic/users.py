"""Password files: read whole, checked line by line, read again when they have changed.

A change that can't be read, or that holds a line that is none, changes nothing: what was read before stays,
and the log says where the fault is. Blocking; whoever asks on the event loop does it in a thread.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

from blastbeat.validators import read_file
from blastbeat_auth_basic.hashes import cost_of, fault_of, is_weak

log = logging.getLogger(__name__)

MAX_FILE_SIZE = 8 * 1024 * 1024
"""Bytes of one file: about 100,000 users."""

RECHECK = 1.0
"""Seconds for which nobody looks whether the files have changed."""

Stamp = tuple[tuple[int, ...], ...]

_NO_USER = b"$2b$10$abcdefghijklmnopqrstuu" + b"." * 31


class UsersError(Exception):
    """A file can't be used: which one, which line, why, and never what stands there."""


class Users:
    """The hash of each user. `decoy` is what is checked where there is no such user: as slow as the slowest
    of them, and fitted by nothing."""

    def __init__(self, hashes: Mapping[bytes, bytes]) -> None:
        self._hashes = dict(hashes)
        self.decoy = max(hashes.values(), key=cost_of, default=_NO_USER)[:-20] + b"." * 20
        self.weak = sum(map(is_weak, hashes.values()))

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, user: bytes) -> bytes | None:
        return self._hashes.get(user)


def parse_users(content: bytes, path: str) -> dict[bytes, bytes]:
    """The lines ``user:hash`` of a file; empty ones and those with a ``#`` first are passed over, and so is
    what stands behind a further colon. Raises UsersError."""
    hashes: dict[bytes, bytes] = {}
    for number, raw in enumerate(content.split(b"\n"), start=1):
        line = raw.strip(b" \t\r")
        if not line or line.startswith(b"#"):
            continue
        user, colon, rest = line.partition(b":")
        hashed = rest.partition(b":")[0].strip(b" \t")
        fault = _fault_of_user(user) if colon else "has no colon; write user:hash"
        if not fault and (bad := fault_of(hashed)):
            fault = f"the password of {user.decode()} {bad}; make a line with `blastbeat auth-basic-hash`"
        if not fault and user in hashes:
            fault = f"{user.decode()} stands there twice"
        if fault:
            raise UsersError(f"{path}, line {number}: {fault}")
        hashes[user] = hashed
    return hashes


def _fault_of_user(user: bytes) -> str:
    try:
        name = user.decode("utf-8")
    except UnicodeDecodeError:
        return "the name is no UTF-8"
    if not name or not name.isprintable() or len(user) > 255:
        return "a name has 1 to 255 bytes, all printable"
    return ""


class UserFiles:
    """Several files taken together; a user of an earlier one goes before. Raises UsersError where one can't
    be used at the start."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = tuple(paths)
        self._stamp: Stamp = ()
        self._complaint = ""
        self.users = Users({})
        stamp = self._look()
        self._take(self._read(), stamp)

    def refresh(self) -> None:
        """Read them again where they have changed. Never raises."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        try:
            users = self._read()
        except UsersError as error:
            if str(error) != self._complaint:  # once, not once a second
                self._complaint = str(error)
                log.error("%s; the users read before stay", error)
            return
        self._take(users, stamp)
        log.info("%d users in %s", len(users), ", ".join(self._paths))

    def _take(self, users: Users, stamp: Stamp) -> None:
        self.users, self._stamp, self._complaint = users, stamp, ""
        if users.weak:
            log.warning(
                "%d of %d users in %s have an apr1 hash (MD5): quickly guessed once the file gets out",
                users.weak,
                len(users),
                ", ".join(self._paths),
            )

    def _look(self) -> Stamp:
        found: list[tuple[int, ...]] = []
        for path in self._paths:
            try:
                status = os.stat(path)
            except OSError as error:
                found.append((error.errno or 0,))
            else:
                found.append(
                    (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                )
        return tuple(found)

    def _read(self) -> Users:
        hashes: dict[bytes, bytes] = {}
        for path in self._paths:
            try:
                content = read_file(path, MAX_FILE_SIZE)
            except ValueError as error:
                raise UsersError(str(error)) from None
            for user, hashed in parse_users(content, path).items():
                hashes.setdefault(user, hashed)
        return Users(hashes)
