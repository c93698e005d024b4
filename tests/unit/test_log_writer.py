"""The writer of a log: nothing blocks who adds a line, none is lost without a word, none goes to a wrong
file."""

from __future__ import annotations

import fcntl
import os
import queue
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.log_file import LogFile
from blastbeat.log_writer import LogWriter, join_lines

PATIENCE = 5.0


@given(st.lists(st.integers(1, 6000), max_size=30), st.sampled_from((select.PIPE_BUF, 10_000)))
def test_lines_are_joined_whole(sizes: list[int], most: int) -> None:
    lines = [b"x" * (size - 1) + b"\n" for size in sizes]
    pieces = list(join_lines(lines, most))
    assert b"".join(pieces) == b"".join(lines)
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert all(len(piece) <= most or piece.count(b"\n") == 1 for piece in pieces)
    pairs = zip(pieces, pieces[1:], strict=False)
    assert all(len(one) + other.index(b"\n") + 1 > most for one, other in pairs), "joined too little"


# ---------------------------------------------------------------- lines


def new_writer(file: LogFile | int, **changes: Any) -> LogWriter:
    """To a file, or to a descriptor that stays."""
    given = {"limit": 20_000, "format_notice": lambda at, text: f"note {text}", "pause": 0.01, **changes}
    return LogWriter("test-log", LogFile(descriptor=file) if isinstance(file, int) else file, **given)


