"""Write metrics.md from blastbeat/monitoring/families.py: `python docs/reference/make_metrics.py`."""

from __future__ import annotations

from pathlib import Path

from blastbeat.monitoring.families import DURATION, DURATION_TEXT, FAMILIES, OTHER, PREFIX
from blastbeat.monitoring.metrics import MAX_LABELLED
from blastbeat.tally import DURATION_BOUNDS

HEAD = f"""\
# Metrics

<!-- Written by docs/reference/make_metrics.py from blastbeat/monitoring/families.py: change it there. -->

What `/metrics` tells at the address of [`stats-bind`](configuration.md): Prometheus' text format, or
OpenMetrics for whoever asks for it. It needs the package prometheus-client: `pip install
'blastbeat[metrics]'`. [How to monitor](../how-to/monitor.md) has a scrape configuration, and alerts worth
having.

Label sets are bounded. `virtualhost`, `route`, `node` and `router` are names of the configuration; the
words of instances never become labels. The first {MAX_LABELLED:,} virtualhosts and routes together have
series of their own, all others are one sum, `{OTHER}`; so have the first {MAX_LABELLED:,} nodes. An empty
`route` is the virtualhost without its routes, an empty `virtualhost` stands for requests that none was
found for. The other labels come from closed lists.

Counters begin at 0 when the server starts, and go on when the configuration is read again. Requests to the
status address itself are not counted.

[Counters of plugins](counters.md) are there under `blastbeat_plugin_`, with what the plugin says of them.

| metric | type | labels | tells |
| --- | --- | --- | --- |
"""

TAIL = """\

Beside these there are those of the process, which every Python program has: `process_cpu_seconds_total`,
`process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_start_time_seconds`,
`process_open_fds`, `process_max_fds`.
"""


def page() -> str:
    """The whole page."""
    rows = []
    for family in FAMILIES:
        name = PREFIX + family.name + ("_total" if family.kind == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{name}` | {family.kind} | {labels} | {family.text} |\n")
    bounds = ", ".join(f"{bound:g}" for bound in DURATION_BOUNDS)
    rows.append(f"| `{PREFIX}{DURATION}` | histogram | `le` | {DURATION_TEXT} Bounds: {bounds} s. |\n")
    return HEAD + "".join(rows) + TAIL


if __name__ == "__main__":
    Path(__file__).with_name("metrics.md").write_text(page(), encoding="utf-8")
