"""The logs of a server: which are opened, what goes where, and what becomes of records that cannot be
written."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastbeat.config.model import ServerConfig
from blastbeat.errors import StartError
from blastbeat.server_logs import (
    ServerLogs,
    change_log_level,
    close_error_log,
    open_error_log,
    open_log,
)

log = logging.getLogger("blastbeat.test")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.log"


# ---------------------------------------------------------------- the error log


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_records_go_to_the_file_with_their_fields(path: Path, log_format: str) -> None:
    writer = open_error_log(ServerConfig(error_log=str(path), log_format=log_format))
    log.warning("first", extra={"request_id": "r1"})
    log.debug("below the level")
    log.error("second")
    close_error_log(writer, "info")
    first, second = path.read_text().splitlines()
    if log_format == "json":
        assert json.loads(first)["request_id"] == "r1" and json.loads(second)["level"] == "ERROR"
    else:
        assert first.endswith("first [request_id=r1]") and second.endswith("ERROR blastbeat.test: second")
    assert "error-log" not in {thread.name for thread in threading.enumerate()}


def test_at_debug_there_are_tracebacks(path: Path) -> None:
    writer = open_error_log(ServerConfig(error_log=str(path), log_level="debug"))
    try:
        raise KeyError("x")
    except KeyError:
        log.exception("it failed")
    close_error_log(writer, "debug")
    assert "Traceback" in path.read_text()


def test_the_level_can_change_while_it_runs(path: Path) -> None:
    writer = open_error_log(ServerConfig(error_log=str(path)))
    change_log_level("error")
    log.warning("too little")
    change_log_level("debug")
    log.debug("detail", exc_info=ValueError("why"))
    close_error_log(writer, "info")
    assert "too little" not in path.read_text()
    assert "detail\nValueError: why" in path.read_text()


def test_what_is_logged_after_its_end_goes_to_standard_error(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    close_error_log(open_error_log(ServerConfig(error_log=str(path))), "info")
    log.warning("too late")
    assert not path.read_text() and "too late" in capsys.readouterr().err


def test_a_record_keeps_no_object_of_whoever_logged_it(path: Path) -> None:
    """It is a line at once: what it refers to may change, or hold a whole request in memory."""
    writer = open_error_log(ServerConfig(error_log=str(path)))
    things = ["before"]
    log.warning("%s", things)
    things[:] = ["after"]
    close_error_log(writer, "info")
    assert "['before']" in path.read_text()


class Speechless:
    def __repr__(self) -> str:
        raise ValueError("no words for it")


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise SpeechlessError


def test_a_record_that_makes_no_line_is_told_of(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    writer = open_error_log(ServerConfig(error_log=str(path)))
    log.warning("%r", Speechless())
    log.error("failed", exc_info=SpeechlessError())
    log.warning("fine")
    close_error_log(writer, "info")
    lines = path.read_text().splitlines()
    for line, name in zip(lines, ("ValueError", "SpeechlessError"), strict=False):
        assert f"a record that makes no line: {name} at {__file__}:" in line
    assert lines[2].endswith(" fine") and not capfd.readouterr().err


def test_an_error_log_that_cannot_be_written_is_told_on_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    writer = open_error_log(ServerConfig(error_log="/dev/full"))
    log.warning("nobody will read it")
    close_error_log(writer, "info")
    said = capfd.readouterr().err
    assert "error-log /dev/full cannot be written, its lines are lost: No space left" in said
    assert writer.lost == 1


# ---------------------------------------------------------------- both


def test_nothing_is_opened_where_it_is_off() -> None:
    logs = ServerLogs()
    logs.open_access_log(ServerConfig(access_log="off"))
    assert logs.access is None and not logs.writers
    logs.reopen()
    logs.close_access_log()


def test_files_are_there_before_anything_is_written(path: Path) -> None:
    logs = ServerLogs()
    logs.open_access_log(ServerConfig(access_log=str(path)))
    assert path.exists()
    logs.close_access_log()


def test_both_are_opened_anew_and_their_losses_counted_apart(tmp_path: Path) -> None:
    access, error = tmp_path / "access.log", tmp_path / "error.log"
    config = ServerConfig(access_log=str(access), error_log=str(error), log_queue=1)
    counted: list[tuple[str, int]] = []
    logs = ServerLogs()
    logs.open_access_log(config)
    logs.error = open_error_log(config)
    logs.count_lost(lambda name, lines: counted.append((name, lines)))
    assert logs.access is not None
    for writer in logs.writers:
        writer.stop()  # the threads end, what follows happens here
        os.unlink(writer.file.path)
    logs.reopen()
    assert access.exists() and error.exists()
    for writer, lost in ((logs.access, 2), (logs.error, 3)):
        for number in range(1 + lost):
            writer.add(str, number)
        writer.stop()
    assert counted == [("log.lines-lost.access", 2), ("log.lines-lost.error", 3)]
    assert "access-log: 2 lines lost" in access.read_text()
    close_error_log(logs.error, "info")
    logs.close_access_log()


def test_a_file_that_cannot_be_opened_names_key_and_reason(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"^access-log = '/nowhere/a.log': cannot be opened .*No such file"):
        open_log("access-log", "/nowhere/a.log")
    with pytest.raises(StartError, match="error-log = .*Is a directory"):
        open_error_log(ServerConfig(error_log=str(tmp_path)))
