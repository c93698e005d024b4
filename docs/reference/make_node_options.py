"""Write node-options.md from blastbeat/node/options.py: `python docs/reference/make_node_options.py`."""

from __future__ import annotations

from pathlib import Path

from blastbeat.node.options import ENVIRONMENT, OPTIONS, Option
from blastbeat.node.settings import show_value

HEAD = f"""\
# Options of a node

<!-- Written by docs/reference/make_node_options.py from blastbeat/node/options.py: change it there. -->

What [`blastbeat node`](cli.md#blastbeat-node-app) is told. Each option may stand in three places; the first
that says something wins:

1. the command line: `--workers 4`,
2. the environment: `{ENVIRONMENT}WORKERS=4` (a list is words between blanks),
3. the table `[node]` of the TOML file that `--config` or `{ENVIRONMENT}CONFIG` names: `workers = 4`.

Times are seconds, or `500ms`, `30s`, `2m`, `1h`; sizes are bytes, or `64KiB`, `1MiB`. Yes and no are
`--factory` and `--no-factory`, `{ENVIRONMENT}FACTORY=yes`, `factory = true`. A mistyped variable or key is
an error, as a bad value is (exit code 78).

[Run an application](../how-to/run-an-application.md) shows them at work.

"""

TAIL = """\
## `config`

On the command line and in the environment only. Other tables of the file are left alone, as a
server leaves `[node]` alone: one file can be both's.

    [node]
    app = "shop.asgi:application"
    connect = ["tcp://front1:5000", "tcp://front2:5000"]
    name = "shop"
    workers = 4
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(section, OPTIONS)) + TAIL


def section(option: Option) -> str:
    """What there is to say of one option."""
    facts = [f"environment `{option.variable}`"]
    if option.choices:
        facts.append(f"one of {', '.join(f'`{choice}`' for choice in option.choices)}")
    if option.minimum is not None and option.maximum is not None:
        zero = f", or 0: {option.zero}" if option.zero else ""
        bounds = f"{show_value(option, option.minimum)} to {show_value(option, option.maximum)}"
        facts.append(f"{bounds}{zero}")
    if option.repeated:
        facts.append("may be repeated")
    text = f"{option.help[0].upper()}{option.help[1:].removesuffix('; may be repeated')}."
    return (
        f"## `{option.name}`\n\n{text} {option.when}".rstrip()
        + f"\n\n{default(option)}; {'; '.join(facts)}.\n\n"
    )


def default(option: Option) -> str:
    """As somebody would write it."""
    if option.default is None:
        return "Must be given"
    if option.kind == "flag":
        return "Default: no"
    shown = option.shown_default
    return f"Default: `{shown}`" if shown else "Default: none"


if __name__ == "__main__":
    Path(__file__).with_name("node-options.md").write_text(page(), encoding="utf-8")
