"""A log's file: opened for appending, opened anew, full, deleted; a pipe that nobody reads."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastbeat.log_file import LogFile


def never() -> bool:
    return False


def at_once() -> bool:
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def file(path: Path) -> Iterator[LogFile]:
    file = LogFile(str(path))
    yield file
    file.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            pass  # the test closed it


def test_a_new_file_is_for_its_owner_and_group(file: LogFile, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) & ~0o640 == 0
    assert not os.get_inheritable(file.descriptor)


def test_lines_are_appended_also_behind_what_others_wrote(file: LogFile, path: Path) -> None:
    assert file.write(b"one\n", never) == (0, None)
    with path.open("a") as other:
        other.write("other\n")
    file.write(b"two\n", never)
    assert path.read_text() == "one\nother\ntwo\n"


def test_a_file_that_was_truncated_has_no_hole(file: LogFile, path: Path) -> None:
    file.write(b"one\n", never)
    os.truncate(path, 0)
    file.write(b"two\n", never)
    assert path.read_bytes() == b"two\n"


def test_after_a_rename_it_is_written_on_until_it_is_opened_anew(file: LogFile, path: Path) -> None:
    file.write(b"one\n", never)
    path.rename(old := path.with_suffix(".1"))
    file.write(b"two\n", never)
    assert not file.is_deleted
    file.reopen()
    file.write(b"three\n", never)
    assert (old.read_text(), path.read_text()) == ("one\ntwo\n", "three\n")


def test_one_that_cannot_be_opened_anew_stays_open(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file = LogFile(str(folder / "a.log"))
    folder.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        file.reopen()
    assert file.write(b"one\n", never) == (0, None)
    file.close()
    assert (tmp_path / "moved" / "a.log").read_text() == "one\n"


def test_a_deleted_file_is_noticed(file: LogFile, path: Path) -> None:
    path.unlink()
    assert file.is_deleted
    file.reopen()
    assert not file.is_deleted and path.exists()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        LogFile(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        LogFile(str(tmp_path / "nowhere" / "a.log"))


def test_a_fifo_that_nobody_reads_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError) as caught:
        LogFile(str(tmp_path / "fifo"))
    assert caught.value.errno == errno.ENXIO


def test_a_full_disk_costs_the_lines() -> None:
    file = LogFile(descriptor=os.open("/dev/full", os.O_WRONLY))
    lost, error = file.write(b"one\ntwo\n", never)
    os.close(file.descriptor)
    assert lost == 2 and error is not None and error.errno == errno.ENOSPC


class SmallDisk:
    """Takes `room` bytes in all, then says that it is full."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.written = b""

    def write(self, descriptor: int, data: memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "full")
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.written += taken
        return len(taken)


@pytest.mark.parametrize("room", range(13))
def test_half_a_line_is_ended_before_the_next(path: Path, room: int) -> None:
    disk = SmallDisk(room)
    file = LogFile(str(path), write=disk.write)
    lost, error = file.write(b"abc\ndef\nghi\n", never)
    assert lost == 3 - room // 4 and (error is None) == (room == 12)
    disk.room = 100
    assert file.write(b"jkl\n", never) == (0, None)
    assert file.write(b"mno\n", never) == (0, None)
    file.close()
    assert disk.written.splitlines() == [*b"abc\ndef\nghi\n"[:room].splitlines(), b"jkl", b"mno"]


def test_while_the_disk_is_full_half_a_line_stays_half_a_line(path: Path) -> None:
    disk = SmallDisk(2)
    file = LogFile(str(path), write=disk.write)
    assert file.write(b"abc\n", never)[0] == 1
    assert file.write(b"def\n", never)[0] == 1
    disk.room = 100
    file.write(b"ghi\n", never)
    file.close()
    assert disk.written == b"ab\nghi\n"


def test_a_full_pipe_is_waited_for_until_given_up(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    file = LogFile(descriptor=writing)
    asked: list[int] = []

    def after_two() -> bool:
        asked.append(1)
        return len(asked) > 2

    lost, error = file.write(b"x" * 4095 + b"\n" + b"y" * 99 + b"\n", after_two)
    assert lost == 1 and "nobody reads" in str(error)


def test_a_pipe_that_is_read_takes_everything(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    file = LogFile(descriptor=writing)
    assert file.write(b"x" * 99 + b"\n", at_once) == (0, None)
    assert os.read(reading, 1000) == b"x" * 99 + b"\n"


def test_a_pipe_whose_reader_left(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    lost, error = LogFile(descriptor=writing).write(b"one\n", never)
    assert lost == 1 and isinstance(error, BrokenPipeError)


def test_a_closed_descriptor(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    os.close(writing)
    lost, error = LogFile(descriptor=writing).write(b"one\n", at_once)
    assert lost == 1 and error is not None


def test_standard_error_is_never_closed_nor_deleted(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    file = LogFile(descriptor=writing)
    file.reopen()
    file.close()
    assert not file.is_deleted and file.name == "standard error"
    os.write(writing, b"x")
    assert os.read(reading, 1) == b"x"


def test_a_file_is_written_in_larger_pieces_than_a_pipe(file: LogFile, pipe: tuple[int, int]) -> None:
    assert LogFile(descriptor=pipe[1]).piece == select.PIPE_BUF < file.piece
