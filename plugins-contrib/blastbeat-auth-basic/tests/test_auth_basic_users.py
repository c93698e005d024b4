"""Password files: what is read, what is refused, what a change does."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from auth_basic_case import ANNA, BERT, CARL, write
from blastbeat_auth_basic.hashes import cost_of, fits
from blastbeat_auth_basic.users import UserFiles, UsersError, parse_users


def test_lines_of_a_file() -> None:
    text = f"# users\n\n{ANNA}\r\n  {BERT}  \n{CARL}:Carl, from the office\n"
    users = parse_users(text.encode(), "users")
    assert list(users) == [b"anna", "b\u00e9rt".encode(), b"carl"]
    assert fits(b"Hello", users[b"carl"])


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"anna", "no colon"),
        (b":" + ANNA.encode(), "1 to 255 bytes"),
        (b"an\x07na:$2y$", "printable"),
        (b"\xff:$2y$", "UTF-8"),
        (b"x" * 256 + b":$2y$", "1 to 255"),
        (b"bob:s3cret", "password of bob is no hash"),
        (ANNA.encode(), "anna stands there twice"),
    ],
)
def test_a_bad_line_is_named_and_not_shown(line: bytes, fault: str) -> None:
    with pytest.raises(UsersError, match=fault) as raised:
        parse_users(ANNA.encode() + b"\n" + line + b"\n", "some/file")
    assert str(raised.value).startswith("some/file, line 2: ")
    assert "s3cret" not in str(raised.value)


def test_the_first_file_goes_before(tmp_path: Path) -> None:
    first = write(tmp_path, ANNA)
    second = tmp_path / "more"
    second.write_text(f"anna:{CARL.partition(':')[2]}\n{CARL}\n")
    files = UserFiles([str(first), str(second)])
    assert len(files.users) == 2
    assert files.users.find(b"anna") == ANNA.partition(":")[2].encode()
    assert files.users.find(b"nobody") is None


def test_a_change_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, ANNA)
    files = UserFiles([str(path)])
    before = files.users
    files.refresh()
    assert files.users is before
    write(tmp_path, ANNA, CARL)
    files.refresh()
    assert files.users.find(b"carl") is not None


def test_a_file_put_in_its_place_is_read_though_it_has_its_size_and_time(tmp_path: Path) -> None:
    path = write(tmp_path, ANNA)
    files = UserFiles([str(path)])
    other = tmp_path / "other"
    other.write_text(ANNA.replace("anna", "inga") + "\n")
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    files.refresh()
    assert files.users.find(b"anna") is None and files.users.find(b"inga") is not None


def test_a_broken_change_keeps_what_was_there_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, ANNA)
    files = UserFiles([str(path)])
    path.unlink()
    for _ in range(3):
        files.refresh()
    write(tmp_path, CARL, "broken")
    for _ in range(3):
        files.refresh()
    assert files.users.find(b"anna") is not None
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2 and "cannot be read" in told[0] and "line 2" in told[1]
    write(tmp_path, CARL)
    files.refresh()
    assert files.users.find(b"anna") is None and files.users.find(b"carl") is not None


def test_weak_hashes_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        UserFiles([str(write(tmp_path, ANNA, BERT))])
    assert "1 of 2 users" in caplog.text and "apr1" in caplog.text


def test_nobody_takes_as_long_as_the_slowest_and_fits_nothing(tmp_path: Path) -> None:
    users = UserFiles([str(write(tmp_path, ANNA, BERT, CARL))]).users
    assert cost_of(users.decoy) == max(
        cost_of(line.partition(":")[2].encode()) for line in (ANNA, BERT, CARL)
    )
    for password in (b"sesame", b"Hello"):
        assert not fits(password, users.decoy)
    empty = UserFiles([str(write(tmp_path, "# nobody yet"))]).users
    assert not fits(b"", empty.decoy) and cost_of(empty.decoy) > 60_000
