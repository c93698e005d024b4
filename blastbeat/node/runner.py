"""One worker's serving life: the application's start, the node that serves it, its end.

Knows the application and the node; whoever supervises it is told by `report`, and asks by `stop`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from blastbeat.node.asgi import asgi_handler
from blastbeat.node.lifespan import Lifespan
from blastbeat.node.link import Link
from blastbeat.node.loading import ASGI
from blastbeat.node.node import Handler, Node
from blastbeat.node.options import Settings
from blastbeat.node.session import Session

if TYPE_CHECKING:
    from blastbeat.node.wsgi import WsgiHandler

log = logging.getLogger(__name__)


FIRST_LOOK, LATER_LOOKS = 3.0, 60.0
"""Seconds after which a server that has not answered is told of, and told of again."""


class Report(Protocol):
    """Tells the supervisor."""

    def __call__(self, type: str, /, **values: Any) -> None: ...


class Runner:
    """Runs once. `draw` gives a number from 0 to 1."""

    def __init__(
        self,
        settings: Settings,
        application: Any,
        interface: str,
        report: Report,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self._application = application
        self._is_asgi = interface == ASGI
        self._report = report
        self._left = round(settings.max_requests * (0.9 + 0.2 * draw()))
        self._is_stopping = False
        self._node: Node | None = None
        self._wsgi: WsgiHandler | None = None

    async def run(self) -> None:
        """Until `stop`. Raises LifespanFailed where the application does not start."""
        settings = self.settings
        mode = settings.lifespan if self._is_asgi else "off"
        async with Lifespan(self._application, mode, shutdown_timeout=settings.graceful_timeout) as lifespan:
            if self._is_stopping:
                return
            self._node = Node(
                settings.connect,
                settings.name,
                self._handler(lifespan),
                credit=settings.credit,
                silence=settings.silence,
                changed=self._changed,
            )
            self._report("started")
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._complain, self._node)
                    await self._node.run(graceful_timeout=settings.graceful_timeout)
                    tasks.cancel_scope.cancel()
            finally:
                if self._wsgi is not None and (left := self._wsgi.close()):
                    log.error("%d threads are still at work and are left alone", left)

    def stop(self) -> None:
        """Take no further request, finish what runs, end."""
        self._is_stopping = True
        if self._node is not None:
            self._node.stop()

    async def _complain(self, node: Node) -> None:
        """Of servers that do not answer, with what may be the reason."""
        pause = FIRST_LOOK
        while True:
            await anyio.sleep(pause)
            pause = LATER_LOOKS
            for link in node.links:
                if not (link.is_up or self._is_stopping):
                    log.warning("%s", why_silent(link))

    def _handler(self, lifespan: Lifespan) -> Handler:
        settings = self.settings
        handler: Handler
        if self._is_asgi:
            handler = asgi_handler(self._application, root_path=settings.root_path, state=lifespan.state)
        else:
            from blastbeat.node.wsgi import wsgi_handler

            handler = self._wsgi = wsgi_handler(
                self._application,
                threads=settings.threads,
                backlog=settings.backlog,
                root_path=settings.root_path,
            )
        return self._counting(handler) if settings.max_requests else handler

    def _counting(self, handler: Handler) -> Handler:
        async def handle(session: Session) -> None:
            self._left -= 1
            if self._left == 0:
                self._report("retire")
            await handler(session)

        return handle

    def _changed(self, link: Link) -> None:
        if link.is_up:
            log.info("serves %s", link.endpoint, extra={"node": link.identity.decode()})
        elif not self._is_stopping:
            log.warning("lost the server at %s, tries again", link.endpoint)
        self._report("up" if link.is_up else "lost", endpoint=link.endpoint)


def why_silent(link: Link) -> str:
    """What keeps a server from answering, as far as it can be told from here."""
    if not link.is_connected:
        return f"nobody answers at {link.endpoint}; it is tried for ever"
    return (
        f"connected to {link.endpoint}, but the server there does not answer: a virtualhost must have "
        f"node = {link.name!r}, and `instances` that allow one more (0 by default on an open network)"
    )
