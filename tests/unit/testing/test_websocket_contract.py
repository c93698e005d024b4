"""The contract of WebSocket drivers catches drivers that break it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from blastbeat.events import Buffer, WebSocketEvent, WebSocketFailure, WebSocketMessage, WebSocketPing
from blastbeat.interfaces import WebSocketDriver, WebSocketOptions
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory
from blastbeat.testing import WebSocketDriverContract


class Altered:
    """The reference driver, its events altered on their way."""

    def __init__(self, driver: WebSocketDriver, alter: Callable[[WebSocketEvent], WebSocketEvent]) -> None:
        self._driver = driver
        self._alter = alter
        self.send_message = driver.send_message
        self.send_ping = driver.send_ping
        self.send_pong = driver.send_pong
        self.send_close = driver.send_close

    @property
    def held(self) -> int:
        return self._driver.held

    def receive_data(self, data: Buffer) -> Sequence[WebSocketEvent]:
        return [self._alter(event) for event in self._driver.receive_data(data)]


def contract(alter: Callable[[WebSocketEvent], WebSocketEvent]) -> WebSocketDriverContract:
    class Factory:
        def negotiate(
            self, offers: Sequence[bytes], options: WebSocketOptions
        ) -> tuple[bytes, WebSocketDriver]:
            answer, driver = WsprotoDriverFactory({}).negotiate(offers, options)
            return answer, Altered(driver, alter)

    class Contract(WebSocketDriverContract):
        def new_factory(self) -> Factory:
            return Factory()

    return Contract()


def as_binary(event: WebSocketEvent) -> WebSocketEvent:
    return WebSocketMessage(1, event.data, False) if isinstance(event, WebSocketMessage) else event


def always_1002(event: WebSocketEvent) -> WebSocketEvent:
    return WebSocketFailure(1, 1002, "") if isinstance(event, WebSocketFailure) else event


def empty_pings(event: WebSocketEvent) -> WebSocketEvent:
    return WebSocketPing(1, b"") if isinstance(event, WebSocketPing) else event


@pytest.mark.parametrize(
    ("alter", "caught_by"),
    [
        (as_binary, "test_what_came_before_a_failure_is_told"),
        (always_1002, "test_text_that_is_none_fails_as_soon_as_it_is_there"),
        (always_1002, "test_a_bomb_is_refused"),
        (empty_pings, "test_events_are_the_same_however_the_bytes_come"),
    ],
)
def test_a_driver_that_breaks_it_is_caught(
    alter: Callable[[WebSocketEvent], WebSocketEvent], caught_by: str
) -> None:
    getattr(contract(lambda event: event), caught_by)()
    with pytest.raises(AssertionError):
        getattr(contract(alter), caught_by)()
