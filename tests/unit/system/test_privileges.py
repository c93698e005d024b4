"""Giving up root's rights: in which order, and that half of it is no success. The kernel is a fake; the real
one is in tests/integration/test_privileges.py."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blastbeat.errors import StartError
from blastbeat.system.accounts import Account
from blastbeat.system.privileges import become

WWW = Account(33, 34, frozenset({34, 50}), "www-data")
Three = tuple[int, int, int]


class Kernel:
    """A process of root's. Each attribute that is set makes it misbehave."""

    def __init__(self, *, fails: str = "", keeps: str = "", regains: bool = False) -> None:
        self.calls: list[str] = []
        self._fails, self._keeps, self._regains = fails, keeps, regains
        self._users: Three = (0, 0, 0)
        self._ids: Three = (0, 0, 0)
        self._groups = [0]

    def _call(self, name: str) -> None:
        if self._users[1] != 0:
            raise PermissionError(1, "not permitted")
        if name == self._fails:
            raise OSError(22, "invalid argument")
        self.calls.append(name)

    def setgroups(self, groups: Sequence[int], /) -> None:
        self._call("setgroups")
        if self._keeps != "groups":
            self._groups = list(groups)

    def setresgid(self, rgid: int, egid: int, sgid: int, /) -> None:
        self._call("setresgid")
        self._ids = (rgid, egid, 0 if self._keeps == "gid" else sgid)

    def setresuid(self, ruid: int, euid: int, suid: int, /) -> None:
        self._call("setresuid")
        self._users = (ruid, euid, 0 if self._keeps == "uid" else suid)

    def setuid(self, uid: int, /) -> None:
        if not self._regains:
            raise PermissionError(1, "not permitted")

    def getresuid(self) -> Three:
        return self._users

    def getresgid(self) -> Three:
        return self._ids

    def getgroups(self) -> list[int]:
        return self._groups


def test_groups_go_first_and_the_user_last() -> None:
    kernel = Kernel()
    become(WWW, kernel)
    assert kernel.calls == ["setgroups", "setresgid", "setresuid"]
    assert (kernel.getresuid(), kernel.getresgid()) == ((33,) * 3, (34,) * 3)
    assert kernel.getgroups() == [34, 50]


@pytest.mark.parametrize("call", ["setgroups", "setresgid", "setresuid"])
def test_a_call_that_fails(call: str) -> None:
    with pytest.raises(StartError, match=r"can't become www-data \(33:34\): invalid argument"):
        become(WWW, Kernel(fails=call))


@pytest.mark.parametrize("part", ["uid", "gid", "groups"])
def test_what_is_kept_of_root(part: str) -> None:
    with pytest.raises(StartError, match="kept part"):
        become(WWW, Kernel(keeps=part))


def test_a_way_back() -> None:
    with pytest.raises(StartError, match="could be taken back"):
        become(WWW, Kernel(regains=True))


def test_root_itself_may_be_named() -> None:
    """With another group, for instance."""
    become(Account(0, 34, frozenset({34})), Kernel(regains=True))
