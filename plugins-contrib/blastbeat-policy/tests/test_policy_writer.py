"""The thread that keeps the books: at once, again and again, and a last time."""

from __future__ import annotations

import threading

import pytest

from blastbeat_policy.writer import Writer

PATIENCE = 5.0


def test_it_writes_at_the_start_and_a_last_time_at_the_stop() -> None:
    called: list[str] = []
    ticked = threading.Event()

    def tick() -> None:
        called.append(threading.current_thread().name)
        ticked.set()

    writer = Writer(tick, lambda: called.append("closed"), 3600, lambda: 3600)
    writer.start()
    assert ticked.wait(PATIENCE)
    writer.stop()
    assert called == ["policy-usage", "policy-usage", "closed"]


@pytest.mark.parametrize(("seconds", "left"), [(0.001, 3600.0), (3600.0, 0.001)])
def test_it_writes_again_and_when_a_month_ends(seconds: float, left: float) -> None:
    again = threading.Semaphore(0)
    writer = Writer(again.release, lambda: None, seconds, lambda: left)
    writer.start()
    for _ in range(3):
        assert again.acquire(timeout=PATIENCE)
    writer.stop()


def test_a_defect_costs_a_line_each_time_and_not_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    again = threading.Semaphore(0)

    def tick() -> None:
        again.release()
        raise ValueError("a defect")

    writer = Writer(tick, lambda: None, 0.001, lambda: 3600)
    writer.start()
    assert again.acquire(timeout=PATIENCE) and again.acquire(timeout=PATIENCE)
    writer.stop()
    assert "could not be kept" in caplog.text


def test_a_disk_that_hangs_does_not_keep_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("blastbeat_policy.writer.MAX_JOIN", 0.01)
    hangs, released = threading.Event(), threading.Event()

    def tick() -> None:
        hangs.set()
        released.wait(PATIENCE)

    writer = Writer(tick, lambda: None, 3600, lambda: 3600)
    writer.start()
    assert hangs.wait(PATIENCE)
    writer.stop()
    assert "does not answer" in caplog.text
    released.set()
    writer.stop()
