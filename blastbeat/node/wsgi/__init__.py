"""WSGI applications (PEP 3333) as handlers: each request in a thread of a pool.

    anyio.run(Node("tcp://127.0.0.1:5000", "app", wsgi_handler(application)).run)

Knows sessions, not how they travel.
"""

from __future__ import annotations

from blastbeat.node.wsgi.handler import DEFAULT_THREADS, WsgiHandler, wsgi_handler

__all__ = ["DEFAULT_THREADS", "WsgiHandler", "wsgi_handler"]
