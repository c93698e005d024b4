"""Plain integers for everything that happens, is dropped or refused: one closed list of names, each
explained, and what plugins declare beside it.

Knows nobody who counts. Names are `<what>.<how>.<reason>`; a new one is declared here, where the reference
page and its test find it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from blastbeat.events import CloseReason
from blastbeat.tally import Tallies

ANSWERS = (400, 403, 404, 405, 408, 413, 414, 417, 421, 426, 429, 431, 500, 501, 502, 503, 504, 505)

COUNTERS: dict[str, str] = {
    # messages from nodes
    "messages.received": "messages from nodes that were acted on",
    "messages.sent": "messages given to ZeroMQ",
    "messages.queued": "messages of sessions that had to wait for their instance",
    "messages.dropped.frames": "messages with a wrong number of frames, or too many pairs",
    "messages.dropped.unknown-node": "messages from a routing id that no virtualhost names",
    "messages.dropped.instances": "messages from an instance beyond `instances`",
    "messages.dropped.not-authenticated": "messages from a node that an authenticator denied",
    "messages.dropped.unknown-sid": "messages for a session that does not exist (any more)",
    "messages.dropped.other-session": "messages for a session that is pinned to another instance",
    "messages.dropped.type": "messages of a type no plugin handles, or whose name is malformed",
    "messages.dropped.malformed": "messages whose body their encoder refused, outside an exchange",
    "messages.dropped.leftover": "messages that belong to an exchange already over",
    "messages.dropped.late-retry": "`retry` after the response had begun",
    "messages.dropped.no-route": "messages to an instance that has gone",
    # requests
    "requests.received": "request heads read",
    "responses.completed": "responses completed",
    "answers.plugin": "requests that a filter or an authenticator answered",
    "responses.excess": "responses that were followed by more body than they had declared",
    "responses.cut": "responses cut before their end",
    "responses.1xx": "exchanges that became WebSockets",
    "responses.2xx": "exchanges answered with 2xx, by a node or the server",
    "responses.3xx": "exchanges answered with 3xx",
    "responses.4xx": "exchanges answered with 4xx",
    "responses.5xx": "exchanges answered with 5xx",
    "responses.none": "exchanges that ended unanswered",
    "bytes.in": "bytes of request bodies, counted when their exchange is over",
    "bytes.out": "bytes of response bodies, likewise",
    "requests.held": "requests that waited for an instance, for up to `hold`",
    "requests.held-over": "requests that were answered because `hold` was over",
    "requests.held-refused": "requests that could not wait: `hold-queue` was full",
    "hops.retried": "requests sent once more to another instance",
    # the filter `limits`
    "limits.requests": "requests over `requests` of a filter `limits`",
    "limits.client-requests": "requests over `client-requests`",
    "limits.concurrent": "requests over `concurrent`",
    "limits.client-concurrent": "requests over `client-concurrent`",
    "limits.clients-forgotten": "clients whose rate was forgotten because more than `clients` were there",
    # connections
    "connections.accepted": "client connections accepted",
    "connections.refused": "client connections beyond `connections`, closed at once",
    "connections.refused.not-trusted": "`proxy-protocol` connections from who is not in `trusted-proxies`",
    "connections.refused.proxy-header": "connections without a PROXY header, or with a malformed one",
    "connections.refused.proxy-late": "connections without a whole PROXY header within `header-timeout`",
    "connections.refused.proxy-probe": "connections that ended without a byte on a `proxy-protocol` address",
    "connections.closed": "client connections closed",
    "connections.given-up.slow-client": "connections with more than `writequeue-buffer` bytes waiting",
    "connections.given-up.write-timeout": "connections whose client took nothing for `write-timeout`",
    "connections.given-up.memory": "connections with the largest queue while all together were too large",
    # TLS
    "tls.handshakes": "TLS handshakes that were completed",
    "tls.failed.plain-http": "clients that spoke plain HTTP where TLS is spoken, and were told so",
    "tls.failed.no-certificate": "handshakes on an address without any certificate",
    "tls.failed.left": "clients that left before the handshake was done",
    "tls.failed.too-long": "clients that sent too much before it was done",
    "tls.failed.late": "handshakes that took longer than `handshake-timeout`",
    "tls.failed.version": "clients that speak neither TLS 1.2 nor 1.3",
    "tls.failed.no-common": "clients that offer nothing which is spoken here",
    "tls.failed.client-certificate": "clients whose certificate was missing or not accepted",
    "tls.failed.alert": "clients that broke off the handshake, for instance over our certificate",
    "tls.failed.malformed": "clients that sent what is no TLS",
    "tls.failed.broken": "connections that ended because what came behind the handshake was no TLS",
    "tls.failed.stop": "handshakes that the server's stop cut short",
    # WebSockets
    "websockets.refused.version": "handshakes of another version than 13",
    "websockets.refused.origin": "handshakes from pages that `websocket-origins` does not name",
    "websockets.opened": "handshakes accepted",
    "websockets.closed": "WebSockets that ended",
    "websockets.failed": "WebSockets whose client broke the protocol or sent too large a message",
    "websockets.silent": "WebSockets whose client did not answer a ping within `websocket-ping`",
    "websockets.messages.in": "messages of WebSocket clients",
    "websockets.messages.out": "messages for WebSocket clients",
    # sessions
    "sessions.opened": "sessions pinned to an instance",
    "sessions.closed": "sessions that ended",
    # nodes
    "nodes.up": "instances that became available",
    "nodes.silent": "instances that stopped answering",
    "nodes.gone": "instances without a route for `node-grace`",
    "nodes.handshake-failed": "connections to a `zmq` endpoint that were not ZeroMQ's, or were refused",
    # logs
    "log.lines-lost.access": "lines of the access log that could not be written, or not in time",
    "log.lines-lost.error": "the same for the error log",
    # the configuration
    "config.reloads": "configurations that were read again and taken over",
    "config.reloads-refused": "configurations that were read again and not taken over, for an error",
}

NO_STATUS = "responses.none"

STATUS_COUNTERS = [f"responses.{digit}xx" if 1 <= digit <= 5 else NO_STATUS for digit in range(10)]
"""The counter of a status, by its first digit."""

COUNTERS |= {each.counter: f"exchanges that ended with `{each.value}`" for each in CloseReason}
COUNTERS |= {f"answers.{status}": f"requests the server itself answered with {status}" for status in ANSWERS}


class Counters(dict[str, int]):
    """The counters of one server. What happens for each request is counted as ``counters[name] += 1``; a
    name that is not declared raises KeyError. `tallies` are those of its virtualhosts, `of_plugins` the
    meanings of what plugins declared, by name."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(COUNTERS, 0))
        self.tallies = Tallies()
        self.of_plugins: dict[str, str] = {}

    def declare(self, meanings: Mapping[str, str]) -> None:
        """Counters of plugins, beginning at 0."""
        self.of_plugins.update(meanings)
        self.update(dict.fromkeys(meanings, 0))

    def add(self, name: str, n: int = 1) -> None:
        """Count `n`. Raises KeyError like ``+=``."""
        self[name] += n

    def snapshot(self) -> dict[str, int]:
        """A copy of all values by name."""
        return dict(self)


def metric_name(name: str) -> str:
    """As `/metrics` has it, without prefix and suffix: ``policy.too-large`` is ``policy_too_large``."""
    return re.sub("[^A-Za-z0-9_]", "_", name)
