"""Whether an account may read a file, or write into a folder, without being that account.

Judged from owners and modes along the whole path; lists of access control (ACL) and security modules are not
looked at.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from blastbeat.system.accounts import Account

_READ: Final = 4
_WRITE: Final = 2
_SEARCH: Final = 1


def why_unreadable(path: str, account: Account) -> str:
    """Why `account` can't read the file (or list the folder) `path`; empty where it can, where
    there is none, or where we may not know."""
    return _why_not(path, account, _READ)


def why_unwritable(folder: str, account: Account) -> str:
    """Why `account` can't make files in `folder`; empty where it can, or where we may not know."""
    return _why_not(folder, account, _WRITE | _SEARCH)


def _why_not(path: str, account: Account, wanted: int) -> str:
    try:
        real = os.path.realpath(path, strict=True)
    except OSError:
        return ""  # it is not there, or not ours to look at either
    above = real
    try:
        while above != os.path.dirname(above):
            above = os.path.dirname(above)
            if not _may(account, os.stat(above), _SEARCH):
                return f"user {account} may not enter {above}"
        found = os.stat(real)
    except OSError:
        return ""
    if stat.S_ISDIR(found.st_mode):
        wanted |= _SEARCH
    if _may(account, found, wanted):
        return ""
    verb = "make files in" if wanted & _WRITE else "read"
    mode = f"mode {stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid}:{found.st_gid}"
    return f"user {account} may not {verb} {real} ({mode})"


def _may(account: Account, found: os.stat_result, wanted: int) -> bool:
    """The class that fits first decides alone, also where a later one would allow more (POSIX)."""
    if account.uid == 0:
        return True
    if found.st_uid == account.uid:
        mode = found.st_mode >> 6
    elif found.st_gid == account.gid or found.st_gid in account.groups:
        mode = found.st_mode >> 3
    else:
        mode = found.st_mode
    return mode & wanted == wanted
