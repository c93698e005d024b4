"""The access log: what a line says, that nobody can forge one, and that none is lost without a word."""

from __future__ import annotations

import fcntl
import os
import re
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import CloseReason
from blastbeat.interfaces import ExchangeView, ServerView
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugins.access_log import LogWriter, escape, format_exchange, format_time, join_lines
from blastbeat.testing import make_exchange_view

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [0-9a-f.:\[\]]+:\d+ (?P<virtualhost>\S+)"
    r' "(?P<request>(?:[^"\\]|\\.)*)" '
    r"(?P<status>\d{3}|-) in=\d+ out=\d+ took=\d+\.\d{6} node-took=\d+\.\d{6} node=(?P<node>\S+)"
    r' end=(?P<end>[a-z-]+)(?: detail="(?P<detail>(?:[^"\\]|\\.)*)")?(?: host="(?P<host>(?:[^"\\]|\\.)*)")?'
    r"(?: hops=(?P<hops>\d+))? id=(?P<id>\S+)"
)


def read_line(**changes: Any) -> dict[str, str | None]:
    line = format_exchange(make_exchange_view(**changes))
    match = LINE.fullmatch(line)
    assert match, line
    return match.groupdict()


# ---------------------------------------------------------------- what a line says


def test_a_plain_request() -> None:
    assert format_exchange(make_exchange_view()) == (
        '2023-11-14T22:13:20.250Z 192.0.2.1:50000 example.org "GET /path?query=1 HTTP/1.1" 200 in=0 out=13'
        " took=0.004000 node-took=0.003000 node=node1 end=complete id=r1"
    )


def test_the_line_of_a_404_names_the_host_asked_for() -> None:
    line = read_line(
        virtualhost="", status=404, host=b"Nobody.example:81", identity="", detail="no such host"
    )
    assert (line["virtualhost"], line["node"], line["host"]) == ("-", "-", "Nobody.example:81")
    assert (line["status"], line["detail"]) == ("404", "no such host")


def test_a_host_spelled_unlike_the_virtualhost_is_named() -> None:
    assert read_line(virtualhost="*.example.org", host=b"a.example.org")["host"] == "a.example.org"
    assert read_line(virtualhost="example.org", host=b"example.org")["host"] is None


def test_what_never_became_known_is_a_dash() -> None:
    line = read_line(
        status=0, method=b"", target=b"", identity="", request_id=b"", reason=CloseReason.SLOW_REQUEST
    )
    assert (line["request"], line["status"], line["node"], line["id"]) == ("-", "-", "-", "-")
    assert line["end"] == "slow-request"


def test_hops_are_told_where_there_were_any() -> None:
    assert read_line(hops=3)["hops"] == "3"
    assert read_line(hops=0)["hops"] is None


def test_an_ipv6_client_has_brackets() -> None:
    assert " [2001:db8::1]:50000 " in format_exchange(make_exchange_view(remote_addr="2001:db8::1"))


@pytest.mark.parametrize("reason", CloseReason)
def test_every_close_reason_has_a_line(reason: CloseReason) -> None:
    assert read_line(reason=reason)["end"] == reason.value


def test_time_is_utc_with_milliseconds() -> None:
    assert format_time(0.0) == "1970-01-01T00:00:00.000Z"
    assert format_time(951782399.9999) == "2000-02-28T23:59:59.999Z"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"plain text~!", "plain text~!"),
        (b'a"b', 'a\\"b'),
        (b"a\\b", "a\\\\b"),
        (b"\r\n\t\0\x1b[31m\x7f", "\\x0d\\x0a\\x09\\x00\\x1b[31m\\x7f"),
        ("é".encode(), "\\xc3\\xa9"),
        (b"\x9b\xff", "\\x9b\\xff"),
    ],
)
def test_escape(value: bytes, written: str) -> None:
    assert escape(value) == written


def test_a_forged_line_stays_inside_its_quotes() -> None:
    forged = b'/" 200 in=0\n2023-11-14T22:13:20.250Z 1.2.3.4:5 victim "GET / HTTP/1.1" 500 '
    line = read_line(target=forged, host=b'x" end=complete', detail='a"\nb', identity="n 1", virtualhost="")
    assert line["status"] == "200" and line["node"] == "n\\x201"
    assert line["detail"] == 'a\\"\\x0ab' and line["host"] == 'x\\" end=complete'


@given(
    st.fixed_dictionaries(
        {name: st.binary(max_size=60) for name in ("host", "method", "target", "version", "request_id")}
        | {name: st.text(max_size=60) for name in ("virtualhost", "identity", "detail")}
    )
)
def test_whatever_comes_makes_one_line_of_printable_ascii(values: dict[str, Any]) -> None:
    line = format_exchange(make_exchange_view(**values))
    assert LINE.fullmatch(line), line
    assert line.isascii() and line.isprintable()


# ---------------------------------------------------------------- pieces for a pipe


@given(st.lists(st.integers(1, 6000), max_size=30))
def test_lines_are_joined_whole(sizes: list[int]) -> None:
    lines = [b"x" * (size - 1) + b"\n" for size in sizes]
    pieces = list(join_lines(lines))
    assert b"".join(pieces) == b"".join(lines)
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert all(len(piece) <= select.PIPE_BUF or piece.count(b"\n") == 1 for piece in pieces)
    pairs = zip(pieces, pieces[1:], strict=False)
    assert all(len(one) + other.index(b"\n") + 1 > select.PIPE_BUF for one, other in pairs), (
        "joined too little"
    )


