"""Threads with a bounded queue before them."""

from __future__ import annotations

import logging
import threading

import pytest

from blastbeat.node.wsgi.pool import ThreadPool


def test_as_many_jobs_run_at_once_as_there_are_threads_and_the_backlog_is_bounded() -> None:
    pool = ThreadPool(2, 1)
    both, go = threading.Barrier(3), threading.Event()
    done: list[int] = []

    def job() -> None:
        both.wait(5)
        go.wait(5)

    assert pool.submit(job) and pool.submit(job)
    both.wait(5)  # both have a thread
    assert pool.submit(lambda: done.append(1))
    assert (pool.running, pool.waiting) == (2, 1)
    assert not pool.submit(job)
    assert pool.submit(lambda: done.append(2), is_continued=True)
    go.set()
    assert pool.close(5.0) == 0
    assert sorted(done) == [1, 2] and not pool.submit(job)


def test_a_job_that_raises_leaves_its_thread_to_others(caplog: pytest.LogCaptureFixture) -> None:
    pool, done = ThreadPool(1, 5), threading.Event()

    def fail() -> None:
        raise SystemExit(3)

    with caplog.at_level(logging.ERROR):
        assert pool.submit(fail) and pool.submit(done.set)
        assert done.wait(5)
        assert pool.close(5.0) == 0
    assert "a job failed" in caplog.text


def test_one_that_never_comes_back_is_left_alone() -> None:
    pool, go = ThreadPool(1, 5), threading.Event()

    def job() -> None:
        go.wait(10)

    pool.submit(job)
    assert pool.close() == 1
    go.set()
    assert pool.close(5.0) == 0


@pytest.mark.parametrize("threads, backlog", [(0, 1), (1, -1)])
def test_bounds(threads: int, backlog: int) -> None:
    with pytest.raises(ValueError, match=f"threads={threads} .* backlog={backlog}"):
        ThreadPool(threads, backlog)
