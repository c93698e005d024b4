"""Figures: what is summed from the tables, what a line says, and when lines come. No clock."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from blastbeat.counters import Counters
from blastbeat.figures import Figures, FiguresLog, figures_since, take_figures
from tests.helpers.node_table import PERIOD, TableStage


def test_nodes_are_counted_by_name_and_instances_each() -> None:
    stage = TableStage()
    stage.table.expect("other", PERIOD, 4)
    for identity in (b"app/1", b"app/2"):
        stage.connect(identity)
        stage.say(identity, b"")
    figures = take_figures(7.0, Counters(), [stage.table, TableStage().table], connections=3, sessions=2)
    assert (figures.nodes_up, figures.nodes_known, figures.instances_up) == (1, 3, 2)
    assert (figures.at, figures.connections, figures.sessions) == (7.0, 3, 2)


def test_what_waits_for_instances_is_summed() -> None:
    stage = TableStage()
    for instance in stage.table:
        instance.outbox.size = 700
    assert take_figures(0.0, Counters(), [stage.table]).node_bytes == 700


def test_the_counters_are_a_copy() -> None:
    counters = Counters()
    figures = take_figures(0.0, counters)
    counters.add("requests.received")
    assert figures.counters["requests.received"] == 0


def figures_after(at: float, **counted: int) -> Figures:
    counters = Counters()
    for name, value in counted.items():
        counters.add(name.replace("_", "."), value)
    return take_figures(at, counters, connections=5, sessions=4, client_bytes=9)


def test_a_line_says_what_came_since_the_last_one_and_what_is_there() -> None:
    before = figures_after(100.0, requests_received=10, responses_4xx=1, bytes_in=5)
    after = {"requests_received": 35, "responses_4xx": 3, "responses_5xx": 1, "bytes_in": 6, "bytes_out": 7}
    now = figures_after(110.0, **after)
    told = figures_since(before, now)
    assert (told["seconds"], told["requests"], told["requests_per_second"]) == (10.0, 25, 2.5)
    assert (told["responses_4xx"], told["responses_5xx"]) == (2, 1)
    assert (told["bytes_in"], told["bytes_out"]) == (1, 7)
    assert (told["connections"], told["sessions"], told["client_bytes"]) == (5, 4, 9)


def test_lost_lines_of_both_logs_are_one_figure() -> None:
    counters = Counters()
    before = take_figures(0.0, counters)
    counters.add("log.lines-lost.access", 3)
    counters.add("log.lines-lost.error", 4)
    assert figures_since(before, take_figures(1.0, counters))["log_lines_lost"] == 7


def test_no_time_is_no_division() -> None:
    figures = figures_after(1.0)
    assert figures_since(figures, figures)["requests_per_second"] == 0.0


# ---------------------------------------------------------------- the log


class FakeLoop:
    """`call_later` as the loop's; `pass_time` runs what is due."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: list[Timer] = []

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self, self.now + seconds, callback)
        self.waiting.append(timer)
        return timer

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for timer in [timer for timer in self.waiting if timer.due <= self.now]:
            self.waiting.remove(timer)
            timer.callback()


class Timer:
    def __init__(self, loop: FakeLoop, due: float, callback: Callable[[], None]) -> None:
        self.loop, self.due, self.callback = loop, due, callback

    def cancel(self) -> None:
        self.loop.waiting.remove(self)


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def figures_log(loop: FakeLoop, caplog: pytest.LogCaptureFixture) -> FiguresLog:
    caplog.set_level(logging.INFO, "blastbeat.figures")
    return FiguresLog(loop.call_later, lambda: figures_after(loop.now, requests_received=int(loop.now)))


def test_a_line_comes_every_period(
    loop: FakeLoop, figures_log: FiguresLog, caplog: pytest.LogCaptureFixture
) -> None:
    figures_log.set_period(60)
    assert not caplog.records
    for number in (1, 2, 3):
        loop.pass_time(60)
        assert len(caplog.records) == number
    line = caplog.records[-1].getMessage()
    assert line.startswith("figures: seconds=60.0 requests=60 requests_per_second=1.0 ")
    assert caplog.records[-1].__dict__["figures"]["requests"] == 60


def test_never(loop: FakeLoop, figures_log: FiguresLog) -> None:
    figures_log.set_period(0)
    assert not loop.waiting


def test_another_period_holds_from_now_on(
    loop: FakeLoop, figures_log: FiguresLog, caplog: pytest.LogCaptureFixture
) -> None:
    figures_log.set_period(60)
    loop.pass_time(10)
    figures_log.set_period(60)  # nothing new: the line still comes at 60
    figures_log.set_period(20)
    assert [timer.due for timer in loop.waiting] == [30]
    loop.pass_time(20)
    assert "requests=20" in caplog.records[-1].getMessage()
    figures_log.set_period(0)
    assert not loop.waiting
