"""What a request must have passed to come to a virtualhost by TLS, or at all: the name its connection was
made for, a certificate of the client, `https` instead of `http`.

Pure decisions on facts of the connection; knows neither `ssl` nor how an answer is sent. A virtualhost that
asks for none of this has no rule, and costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from blastbeat.config.model import ServerConfig, VirtualHostConfig
from blastbeat.config.tls_settings import OFF, REQUIRED, tls_addresses, tls_settings
from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, Request
from blastbeat.facts import ConnectionFacts
from blastbeat.interfaces import Answer
from blastbeat.paths import is_below, normalise
from blastbeat.vhosts import parse_authority

HTTPS_PORT = 443

CHALLENGES = b"/.well-known/acme-challenge"
"""Below it certificates are asked for (RFC 8555 §8.3), also the first one, without which TLS can't be
spoken."""

_MAY_BECOME_GET = 301  # RFC 9110 §15.4.2: a POST could; 308 keeps it one
_KEEPS_ITS_METHOD = 308
_PORT = re.compile(rb":[0-9]*\Z")
# RFC 3986 knows no such characters in a URI; some clients would end the line at one.
_UNSAFE = re.compile(rb"[^!#-;=?-\[\]_a-z~]")

Find = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Of a virtualhost or a route. `client_ca` and `client_verify` as `TlsSettings` has them, `port` the one
    that `https-redirect` sends clients to."""

    client_ca: str = ""
    client_verify: str = OFF
    https_redirect: bool = False
    port: int = HTTPS_PORT

    def check_certificate(self, facts: ConnectionFacts) -> None:
        """Raises ClientError(421) where this connection's handshake did not ask for what is required here:
        it was another virtualhost's, had no name, or was before the configuration changed."""
        if self.client_verify == REQUIRED and facts.tls is not None and not self._is_verified(facts):
            raise ClientError(421, "this host wants a certificate that this connection was not asked for")

    def check_scheme(self, request: Request, facts: ConnectionFacts) -> Answer | None:
        """The redirect to `https`. Raises ClientError(403) where a certificate is required and nothing on
        this connection could show one."""
        if (
            self.https_redirect
            and request.scheme == b"http"
            and not is_below(normalise(request.target), CHALLENGES)
        ):
            return self._redirect(request, facts)
        if self.client_verify == REQUIRED and facts.tls is None:
            raise ClientError(403, "this host wants a certificate of the client, which only TLS can show")
        return None

    def tell_node(self, request: Request, facts: ConnectionFacts) -> None:
        """Sets the variables of the client's certificate, where the virtualhost asks for one."""
        if self.client_verify == OFF:
            return
        verified, subject = b"NONE", b""
        if facts.tls is not None and self._is_verified(facts):
            verified, subject = b"SUCCESS", facts.tls.client_subject.encode()
        variables = ((b"SSL_CLIENT_VERIFY", verified), (b"SSL_CLIENT_S_DN", subject))
        request.variables = (*request.variables, *variables)

    def _is_verified(self, facts: ConnectionFacts) -> bool:
        """By the authorities of this virtualhost: another's may sign whom they like."""
        tls = facts.tls
        return tls is not None and tls.client_verify == "SUCCESS" and tls.asked[0] == self.client_ca

    def _redirect(self, request: Request, facts: ConnectionFacts) -> Answer:
        host = _PORT.sub(b"", request.header(b"host") or request.server_name)
        # What the client calls the port of a proxy in front is not known here.
        port = HTTPS_PORT if facts.is_trusted else self.port
        target = request.target if request.target.startswith(b"/") else b"/"
        location = b"https://" + host + (b":%d" % port if port != HTTPS_PORT else b"") + target
        location = _UNSAFE.sub(lambda match: b"%%%02X" % ord(match[0]), location)
        status = _MAY_BECOME_GET if request.method in (b"GET", b"HEAD") else _KEEPS_ITS_METHOD
        headers = [(b"Location", location), (b"Content-Type", b"text/plain; charset=utf-8")]
        return Answer(status, b"See " + location + b"\n", headers, CloseReason.COMPLETE, "https-redirect")


def access_rule(
    config: VirtualHostConfig, whole: VirtualHostConfig, server: ServerConfig
) -> AccessRule | None:
    """That of a virtualhost, or of a route of `whole`; None where nothing is asked for."""
    if not (config.https_redirect or whole.client_ca or whole.client_verify or server.client_ca):
        return None  # of thousands all, most often
    found = tls_settings(whole, server)
    if found.client_verify == OFF and not config.https_redirect:
        return None
    ports = [address.port for address in tls_addresses(whole, server)]
    port = HTTPS_PORT if not ports or HTTPS_PORT in ports else ports[0] or HTTPS_PORT
    return AccessRule(found.client_ca, found.client_verify, config.https_redirect, port)


def check_server_name(
    server_name: bytes, authority: bytes, default_port: int, virtualhost: object, find: Find
) -> None:
    """RFC 9110 §15.5.20: raises ClientError(421) where a request is for another virtualhost than the one
    whose name the connection was made for. `find` looks an authority up. Without a name any may be asked
    for."""
    if not server_name:
        return
    host = _PORT.sub(b"", authority.lower())
    if host == server_name:
        return
    port = default_port
    try:
        if authority:
            port = parse_authority(authority)[1] or default_port
        there = find(b"%b:%d" % (server_name, port))
    except ClientError:
        there = None  # no name of a host
    if there is not virtualhost:
        name = server_name.decode("ascii", "replace")
        raise ClientError(421, f"this connection was made for {name}, which is another host")
