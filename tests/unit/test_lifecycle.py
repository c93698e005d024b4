"""Tests of `blastbeat.lifecycle`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from blastbeat import lifecycle as lifecycle_module
from blastbeat.interfaces import ExchangeView, ServerView
from blastbeat.lifecycle import NOTICES, FailureLog, build_lifecycle
from blastbeat.testing import make_exchange_view

VIEW = ServerView(0.0)


def failing(error: BaseException) -> Callable[[Any], None]:
    def listener(view: Any) -> None:
        raise error

    return listener


def test_nobody_listens() -> None:
    lifecycle = build_lifecycle({}, FailureLog())
    assert [getattr(lifecycle, notice) for notice in NOTICES] == [None] * len(NOTICES)
    assert build_lifecycle({"node_up": []}, FailureLog()).node_up is None


@pytest.mark.parametrize("notice", NOTICES)
def test_each_notice_reaches_its_listener_with_the_view(notice: str) -> None:
    heard: list[Any] = []
    lifecycle = build_lifecycle({notice: [("sample", heard.append)]}, FailureLog())
    getattr(lifecycle, notice)(VIEW)
    assert heard == [VIEW]
    assert [name for name in NOTICES if getattr(lifecycle, name) is not None] == [notice]


def test_listeners_run_in_the_order_given() -> None:
    heard: list[str] = []
    listeners = [(name, lambda view, name=name: heard.append(name)) for name in "abc"]
    lifecycle = build_lifecycle({"server_started": listeners}, FailureLog())
    assert lifecycle.server_started is not None
    lifecycle.server_started(VIEW)
    assert heard == ["a", "b", "c"]


@pytest.mark.parametrize("others", [0, 1, 2])
def test_one_that_raises_is_logged_and_disturbs_nobody(others: int, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Any] = []
    listeners = [("broken", failing(ValueError("no"))), *[("good", heard.append)] * others]
    lifecycle = build_lifecycle({"server_started": listeners}, FailureLog())
    assert lifecycle.server_started is not None
    lifecycle.server_started(VIEW)
    assert heard == [VIEW] * others
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "plugin 'broken' failed in server_started"
    assert record.exc_info is not None and isinstance(record.exc_info[1], ValueError)


def test_what_ends_the_process_passes() -> None:
    lifecycle = build_lifecycle({"server_started": [("sample", failing(KeyboardInterrupt()))]}, FailureLog())
    assert lifecycle.server_started is not None
    with pytest.raises(KeyboardInterrupt):
        lifecycle.server_started(VIEW)


def test_an_unknown_notice_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        build_lifecycle({"server_exploded": []}, FailureLog())


def test_a_failure_says_which_request_it_was_about(caplog: pytest.LogCaptureFixture) -> None:
    def broken(view: ExchangeView) -> None:
        raise ValueError("no")

    lifecycle = build_lifecycle({"exchange_closed": [("sample", broken)]}, FailureLog())
    assert lifecycle.exchange_closed is not None
    lifecycle.exchange_closed(make_exchange_view())
    told = caplog.records[0].__dict__
    assert (told["request_id"], told["virtualhost"], told["node"]) == (b"r1", "example.org", "node1")


def test_repeated_failures_are_counted_and_logged_at_powers_of_ten(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog()
    for _ in range(250):
        failures.report("sample", "exchange_closed", ValueError("no"))
    failures.report("sample", "exchange_closed", KeyError("other kind"))
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "plugin 'sample' failed in exchange_closed",
        "plugin 'sample' failed in exchange_closed for the 10th time: ValueError: no",
        "plugin 'sample' failed in exchange_closed for the 100th time: ValueError: no",
        "plugin 'sample' failed in exchange_closed",
    ]
    assert failures.counts[("sample", "exchange_closed", ValueError)] == 250


def test_the_memory_of_failures_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lifecycle_module, "MAX_FAILURE_KINDS", 3)
    failures = FailureLog()
    for number in range(5):
        failures.report("sample", "node_up", type(f"Error{number}", (Exception,), {})())
    assert len(failures.counts) == 3
    assert len(caplog.records) == 3
