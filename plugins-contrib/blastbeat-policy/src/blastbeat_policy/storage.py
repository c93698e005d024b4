"""Usage on disk: one SQLite file that several servers may add to at the same time.

What is written are differences, so two servers with one file, as while one takes over from another, count
together. Knows no customers in memory and no thread; what goes wrong is sqlite3.Error or OSError.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from urllib.parse import quote

from blastbeat_policy.usage import FIGURES, PlanInForce, Plans, Rows, Usage, Where

VERSION = 1
MODE = 0o640
"""Of a file that is made: a group may read what customers use, others may not."""

BUSY = 2.0
"""Seconds to wait for another process that writes."""

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS usage (
    month TEXT NOT NULL, customer TEXT NOT NULL, virtualhost TEXT NOT NULL,
    {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in FIGURES)},
    PRIMARY KEY (month, customer, virtualhost)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (
    month TEXT NOT NULL, customer TEXT NOT NULL, virtualhost TEXT NOT NULL,
    reason TEXT NOT NULL, times INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (month, customer, virtualhost, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plans (
    month TEXT NOT NULL, customer TEXT NOT NULL,
    plan TEXT NOT NULL, traffic INTEGER, warned INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (month, customer)
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
_ADD_USAGE = f"""
INSERT INTO usage (month, customer, virtualhost, {", ".join(FIGURES)})
VALUES ({", ".join("?" * (3 + len(FIGURES)))})
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in FIGURES)}
"""
_ADD_REFUSED = """
INSERT INTO refused VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET times = times + excluded.times
"""
_SET_PLAN = """
INSERT INTO plans VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET plan = excluded.plan, traffic = excluded.traffic, warned = excluded.warned
"""
_TABLES = ("usage", "refused", "plans")


class Storage:
    """The file at `path`, opened when it is first needed and again where another file has taken its place."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def connect(self) -> sqlite3.Connection:
        """The open file; made where there is none. Raises sqlite3.Error or OSError."""
        if self._connection is not None and self._is_replaced():
            self.close()
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _is_replaced(self) -> bool:
        try:
            return os.stat(self.path).st_ino != self._inode
        except FileNotFoundError:
            return True

    def _open(self) -> sqlite3.Connection:
        # Made here, so that nobody else can read it for a moment; SQLite gives its other files the same mode.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        self._inode = os.fstat(descriptor).st_ino
        os.close(descriptor)
        connection = sqlite3.connect(self.path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                message = f"{self.path} was written by a newer version of blastbeat-policy"
                raise sqlite3.DatabaseError(message)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if version < VERSION:
                connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        except BaseException:
            connection.close()
            raise
        return connection

    def write(self, rows: Rows, plans: Plans) -> None:
        """Adds `rows` to what is there, and puts `plans` in place: all of it or, raising sqlite3.Error or
        OSError, nothing."""
        connection = self.connect()
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_ADD_USAGE, [(*where, *usage.figures()) for where, usage in rows.items()])
            refused = [
                (*where, reason, times)
                for where, usage in rows.items()
                for reason, times in usage.refused.items()
            ]
            connection.executemany(_ADD_REFUSED, refused)
            figures = [(*key, plan.plan, plan.traffic, plan.warned) for key, plan in plans.items()]
            connection.executemany(_SET_PLAN, figures)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def traffic(self, month: str) -> dict[tuple[str, str], int]:
        """Bytes of a month by customer and virtualhost."""
        found = self.connect().execute(
            "SELECT customer, virtualhost, bytes_in + bytes_out FROM usage WHERE month = ?", (month,)
        )
        return {(customer, virtualhost): used for customer, virtualhost, used in found}

    def plans(self, month: str) -> dict[str, PlanInForce]:
        """By customer."""
        found = self.connect().execute(
            "SELECT customer, plan, traffic, warned FROM plans WHERE month = ?", (month,)
        )
        return {customer: PlanInForce(*rest) for customer, *rest in found}

    def forget_before(self, month: str) -> None:
        """Deletes the months before this one."""
        connection = self.connect()
        for table in _TABLES:
            connection.execute(f"DELETE FROM {table} WHERE month < ?", (month,))

    def close(self) -> None:
        """May be called more than once, and used again afterwards."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def read_month(path: str, month: str) -> tuple[dict[Where, Usage], dict[str, PlanInForce]]:
    """What the file says of one month: the usage, and the plans by customer. Changes nothing, also beside a
    server that writes. Raises sqlite3.Error or OSError."""
    os.stat(path)  # sqlite3 says no more than that it is unable to open
    with closing(_open_to_read(path)) as connection:
        if not _is_made(connection):
            return {}, {}
        usage: dict[Where, Usage] = {}
        names = ", ".join(FIGURES)
        for customer, virtualhost, *figures in connection.execute(
            f"SELECT customer, virtualhost, {names} FROM usage WHERE month = ?", (month,)
        ):
            usage[Where(month, customer, virtualhost)] = Usage(*figures)
        for customer, virtualhost, reason, times in connection.execute(
            "SELECT customer, virtualhost, reason, times FROM refused WHERE month = ?", (month,)
        ):
            usage.setdefault(Where(month, customer, virtualhost), Usage()).refused[reason] = times
        plans = connection.execute(
            "SELECT customer, plan, traffic, warned FROM plans WHERE month = ?", (month,)
        )
        return usage, {customer: PlanInForce(*rest) for customer, *rest in plans}


def _open_to_read(path: str) -> sqlite3.Connection:
    """Where nobody has the file open and its folder can't be written to, SQLite can't make the index of the
    log beside it; nothing is in that log then, and the file may be read as it is."""
    for options in ("mode=ro", "mode=ro&immutable=1"):
        connection = sqlite3.connect(f"file:{quote(path)}?{options}", uri=True, timeout=BUSY)
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            if "unable to open" not in str(error) or "immutable" in options:
                raise
        except BaseException:
            connection.close()
            raise
    raise AssertionError("unreachable")


def months_of(path: str) -> list[str]:
    """The months that there is something of, the oldest first. Raises sqlite3.Error or OSError."""
    os.stat(path)
    with closing(_open_to_read(path)) as connection:
        if not _is_made(connection):
            return []
        return [month for (month,) in connection.execute("SELECT DISTINCT month FROM usage ORDER BY month")]


def _is_made(connection: sqlite3.Connection) -> bool:
    """False for a file that a server is only just making."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'usage'").fetchone() is not None


def rename_customer(storage: Storage, old: str, new: str) -> int:
    """Gives the usage of `old` to `new`, added to what `new` has. Returns how many rows there were."""
    connection = storage.connect()
    connection.execute("BEGIN IMMEDIATE")
    try:
        changed = 0
        for sql in _moves():
            changed += connection.execute(sql, {"old": old, "new": new}).rowcount
        for table in _TABLES:
            connection.execute(f"DELETE FROM {table} WHERE customer = ?", (old,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return changed


def _moves() -> Iterable[str]:
    names = ", ".join(FIGURES)
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in FIGURES)
    yield (
        f"INSERT INTO usage (month, customer, virtualhost, {names}) "
        f"SELECT month, :new, virtualhost, {names} FROM usage WHERE customer = :old "
        f"ON CONFLICT DO UPDATE SET {sums}"
    )
    yield (
        "INSERT INTO refused SELECT month, :new, virtualhost, reason, times FROM refused "
        "WHERE customer = :old ON CONFLICT DO UPDATE SET times = times + excluded.times"
    )
    yield (
        "INSERT INTO plans SELECT month, :new, plan, traffic, warned FROM plans WHERE customer = :old "
        "ON CONFLICT DO NOTHING"
    )
