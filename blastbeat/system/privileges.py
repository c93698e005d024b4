"""Gives up root's rights for good, and makes sure that they are gone.

Knows whom to become and nothing of the server.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from blastbeat.errors import StartError
from blastbeat.system.accounts import Account

ROOT = 0


class Identity(Protocol):
    """The part of `os` that says and changes who a process is."""

    def setgroups(self, groups: Sequence[int], /) -> None: ...
    def setresgid(self, rgid: int, egid: int, sgid: int, /) -> None: ...
    def setresuid(self, ruid: int, euid: int, suid: int, /) -> None: ...
    def setuid(self, uid: int, /) -> None: ...
    def getresuid(self) -> tuple[int, int, int]: ...
    def getresgid(self) -> tuple[int, int, int]: ...
    def getgroups(self) -> list[int]: ...


def become(account: Account, identity: Identity = os) -> None:
    """This process is `account` from now on, in all its threads (libc tells each), and cannot be root again.

    Raises StartError where that fails, and then must not go on.
    """
    try:
        # Groups first: who is no longer root may not change them.
        identity.setgroups(sorted(account.groups))
        identity.setresgid(account.gid, account.gid, account.gid)
        identity.setresuid(account.uid, account.uid, account.uid)
    except OSError as error:
        raise StartError(f"can't become {account}: {error.strerror or error}") from error
    is_whole = (
        identity.getresuid() == (account.uid,) * 3
        and identity.getresgid() == (account.gid,) * 3
        and set(identity.getgroups()) == account.groups
    )
    if not is_whole:
        raise StartError(f"can't become {account}: the system kept part of what we were")
    if account.uid != ROOT and _can_be_root(identity):
        raise StartError(f"can't become {account} for good: root's rights could be taken back")


def _can_be_root(identity: Identity) -> bool:
    try:
        identity.setuid(ROOT)
    except PermissionError:
        return False
    return True
