"""Whether what is said of TLS fits together: addresses, certificates, what clients must show, redirects.

Text only: what is in the files is for others to find out.
"""

from __future__ import annotations

from collections.abc import Iterator

from blastbeat.config import rows
from blastbeat.config.build import Built
from blastbeat.config.model import VirtualHostConfig
from blastbeat.config.settings import Settings
from blastbeat.config.tls_settings import NOBODY, OFF, REQUIRED, plain_addresses, tls_addresses, tls_settings
from blastbeat.errors import Problem


def check_tls(built: Built) -> Iterator[Problem]:
    """What is wrong or doubtful about the keys of TLS."""
    for settings in (built.server, *(settings for settings, _ in built.virtualhosts)):
        yield from _check_pair(settings)
    yield from _check_shared_certificate(built)
    yield from _check_verify(built.server, NOBODY, built)
    for settings, host in built.virtualhosts:
        yield from _check_certificate(built, settings, host)
        yield from _check_verify(settings, host, built)
        yield from _check_redirect(built, settings, host)
    hosts = {id(settings): host for settings, host in built.virtualhosts}
    for route in built.routes:
        if "https-redirect" in route.settings.given and route.config.policy.https_redirect:
            yield from _check_redirect(built, route.settings, hosts[id(route.host)])


def _check_pair(settings: Settings) -> Iterator[Problem]:
    if "key" in settings.given and settings.value("key") and not settings.has("certificate"):
        row = settings.given["key"][0][0]
        yield rows.problem_at(
            settings.section, row, "there is no certificate beside it", "write certificate = and its file"
        )


def _check_shared_certificate(built: Built) -> Iterator[Problem]:
    server = built.config.server
    if "certificate" in built.server.bad or not server.bind_ssl or server.certificate:
        return
    users = [host for _, host in built.virtualhosts if not (host.bind or host.bind_ssl)]
    if users and not any(host.certificate for host in users):
        row = built.server.given["bind-ssl"][0][0]
        message = "there is no certificate for it: neither here nor in a virtualhost that is reached here"
        hint = "write certificate = and the file of a certificate chain (PEM)"
        yield rows.problem_at(built.server.section, row, message, hint)


def _check_certificate(built: Built, settings: Settings, host: VirtualHostConfig) -> Iterator[Problem]:
    server = built.config.server
    if "certificate" in settings.bad | built.server.bad:
        return
    has_one = bool(tls_settings(host, server).certificate)
    if host.bind_ssl and not has_one:
        row = settings.given["bind-ssl"][0][0]
        message = "there is no certificate for it, neither here nor in [blastbeat]"
        yield rows.problem_at(settings.section, row, message, "write certificate = and key =")
    elif host.certificate and not tls_addresses(host, server) and "bind-ssl" not in settings.bad:
        row = settings.given["certificate"][0][0]
        where = "this virtualhost has only its own bind" if host.bind else "there is no bind-ssl"
        yield rows.problem_at(
            settings.section, row, f"nobody sees it: {where}", "give it a bind-ssl", "warning"
        )
    elif not has_one and tls_addresses(host, server) and any(e.certificate for _, e in built.virtualhosts):
        message = "it has no certificate, so nobody reaches it with TLS"
        hint = "write certificate = and key =, here or in [blastbeat]"
        yield rows.problem_of(settings.section, message, hint, "warning")


def _check_verify(settings: Settings, host: VirtualHostConfig, built: Built) -> Iterator[Problem]:
    """`host`: the virtualhost of the section; one that says nothing for the server's."""
    server = built.config.server
    found = tls_settings(host, server)
    if {"client-ca", "client-verify"} & (settings.bad | built.server.bad):
        return
    given = settings.given.get("client-verify") or settings.given.get("client-ca")
    if given is None:
        return
    row = given[0][0]
    if found.client_verify != OFF and not found.client_ca:
        message = "there is no client-ca, so no certificate of a client could be checked"
        yield rows.problem_at(settings.section, row, message, "write client-ca = and the authorities' file")
    elif found.client_verify == OFF and "client-ca" in settings.given:
        row = settings.given["client-ca"][0][0]
        message = "nothing is asked of clients: client-verify is off"
        yield rows.problem_at(settings.section, row, message, severity="warning")
    elif (
        found.client_verify == REQUIRED
        and host.name
        and plain_addresses(host, server)
        and not host.https_redirect
    ):
        message = "requests that come without TLS are answered 403: they can show no certificate"
        hint = "https-redirect = true sends them on"
        yield rows.problem_at(settings.section, row, message, hint, "note")


def _check_redirect(built: Built, settings: Settings, host: VirtualHostConfig) -> Iterator[Problem]:
    """`settings`: of the virtualhost, or of a route of it that says so itself."""
    server = built.config.server
    owner = next((level for level in (settings, built.server) if "https-redirect" in level.given), None)
    if owner is None or not owner.value("https-redirect") or "bind-ssl" in settings.bad | built.server.bad:
        return
    row = owner.given["https-redirect"][0][0]
    addresses = tls_addresses(host, server)
    if not addresses and not server.trusted_proxies:
        message = f"nothing listens with TLS for {host.name}, so nobody gets where they are sent"
        hint = "give it a bind-ssl; or name the balancer that ends TLS in trusted-proxies"
        yield rows.problem_at(owner.section, row, message, hint, "warning")
    elif addresses and addresses[0].port == 0:
        message = f"the port that {host.name} is sent to is chosen at the start, so 443 is told to clients"
        yield rows.problem_at(owner.section, row, message, "give bind-ssl a port", "warning")
    elif owner is settings and not plain_addresses(host, server) and not server.trusted_proxies:
        message = "every request comes with TLS: there is no bind to send anybody on from"
        yield rows.problem_at(owner.section, row, message, severity="note")
