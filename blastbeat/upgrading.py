"""A WebSocket on a stream: the handshake accepted, messages both ways, and every way it ends.

Functions on a stream, like `failover` and `overdue`. Decides; frames and close handshakes are the
connection's business, what nodes may say `websocket_side`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from blastbeat.client import Client, Upgrade
from blastbeat.errors import ClientError
from blastbeat.events import Buffer, CloseReason, Headers, NodeHead, ResponseHead
from blastbeat.exchange import Exchange
from blastbeat.filtering import begin_response, filter_data, filter_message
from blastbeat.handshake import (
    OWN_FIELDS,
    choose_protocol,
    is_origin_allowed,
    offered_protocols,
    speaks_our_version,
)
from blastbeat.headers import field_items, field_value, field_values, without
from blastbeat.interfaces import WebSocketOptions
from blastbeat.progress import Phase
from blastbeat.virtualhost import VirtualHost

if TYPE_CHECKING:
    from blastbeat.client import WebSocketClient
    from blastbeat.counters import Counters
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream

_PROTOCOL = b"sec-websocket-protocol"
GOING_AWAY, POLICY, INTERNAL_ERROR, RESTART = 1001, 1008, 1011, 1012
VANISHED = 1006

CODES = {
    CloseReason.CLIENT_LEFT: VANISHED,
    CloseReason.NODE_GONE: RESTART,
    CloseReason.NODE_DRAIN: RESTART,
    CloseReason.SERVER_STOP: RESTART,
    CloseReason.IDLE_TIMEOUT: GOING_AWAY,
    CloseReason.LIMIT: POLICY,
    CloseReason.SLOW_CLIENT: POLICY,
    CloseReason.WRITE_TIMEOUT: POLICY,
    CloseReason.MEMORY: POLICY,
    CloseReason.REFUSED: POLICY,
}
"""Close codes by the reason of a session's end; any other is 1011."""


def check_handshake(exchange: Exchange, virtualhost: VirtualHost, counters: Counters) -> None:
    """Raises ClientError: 426 for another version than ours, 403 for a page that may not."""
    headers = exchange.head.headers
    if not speaks_our_version(headers):
        counters.add("websockets.refused.version")
        raise ClientError(426, "the one version of WebSockets spoken here is 13")
    assert exchange.request is not None
    allowed = virtualhost.websocket_origins
    if not is_origin_allowed(headers, exchange.head.authority, exchange.request.scheme, allowed):
        counters.add("websockets.refused.origin")
        virtualhost.tally.hit("websocket-origins")
        raise ClientError(403, "pages of this origin may open no WebSocket here")


def forwarded(stream: Stream, dispatcher: Dispatcher) -> None:
    """The ROUTER has taken the head: the server accepts the handshake, unless that is the node's to do
    (`websocket-accept`). Whose it is, what the instance announces later does not change."""
    exchange, session, virtualhost = stream.exchange, stream.session, stream.virtualhost
    assert exchange is not None and session is not None and virtualhost is not None
    accept = stream.policy.websocket_accept
    exchange.awaits_upgrade = accept == "node" or (
        accept == "auto" and "accept" in session.instance.capabilities
    )
    if exchange.awaits_upgrade:
        return
    offered = offered_protocols(exchange.head.headers)
    protocol = choose_protocol(virtualhost.websocket_protocols, offered)
    _upgrade(stream, dispatcher, [(b"Sec-WebSocket-Protocol", protocol)] if protocol else [])


def accepted_by_node(stream: Stream, dispatcher: Dispatcher, head: NodeHead) -> None:
    """The node answers 101; what its head says besides goes to the client."""
    exchange = stream.exchange
    assert exchange is not None
    chosen = [value for value in field_values(head.headers, _PROTOCOL) if value]
    if not exchange.awaits_upgrade:
        detail = "101 from the node, but nobody asked for an upgrade"
        stream.response_failed(CloseReason.NODE_ERROR, detail)
    elif len(chosen) > 1 or not set(chosen) <= set(offered_protocols(exchange.head.headers)):
        stream.response_failed(CloseReason.NODE_ERROR, "the node chose a subprotocol that was not offered")
    else:
        if len(head.body):
            dispatcher.counters.add("messages.dropped.leftover")
        _upgrade(stream, dispatcher, _passed_on(head.headers))


def _passed_on(headers: Headers) -> Headers:
    """The fields of a 101 that are its client's business."""
    named = frozenset(field_items(headers, b"connection"))
    kept = without(headers, OWN_FIELDS | named)
    return [(name, value) for name, value in kept if value or name.lower() != _PROTOCOL]


