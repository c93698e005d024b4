"""`blastbeat policy`: what customers have used, read from the file of usage, beside a running server or
without.

Changes nothing but with `rename`. Knows neither a server nor its configuration: the plugin tells it where the
file is.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable, Sequence

from blastbeat_policy.months import Calendar, parse_month
from blastbeat_policy.report import CustomerReport, collect, format_csv, format_json, format_text
from blastbeat_policy.storage import Storage, months_of, read_month, rename_customer

OK, FAILED, USAGE = 0, 1, 2


class Command:
    """`file` is what the configuration says, empty where it says nothing; `wall` is the clock."""

    def __init__(self, file: str, calendar: Calendar, wall: Callable[[], float]) -> None:
        self._file = file
        self._calendar = calendar
        self._wall = wall

    def run(self, arguments: Sequence[str]) -> int:
        """The exit code; what goes wrong is one line on standard error."""
        try:
            options = _parser().parse_args(list(arguments))
        except SystemExit as stop:  # argparse has said what there is to say
            return stop.code if isinstance(stop.code, int) else USAGE
        file = options.file or self._file
        if not file:
            _tell("no file of usage: name it with --file, or `file` in [plugin.policy] of the configuration"
                  " that BLASTBEAT_CONFIG names")  # fmt: skip
            return USAGE
        try:
            return self._do(options, file)
        except FileNotFoundError:
            _tell(f"{file} is not there; a server with customers makes it when it starts")
        except ValueError as error:
            _tell(str(error))
            return USAGE
        except (sqlite3.Error, OSError) as error:
            _tell(f"{file} can't be read: {error}")
        return FAILED

    def _do(self, options: argparse.Namespace, file: str) -> int:
        if options.action == "rename":
            return _rename(file, options.old, options.new)
        month = options.month or self._calendar.month_of(self._wall())
        parse_month(month)
        reports = collect(*read_month(file, month))
        if options.action == "export":
            sys.stdout.write(format_csv(month, reports))
            return OK
        if options.customer:
            reports = [each for each in reports if each.name == options.customer]
            if not reports:
                _tell(f"{month} has nothing of a customer {options.customer!r}")
                return FAILED
        sys.stdout.write(self._written(options, file, month, reports))
        return OK

    def _written(
        self, options: argparse.Namespace, file: str, month: str, reports: list[CustomerReport]
    ) -> str:
        if options.json:
            return format_json(month, self._calendar.timezone, reports)
        written = format_text(month, reports)
        if not reports:
            written += f"months with usage: {', '.join(months_of(file)) or 'none'}\n"
        return written


def _rename(file: str, old: str, new: str) -> int:
    with open(file, "rb"):
        pass  # raises where there is none: a name that is misspelt must not make a new one
    storage = Storage(file)
    try:
        changed = rename_customer(storage, old, new)
    finally:
        storage.close()
    if not changed:
        _tell(f"there is nothing of a customer {old!r}")
        return FAILED
    sys.stdout.write(f"what {old} has used belongs to {new} now\n")
    return OK


def _tell(message: str) -> None:
    sys.stderr.write(f"blastbeat policy: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("blastbeat policy", description="What customers have used.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--file", default="", help="the file of usage; default: the configuration's")
    month = argparse.ArgumentParser(add_help=False)
    month.add_argument("--month", default="", help="as 2026-11; default: this month")
    usage = actions.add_parser("usage", parents=[common, month], help="a month's usage of each customer")
    usage.add_argument("--customer", default="", help="only this one, with its virtualhosts")
    usage.add_argument("--json", action="store_true", help="for programs")
    actions.add_parser("export", parents=[common, month], help="a month as CSV, for billing")
    rename = actions.add_parser("rename", parents=[common], help="give what one customer has used to another")
    rename.add_argument("old")
    rename.add_argument("new")
    return parser
