"""The options of a virtualhost: its own, and those with a default for all of them in the server's section.

Only declarations, like server_options.py.
"""

from __future__ import annotations

from functools import partial

from blastbeat.config.model import GIB, KIB, MIB
from blastbeat.config.names import AddressKind, EndpointKind, HostKind, NodeKind, PluginKind
from blastbeat.config.option import INHERITED, VIRTUALHOST, Option
from blastbeat.config.server_options import DAY
from blastbeat.config.tls_options import OWN_TLS_OPTIONS, TLS_OPTIONS
from blastbeat.config.values import (
    RATE,
    SIZE,
    SIZE_IN_MIB,
    TIME,
    Choice,
    Count,
    ErrorPageKind,
    Flag,
    Path,
    Words,
)
from blastbeat.config.websocket_options import TOKEN, WEBSOCKET_OPTIONS

_own = partial(Option, scope=VIRTUALHOST)
_inherited = partial(Option, scope=INHERITED)
_timeout = partial(_inherited, kind=TIME, minimum=0.05, maximum=30 * DAY, zero="no timeout")

OWN_OPTIONS: tuple[Option, ...] = (
    _own(
        "node",
        NodeKind(),
        explanation="Names of the nodes that serve this virtualhost: the routing id each sets on its DEALER. "
        "Words after the name (`app1 weight=3`) are for the selector.",
        example="foobar1",
        repeated=True,
        attribute="nodes",
    ),
    _own(
        "alias",
        HostKind(),
        explanation="Further names of this virtualhost, of the same forms as its own.",
        example="www.example.org",
        repeated=True,
    ),
    _own(
        "bind",
        AddressKind(for_clients=True),
        explanation="Addresses of its own; the virtualhost is then reachable on these only.",
        example="127.0.0.1:8081",
        repeated=True,
        unset="the server's",
    ),
    _own(
        "bind-ssl",
        AddressKind(is_tls=True),
        explanation="The same for HTTPS clients.",
        example="127.0.0.1:8444",
        repeated=True,
        unset="the server's",
    ),
    *OWN_TLS_OPTIONS,
    _own(
        "zmq",
        EndpointKind(),
        explanation="Endpoints of a ROUTER of its own; its nodes then connect to these only. "
        "Virtualhosts with the same list share one.",
        example="ipc:///run/blastbeat/example.sock",
        repeated=True,
        unset="the server's",
    ),
    _own(
        "sessions",
        Count(),
        explanation="Sessions of this virtualhost at the same time, besides the server's limit; "
        "one more is answered 503.",
        example="1000",
        minimum=1,
        maximum=10_000_000,
        zero="the server's limit only",
    ),
    _own(
        "memory",
        SIZE,
        explanation="What may wait for the clients of this virtualhost together, and messages of "
        "WebSockets that are not whole yet; beyond it the largest queue is closed.",
        example="512MiB",
        minimum=MIB,
        maximum=1024 * GIB,
        zero="the server's limit only",
    ),
    _own(
        "cache",
        SIZE_IN_MIB,
        explanation="Size of the cache of responses; a plain number is MiB.",
        example="64MiB",
        minimum=KIB,
        maximum=1024 * GIB,
        zero="no cache",
        active=False,
    ),
    _own(
        "bandwidth",
        RATE,
        explanation="What the clients of this virtualhost together may be sent; a plain number is kbit/s.",
        example="10Mbit/s",
        minimum=125,
        maximum=125_000_000_000,
        zero="no limit",
    ),
)

