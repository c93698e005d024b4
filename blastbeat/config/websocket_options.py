"""The options that concern WebSockets, each with a default for all virtualhosts in the server's section.

Only declarations, like server_options.py.
"""

from __future__ import annotations

from functools import partial

from blastbeat.config.model import GIB
from blastbeat.config.option import INHERITED, Option
from blastbeat.config.values import SIZE, TIME, Choice, Count, Words

TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_ORIGIN = r"\*|same|https?://[A-Za-z0-9.:\[\]*_-]+"

_websocket = partial(Option, scope=INHERITED)

WEBSOCKET_OPTIONS: tuple[Option, ...] = (
    _websocket(
        "websocket-protocols",
        Words("protocols", TOKEN, "write protocol names such as chat"),
        explanation="WebSocket subprotocols; the first one that the client offers is selected.",
        example="chat",
        repeated=True,
        may_be_empty=True,
        unset="none",
    ),
    _websocket(
        "websocket-accept",
        Choice(("auto", "server", "node")),
        explanation="Who answers a WebSocket handshake; `auto`: a node that says it can, else the server.",
        example="auto",
    ),
    _websocket(
        "websocket-origins",
        Words("origins", _ORIGIN, "write `same`, or origins such as https://example.org"),
        explanation="Pages that may open WebSockets: `same` for those of the host asked for, or origins such "
        "as `https://example.org`; any other is answered 403. A client that sends no `Origin` is no browser.",
        example="same",
        repeated=True,
        may_be_empty=True,
        unset="any",
    ),
    _websocket(
        "websocket-ping",
        TIME,
        explanation="How long a WebSocket client may be silent before it is pinged; "
        "one that is silent for as long again is closed.",
        example="20s",
        minimum=0.05,
        maximum=86400,
        zero="no pings",
    ),
    _websocket(
        "websocket-max-message",
        SIZE,
        explanation="Size of a message from a WebSocket client; a larger one closes it with 1009.",
        example="1MiB",
        minimum=125,
        maximum=GIB,
    ),
    _websocket(
        "websocket-compression",
        Choice(("off", "deflate")),
        explanation="`deflate` agrees to `permessage-deflate` where a client offers it. It costs memory.",
        example="off",
    ),
    _websocket(
        "websocket-window-bits",
        Count(),
        explanation="Size of the windows that compression uses, as a power of two.",
        example="12",
        minimum=9,
        maximum=15,
    ),
)