def add(writer: LogWriter, *values: object) -> None:
    for value in values:
        writer.add(str, value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.log"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            pass  # the test closed it


def test_every_line_reaches_the_file_in_order(path: Path) -> None:
    writer = new_writer(LogFile(str(path)))
    writer.start()
    add(writer, *range(5000))
    writer.close()
    assert path.read_text().split() == [str(number) for number in range(5000)]
    assert writer.lost == 0


def test_lines_are_written_while_it_runs(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = new_writer(writing)
    writer.start()
    try:
        for number in range(3):
            add(writer, number)
            assert os.read(reading, 100) == b"%d\n" % number
    finally:
        writer.stop()


def test_many_threads_may_add(path: Path) -> None:
    writer = new_writer(LogFile(str(path)))
    writer.start()
    parts = [range(start, start + 500) for start in range(0, 4000, 500)]
    threads = [threading.Thread(target=add, args=(writer, *part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert sorted(map(int, path.read_text().split())) == list(range(4000))


def test_what_comes_before_start_and_after_stop_is_not_lost(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = new_writer(writing)
    add(writer, 1)
    writer.start()
    writer.start()
    add(writer, 2)
    writer.stop()
    add(writer, 3)
    writer.stop()
    assert os.read(reading, 100) == b"1\n2\n3\n"


def test_it_starts_again_after_a_stop(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = new_writer(writing)
    writer.start()
    writer.stop()
    writer.start()
    add(writer, 7)
    assert os.read(reading, 100) == b"7\n"
    writer.stop()


def test_a_line_is_made_by_its_own_format(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = new_writer(writing)
    writer.add(hex, 255)
    writer.add(str.upper, "\udcff é")
    writer.stop()
    assert os.read(reading, 100) == "0xff\n\\udcff É\n".encode()


def test_a_line_that_cannot_be_made_is_told_and_the_next_is_written(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = new_writer(writing)
    writer.add(lambda value: f"{1 // value}", 0)
    add(writer, 1)
    writer.stop()
    assert os.read(reading, 1000) == b"note test-log: no line for it: ZeroDivisionError\n1\n"


# ---------------------------------------------------------------- losses


def test_a_full_queue_loses_the_newest_and_the_log_says_how_many(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = new_writer(writing, limit=3)
    add(writer, *range(10))
    assert writer.lost == 7
    writer.stop()
    assert os.read(reading, 1000) == b"0\n1\n2\nnote test-log: 7 lines lost\n"
    add(writer, 11)
    writer.stop()
    assert os.read(reading, 1000) == b"11\n", "a loss is told once"


def test_long_lines_cannot_fill_the_memory(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blastbeat.log_writer.QUEUE_BYTES", 1000)
    monkeypatch.setattr("blastbeat.log_writer.MANY", 2)
    reading, writing = pipe
    writer = new_writer(writing)
    for number in range(10):
        writer.add(str, number, lambda value: 400)
    assert writer.lost == 5, "the first ones are not weighed, one may overshoot"
    writer.stop()
    assert os.read(reading, 1000) == b"0\n1\n2\n3\n4\nnote test-log: 5 lines lost\n"
    for number in range(5):
        writer.add(str, number, lambda value: 400)
    writer.stop()
    assert os.read(reading, 1000) == b"0\n1\n2\n3\n4\n", "what was written weighs nothing"


def test_a_pipe_nobody_reads_never_blocks_the_caller_and_not_the_end_for_long(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    writer = new_writer(writing, limit=2000, patience=0.0)
    writer.start()
    add(writer, *["x" * 99] * 3000)
    writer.stop()
    assert 2900 <= writer.lost < 3000


def test_what_is_lost_while_a_pipe_is_full_is_counted_at_once(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    counted: queue.Queue[int] = queue.Queue()
    writer = new_writer(writing, limit=100, patience=0.0)
    writer.count_lost = counted.put
    writer.start()
    add(writer, *["x" * 99] * 3000)
    refused = writer.lost
    total = 0
    while total < refused:
        total += counted.get(timeout=PATIENCE)
    writer.stop()
    while not counted.empty():
        total += counted.get()
    assert total == writer.lost > refused


def test_a_pipe_that_is_read_again_gets_the_rest(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    writer = new_writer(writing)
    writer.start()
    add(writer, *range(1000, 6000))
    received = b""
    while len(received) < 5000 * 5:
        received += os.read(reading, 1000)
    writer.stop()
    assert received.split() == [b"%d" % number for number in range(1000, 6000)]


def test_a_pipe_whose_reader_left_costs_lines_and_nothing_else(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = new_writer(writing)
    writer.start()
    add(writer, 1, 2, 3)
    writer.stop()
    assert writer.lost == 3


def test_a_closed_descriptor_costs_lines_and_nothing_else(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(writing)
    writer = new_writer(writing)
    add(writer, 1)
    writer.stop()
    assert writer.lost == 1
    assert os.read(reading, 10) == b""


def test_trouble_is_told_once_and_what_was_lost_is_counted() -> None:
    told: list[str] = []
    counted: list[int] = []
    full = os.open("/dev/full", os.O_WRONLY)
    writer = new_writer(full, complain=told.append)
    writer.count_lost = counted.append
    for number in range(4):
        add(writer, number)
        writer.stop()
    os.close(full)
    assert told == ["test-log standard error cannot be written, its lines are lost: No space left on device"]
    assert sum(counted) == writer.lost == 4


# ---------------------------------------------------------------- files that move


def test_after_a_reopen_nothing_goes_to_the_old_file(path: Path) -> None:
    writer = new_writer(LogFile(str(path)))
    add(writer, "old")
    writer.stop()
    path.rename(old := path.with_suffix(".1"))
    add(writer, "late")  # the file is moved already, nobody was told
    writer.stop()
    add(writer, "waiting")
    writer.reopen()
    add(writer, "new")
    writer.close()
    assert old.read_text() == "old\nlate\n"
    assert path.read_text() == "waiting\nnew\n"


def test_a_thread_that_sleeps_opens_anew_at_once(path: Path) -> None:
    made = threading.Event()

    class Watched(LogFile):
        def reopen(self) -> None:
            super().reopen()
            made.set()

    writer = new_writer(Watched(str(path)))
    writer.start()
    path.unlink()
    writer.reopen()
    assert made.wait(PATIENCE) and path.exists()
    writer.close()


def test_no_line_is_lost_while_files_move(path: Path) -> None:
    writer = new_writer(LogFile(str(path)), pause=0.0)
    writer.start()
    files = [path]
    for number in range(2000):
        add(writer, number)
        if number % 200 == 100:
            files.append(path.rename(path.with_suffix(f".{number}")))
            writer.reopen()
            while not path.exists():
                pass  # the thread makes it
    writer.close()
    lines = [line for file in files for line in file.read_text().split()]
    assert sorted(map(int, lines)) == list(range(2000)) and writer.lost == 0


def test_where_no_new_file_can_be_made_the_old_one_is_written_on(tmp_path: Path) -> None:
    folder, moved = tmp_path / "logs", tmp_path / "moved"
    folder.mkdir()
    told: list[str] = []
    writer = new_writer(LogFile(str(folder / "a.log")), complain=told.append)
    folder.rename(moved)
    for _ in range(3):
        writer.reopen()
    add(writer, "one")
    writer.stop()
    assert (moved / "a.log").read_text() == "one\n" and writer.lost == 0
    assert len(told) == 1 and told[0].endswith("a.log cannot be opened anew: No such file or directory")
    folder.mkdir()
    writer.reopen()
    add(writer, "two")
    writer.close()
    assert (folder / "a.log").read_text() == "two\n"


def test_a_folder_that_vanished_costs_lines_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.log"
    path.parent.mkdir()
    told: list[str] = []
    writer = new_writer(LogFile(str(path)), complain=told.append)
    path.unlink()
    path.parent.rmdir()
    for number in range(3):
        add(writer, number)
        writer.stop()
    assert writer.lost == 3 and len(told) == 1
    path.parent.mkdir()
    add(writer, "back")
    writer.close()
    first, *rest = path.read_text().splitlines()
    assert first == "back" and rest == ["note test-log: 3 lines lost"]


def test_a_deleted_file_is_made_anew(path: Path) -> None:
    writer = new_writer(LogFile(str(path)))
    path.unlink()
    add(writer, "one")
    writer.close()
    assert path.read_text() == "one\n" and writer.lost == 0