INHERITED_OPTIONS: tuple[Option, ...] = (
    _inherited(
        "request-encoder",
        PluginKind("encoder"),
        explanation="How nodes get a request head: `uwsgi` or `headers`.",
        example="uwsgi",
    ),
    _inherited(
        "selector",
        PluginKind("selector"),
        explanation="How an instance is chosen for a session: `least-connections`, `round-robin`, "
        "`weighted-round-robin`, `two-choices`, `hash` or `first`.",
        example="least-connections",
    ),
    _inherited(
        "node-authenticators",
        PluginKind("node-authenticator"),
        explanation="What a node must pass to serve this virtualhost; all must agree. "
        "`identity` asks for nothing but the right name, `address` for a network it comes from.",
        example="identity",
        repeated=True,
    ),
    _inherited(
        "request-authenticators",
        PluginKind("request-authenticator"),
        explanation="What a request must pass before a node sees it; all must agree.",
        example="address allow=10.0.0.0/8",
        repeated=True,
        may_be_empty=True,
        unset="none",
    ),
    _inherited(
        "filters",
        PluginKind("filter"),
        explanation="Filters that requests and responses run through, in this order: `redirect`, `rewrite`, "
        "`headers`, `answer`, `limits`, or a plugin's.",
        example="redirect path=/old to=/new{rest} status=301",
        repeated=True,
        may_be_empty=True,
        unset="none",
    ),
    _inherited(
        "instances",
        Count(),
        explanation="How many further instances (`name/word`) each node may have.",
        example="64",
        minimum=0,
        maximum=100_000,
        unset="64 where every endpoint is loopback or ipc, else 0",
    ),
    _timeout(
        "timeout",
        explanation="The original's one timeout (1800 s there): the value of `response-timeout` and "
        "`idle-timeout` where those are not set at the same or a nearer level.",
        example="1800",
        unset="not set",
    ),
    _timeout(
        "keep-alive",
        explanation="How long a connection may be idle between two requests.",
        example="75s",
    ),
    _timeout(
        "body-timeout",
        explanation="How long a client may pause within a request body; then 408.",
        example="60s",
    ),
    _timeout(
        "response-timeout",
        explanation="How long a node may take to begin a response; then 504.",
        example="60s",
    ),
    _timeout(
        "idle-timeout",
        explanation="How long a response that has begun may be without a byte either way.",
        example="300s",
    ),
    _timeout(
        "write-timeout",
        explanation="A client that takes nothing of what waits for it for so long is closed.",
        example="60s",
    ),
    _inherited(
        "max-body",
        SIZE,
        explanation="Size of a request body; more is answered 413.",
        example="1GiB",
        minimum=1,
        maximum=1024 * GIB,
        zero="no limit",
    ),
    _inherited(
        "node-grace",
        TIME,
        explanation="How long a node may be without a connection before its sessions end.",
        example="3s",
        minimum=0,
        maximum=DAY,
        unset="the value of `ping-freq`",
    ),
    _inherited(
        "linger",
        SIZE,
        explanation="What is still read, of an upload after its response or before a close, "
        "so that the client can read the answer.",
        example="256KiB",
        minimum=0,
        maximum=GIB,
        zero="none",
    ),
    _inherited(
        "linger-time",
        TIME,
        explanation="How long that may take.",
        example="5s",
        minimum=0,
        maximum=3600,
        zero="none",
    ),
    _inherited(
        "retry-buffer",
        SIZE,
        explanation="How much of a request body is kept so that the request can go to another instance.",
        example="64KiB",
        minimum=0,
        maximum=64 * MIB,
        zero="none",
    ),
    _inherited(
        "retry-methods",
        Words("methods", TOKEN, "write methods such as GET HEAD"),
        explanation="Methods that are safe to repeat: unanswered by a node that is gone they go to another.",
        example="GET HEAD OPTIONS",
        repeated=True,
        may_be_empty=True,
    ),
    _inherited(
        "max-hops",
        Count(),
        explanation="How many instances are tried for one request; then 503.",
        example="10",
        minimum=1,
        maximum=1000,
    ),
    _inherited(
        "hold",
        TIME,
        explanation="How long a request waits, its body unread, while no instance is available or all "
        "are full; then 503.",
        example="10s",
        minimum=0,
        maximum=3600,
        zero="not at all",
    ),
    _inherited(
        "hold-queue",
        Count(),
        explanation="Requests of one virtualhost that may wait so; one more is answered 503.",
        example="1000",
        minimum=1,
        maximum=1_000_000,
    ),
    _inherited(
        "error-page",
        ErrorPageKind(),
        explanation="A file that is the body of the server's own answers with this status: at most 1 MiB, "
        "sent as it is, of the type that its name ends in. It is read at the start and at each reload. "
        "What is set here takes the place of all that is inherited.",
        example="502 /srv/pages/502.html",
        repeated=True,
        may_be_empty=True,
        unset="a line of text",
        attribute="error_pages",
    ),
    _inherited(
        "offline",
        Path(),
        explanation="A file that is the body of a 503 while no node is there, rather than a limit reached.",
        example="/srv/pages/offline.html",
        unset="as `error-page` says for 503",
    ),
    _inherited(
        "trace",
        Flag(),
        explanation="Requests with the method TRACE go to the node; else they are answered 405.",
        example="no",
    ),
    _inherited(
        "half-close",
        Choice(("end", "finish")),
        explanation="A client closes its sending side: `end` the session at once, or `finish` the exchange.",
        example="end",
    ),
    _inherited(
        "path-info",
        Choice(("decoded", "raw")),
        explanation="`PATH_INFO` for nodes: percent-decoded, or raw as in the original.",
        example="decoded",
    ),
    *WEBSOCKET_OPTIONS,
    *TLS_OPTIONS,
)
