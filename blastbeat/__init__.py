"""BlastBeat: an HTTP proxy that hands each request to a node as ZeroMQ messages.

Names resolve on first use (PEP 562), so that `import blastbeat.node` loads nothing of the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

API_VERSION = (1, 0)
"""Of hooks and everything else that plugins build on: (major, minor). What raises which is in
docs/explanation/plugin-api-versions.md; docs/reference/make_api.py says when it must."""

__all__ = ["API_VERSION", "__version__", "hookimpl"]

if TYPE_CHECKING:
    from blastbeat.hookspecs import hookimpl


def __getattr__(name: str) -> Any:
    if name == "hookimpl":
        from blastbeat.hookspecs import hookimpl

        return hookimpl
    raise AttributeError(f"module 'blastbeat' has no attribute {name!r}")
