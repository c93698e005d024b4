"""Fails when a test was skipped or expected to fail without being on the list below: `skips.py REPORT.xml …`.

A test that never runs says nothing, so each one here needs a reason that a reader accepts.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from xml.etree import ElementTree

# Pattern of "class name::test name" as in the reports -> why it may be skipped.
ALLOWED: dict[str, str] = {
    "tests.integration.test_privileges::*": "only root can become another user; CI is root",
    # Python and C are not among them: what they need is always there.
    **{
        f"tests.integration.test_nodes_in_languages::*[[]{language}[]]": "Debian or npm may lack its packages"
        for language in ("ruby", "php", "perl", "nodejs")
    },
    "tests.unit.test_surroundings::*": "root may write everywhere; CI is root",
}


def skipped(report: str) -> list[tuple[str, str]]:
    """The tests of a report that were skipped, with the reason given."""
    return [
        (f"{case.get('classname')}::{case.get('name')}", mark.get("message", ""))
        for case in ElementTree.parse(report).iter("testcase")
        for mark in case.iter("skipped")
    ]


def main(reports: list[str]) -> int:
    unexpected = 0
    for report in reports:
        for name, reason in skipped(report):
            allowed = any(fnmatchcase(name, pattern) for pattern in ALLOWED)
            unexpected += not allowed
            sys.stdout.write(f"{'allowed' if allowed else 'NOT ALLOWED'}: {name}: {reason}\n")
    sys.stdout.write(f"{unexpected} tests skipped that are not on the list in {__file__}\n")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
