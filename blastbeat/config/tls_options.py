"""The options of a virtualhost that concern TLS, beside `bind-ssl`, `certificate` and `key`.

Only declarations, like server_options.py.
"""

from __future__ import annotations

from functools import partial

from blastbeat.config.option import INHERITED, Option
from blastbeat.config.values import Flag

_tls = partial(Option, scope=INHERITED, active=False)

TLS_OPTIONS: tuple[Option, ...] = (
    _tls(
        "https-redirect",
        Flag(),
        explanation="Requests that came without TLS are sent to the same address with `https`.",
        example="no",
    ),
)
