"""Messages to and from nodes, and the only place that knows the order of ZeroMQ frames (`protocol.md` §1,
§4).

A node sees `[sid, type, body]`; our ROUTER sees its routing id in front. Knows no socket and no message type.
"""

from __future__ import annotations

SERVER_SID = b""
MAX_TYPE_LENGTH = 32
MAX_PAIRS = 64
MAX_ROUTE_LENGTH = 64
SESSION_ROUTE_LENGTH = 17  # "@" and the 16 raw bytes of a sid
