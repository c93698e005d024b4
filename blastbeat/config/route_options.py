"""The options of a route: what it asks of a request, and what it may say of the virtualhost's.

Only declarations, like virtualhost_options.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from blastbeat.config.option import ROUTE, Option
from blastbeat.config.route_values import FieldMatchKind, PathPrefix
from blastbeat.config.values import Flag, Percentage, Words
from blastbeat.config.virtualhost_options import OWN_OPTIONS

_METHOD = r"[A-Z0-9!#$%&'*+.^_`|~-]+"
_route = partial(Option, scope=ROUTE)

ROUTING_OPTIONS: tuple[Option, ...] = (
    _route(
        "path",
        PathPrefix(),
        explanation="The path it is for, and everything below it.",
        example="/api",
        unset="the section's name where that begins with `/`, else `/`",
    ),
    _route(
        "method",
        Words("methods", _METHOD, "write methods such as GET HEAD, in capitals"),
        explanation="Methods it is for.",
        example="GET HEAD",
        repeated=True,
        unset="any",
        attribute="methods",
    ),
    _route(
        "header",
        FieldMatchKind("header", folds_case=True),
        explanation="A header field that a request must have, with this value where one is written; of "
        "several, all of them.",
        example="X-Beta=yes",
        repeated=True,
        unset="any",
        attribute="headers",
    ),
    _route(
        "cookie",
        FieldMatchKind("cookie", folds_case=False),
        explanation="A cookie that a request must bring, with this value where one is written; of several, "
        "all of them.",
        example="beta=yes",
        repeated=True,
        unset="any",
        attribute="cookies",
    ),
    _route(
        "share",
        Percentage(),
        explanation="The share of the clients it is for, always the same ones: a client is what "
        "`REMOTE_ADDR` says. Shares of routes with the same path do not overlap.",
        example="10%",
        unset="all",
    ),
    _route(
        "strip-prefix",
        Flag(),
        explanation="The path goes from `PATH_INFO` to `SCRIPT_NAME`, from the target (`headers` encoder) to "
        "`X-Forwarded-Prefix`. `REQUEST_URI` stays as it came.",
        example="yes",
    ),
)

_ALSO_OF_ROUTES = ("node", "sessions", "bandwidth")

OWN_OPTIONS_OF_ROUTES = tuple(option for option in OWN_OPTIONS if option.name in _ALSO_OF_ROUTES)
"""A virtualhost's own keys that a route may have as well. Of these only `node` is inherited: the limits of a
virtualhost hold for all of it, and a route's come on top."""

NOT_OF_ROUTES: Mapping[str, str] = {
    "alias": "a route is for the hosts of its virtualhost",
    "bind": "clients connect before they say which path they want",
    "bind-ssl": "clients connect before they say which path they want",
    "certificate": "clients see it before they say which path they want",
    "key": "clients see its certificate before they say which path they want",
    "client-ca": "clients show their certificate before they say which path they want",
    "client-verify": "clients show their certificate before they say which path they want",
    "zmq": "the nodes of a route connect where those of its virtualhost do",
    "memory": "it bounds what waits for all clients of the virtualhost together",
    "cache": "the virtualhost has one for all its routes",
}
"""Keys of a virtualhost that its routes can't have, and why."""
