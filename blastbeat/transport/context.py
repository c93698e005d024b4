"""What all client connections of a server share, in one frozen object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blastbeat.config.model import ServerConfig
from blastbeat.counters import Counters
from blastbeat.dispatcher import Dispatcher
from blastbeat.facts import TrustedProxies
from blastbeat.interfaces import Clock, DriverFactory, HttpLimits, WebSocketDriverFactory
from blastbeat.transport.outputs import OutputAccount, Outputs
from blastbeat.transport.timers import TimerWheel
from blastbeat.transport.tls_contexts import TlsTable

if TYPE_CHECKING:
    from blastbeat.transport.tls_preface import HandshakeTurns


@dataclass(frozen=True, slots=True)
class ConnectionContext:
    """`date_now` is the `Date` field's value, as drivers want it."""

    config: ServerConfig
    limits: HttpLimits
    driver: DriverFactory
    websocket_driver: WebSocketDriverFactory
    dispatcher: Dispatcher
    clock: Clock
    counters: Counters
    timers: TimerWheel
    outputs: Outputs
    account: OutputAccount
    trusted_proxies: TrustedProxies
    date_now: Callable[[], bytes]
    loop: asyncio.AbstractEventLoop
    handshakes: HandshakeTurns
    tls: TlsTable | None = None
