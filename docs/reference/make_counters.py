"""Write counters.md from blastbeat/counters.py: `python docs/reference/make_counters.py`."""

from __future__ import annotations

from pathlib import Path

from blastbeat.counters import COUNTERS

HEAD = """\
# Counters

<!-- Written by docs/reference/make_counters.py from blastbeat/counters.py: change the words there. -->

Plain integers that only grow, counted by one server from its start. Everything that is dropped or refused
is counted, by reason. Names are `<what>.<how>.<reason>`. [`status.json`](status.md) and `blastbeat status
--json` tell them under `counters`, [`/metrics`](metrics.md) as `blastbeat_<what>_<how>_total`.

Plugins may [declare their own](hooks.md), whose names begin with the plugin's: `policy.requests`. They are
told in the same places, with what they mean under `plugin_counters`; as metrics they are
`blastbeat_plugin_policy_requests_total`.

| counter | counts |
| --- | --- |
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"| `{name}` | {meaning} |\n" for name, meaning in COUNTERS.items())


if __name__ == "__main__":
    Path(__file__).with_name("counters.md").write_text(page(), encoding="utf-8")
