"""docs/reference/logs.md as tests read it: its examples and its tables of fields."""

from __future__ import annotations

import re

from tests.helpers.source_tree import ROOT

PAGE = ROOT / "docs" / "reference" / "logs.md"


def examples(name: str) -> list[str]:
    """The lines of the block that stands behind `<!-- name -->`."""
    text = PAGE.read_text(encoding="utf-8")
    match = re.search(rf"^<!-- {re.escape(name)} -->\n```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert match is not None, f"logs.md has no example {name!r}"
    return match[1].splitlines()


def documented_fields(heading: str) -> dict[str, str]:
    """The table under a heading: the second column (or an empty text) by each name of the first."""
    text = PAGE.read_text(encoding="utf-8")
    part = re.search(rf"^##+ {re.escape(heading)}$(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert part is not None, f"logs.md has no heading {heading!r}"
    rows = re.findall(r"^\| (`.*?`) \| (.*?) \|", part[1], re.MULTILINE)
    return {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}
