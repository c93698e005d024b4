"""TLS contexts: certificates and keys from their files, one context for each set of files, who gets which.

Knows `ssl` and names of files. A context that is in use stays in use by the connections that began with it.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from blastbeat.certificates import BadCertificate, read_chain
from blastbeat.config.model import Address, Config, Origin, ServerConfig, VirtualHostConfig
from blastbeat.config.names import split_host_name
from blastbeat.config.tls_settings import NOBODY, tls_settings
from blastbeat.errors import BlastBeatError, ConfigError, Problem
from blastbeat.vhosts import HostTable

log = logging.getLogger(__name__)

SOON = 30 * 86400.0
"""Seconds before a certificate expires from which on that is warned of."""

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy and authenticated encryption only. Those of TLS 1.3 are all of that kind."""

_VERIFY = {"off": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a context is made of. `key` may be empty: it is in the certificate's file."""

    certificate: str
    key: str = ""
    client_ca: str = ""
    client_verify: str = "off"

    @classmethod
    def of(cls, server: ServerConfig, virtualhost: VirtualHostConfig | None = None) -> TlsFiles | None:
        """Those of a virtualhost, or of the server itself; None where there is no certificate."""
        found = tls_settings(virtualhost or NOBODY, server)
        if not found.certificate:
            return None
        return cls(found.certificate, found.key, found.client_ca, found.client_verify)

    @property
    def names(self) -> tuple[str, ...]:
        """The files."""
        return tuple(name for name in (self.certificate, self.key, self.client_ca) if name)


@dataclass(frozen=True, slots=True)
class LoadedContext:
    """A context and what its files held when it was made."""

    files: TlsFiles
    context: ssl.SSLContext
    fingerprint: bytes
    protocols: tuple[str, ...] = ()
    expires: float = inf
    """When the certificate does, seconds since 1970; inf where that could not be read."""


class TlsError(BlastBeatError):
    """Files that make no context. `key` is the option that names the file at fault."""

    def __init__(self, key: str, file: str, message: str, hint: str = "") -> None:
        super().__init__(f"{file}: {message}")
        self.key, self.file, self.message, self.hint = key, file, message, hint


def load_context(files: TlsFiles, protocols: Sequence[str]) -> LoadedContext:
    """Takes about a millisecond. `protocols` are offered by ALPN. Raises TlsError."""
    fingerprint = read_fingerprint(files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(list(protocols))
    try:
        context.load_cert_chain(files.certificate, files.key or None, _refuse_password)
    except (ssl.SSLError, OSError, _NeedsPassword) as error:
        raise _explain(files, error) from None
    if files.client_ca:
        try:
            context.load_verify_locations(files.client_ca)
        except (ssl.SSLError, OSError) as error:
            raise TlsError("client-ca", files.client_ca, f"holds no certificates: {_text(error)}") from None
    context.verify_mode = _VERIFY[files.client_verify]
    return LoadedContext(files, context, fingerprint, tuple(protocols), _expiry(files.certificate))


def _expiry(path: str) -> float:
    try:
        return read_chain(Path(path).read_bytes())[0].not_after
    except (BadCertificate, OSError):
        return inf  # OpenSSL took it


def read_fingerprint(files: TlsFiles) -> bytes:
    """Of what the files hold now. Raises TlsError."""
    digest = hashlib.sha256()
    for key, name in (("certificate", files.certificate), ("key", files.key), ("client-ca", files.client_ca)):
        if name:
            try:
                digest.update(Path(name).read_bytes())
            except OSError as error:
                raise TlsError(key, name, f"can't be read: {error.strerror}") from None
    return digest.digest()


class _NeedsPassword(Exception):
    pass


def _refuse_password() -> str:
    raise _NeedsPassword  # else OpenSSL asks on the terminal, and waits


def _explain(files: TlsFiles, error: Exception) -> TlsError:
    key = files.key or files.certificate
    option = "key" if files.key else "certificate"
    if isinstance(error, _NeedsPassword):
        return TlsError(option, key, "the key is encrypted", "write it without a passphrase, mode 600")
    reason = getattr(error, "reason", "") or ""
    if "KEY_VALUES_MISMATCH" in reason or "KEY_TYPE_MISMATCH" in reason:
        return TlsError(option, key, f"is not the key of {files.certificate}")
    try:
        Path(key).read_bytes().index(b"PRIVATE KEY-----")
    except OSError:
        pass
    except ValueError:
        hint = "write `key`, or put the key behind the certificates" if not files.key else ""
        return TlsError(option, key, "holds no private key in PEM", hint)
    return TlsError("certificate", files.certificate, f"makes no chain of certificates: {_text(error)}")


def _text(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


Contexts = Mapping[TlsFiles, LoadedContext]


def load_contexts(config: Config, protocols: Sequence[str], known: Contexts | None = None) -> Contexts:
    """All that `config` needs; those of `known` whose files hold the same are kept. For a thread: thousands
    take seconds. Raises ConfigError with everything that is wrong."""
    found: dict[TlsFiles, LoadedContext] = {}
    problems: list[Problem] = []
    for files, owner in _needed(config):
        if files in found:
            continue
        try:
            before = (known or {}).get(files)
            if before is not None and _is_current(before, protocols):
                found[files] = before
            else:
                found[files] = load_context(files, protocols)
        except TlsError as error:
            problems.append(_located(error, owner, config))
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return found


def _is_current(loaded: LoadedContext, protocols: Sequence[str]) -> bool:
    return loaded.protocols == tuple(protocols) and loaded.fingerprint == read_fingerprint(loaded.files)


def _needed(config: Config) -> Iterable[tuple[TlsFiles, VirtualHostConfig | None]]:
    server = config.server
    if server.bind_ssl or any(each.bind_ssl for each in config.virtualhosts):
        for owner in (None, *config.virtualhosts):
            files = TlsFiles.of(server, owner)
            if files is not None and (owner is None or reachable_by_tls(owner, server)):
                yield files, owner


def reachable_by_tls(virtualhost: VirtualHostConfig, server: ServerConfig) -> bool:
    """Whether any address it is reachable on speaks TLS (`protocol.md` §7)."""
    if virtualhost.bind or virtualhost.bind_ssl:
        return bool(virtualhost.bind_ssl)
    return bool(server.bind_ssl)


def _located(error: TlsError, owner: VirtualHostConfig | None, config: Config) -> Problem:
    origin = owner.origins.get(error.key) if owner is not None else None
    origin = origin or config.server.origins.get(error.key) or Origin(config.file, 0, "")
    return Problem(
        error.message,
        file=origin.file,
        line=origin.line,
        section=origin.section,
        key=error.key,
        value=error.file,
        hint=error.hint,
    )


class TlsTable:
    """Which context a client gets, by the address it came to and the name it asked for: names lead to
    virtualhosts as they do for requests."""

    def __init__(self, config: Config, contexts: Contexts) -> None:
        self.contexts = contexts
        server = config.server
        self._hosts: HostTable[LoadedContext] = HostTable(shared=server.bind_ssl)
        self._defaults: dict[Address, LoadedContext] = {}
        own = TlsFiles.of(server)
        for each in config.virtualhosts:
            files = TlsFiles.of(server, each)
            loaded = contexts.get(files) if files is not None else None
            if loaded is None or not reachable_by_tls(each, server):
                continue
            self._add(each, loaded)
            for address in each.bind_ssl or server.bind_ssl:
                self._defaults.setdefault(address, loaded)
        if own is not None and own in contexts:
            for address in {*server.bind_ssl, *self._defaults}:
                self._defaults[address] = contexts[own]

    def _add(self, virtualhost: VirtualHostConfig, loaded: LoadedContext) -> None:
        """A name that is asked for has no port, and behind something that forwards them the address need not
        be the one that clients know: so a name with a port counts without it, too, after all others."""
        names = (virtualhost.name, *virtualhost.alias)
        listeners = virtualhost.bind_ssl
        self._hosts.add(virtualhost.name, loaded, aliases=virtualhost.alias, listeners=listeners)
        for name in names:
            host, port = split_host_name(name)
            if port is not None and ":" not in host:  # nobody asks for an address
                self._hosts.add_alias(host, loaded, listeners=listeners)

    def renewed(self, before: TlsTable | None) -> tuple[str, ...]:
        """Certificates that `before` has too, but whose files, or their key's or authority's, held something
        else then."""
        former = before.contexts if before is not None else {}
        names = (
            files.certificate
            for files, loaded in self.contexts.items()
            if files in former and former[files].fingerprint != loaded.fingerprint
        )
        return tuple(dict.fromkeys(names))

    def expiries(self) -> dict[str, float]:
        """When each certificate that is in use expires, by its file."""
        return {each.files.certificate: each.expires for each in self.contexts.values()}

    def choose(self, address: Address, server_name: bytes) -> LoadedContext | None:
        """That of the virtualhost `server_name` leads to on `address`; else the server's; else that of the
        first virtualhost there. None where there is none at all."""
        if server_name:
            found = self._hosts.find(b"%b:%d" % (server_name, address.port), 443, address)
            if found is not None:
                return found
        return self._defaults.get(address)


def load_table(config: Config, protocols: Sequence[str], known: TlsTable | None = None) -> TlsTable:
    """For `config`; for a thread, see `load_contexts`. Warns of what expires soon."""
    table = TlsTable(config, load_contexts(config, protocols, known.contexts if known is not None else None))
    now = time.time()
    for path, expires in table.expiries().items():
        if expires < now + SOON:
            when = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
            log.warning("certificate %s %s on %s", path, "expired" if expires < now else "expires", when)
    return table
