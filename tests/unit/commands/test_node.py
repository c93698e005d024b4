"""`blastbeat node`: its ready line, and who hears of the signals of its process."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import anyio

from blastbeat.arguments import build_parser
from blastbeat.commands.node import ready_line, watch_signals
from blastbeat.node.options import OPTIONS, Settings

SETTINGS = Settings("shop.asgi:application", ("tcp://a:1", "tcp://b:1"), "shop")


def test_the_ready_line_says_who_has_not_answered() -> None:
    assert ready_line(SETTINGS, []) == (
        "ready node shop zmq tcp://a:1 tcp://b:1 (shop.asgi:application, 1 worker)"
    )
    assert ready_line(replace(SETTINGS, workers=2), ["tcp://a:1", "tcp://b:1"]) == (
        "ready node shop (shop.asgi:application, 2 workers); no answer yet from tcp://a:1 tcp://b:1"
    )


def test_signals_stop_and_replace() -> None:
    heard: list[str] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch_signals, lambda: heard.append("stop"), lambda: heard.append("replace"))
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
                before = len(heard)
                os.kill(os.getpid(), number)
                while len(heard) == before:  # noqa: ASYNC110
                    await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert heard == ["replace", "stop", "stop"]


def test_each_option_stands_on_the_command_line_and_nothing_is_said_by_default() -> None:
    given = vars(build_parser().parse_args(["node"]))
    assert {option.field for option in OPTIONS} <= set(given)
    assert not any(value for name, value in given.items() if name != "command")
