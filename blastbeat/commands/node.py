"""`blastbeat node APP`: an application's worker processes, until they are stopped.

Knows where settings come from, what the person who started it is told, and the signals; the rest is the
supervisor's.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
from collections.abc import Callable, Sequence

import anyio

from blastbeat.errors import StartError
from blastbeat.logs import tell
from blastbeat.node.log_lines import set_up_log
from blastbeat.node.options import Settings
from blastbeat.node.settings import read_settings
from blastbeat.node.supervised import FAREWELL
from blastbeat.node.supervisor import Supervisor
from blastbeat.node.watching import check_watching, watch
from blastbeat.transport.systemd import Notifier

NAMES = 3
"""Changed files that are named."""

log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Run the node until a signal ends it. Raises ConfigError, StartError."""
    settings = read_settings(vars(options), os.environ, folder=os.getcwd())
    set_up_log(settings.log_level, settings.log_format, settings.name)
    # Taken out of the environment, so that no worker speaks for the supervisor.
    notifier = Notifier.from_environment(os.environ)
    try:
        anyio.run(_run, settings, notifier)
    finally:
        notifier.close()
    return 0


async def _run(settings: Settings, notifier: Notifier) -> None:
    def ready(silent: Sequence[str]) -> None:
        tell(ready_line(settings, silent))
        notifier.ready(f"{settings.app} as {settings.name}")

    supervisor = Supervisor(settings, ready=ready)

    def stop() -> None:
        notifier.stopping(2 * settings.graceful_timeout + FAREWELL)
        supervisor.stop()

    async with anyio.create_task_group() as tasks:
        await tasks.start(watch_signals, stop, supervisor.replace)
        await supervise(supervisor, settings)
        tasks.cancel_scope.cancel()


async def supervise(supervisor: Supervisor, settings: Settings) -> None:
    """Until it is stopped; its workers follow the code where that is wanted. Raises StartError."""
    if not settings.reload:
        await supervisor.run()
        return
    check_watching()

    def changed(names: list[str]) -> None:
        more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
        log.info("%s%s changed", ", ".join(names[:NAMES]), more)
        supervisor.replace()

    folders = settings.reload_dir or (settings.app_dir,)
    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch, folders, changed)
            await supervisor.run()
            tasks.cancel_scope.cancel()
    except* StartError as group:
        raise group.exceptions[0] from None


async def watch_signals(
    stop: Callable[[], None],
    replace: Callable[[], None],
    *,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """SIGTERM and SIGINT stop, SIGHUP replaces all workers."""
    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: replace}
    with anyio.open_signal_receiver(*handlers) as signals:
        task_status.started()
        async for received in signals:
            handlers[received]()


def ready_line(settings: Settings, silent: Sequence[str]) -> str:
    """`ready`, what runs, and who has not answered yet."""
    workers = f"{settings.workers} worker{'' if settings.workers == 1 else 's'}"
    known = [endpoint for endpoint in settings.connect if endpoint not in silent]
    places = f" zmq {' '.join(known)}" if known else ""
    waiting = f"; no answer yet from {' '.join(silent)}" if silent else ""
    return f"ready node {settings.name}{places} ({settings.app}, {workers}){waiting}"
