"""Who `uid` and `gid` are: names and numbers of this machine, and who is nobody."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from blastbeat.system.accounts import Account, UnknownAccount, find_account

US = pwd.getpwuid(0)  # there is one everywhere, also where we have no entry
GROUP = grp.getgrgid(US.pw_gid)
NOBODY = "no-such-account-here"
FREE = 3_999_999_999  # a number no account has


def test_nobody_is_asked_for() -> None:
    assert find_account("", "") is None


@pytest.mark.parametrize("uid", [US.pw_name, str(US.pw_uid)])
@pytest.mark.parametrize("gid", ["", GROUP.gr_name, str(GROUP.gr_gid)])
def test_by_name_or_number(uid: str, gid: str) -> None:
    account = find_account(uid, gid)
    groups = frozenset(os.getgrouplist(US.pw_name, US.pw_gid))
    assert account == Account(US.pw_uid, US.pw_gid, groups, US.pw_name)
    assert str(account) == f"{US.pw_name} ({US.pw_uid}:{US.pw_gid})"


def test_a_group_alone_keeps_the_user() -> None:
    account = find_account("", str(FREE))
    assert account is not None and (account.uid, account.gid) == (os.geteuid(), FREE)
    assert FREE in account.groups


def test_a_number_without_an_entry() -> None:
    """As containers have it: it is a user, but its group must be said."""
    assert find_account(str(FREE), "12") == Account(FREE, 12, frozenset({12}))
    assert str(find_account(str(FREE), "12")) == f"{FREE} ({FREE}:12)"
    with pytest.raises(UnknownAccount, match="write gid as well"):
        find_account(str(FREE), "")


@pytest.mark.parametrize(
    ("uid", "gid", "key", "value"),
    [
        (NOBODY, "", "uid", NOBODY),
        (US.pw_name, NOBODY, "gid", NOBODY),
        ("", NOBODY, "gid", NOBODY),
        (str(2**32 - 1), "1", "uid", str(2**32 - 1)),
        ("9" * 5000, "1", "uid", "9" * 5000),
        ("1", str(2**32 - 1), "gid", str(2**32 - 1)),
        ("-1", "1", "uid", "-1"),
        ("١", "1", "uid", "١"),
    ],
)
def test_who_is_unknown(uid: str, gid: str, key: str, value: str) -> None:
    with pytest.raises(UnknownAccount) as caught:
        find_account(uid, gid)
    problem = caught.value.problem
    assert (problem.section, problem.key, problem.value) == ("blastbeat", key, value)
