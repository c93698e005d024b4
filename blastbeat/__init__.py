"""BlastBeat: an HTTP proxy that hands each request to a node as ZeroMQ messages.

Names resolve on first use (PEP 562), so that `import blastbeat.node` loads nothing of the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["__version__", "hookimpl"]

if TYPE_CHECKING:
    from blastbeat.hookspecs import hookimpl


def __getattr__(name: str) -> Any:
    if name == "hookimpl":
        from blastbeat.hookspecs import hookimpl

        return hookimpl
    raise AttributeError(f"module 'blastbeat' has no attribute {name!r}")