def _upgrade(stream: Stream, dispatcher: Dispatcher, headers: Headers) -> None:
    exchange, session, policy = stream.exchange, stream.session, stream.policy
    virtualhost = stream.virtualhost
    assert exchange is not None and session is not None and virtualhost is not None
    head = ResponseHead(exchange.head.stream_id, 101, b"Switching Protocols", headers, None, bodyless=True)
    exchange.status = 101
    exchange.answered_at = stream.progress.moved
    exchange.kept = None
    if exchange.view is not None:
        head = begin_response(exchange, stream.virtualhost, stream.client, head)
    asked = exchange.head.headers
    websocket = stream.client.upgrade(
        Upgrade(
            field_value(asked, b"sec-websocket-key") or b"",
            without(head.headers, OWN_FIELDS),
            WebSocketOptions(
                policy.websocket_max_message,
                policy.websocket_compression != "off",
                policy.websocket_window_bits,
            ),
            list(field_values(asked, b"sec-websocket-extensions")),
            policy.websocket_ping,
        )
    )
    stream.client = cast(Client, websocket)  # no response is sent to it any more
    stream.phase = Phase.UPGRADED
    session.upgraded(websocket, exchange)
    exchange.forget_details()
    dispatcher.counters.add("websockets.opened")
    virtualhost.count.add_websockets(1)
    dispatcher.notice(dispatcher.lifecycle.session_upgraded, session, None)
    if dispatcher.is_stopping:
        close(stream, dispatcher, CloseReason.SERVER_STOP, RESTART, b"", "the server stops")


# ---------------------------------------------------------------- messages


def message_received(stream: Stream, data: Buffer, is_text: bool) -> None:
    """A whole message of the client."""
    exchange, session, dispatcher = stream.exchange, stream.session, stream._dispatcher
    if exchange is None or session is None or stream.phase is not Phase.UPGRADED:
        return
    size = len(data)
    exchange.bytes_in += size
    exchange.messages_in += 1
    dispatcher.counters["websockets.messages.in"] += 1
    session.virtualhost.tally.messages_in += 1
    if exchange.view is not None and not _pass_filters(stream, dispatcher, exchange, "in", size):
        return
    is_binary = not is_text and "binary" in session.instance.capabilities
    session.upload.message(b"websocket-binary" if is_binary else b"websocket", data)


def message_passed(stream: Stream, size: int) -> None:
    """A message of the node was given to the client."""
    exchange, session, dispatcher = stream.exchange, stream.session, stream._dispatcher
    dispatcher.counters["websockets.messages.out"] += 1
    if session is not None:
        session.virtualhost.tally.messages_out += 1
    if exchange is not None and exchange.view is not None:
        _pass_filters(stream, dispatcher, exchange, "out", size)


def _pass_filters(
    stream: Stream, dispatcher: Dispatcher, exchange: Exchange, direction: str, size: int
) -> bool:
    """False where a filter ends the session."""
    reason = filter_message(exchange, stream.virtualhost, direction, size)
    if reason is None:
        reason = filter_data(exchange, stream.virtualhost, stream.client, direction, size)
    if reason is None:
        return True
    if isinstance(reason, ClientError):
        stream.refuse(reason)
    elif reason is CloseReason.PLUGIN_ERROR:
        end(stream, dispatcher, reason, "a filter failed")
    else:
        close(stream, dispatcher, reason, POLICY, b"", "a filter ended it")
    return False


# ---------------------------------------------------------------- endings


def close(
    stream: Stream, dispatcher: Dispatcher, reason: CloseReason, code: int, text: bytes, detail: str
) -> None:
    """Our end of it: the node hears the code now, the client in a close frame behind what was sent."""
    client = stream.client
    over(stream, dispatcher, reason, code, text, detail)
    cast("WebSocketClient", client).close_websocket(code, text)


def end(stream: Stream, dispatcher: Dispatcher, reason: CloseReason, detail: str) -> None:
    """What would cut a response, or abandon its connection, closes a WebSocket with the code for it."""
    close(stream, dispatcher, reason, CODES.get(reason, INTERNAL_ERROR), b"", detail)


def lost(stream: Stream, dispatcher: Dispatcher, reason: CloseReason, detail: str) -> None:
    """The connection is gone: for a reason of its own, or its client vanished."""
    over(stream, dispatcher, reason, CODES.get(reason, INTERNAL_ERROR), b"", detail)


def over(
    stream: Stream, dispatcher: Dispatcher, reason: CloseReason, code: int, text: bytes, detail: str
) -> None:
    """The WebSocket is over, exactly once for each, with this code, whoever closed it."""
    exchange, session = stream.exchange, stream.session
    assert exchange is not None
    exchange.close_code = code
    exchange.response_done = reason in _ORDERLY
    dispatcher.counters.add("websockets.closed")
    if stream.virtualhost is not None:
        stream.virtualhost.count.add_websockets(-1)
    if session is not None:
        session.ending = b"%d %b" % (code, text) if text else b"%d" % code
    stream.websocket_ended(reason, detail)


_ORDERLY = frozenset({CloseReason.COMPLETE, CloseReason.NODE_END})