# ---------------------------------------------------------------- the writer


def numbered(view: ExchangeView) -> str:
    return view.request_id.decode()


def views(*numbers: int) -> list[ExchangeView]:
    return [make_exchange_view(request_id=b"%d" % number) for number in numbers]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            pass  # the test closed it


def test_every_line_reaches_the_file_in_order(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LogWriter(descriptor, format_line=numbered)
    writer.start()
    for view in views(*range(5000)):
        writer.add(view)
    writer.stop()
    os.close(descriptor)
    assert path.read_text().split() == [str(number) for number in range(5000)]
    assert writer.lost == 0


def test_lines_are_written_while_it_runs(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LogWriter(writing, format_line=numbered)
    writer.start()
    try:
        for number in range(3):
            [view] = views(number)
            writer.add(view)
            assert os.read(reading, 100) == b"%d\n" % number
    finally:
        writer.stop()


def add_all(writer: LogWriter, part: list[ExchangeView]) -> None:
    for view in part:
        writer.add(view)


def test_many_threads_may_add(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LogWriter(descriptor, format_line=numbered)
    writer.start()
    every = [views(*range(start, start + 500)) for start in range(0, 4000, 500)]
    threads = [threading.Thread(target=add_all, args=(writer, part)) for part in every]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.stop()
    os.close(descriptor)
    assert sorted(map(int, path.read_text().split())) == list(range(4000))


def test_what_comes_before_start_and_after_stop_is_not_lost(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LogWriter(writing, format_line=numbered)
    first, second, third = views(1, 2, 3)
    writer.add(first)
    writer.start()
    writer.start()
    writer.add(second)
    writer.stop()
    writer.add(third)
    writer.stop()
    assert os.read(reading, 100) == b"1\n2\n3\n"


def test_it_starts_again_after_a_stop(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LogWriter(writing, format_line=numbered)
    writer.start()
    writer.stop()
    writer.start()
    writer.add(views(7)[0])
    assert os.read(reading, 100) == b"7\n"
    writer.stop()


def test_a_full_queue_loses_the_newest_and_the_log_says_how_many(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LogWriter(writing, limit=3, format_line=numbered)
    for view in views(*range(10)):
        writer.add(view)
    assert writer.lost == 7
    writer.stop()
    *lines, loss = os.read(reading, 1000).decode().splitlines()
    assert lines == ["0", "1", "2"]
    assert re.fullmatch(r"\S+Z access log: 7 lines lost", loss)
    writer.add(views(11)[0])
    writer.stop()
    assert os.read(reading, 1000) == b"11\n", "a loss is told once"


def test_a_pipe_nobody_reads_never_blocks_the_caller_and_not_the_end_for_long(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    writer = LogWriter(writing, limit=2000, patience=0.0, format_line=lambda view: "x" * 99)
    writer.start()
    for view in views(*range(3000)):
        writer.add(view)
    writer.stop()
    assert 2900 <= writer.lost < 3000


def test_a_pipe_that_is_read_again_gets_the_rest(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    writer = LogWriter(writing, format_line=numbered)
    writer.start()
    for view in views(*range(1000, 6000)):
        writer.add(view)
    received = b""
    while len(received) < 5000 * 5:
        received += os.read(reading, 1000)
    writer.stop()
    assert received.split() == [b"%d" % number for number in range(1000, 6000)]


def test_a_pipe_whose_reader_left_costs_lines_and_nothing_else(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = LogWriter(writing)
    writer.start()
    for view in views(1, 2, 3):
        writer.add(view)
    writer.stop()
    assert writer.lost == 3


def test_a_closed_descriptor_costs_lines_and_nothing_else(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(writing)
    writer = LogWriter(writing)
    writer.add(views(1)[0])
    writer.stop()
    assert writer.lost == 1
    assert os.read(reading, 10) == b""


def test_a_line_that_cannot_be_made_is_told_and_the_next_is_written(pipe: tuple[int, int]) -> None:
    def fragile(view: ExchangeView) -> str:
        return f"{1 // int(view.request_id)}"

    reading, writing = pipe
    writer = LogWriter(writing, format_line=fragile)
    for view in views(0, 1):
        writer.add(view)
    writer.stop()
    first, second = os.read(reading, 1000).decode().splitlines()
    assert first.endswith("access log: no line for a request: ZeroDivisionError") and second == "1"


# ---------------------------------------------------------------- as a plugin


def test_it_listens_like_any_plugin(capfd: pytest.CaptureFixture[str]) -> None:
    manager = PluginManager(load=())
    manager.load()
    lifecycle = manager.lifecycle()
    assert lifecycle.server_started and lifecycle.exchange_closed and lifecycle.server_stopped
    lifecycle.server_started(ServerView(0.0))
    for view in views(1, 2):
        lifecycle.exchange_closed(view)
    lifecycle.server_stopped(ServerView(0.0))
    lines = capfd.readouterr().err.splitlines()
    assert [LINE.fullmatch(line) is not None for line in lines] == [True, True]
    assert "access-log" not in {thread.name for thread in threading.enumerate()}


def test_disabled_it_costs_nothing() -> None:
    manager = PluginManager(load=(), disabled=("access-log",))
    manager.load()
    assert manager.lifecycle().exchange_closed is None
