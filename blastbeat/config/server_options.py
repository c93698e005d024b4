"""The options of the server as a whole, and those of `[plugins]`.

Only declarations. Bounds are where a value stops making sense or protecting, not where it stops being wise.
"""

from __future__ import annotations

from functools import partial

from blastbeat.config.model import GIB, KIB, MIB
from blastbeat.config.names import AddressKind, DriverKind, EndpointKind, NetworkKind
from blastbeat.config.option import PLUGINS, SERVER, Option
from blastbeat.config.tls_options import SERVER_TLS_OPTIONS
from blastbeat.config.values import SIZE, TIME, Account, Choice, Count, LogTarget, Path, SocketPath, Words

DAY = 86400.0
WORD = Words("names", r"[A-Za-z0-9_.*-]+", "write names with spaces between them")

_server = partial(Option, scope=SERVER)
_plugins = partial(Option, scope=PLUGINS, restart=True)

SERVER_OPTIONS: tuple[Option, ...] = (
    _server(
        "bind",
        AddressKind(for_clients=True),
        explanation="Addresses to accept HTTP clients on, for virtualhosts without addresses of their own. "
        "With `proxy-protocol` behind it, whoever connects begins with a PROXY protocol header (v1 or v2), "
        "and must be one of `trusted-proxies`. "
        "A PRIORITY after the address, as the original had it, is accepted and ignored.",
        example="0.0.0.0:8080",
        repeated=True,
    ),
    _server(
        "bind-ssl",
        AddressKind(is_tls=True),
        explanation="The same for HTTPS clients; which certificate they see, the name they ask for decides.",
        example="0.0.0.0:8443",
        repeated=True,
    ),
    *SERVER_TLS_OPTIONS,
    _server(
        "zmq",
        EndpointKind(),
        explanation="ZeroMQ endpoints that nodes connect to: `tcp://host:port` or `ipc://path`. "
        "Together they are one ROUTER. Keep tcp on loopback or a trusted network: nodes show only a name.",
        example="tcp://127.0.0.1:5000",
        repeated=True,
    ),
    _server(
        "ping-freq",
        TIME,
        explanation="A node not heard from for so long is sent a `ping`; after three such periods "
        "it is unavailable.",
        example="3s",
        minimum=0.05,
        maximum=DAY,
    ),
    _server(
        "stats-freq",
        TIME,
        explanation="How often figures are written to the log.",
        example="60s",
        minimum=1,
        maximum=DAY,
        zero="never",
    ),
    _server(
        "uid",
        Account(),
        explanation="User to become, for good and with the server's files, once everything is bound; "
        "only where the server was started as root.",
        example="www-data",
        restart=True,
    ),
    _server(
        "gid",
        Account(),
        explanation="Group to become once everything is bound; by default the main group of `uid`.",
        example="www-data",
        restart=True,
    ),
    _server(
        "sessions",
        Count(),
        explanation="Sessions at the same time, over all virtualhosts; one more is answered 503.",
        example="10000",
        minimum=1,
        maximum=10_000_000,
        zero="no limit",
    ),
    _server(
        "connections",
        Count(),
        explanation="Client connections at the same time, idle ones too; one more is closed at once. "
        "The limit of open files is raised to what they need.",
        example="20000",
        minimum=1,
        maximum=10_000_000,
        zero="no limit",
    ),
    _server(
        "writequeue-buffer",
        SIZE,
        explanation="What may wait for one client; a session with more is closed as a slow client.",
        example="8MiB",
        minimum=64 * KIB,
        maximum=16 * GIB,
    ),
    _server(
        "memory",
        SIZE,
        explanation="What may wait for all clients together, and messages of WebSockets that are not "
        "whole yet; beyond it the largest queue of the virtualhost that is over its own share is closed.",
        example="2GiB",
        minimum=MIB,
        maximum=1024 * GIB,
        zero="no limit",
    ),
    _server(
        "driver",
        DriverKind(),
        explanation="Which driver reads HTTP/1.1: `auto` takes the best there is.",
        example="auto",
    ),
    _server(
        "websocket-driver",
        DriverKind("websocket-driver"),
        explanation="Which driver reads WebSockets: `auto` takes the best there is.",
        example="auto",
    ),
    _server(
        "drain",
        TIME,
        explanation="After SIGTERM, how long running requests may take to finish.",
        example="10s",
        minimum=0,
        maximum=DAY,
        zero="not waiting",
    ),
    _server(
        "header-timeout",
        TIME,
        explanation="How long a client may take to send a request head; then 408.",
        example="30s",
        minimum=0.05,
        maximum=DAY,
        zero="no timeout",
    ),
    _server(
        "handshake-timeout",
        TIME,
        explanation="How long a client may take for the TLS handshake; then it is closed.",
        example="10s",
        minimum=0.05,
        maximum=DAY,
        zero="no timeout",
    ),
    _server(
        "max-head",
        SIZE,
        explanation="Size of a request head, first line included; more is answered 431.",
        example="64KiB",
        minimum=KIB,
        maximum=MIB,
    ),
    _server(
        "max-uri",
        SIZE,
        explanation="Length of a request target; more is answered 414. Below `max-head`.",
        example="16KiB",
        minimum=64,
        maximum=MIB,
    ),
    _server(
        "max-headers",
        Count(),
        explanation="Header fields of one request; more is answered 431 (the original: 64).",
        example="100",
        minimum=1,
        maximum=10_000,
    ),
    _server(
        "read-ahead",
        SIZE,
        explanation="What is read of a client while its last request is still being answered, "
        "so that its leaving is noticed.",
        example="64KiB",
        minimum=KIB,
        maximum=64 * MIB,
    ),
    _server(
        "session-share",
        SIZE,
        explanation="What one session may have waiting for its node before its client is read no further.",
        example="256KiB",
        minimum=4 * KIB,
        maximum=GIB,
    ),
    _server(
        "node-queue",
        SIZE,
        explanation="What may wait for one instance of a node; a full one is offered no new session.",
        example="8MiB",
        minimum=64 * KIB,
        maximum=16 * GIB,
    ),
    _server(
        "credit",
        SIZE,
        explanation="Body bytes per session that a node which asked for credit may send ahead.",
        example="1MiB",
        minimum=4 * KIB,
        maximum=GIB,
        restart=True,
    ),
    _server(
        "max-message",
        SIZE,
        explanation="Size of one ZeroMQ frame from a node; a larger one costs the node its connection. "
        "Above `writequeue-buffer`.",
        example="64MiB",
        minimum=64 * KIB,
        maximum=16 * GIB,
        restart=True,
    ),
    _server(
        "high-water-mark",
        Count(),
        explanation="Messages that ZeroMQ itself may hold for each node, in each direction.",
        example="128",
        minimum=1,
        maximum=100_000,
        restart=True,
    ),
    _server(
        "trusted-proxies",
        NetworkKind(),
        explanation="Addresses or networks whose `Forwarded`, `X-Forwarded-*` and `X-Real-IP` are believed, "
        "and their PROXY headers on `proxy-protocol` addresses, where nobody else gets in.",
        example="10.0.0.0/8",
        repeated=True,
        may_be_empty=True,
        unset="none",
    ),
    _server(
        "log-level",
        Choice(("debug", "info", "warning", "error")),
        explanation="How much is logged.",
        example="info",
    ),
    _server(
        "log-format",
        Choice(("text", "json")),
        explanation="How both logs are written: a line of text, or a JSON object per line.",
        example="text",
        restart=True,
    ),
    _server(
        "access-log",
        LogTarget(("stderr", "off")),
        explanation="Where a line per request goes. Files are opened anew on SIGUSR1.",
        example="/var/log/blastbeat/access.log",
    ),
    _server(
        "error-log",
        LogTarget(("stderr",)),
        explanation="Where everything else goes.",
        example="/var/log/blastbeat/error.log",
        restart=True,
    ),
    _server(
        "log-queue",
        Count(),
        explanation="Lines that may wait to be written to each log; further ones are lost and counted.",
        example="20000",
        minimum=100,
        maximum=10_000_000,
        restart=True,
    ),
    _server(
        "stats-bind",
        AddressKind(),
        explanation="Address of the status page, `/status.json` and `/metrics`. It asks for no password: "
        "keep it on loopback.",
        example="127.0.0.1:9180",
        unset="off",
        restart=True,
    ),
    _server(
        "control",
        SocketPath(),
        explanation="Unix socket that the commands reload and status speak to the server by; "
        "open to its own user only.",
        example="/run/blastbeat/control.sock",
        unset="off",
        restart=True,
    ),
)

PLUGINS_OPTIONS: tuple[Option, ...] = (
    _plugins(
        "load",
        WORD,
        explanation="Which installed plugins are loaded: `*` for all, or their names.",
        example="*",
        repeated=True,
        may_be_empty=True,
        attribute="plugins_load",
    ),
    _plugins(
        "disabled",
        WORD,
        explanation="Plugins that are not loaded, built-in ones too.",
        example="access-log",
        repeated=True,
        may_be_empty=True,
        unset="none",
        attribute="plugins_disabled",
    ),
    _plugins(
        "files",
        Path(),
        explanation="Python files that are loaded as plugins.",
        example="/etc/blastbeat/plugins/mine.py",
        repeated=True,
        may_be_empty=True,
        unset="none",
        attribute="plugins_files",
    ),
)
