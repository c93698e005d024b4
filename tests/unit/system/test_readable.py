"""Who may read what, judged from modes: the first class that fits decides, and every folder above counts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastbeat.system.accounts import Account
from blastbeat.system.readable import why_unreadable, why_unwritable

US, OUR_GROUP = os.geteuid(), os.getegid()
FREE = 3_999_999_999
OWNER = Account(US, FREE, frozenset())
MEMBER = Account(FREE, OUR_GROUP, frozenset({OUR_GROUP}))
FURTHER = Account(FREE, FREE, frozenset({FREE, OUR_GROUP}))
STRANGER = Account(FREE, FREE, frozenset({FREE}))
ROOT = Account(0, 0, frozenset())
# Where we are root, the owner of what a test makes is root, who may everything.
is_root = US == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may enter. Not `tmp_path`: above it stands a folder that each other run of pytest
    closes to everybody else when it starts."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(os.path.realpath(name))
        path.chmod(0o755)
        if not all(os.stat(each).st_mode & 0o001 for each in path.parents):
            pytest.skip("the folder for temporary files is not open to everybody")
        yield path


@pytest.mark.parametrize(
    ("mode", "account", "may"),
    [
        (0o400, OWNER, True),
        (0o077, OWNER, is_root),
        (0o040, MEMBER, True),
        (0o040, FURTHER, True),
        (0o704, MEMBER, False),
        (0o004, STRANGER, True),
        (0o770, STRANGER, False),
        (0o000, ROOT, True),
    ],
)
def test_files(folder: Path, mode: int, account: Account, may: bool) -> None:
    path = folder / "file"
    path.touch()
    path.chmod(mode)
    why = why_unreadable(str(path), account)
    assert (why == "") is may
    if not may:
        assert f"user {account} may not read {path} (mode {mode:04o}, owner {US}:{OUR_GROUP})" == why


def test_each_folder_above_counts(folder: Path) -> None:
    path = folder / "closed" / "open" / "file"
    path.parent.mkdir(parents=True)
    path.touch()
    path.chmod(0o644)
    assert why_unreadable(str(path), STRANGER) == ""
    (folder / "closed").chmod(0o750)
    assert why_unreadable(str(path), STRANGER) == f"user {STRANGER} may not enter {folder / 'closed'}"
    assert why_unreadable(str(path), MEMBER) == ""
    link = folder / "link"
    link.symlink_to(path)  # what is meant is where it leads
    assert "may not enter" in why_unreadable(str(link), STRANGER)


def test_a_relative_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    (folder / "file").chmod(0o600)
    monkeypatch.chdir(folder)
    assert "may not read" in why_unreadable("file", STRANGER)


def test_what_is_not_there(folder: Path) -> None:
    """Others say so."""
    assert why_unreadable(str(folder / "none"), STRANGER) == ""


@pytest.mark.parametrize(
    ("mode", "may"), [(0o777, True), (0o773, True), (0o775, False), (0o772, False), (0o770, False)]
)
def test_folders_to_write_into(folder: Path, mode: int, may: bool) -> None:
    path = folder / "log"
    path.mkdir()
    path.chmod(mode)
    assert (why_unwritable(str(path), STRANGER) == "") is may


def test_folders_to_list(folder: Path) -> None:
    path = folder / "conf.d"
    path.mkdir()
    path.chmod(0o754)
    assert "may not read" in why_unreadable(str(path), STRANGER)
    path.chmod(0o755)
    assert why_unreadable(str(path), STRANGER) == ""
