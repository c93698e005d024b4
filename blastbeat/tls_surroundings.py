"""What `check` says of the files of TLS: whether they load, belong together, cover the names of their
virtualhosts, and how long they are good.

Reads files, each once; serves nothing.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from blastbeat.certificates import WEAK_RSA, BadCertificate, Certificate, is_in_order, read_chain
from blastbeat.config.build import Built
from blastbeat.config.names import split_host_name
from blastbeat.config.rows import problem_at, problem_of
from blastbeat.config.settings import Settings
from blastbeat.config.tls_settings import tls_addresses, tls_settings
from blastbeat.errors import ConfigError, Problem
from blastbeat.transport.tls_contexts import SOON, load_contexts

_PRIVATE = b"PRIVATE KEY-----"

MAX_NAMED = 5
"""Names that a certificate does not cover, per virtualhost, that are told."""


def examine_tls(built: Built, now: float | None = None) -> Iterator[Problem]:
    """`now`: seconds since 1970, by default the present."""
    unread: set[str] = set()
    try:
        load_contexts(built.config, ())
    except ConfigError as error:
        yield from error.problems
        unread = {problem.value for problem in error.problems if problem.key == "certificate"}
    now = time.time() if now is None else now
    chains: dict[str, list[Certificate]] = {}
    for settings in built.all_settings:
        yield from _examine_files(settings, chains, unread, now)
    server = built.config.server
    for settings, host in built.virtualhosts:
        chain = chains.get(tls_settings(host, server).certificate)
        if chain and tls_addresses(host, server):
            yield from _examine_names(settings, (host.name, *host.alias), chain[0])


def _examine_files(
    settings: Settings, chains: dict[str, list[Certificate]], unread: set[str], now: float
) -> Iterator[Problem]:
    """`unread`: certificates that were told of already, because nobody can be served with them."""
    for row, (path,) in settings.given.get("certificate", ()):
        if not path or path in chains:
            continue
        chains[path] = chain = []
        try:
            with open(path, "rb") as file:
                pem = file.read()
            if _PRIVATE in pem and _everybody_reads(path):
                message = "a key is in it too, and everybody on this machine may read it"
                yield problem_at(settings.section, row, message, f"chmod 600 {path}", "warning")
            chain += read_chain(pem)
        except BadCertificate as error:
            yield problem_at(settings.section, row, f"the file holds {error}", severity="warning")
        except OSError as error:
            if path not in unread:
                yield problem_at(
                    settings.section, row, f"can't be read: {error.strerror}", severity="warning"
                )
        for message, hint, severity in _examine_chain(chain, now):
            yield problem_at(settings.section, row, message, hint, severity)
    for row, (path,) in settings.given.get("key", ()):
        if path and _everybody_reads(path):
            message = "everybody on this machine may read it"
            yield problem_at(settings.section, row, message, f"chmod 600 {path}", "warning")


def _examine_chain(chain: list[Certificate], now: float) -> Iterator[tuple[str, str, str]]:
    """Message, hint and severity of each thing."""
    if not chain:
        return
    own = chain[0]
    if now > own.not_after:
        # No error: it would keep a server, and all its other virtualhosts, from starting (ExecStartPre=).
        yield f"it expired on {_day(own.not_after)}: clients refuse it", "renew it, then reload", "warning"
    elif now > own.not_after - SOON:
        yield f"it expires on {_day(own.not_after)}", "renew it, then reload", "warning"
    if now < own.not_before:
        yield f"it is not valid before {_day(own.not_before)}: clients refuse it until then", "", "warning"
    if any(now > other.not_after for other in chain[1:]):
        yield "a certificate further on in its chain has expired", "get the chain anew", "warning"
    if not is_in_order(chain):
        hint = "put the server's own first, then the one that issued it, and so on"
        yield "the chain is not in order, and some clients do not sort it", hint, "warning"
    if 0 < own.rsa_bits < WEAK_RSA:
        yield f"its RSA key has {own.rsa_bits} bits; clients want {WEAK_RSA}", "make a new one", "warning"
    if not own.names:
        yield "it has no subjectAltName: today's clients accept it for no name", "", "warning"


def _examine_names(settings: Settings, names: tuple[str, ...], own: Certificate) -> Iterator[Problem]:
    named = [name for name in names if name.partition(":")[0] != "*"]
    hosts = dict.fromkeys(split_host_name(name)[0].strip("[]") for name in named)
    missing = [host for host in hosts if not own.covers(_ascii(host))]
    if not missing:
        return
    listed = ", ".join(missing[:MAX_NAMED])
    more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
    message = f"its certificate does not cover {listed}{more}: clients that ask for that by TLS refuse it"
    hint = f"it covers {', '.join(own.names[:MAX_NAMED])}" if own.names else ""
    if "certificate" in settings.given:
        yield problem_at(settings.section, settings.given["certificate"][0][0], message, hint, "warning")
    else:
        yield problem_of(settings.section, message, hint, "warning")


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()


def _everybody_reads(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IROTH)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
