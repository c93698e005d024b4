"""A status as lines for a terminal: facts, what needs somebody, tables of virtualhosts and of nodes.

Pure. Whatever a node or a configuration said is made printable; without a width nothing is cut.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GOOD, WARN, BAD = 32, 33, 31  # SGR colours
COLOURS = {"up": GOOD, "running": GOOD, "draining": WARN, "stopping": WARN}
COLOURS |= dict.fromkeys(("down", "silent", "gone"), BAD)
MIN_SHRUNK = 8
"""Characters that a shrunken column keeps."""

SOON = 30
"""Days before a certificate expires from which on that is a warning, as `check` and the log have it."""

MAX_PLACES = 30
"""Of what plugins cost, the rest is hardly worth a line."""

SPANS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))

GAP = "  "


@dataclass(frozen=True, slots=True)
class Look:
    """`width`: columns of the terminal, None for a file; `colours`: state words may have them."""

    width: int | None = None
    colours: bool = False


def format_status(status: Mapping[str, Any], look: Look, before: Mapping[str, Any] | None = None) -> str:
    """The whole status; `before` is an earlier one, for the rates."""
    blocks = [
        list(_facts(status, before)),
        list(_warnings(status)),
        list(_virtualhosts(status, look, before)),
        list(_nodes(status, look)),
        list(_plugin_counters(status, look)),
        list(_plugin_profile(status, look)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


# ---------------------------------------------------------------- blocks


def _facts(status: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[str]:
    server, process = status["server"], status["process"]
    received = status["counters"]["requests.received"]
    rate = _rate(received, before["counters"]["requests.received"] if before else None, status, before)
    yield (
        f"BlastBeat {server['version']} {server['state']} for {format_duration(server['uptime'])}, "
        f"process {process['pid']}"
    )
    loaded = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(server["loaded_at"]))
    file = printable(server["config_file"] or "no file")
    refused = status["counters"]["config.reloads-refused"]
    more = f"; {refused} refused since the start" if refused else ""
    yield f"configuration {file}, read {loaded} (number {server['generation']}){more}"
    addresses = ", ".join(server["addresses"]) or "no address"
    yield f"clients on {printable(addresses)}; nodes on {printable(', '.join(server['endpoints']) or 'none')}"
    yield (
        f"requests {received}{f' ({rate}/s)' if rate else ''}"
        f", connections {of_limit(server['connections'], server['connections_limit'])}"
        f", sessions {of_limit(server['sessions'], server['sessions_limit'])}"
        + (f", WebSockets {server['websockets']}" if server["websockets"] else "")
        + f", nodes {server['nodes_up']} of {server['nodes']} up"
    )
    yield (
        f"waiting {format_bytes(server['client_queued_bytes'])} for clients, "
        f"{format_bytes(server['node_queued_bytes'])} for nodes"
        f"; memory {format_bytes(process.get('resident_bytes', 0))}"
        f", descriptors {of_limit(process.get('descriptors', 0), process['descriptors_limit'])}"
    )


def _warnings(status: Mapping[str, Any]) -> Iterator[str]:
    without, names = status["virtualhosts_without_node"], status["without_node"]
    if without:
        more = f" and {without - len(names)} more" if without > len(names) else ""
        yield f"! no available node for: {printable(', '.join(names))}{more}"
    for each in status["server"]["certificates"]:
        left = each["days_left"]
        if left is not None and left < SOON:
            yield f"! certificate {printable(each['file'])} {_when_expires(left)}"


def _when_expires(days_left: int) -> str:
    if days_left < 0:
        return "has expired"
    return (
        f"expires in {days_left} day{'' if days_left == 1 else 's'}" if days_left else "expires within a day"
    )


def _virtualhosts(status: Mapping[str, Any], look: Look, before: Mapping[str, Any] | None) -> Iterator[str]:
    earlier = {} if before is None else {each["name"]: each for each in before["virtualhosts"]}
    rows = []
    for each in status["virtualhosts"]:
        known = earlier.get(each["name"])
        names = f"{each['name']} ({', '.join(each['aliases'])})" if each["aliases"] else each["name"]
        rows.append([names, each["state"], *_figures(each, known, status, before)])
        routes = {} if known is None else {route["name"]: route for route in known["routes"]}
        for route in each["routes"]:
            known_route = routes.get(route["name"])
            rows.append([f"  {route['name']}", "", *_figures(route, known_route, status, before)])
    heads = ["VIRTUALHOST", "STATE", "INSTANCES", "SESSIONS", "REQUESTS", "/S", "4XX", "5XX", "IN", "OUT",
             "HELD", "LIMITS HIT"]  # fmt: skip
    if before is None:
        heads.remove("/S")
    if rows:
        yield from format_table(heads, rows, look, shrinking=0, dispensable=("IN", "OUT", "HELD", "4XX"))
    listed, matching = len(status["virtualhosts"]), status["virtualhosts_matching"]
    if not matching:
        total = status["virtualhosts_total"]
        yield f"none of {total} virtualhosts is called so" if total else "there are no virtualhosts"
    elif listed < matching:
        yield f"... {matching - listed} more; --limit N shows more, --search TEXT those with it in a name"


def _figures(
    each: Mapping[str, Any],
    known: Mapping[str, Any] | None,
    status: Mapping[str, Any],
    before: Mapping[str, Any] | None,
) -> list[str]:
    rate = (
        []
        if before is None
        else [_rate(each["requests"], known["requests"] if known else None, status, before)]
    )
    limits = ", ".join(f"{limit} {times}" for limit, times in each["limits_hit"].items())
    return [
        str(each["instances_available"]) if each["nodes"] else "-",
        of_limit(each["sessions"], each["sessions_limit"]),
        str(each["requests"]),
        *rate,
        str(each["answers"]["4xx"]),
        str(each["answers"]["5xx"]),
        format_bytes(each["bytes_in"]),
        format_bytes(each["bytes_out"]),
        str(each["held"]),
        limits or "-",
    ]


def _nodes(status: Mapping[str, Any], look: Look) -> Iterator[str]:
    rows = []
    for node in status["nodes"]:
        instances = node["instances"]
        if len(instances) == 1 and instances[0]["identity"] == node["name"]:
            rows.append(_instance(instances[0], node["name"], node["router"]))
            continue
        sessions = sum(each["sessions"] for each in instances)
        queued = format_bytes(sum(each["queued_bytes"] for each in instances))
        rows.append([node["name"], node["state"], "", str(sessions), queued, node["router"], ""])
        rows += [_instance(each, f"  {each['identity']}", "") for each in instances]
    if rows:
        heads = ["NODE", "STATE", "HEARD", "SESSIONS", "QUEUED", "WHERE", "WHY"]
        yield from format_table(heads, rows, look, shrinking=6, dispensable=("QUEUED", "WHERE"))


def _instance(instance: Mapping[str, Any], name: str, router: str) -> list[str]:
    why = [instance["why"]] if instance["why"] else []
    if instance["refused_by"]:
        why.append(f"not admitted to {', '.join(instance['refused_by'])}")
    heard = "never" if instance["last_heard"] is None else f"{format_duration(instance['last_heard'])} ago"
    return [
        name,
        instance["state"],
        heard,
        str(instance["sessions"]),
        format_bytes(instance["queued_bytes"]),
        instance["address"] or router,
        "; ".join(why),
    ]


def _plugin_counters(status: Mapping[str, Any], look: Look) -> Iterator[str]:
    """What plugins counted, where they did."""
    counters = status["counters"]
    rows = [[name, str(counters[name]), meaning]
            for name, meaning in status["plugin_counters"].items() if counters[name]]  # fmt: skip
    if rows:
        yield from format_table(["COUNTER", "TIMES", "COUNTS"], rows, look, shrinking=2)


def _plugin_profile(status: Mapping[str, Any], look: Look) -> Iterator[str]:
    """What plugins cost, where that is measured."""
    places = status["plugin_profile"]
    if places is None:
        return
    if not places:
        yield "no plugin was called yet"
        return
    rows = [
        [
            each["plugin"],
            each["place"],
            str(each["calls"]),
            str(each["errors"]),
            format_span(each["seconds"]),
            format_span(each["seconds"] / each["calls"]),
            format_span(each["longest_seconds"]),
            format_span(each["waited_seconds"]) if each["waited_seconds"] else "-",
        ]
        for each in places[:MAX_PLACES]
    ]
    heads = ["PLUGIN", "PLACE", "CALLS", "ERRORS", "TIME", "EACH", "LONGEST", "AWAITED"]
    yield from format_table(heads, rows, look, shrinking=1, dispensable=("AWAITED", "EACH"))
    if len(places) > MAX_PLACES:
        yield f"and {len(places) - MAX_PLACES} places more, which took less (--json has them)"


def _rate(now: int, earlier: int | None, status: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """Per second between two statuses; empty where there is no earlier one."""
    if before is None or earlier is None or status["at"] <= before["at"]:
        return ""
    return f"{max(0, now - earlier) / (status['at'] - before['at']):.1f}"


# ---------------------------------------------------------------- tables


def format_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    look: Look,
    *,
    shrinking: int,
    dispensable: Sequence[str] = (),
) -> list[str]:
    """Columns side by side, the state in the second. Where they are wider than the terminal the `dispensable`
    ones go, the first one first; then column `shrinking` gives way, then the ends of the lines."""
    cells = [list(heads), *([printable(cell) for cell in row] for row in rows)]
    columns = [(max(len(row[at]) for row in cells), at) for at in range(len(heads))]
    for name in dispensable:
        if _excess(columns, look) > 0:
            columns = [(width, at) for width, at in columns if heads[at] != name]
    excess = _excess(columns, look)
    if excess > 0:
        shrunk = [max(min(MIN_SHRUNK, width), width - excess) if at == shrinking else width
                  for width, at in columns]  # fmt: skip
        columns = [(width, at) for width, (_, at) in zip(shrunk, columns, strict=True)]
    lines = []
    for row in cells:
        line = GAP.join(_fit(row[at], width) for width, at in columns).rstrip()
        if look.width is not None:
            line = _fit(line, look.width).rstrip()
        lines.append(_coloured(line, row[1]) if look.colours else line)
    return lines


def _excess(columns: Sequence[tuple[int, int]], look: Look) -> int:
    """Characters that do not fit."""
    if look.width is None:
        return 0
    return sum(width for width, _ in columns) + len(GAP) * (len(columns) - 1) - look.width


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else f"{text[: width - 1]}…"


def _coloured(line: str, word: str) -> str:
    colour = COLOURS.get(word)
    return line if colour is None else line.replace(f" {word}", f" \x1b[{colour}m{word}\x1b[0m", 1)


# ---------------------------------------------------------------- words


def printable(text: str) -> str:
    """Nothing in it steers a terminal or begins a line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def of_limit(value: int, limit: int) -> str:
    """``3 of 10``; without a limit ``3``."""
    return f"{value} of {limit}" if limit else str(value)


def format_bytes(size: float) -> str:
    """``0 B``, ``1.5 KiB``, ``20 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.1f} {unit}" if size < 10 and unit != "B" else f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def format_span(seconds: float) -> str:
    """A short time: ``1.23 ms``, ``45.6 µs``, ``12 s``."""
    unit, scale = next((each for each in SPANS if seconds >= each[1]), SPANS[-1])
    value = seconds / scale
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def format_duration(seconds: float) -> str:
    """``0.2 s``, ``3 min 4 s``, ``2 d 5 h``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {int(seconds) % 60} s"
