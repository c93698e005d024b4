"""Who `uid` and `gid` of the configuration are on this machine.

Looks things up in the system's databases; changes nothing.
"""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

from blastbeat.errors import Problem

MAX_ID = 2**32 - 2
"""The greatest number of a user or group; the next one means "none" to the kernel."""


class UnknownAccount(Exception):
    """`problem` says which key names somebody this machine does not know."""

    def __init__(self, key: str, value: str, message: str, hint: str = "") -> None:
        self.problem = Problem(message, section="blastbeat", key=key, value=value, hint=hint)
        super().__init__(str(self.problem))


@dataclass(frozen=True, slots=True)
class Account:
    """A user with its groups, as a process has them. `name` is empty for a number nobody knows."""

    uid: int
    gid: int
    groups: frozenset[int]  # the further ones
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name or self.uid} ({self.uid}:{self.gid})"


def find_account(uid: str, gid: str) -> Account | None:
    """Whom `uid` and `gid` name, each by name or number; None where both are empty.

    Without `gid` it is the user's main group, without `uid` the user we are. Raises UnknownAccount.
    """
    if not uid and not gid:
        return None
    entry = _user(uid) if uid else _entry_of(os.geteuid())
    number = entry.pw_uid if entry is not None else int(uid or os.geteuid())
    if gid:
        group = _group(gid)
    elif entry is not None:
        group = entry.pw_gid
    else:
        hint = "write gid as well: a user without an entry has no main group"
        raise UnknownAccount("uid", uid, "there is no user of this number", hint)
    if entry is None:
        return Account(number, group, frozenset({group}))
    return Account(number, group, frozenset(os.getgrouplist(entry.pw_name, group)), entry.pw_name)


def _user(text: str) -> pwd.struct_passwd | None:
    """None for a number without an entry, which is a user all the same."""
    if _is_number("uid", text):
        return _entry_of(int(text))
    try:
        return pwd.getpwnam(text)
    except KeyError:
        raise UnknownAccount("uid", text, "this machine has no user of this name") from None


def _entry_of(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _group(text: str) -> int:
    if _is_number("gid", text):
        return int(text)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise UnknownAccount("gid", text, "this machine has no group of this name") from None


def _is_number(key: str, text: str) -> bool:
    if not (text.isascii() and text.isdigit()):
        return False
    if len(text) > 10 or int(text) > MAX_ID:
        raise UnknownAccount(key, text, f"numbers end at {MAX_ID}")
    return True
