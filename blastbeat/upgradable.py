"""The part of a stream that its WebSocket speaks to, on both sides; each word is handed on to `upgrading`.

Decides nothing; a base of `stream.Stream`, which has all the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from blastbeat import upgrading
from blastbeat.events import CloseReason, NodeHead
from blastbeat.progress import Phase

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream


class Upgradable:
    """See `websocket_side.WebSocketOwner` and `client.WebSocketClient` for who calls what."""

    __slots__ = ()

    _dispatcher: Dispatcher

    # As they are: these two are called for each message.
    message_received = upgrading.message_received
    message_passed = upgrading.message_passed

    def upgrade_accepted(self, head: NodeHead) -> None:
        """The node's 101."""
        upgrading.accepted_by_node(cast("Stream", self), self._dispatcher, head)

    def close_websocket(self, reason: CloseReason, code: int, text: bytes, detail: str) -> None:
        """The node's side is over."""
        upgrading.close(cast("Stream", self), self._dispatcher, reason, code, text, detail)

    def end_websocket(self, reason: CloseReason, detail: str) -> None:
        """What would cut a response."""
        upgrading.end(cast("Stream", self), self._dispatcher, reason, detail)

    def websocket_over(self, reason: CloseReason, code: int, text: bytes, detail: str = "") -> None:
        """The connection is done with it; `code` and `text` are those of its close frame."""
        upgrading.over(cast("Stream", self), self._dispatcher, reason, code, text, detail)

    def websocket_lost(self, reason: CloseReason, detail: str) -> None:
        """The client is gone, without a close frame that anybody knows of."""
        upgrading.lost(cast("Stream", self), self._dispatcher, reason, detail)

    def websocket_ended(self, reason: CloseReason, detail: str) -> None:
        """Session and exchange are over."""
        stream = cast("Stream", self)
        stream.phase = Phase.CLOSED
        stream.drop_session(reason)
        stream.report(reason, detail)
