"""A server to look at without sockets: the real engine, and around it what a status reads of a server.

Knows `engine`; which requests and nodes there are is for the test to say.
"""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import Any, cast

from blastbeat.config.model import Address, Config, ServerConfig
from blastbeat.figures import take_figures
from blastbeat.monitoring.status import Query, RunningServer, take_status
from blastbeat.transport.outputs import OutputAccount
from tests.helpers.engine import Engine

STARTED_AT = 1_700_000_000.0


class FakeTls:
    """Certificates that expire a day, and never, after the start of the fake clock."""

    def expiries(self) -> dict[str, float]:
        return {"never.pem": inf, "soon.pem": STARTED_AT + 86400.0}


class StatusStage:
    """`server` is what a status is taken of; `engine` runs it."""

    def __init__(self, engine: Engine | None = None, **settings: Any) -> None:
        self.engine = engine or Engine()
        self.account = OutputAccount(0)
        self.server = cast(
            RunningServer,
            SimpleNamespace(
                config=Config(ServerConfig(**settings), file="blastbeat.toml"),
                counters=self.engine.counters,
                addresses=[Address("127.0.0.1", 8080)],
                endpoints=["tcp://127.0.0.1:5000"],
                driver_name="h11",
                started_at=STARTED_AT,
                loaded_at=STARTED_AT,
                generation=1,
                figures=self._figures,
                profile=None,
                wiring=SimpleNamespace(
                    context=SimpleNamespace(tls=FakeTls()),
                    dispatcher=self.engine.dispatcher,
                    sessions=self.engine.sessions,
                    account=self.account,
                ),
            ),
        )

    def _figures(self) -> object:
        engine = self.engine
        return take_figures(
            engine.clock.now, engine.counters, [engine.table], sessions=len(engine.sessions.by_sid)
        )

    def status(self, **query: Any) -> dict[str, Any]:
        """Ten seconds after its start."""
        return take_status(self.server, Query(**query), self.engine.clock.now, STARTED_AT + 10)
