"""The options that concern TLS, beside `bind-ssl`: of the server, of a virtualhost, and the inherited one.

Only declarations, like server_options.py. What the two levels mean together is tls_settings.py's.
"""

from __future__ import annotations

from functools import partial

from blastbeat.config.option import INHERITED, SERVER, VIRTUALHOST, Option
from blastbeat.config.values import Choice, Flag, Path

_server = partial(Option, scope=SERVER)
_own = partial(Option, scope=VIRTUALHOST, unset="the server's")

_VERIFY = Choice(("off", "optional", "required"))

SERVER_TLS_OPTIONS: tuple[Option, ...] = (
    _server(
        "certificate",
        Path(),
        explanation="Certificate chain (PEM, the server's own first) for HTTPS where a virtualhost has none "
        "of its own, and for clients that ask for no name or one that nobody has.",
        example="/etc/blastbeat/server.pem",
    ),
    _server(
        "key",
        Path(),
        explanation="Private key (PEM, without a passphrase) of `certificate`.",
        example="/etc/blastbeat/server.key",
        unset="in the file of `certificate`",
    ),
    _server(
        "client-ca",
        Path(),
        explanation="Authorities (PEM) that certificates of clients must come from, where a virtualhost "
        "names none itself.",
        example="/etc/blastbeat/clients-ca.pem",
    ),
    _server(
        "client-verify",
        _VERIFY,
        explanation="Whether clients show a certificate, where a virtualhost does not say: `off`, "
        "`optional`, or `required`, without which there is no connection.",
        example="required",
        unset="required where `client-ca` is set, else off",
    ),
)

OWN_TLS_OPTIONS: tuple[Option, ...] = (
    _own(
        "certificate",
        Path(),
        explanation="Certificate chain (PEM, its own first) of this virtualhost, for clients that ask for "
        "one of its names (SNI).",
        example="/etc/blastbeat/example.org.pem",
    ),
    _own(
        "key",
        Path(),
        explanation="Private key (PEM, without a passphrase) of `certificate`.",
        example="/etc/blastbeat/example.org.key",
        unset="in the file of `certificate`; without one of its own, the server's",
    ),
    _own(
        "client-ca",
        Path(),
        explanation="Authorities (PEM) that certificates of its clients must come from.",
        example="/etc/blastbeat/example.org-clients.pem",
    ),
    _own(
        "client-verify",
        _VERIFY,
        explanation="Whether its clients show a certificate: `off`, `optional`, or `required`. Nodes hear of "
        "it as `SSL_CLIENT_VERIFY` and `SSL_CLIENT_S_DN`.",
        example="optional",
        unset="required where it has a `client-ca`; else the server's",
    ),
)

TLS_OPTIONS: tuple[Option, ...] = (
    Option(
        "https-redirect",
        Flag(),
        scope=INHERITED,
        explanation="Requests that came without TLS are sent to the same address with `https`, but those "
        "below `/.well-known/acme-challenge/`.",
        example="no",
    ),
)
