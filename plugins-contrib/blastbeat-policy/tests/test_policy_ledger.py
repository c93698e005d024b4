"""The books: months, restarts, disks that fail, and what the log is told."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from blastbeat_policy.ledger import Ledger
from blastbeat_policy.reasons import INDEX
from blastbeat_policy.storage import Storage, read_month
from blastbeat_policy.usage import PlanInForce, Plans, Rows, Usage, Where
from policy_case import NOVEMBER, Case

HOST = "www.acme.example"
DECEMBER = NOVEMBER + 15 * 86_400
WHERE = Where("2026-11", "acme", HOST)


class FailingStorage(Storage):
    """A disk that can be full."""

    is_full = False

    def write(self, rows: Rows, plans: Plans) -> None:
        if self.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        super().write(rows, plans)


class Books:
    """A case with its ledger; another one with the same file is a server that was started again."""

    def __init__(self, path: Path, **terms: object) -> None:
        self.case = Case(**terms)
        self.storage = FailingStorage(str(path))
        self.ledger = Ledger(self.case.customers, self.storage, wall=lambda: self.case.wall)
        self.path = str(path)

    def use(self, count: int, virtualhost: str = HOST) -> None:
        self.case.customer.account(virtualhost).bytes_out += count
        self.case.customer.account(virtualhost).requests += 1
        self.case.customer.traffic += count

    def month(self, month: str = "2026-11") -> dict[Where, Usage]:
        return read_month(self.path, month)[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.sqlite"


def test_usage_survives_a_restart(path: Path) -> None:
    first = Books(path, traffic=1000)
    first.use(600)
    first.case.customer.account(HOST).refused[INDEX["requests"]] += 2
    assert first.ledger.tick()
    first.storage.close()
    second = Books(path, traffic=1000)
    assert second.ledger.tick()
    assert second.case.customer.used == 600
    second.use(500)
    assert second.case.ask() is not None
    second.ledger.tick()
    assert second.month() == {WHERE: Usage(2, bytes_out=1100, refused={"requests": 2, "traffic": 1})}
    second.storage.close()


def test_traffic_of_a_virtualhost_that_is_gone_is_still_the_customers(path: Path) -> None:
    first = Books(path)
    first.use(600, "old.example")
    first.ledger.tick()
    first.storage.close()
    second = Books(path, traffic=1000)
    second.use(1)
    second.ledger.tick()
    assert second.case.customer.used == 601 and second.case.customer.account(HOST).used == 1
    second.storage.close()


def test_two_servers_with_one_file_count_together(path: Path) -> None:
    one, other = Books(path), Books(path)
    one.use(100)
    other.use(200)
    for each in (one, other, one):
        each.ledger.tick()
    assert one.case.customer.used == other.case.customer.used == 300
    one.use(1)
    assert one.case.customer.used == 301
    assert one.case.customer.account(HOST).used == 301
    one.storage.close()
    other.storage.close()


def test_a_month_ends(path: Path) -> None:
    books = Books(path, traffic=1000)
    books.use(999)
    books.ledger.tick()
    books.use(5)
    assert books.case.ask() is not None
    books.case.wall = DECEMBER
    books.ledger.tick()
    assert books.case.customer.used == 0 and books.case.ask() is None
    books.use(7)
    books.ledger.tick()
    assert books.month()[WHERE].bytes_out == 1004
    assert books.month("2026-12")[WHERE._replace(month="2026-12")].bytes_out == 7
    books.storage.close()


def test_a_disk_that_is_full_costs_two_lines_and_no_count(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    books = Books(path, traffic=10_000)
    books.use(1)
    assert books.ledger.tick()
    books.storage.is_full = True
    for _ in range(50):
        books.use(10)
        assert not books.ledger.tick()
        books.case.wall += 5
    assert books.case.customer.used == 501, "limits hold meanwhile"
    books.case.wall = DECEMBER
    assert not books.ledger.tick()
    assert books.case.customer.used == 0
    books.use(3)
    books.storage.is_full = False
    assert books.ledger.tick()
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "WARNING"]
    assert "disk is full" in caplog.text and "nothing is lost" in caplog.text
    assert books.ledger.failures == 51
    assert books.month()[WHERE].bytes_out == 501
    assert books.month("2026-12")[WHERE._replace(month="2026-12")].bytes_out == 3
    books.storage.close()


def test_what_waits_for_a_disk_is_bounded(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("blastbeat_policy.ledger.MAX_PENDING", 2)
    books = Books(path)
    books.storage.is_full = True
    for number in range(5):
        books.use(1, f"{number}.example")
    books.ledger.tick()
    books.use(1, "0.example")
    books.storage.is_full = False
    books.ledger.tick()
    assert {where.virtualhost: each.bytes_out for where, each in books.month().items()} == {
        "0.example": 2,
        "1.example": 1,
    }
    assert "3 rows are lost" in caplog.text
    books.storage.close()


def test_a_file_that_another_process_locks_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("blastbeat_policy.storage.BUSY", 0.0)
    books = Books(path)
    books.use(1)
    books.ledger.tick()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    books.use(2)
    assert not books.ledger.tick() and "locked" in caplog.text
    other.execute("ROLLBACK")
    other.close()
    assert books.ledger.tick() and books.month()[WHERE].bytes_out == 3
    books.storage.close()


def test_without_a_file_the_books_are_in_memory() -> None:
    case = Case(traffic=1000)
    ledger = Ledger(case.customers, None, wall=lambda: case.wall)
    case.customer.account(HOST).bytes_in = case.customer.traffic = 500
    assert ledger.tick() and case.customer.used == 500
    case.wall = DECEMBER
    assert ledger.tick() and case.customer.used == 0


def test_what_a_month_is_measured_with_is_noted(path: Path) -> None:
    books = Books(path, traffic=1000)
    books.ledger.tick()
    books.ledger.tick()
    assert read_month(books.path, "2026-11")[1] == {"acme": PlanInForce("bronze", 1000, 0)}
    books.case.change(traffic=2000)
    books.ledger.tick()
    books.ledger.tick()
    assert read_month(books.path, "2026-11")[1]["acme"].traffic == 2000
    books.storage.close()


def test_the_log_is_told_at_80_and_100_percent_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    books = Books(path, traffic=1000)
    for count in (799, 1, 100, 100, 50):
        books.use(count)
        for _ in range(3):
            books.ledger.tick()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "customer acme has used 80 % of its traffic of 2026-11: 800 B of 1 kB" in messages[0]
    assert "has used all of its traffic" in messages[1] and "503" in messages[1]
    books.storage.close()


def test_a_restart_does_not_tell_again_and_a_larger_plan_does(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Books(path, traffic=1000)
    first.use(1000)
    first.ledger.tick()
    first.ledger.tick()
    first.storage.close()
    caplog.clear()
    second = Books(path, traffic=1000)
    second.ledger.tick()
    second.ledger.tick()
    assert caplog.records == []
    second.case.change(traffic=2000)
    second.ledger.tick()
    second.use(1000)
    second.ledger.tick()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    second.storage.close()
