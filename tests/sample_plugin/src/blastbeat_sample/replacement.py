"""A plugin that takes a built-in's place by registering its name, and keeps state in a class of its own."""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.interfaces import ExchangeView, Register

from . import NamedSelector


class Replacement:
    """Made once per server."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    @hookimpl
    def blastbeat_register_selectors(self, register: Register) -> None:
        register("least-connections", lambda options: NamedSelector("app2"))

    @hookimpl
    def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
        self.statuses.append(view.status)
