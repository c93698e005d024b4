"""Usage on disk: adds up, whoever writes; all of a write or nothing; nobody else may read it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from blastbeat_policy.storage import Storage, months_of, read_month, rename_customer
from blastbeat_policy.usage import PlanInForce, Usage, Where

NOVEMBER = Where("2026-11", "acme", "www.acme.example")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "usage #1?.sqlite")


def test_what_is_written_adds_up(path: str) -> None:
    one, other = Storage(path), Storage(path)
    one.write({NOVEMBER: Usage(1, 1, 10, 100, refused={"requests": 2})}, {})
    other.write({NOVEMBER: Usage(2, 0, 5, 50, 3, 4, refused={"requests": 1, "traffic": 1})}, {})
    one.write({NOVEMBER._replace(month="2026-12"): Usage(1)}, {})
    usage, _ = read_month(path, "2026-11")
    assert usage == {NOVEMBER: Usage(3, 1, 15, 150, 3, 4, {"requests": 3, "traffic": 1})}
    assert one.traffic("2026-11") == {("acme", "www.acme.example"): 165}
    assert months_of(path) == ["2026-11", "2026-12"]
    one.close()
    other.close()
    assert read_month(path, "2026-11")[0] == usage, "also when nobody has it open"


def test_plans_are_what_was_said_last(path: str) -> None:
    storage = Storage(path)
    storage.write({}, {("2026-11", "acme"): PlanInForce("bronze", 1000, 80)})
    storage.write({}, {("2026-11", "acme"): PlanInForce("gold", None, 0)})
    assert storage.plans("2026-11") == {"acme": PlanInForce("gold", None, 0)}
    assert storage.plans("2026-12") == {}
    storage.close()


def test_it_is_nobody_elses_to_read(path: str) -> None:
    storage = Storage(path)
    storage.write({NOVEMBER: Usage(1)}, {})
    modes = {stat.S_IMODE(os.stat(path + suffix).st_mode) for suffix in ("", "-wal", "-shm")}
    assert all(mode & 0o027 == 0 for mode in modes)
    storage.close()


def test_a_full_disk_loses_nothing_of_what_was_there(path: str) -> None:
    storage = Storage(path)
    storage.write({NOVEMBER: Usage(1)}, {})
    storage.connect().execute("PRAGMA max_page_count = 1")
    many = {NOVEMBER._replace(virtualhost=f"{number}." * 50): Usage(1) for number in range(500)}
    with pytest.raises(sqlite3.OperationalError, match="full"):
        storage.write(many, {})
    storage.connect().execute("PRAGMA max_page_count = 100000")
    assert read_month(path, "2026-11")[0] == {NOVEMBER: Usage(1)}
    storage.write(many, {})
    assert len(read_month(path, "2026-11")[0]) == 501
    storage.close()


def test_a_file_that_is_no_database_is_left_alone(path: str) -> None:
    Path(path).write_bytes(b"accounts, do not touch" * 100)
    storage = Storage(path)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        storage.write({NOVEMBER: Usage(1)}, {})
    assert Path(path).read_bytes().startswith(b"accounts")
    with pytest.raises(sqlite3.DatabaseError):
        read_month(path, "2026-11")


def test_a_file_of_a_newer_version_is_left_alone(path: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(sqlite3.DatabaseError, match="newer version"):
        Storage(path).connect()


def test_a_file_that_is_not_there_is_not_made_by_who_reads(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        read_month(path, "2026-11")
    assert not os.path.exists(path)


def test_a_file_that_is_only_just_being_made_has_nothing(path: str) -> None:
    Path(path).touch()
    assert read_month(path, "2026-11") == ({}, {}) and months_of(path) == []


def test_a_file_that_was_moved_away_is_made_anew(path: str) -> None:
    storage = Storage(path)
    storage.write({NOVEMBER: Usage(1)}, {})
    for suffix in ("", "-wal", "-shm"):
        os.rename(path + suffix, path + ".old" + suffix)
    storage.write({NOVEMBER: Usage(5)}, {})
    assert read_month(path, "2026-11")[0] == {NOVEMBER: Usage(5)}
    storage.close()


def test_old_months_are_forgotten(path: str) -> None:
    storage = Storage(path)
    old = NOVEMBER._replace(month="2016-10")
    plans = {("2016-10", "acme"): PlanInForce("bronze"), ("2026-11", "acme"): PlanInForce("bronze")}
    storage.write({old: Usage(1, refused={"requests": 1}), NOVEMBER: Usage(1)}, plans)
    storage.forget_before("2016-11")
    assert read_month(path, "2016-10") == ({}, {})
    assert months_of(path) == ["2026-11"] and len(storage.plans("2026-11")) == 1
    storage.close()


def test_two_servers_write_at_the_same_time(path: str) -> None:
    def write() -> None:
        storage = Storage(path)
        for _ in range(50):
            storage.write({NOVEMBER: Usage(1)}, {})
        storage.close()

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_month(path, "2026-11")[0] == {NOVEMBER: Usage(150)}


def test_a_customer_with_another_name(path: str) -> None:
    storage = Storage(path)
    new = NOVEMBER._replace(customer="apex")
    plans = {("2026-11", "acme"): PlanInForce("bronze", 5), ("2026-11", "apex"): PlanInForce("gold")}
    storage.write({NOVEMBER: Usage(1, refused={"requests": 1}), new: Usage(2)}, plans)
    assert rename_customer(storage, "acme", "apex") > 0
    usage, found = read_month(path, "2026-11")
    assert usage == {new: Usage(3, refused={"requests": 1})} and found == {"apex": PlanInForce("gold")}
    assert rename_customer(storage, "acme", "apex") == 0
    storage.close()
