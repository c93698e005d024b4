"""The tables of the configuration reference, written from the table of options.

    python -m blastbeat.config.reference docs/reference/configuration.md

rewrites what stands between the marks `<!-- options: … -->` and `<!-- end -->` of a page, and no other word.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from blastbeat.config.option import Option
from blastbeat.config.route_options import ROUTING_OPTIONS
from blastbeat.config.server_options import PLUGINS_OPTIONS, SERVER_OPTIONS
from blastbeat.config.values import Count, Quantity
from blastbeat.config.virtualhost_options import INHERITED_OPTIONS, OWN_OPTIONS

GROUPS: dict[str, tuple[Option, ...]] = {
    "server": SERVER_OPTIONS,
    "inherited": INHERITED_OPTIONS,
    "virtualhost": OWN_OPTIONS,
    "routing": ROUTING_OPTIONS,
    "plugins": PLUGINS_OPTIONS,
}

_MARKED = re.compile(r"(<!-- options: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refresh(page: str) -> str:
    """The page with its tables as the options are now; KeyError for a mark that names no group."""
    return _MARKED.sub(lambda match: f"{match[1]}\n{table(GROUPS[match[2]])}\n{match[3]}", page)


def table(options: Sequence[Option]) -> str:
    """A Markdown table of options."""
    lines = ["| key | value | default | what it does |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{option.name}` | {_value(option)} | {_default(option)} | {_text(option)} |" for option in options
    ]
    return "\n".join(lines) + "\n"


def _value(option: Option) -> str:
    parts = [option.kind.label + (", repeated" if option.repeated else "")]
    # 0 is told in words, and a bound that only stops nonsense needs no more room than this.
    if isinstance(option.kind, Quantity | Count) and option.maximum is not None:
        smallest = option.kind.format(option.minimum or 0)
        parts.append(f"{smallest} to {option.kind.format(option.maximum)}")
    if option.zero:
        parts.append(f"0: {option.zero}")
    return "; ".join(parts)


def _default(option: Option) -> str:
    text = option.default_text()
    if option.unset or not text:
        return text or "none"
    return f"`{text}`"


def _text(option: Option) -> str:
    text = option.explanation + ("" if option.active else " **Not active yet.**")
    return text + (" *A change needs a restart.*" if option.restart else "")


def main(arguments: Sequence[str]) -> int:
    """Refresh the pages named; 2 when none is."""
    if not arguments:
        sys.stderr.write("usage: python -m blastbeat.config.reference PAGE...\n")
        return 2
    for name in arguments:
        path = Path(name)
        path.write_text(refresh(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
