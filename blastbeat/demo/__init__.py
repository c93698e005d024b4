"""`blastbeat demo`: a server with a node of its own, to look at in a browser.

Loads nothing until `run_demo` is called, because the node process (`python -m blastbeat.demo.node`) imports
this package too and must know nothing of the server.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["run_demo"]


def run_demo(
    port: int | None = None, host: str = "127.0.0.1", announce: Callable[[str], object] = print
) -> int:
    """Serve the demo until SIGINT or SIGTERM; returns the exit code (0 clean, 3 could not start: the
    reason is on standard error).

    `port` 0 takes any free one, None the default 8080. `announce` is called with each line meant for the
    person at the terminal, first with the address, once the node really serves it. Raises BlastBeatError
    when the server or its node failed in another way.
    """
    from blastbeat.demo.run import serve_demo

    return serve_demo(host, 8080 if port is None else port, announce)
