"""An explanation for readers: a block per step, in the order in which a request goes through them.

Knows nothing but the explanation.
"""

from __future__ import annotations

from collections.abc import Iterator

from blastbeat.config.names import format_words_with_options
from blastbeat.explaining.explanation import Explanation, Pick, Place

_WIDTH = 23


def format_explanation(explanation: Explanation) -> str:
    """Lines, the outcome last. Names are escaped where a terminal could act on them."""
    lines = [f"{explanation.method} {explanation.url}"]
    for what, said in _steps(explanation):
        for number, text in enumerate(said):
            lines.append(f"  {what if not number else '':<{_WIDTH}} {text}".rstrip())
    lines += [f"note: {note}" for note in explanation.notes]
    status = f"{explanation.status}: " if explanation.status else ""
    lines.append(f"=> {status}{explanation.outcome}")
    return "".join(f"{_printable(line)}\n" for line in lines)


def _steps(found: Explanation) -> Iterator[tuple[str, list[str]]]:
    if found.listener is not None:
        yield "listener", [f"{found.listener.address}: {found.listener.why}"]
    host = found.virtualhost
    if host is None:
        return
    yield "virtualhost", [f"{host.name}: {host.why}{_at(host.place)}"]
    yield "path", [f"{found.path}, as it is compared"]
    if found.routes or found.other_routes:
        yield "routes", list(_routes(found))
    yield "filters", _picks(found.filters)
    yield "request-authenticators", _picks(found.request_authenticators)
    if found.status:
        return
    shown = ", ".join(f"{name} {value}" for name, value in found.shown.items() if value)
    yield "request-encoder", [f"{found.request_encoder}: {shown}"]
    if found.websocket:
        yield "websocket", found.websocket
    yield "selector", [found.selector]
    yield "nodes", [f"{' '.join(found.nodes)}, at {' '.join(found.endpoints)}"]
    yield "node-authenticators", [" ".join(found.node_authenticators)]
    yield "limits", [f"{limit.key} {limit.value}{_at(limit.place) or ' (default)'}" for limit in found.limits]


def _routes(found: Explanation) -> Iterator[str]:
    for route in found.routes:
        yield f"{route.name}: {route.takes}, {route.why}{_at(route.place)}"
    if found.other_routes:
        others = "1 other is" if found.other_routes == 1 else f"{found.other_routes} others are"
        yield f"{others} for other paths"
    if not found.route:
        yield "none takes it: the virtualhost itself has it"


def _picks(picks: list[Pick]) -> list[str]:
    if not picks:
        return ["none"]
    return [f"{format_words_with_options(pick.name, pick.options)}: {pick.says}" for pick in picks]


def _at(place: Place) -> str:
    return f" ({place.file}:{place.line})" if place.line else ""


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()
