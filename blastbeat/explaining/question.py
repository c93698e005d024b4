"""What somebody wants explained: a URL and what is known of the request, read as client and server would.

Knows no configuration but the limits of a request head.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import quote

from blastbeat.errors import BlastBeatError, ClientError
from blastbeat.events import RequestHead
from blastbeat.gates.http1 import Http1Gate
from blastbeat.interfaces import HttpLimits
from blastbeat.vhosts import parse_authority

_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*)://)?([^/?#\\]*)([^#]*)(#.*)?", re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


_HANDSHAKE = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),  # RFC 6455 §1.3
    ("Sec-WebSocket-Version", "13"),
)


class BadQuestion(BlastBeatError):
    """A question that makes no sense, whatever the configuration. The text says what would."""


@dataclass(slots=True)
class Question:
    """`host` and `port` are where the client connects to, `authority` the host it asks for there; `client` is
    empty where it is not known. `notes` tell what was taken otherwise than written."""

    url: str
    scheme: str
    host: str
    port: int
    authority: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    client: str = ""
    notes: list[str] = field(default_factory=list)

    def ask_for_websocket(self) -> None:
        """The fields of a handshake, as far as none are given."""
        given = {name.lower() for name, _ in self.headers}
        self.headers += [each for each in _HANDSHAKE if each[0].lower() not in given]

    def read_head(self, limits: HttpLimits) -> RequestHead:
        """The head as the server gets it. Raises ClientError for what it refuses at its gate."""
        fields = [("Host", self.authority), *self.headers]
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        Http1Gate(limits).receive("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
        known = dict(headers)
        length = known.get(b"content-length")
        target, host = self.target.encode(), self.authority.encode("latin-1")
        return RequestHead(
            1,
            self.method.encode(),
            target,
            target,
            b"1.1",
            host,
            headers,
            content_length=int(length) if length is not None else None,
            chunked=b"transfer-encoding" in known,
            upgrade=known.get(b"upgrade", b"").lower() == b"websocket",
        )


def read_question(url: str, method: str = "GET", headers: Sequence[str] = (), client: str = "") -> Question:
    """From words on a command line; `headers` as ``Name: value``. Raises BadQuestion."""
    match = _URL.fullmatch(url.strip())
    assert match is not None, "every text has this form"
    scheme, written, target, fragment = (match[1] or "http").lower(), match[2], match[3], match[4]
    if scheme not in _PORTS:
        raise BadQuestion(f"{url}: clients speak no {scheme} here; write http://HOST/PATH")
    host, port = _read_authority(url, written)
    if not _TOKEN.fullmatch(method):
        raise BadQuestion(f"{method!r} is no method; write for example GET")
    fields = [_read_field(text) for text in headers]
    hosts = [value for name, value in fields if name.lower() == "host"]
    question = Question(
        url=url,
        scheme="https" if _PORTS[scheme] == 443 else "http",
        host=host,
        port=_PORTS[scheme] if port is None else port,
        authority=hosts[-1] if hosts else host + ("" if port is None else f":{port}"),
        method=method,
        target=quote(target if target[:1] == "/" else f"/{target}", safe=_PRINTABLE),
        headers=[each for each in fields if each[0].lower() != "host"],
        client=_read_client(client),
    )
    if scheme in ("ws", "wss"):
        question.ask_for_websocket()
    if quote(target, safe=_PRINTABLE) != target:
        question.notes.append(f"the target is sent as {question.target}")
    if fragment:
        question.notes.append(f"{fragment} is for the client: it is not sent")
    return question


def _read_authority(url: str, written: str) -> tuple[str, int | None]:
    """Host in ASCII, and port."""
    if not written:
        path = url.strip() if url.strip()[:1] == "/" else "/PATH"
        raise BadQuestion(f"{url!r} has no host; write http://HOST{path}")
    if "@" in written:
        raise BadQuestion(f"{url}: a user name is no part of what is asked for; write --header for it")
    try:
        name, colon, port = written.rpartition(":") if re.search(r":[0-9]*\Z", written) else (written, "", "")
        if not name.isascii():
            name = name.encode("idna").decode()
        host, number = parse_authority(f"{name}{colon}{port}".encode("ascii"))
    except (UnicodeError, ClientError) as error:
        reason = error.reason if isinstance(error, ClientError) else "no host name"
        raise BadQuestion(f"{url}: {written!r}: {reason.replace(' in Host', '')}") from None
    return host.decode(), number


def _read_field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name):
        raise BadQuestion(f"{text!r} is no header; write 'Name: value'")
    try:
        value.encode("latin-1")
    except UnicodeError:
        raise BadQuestion(f"{text!r}: a header holds only characters of Latin-1") from None
    return name, value.strip()


def _read_client(text: str) -> str:
    if not text:
        return ""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise BadQuestion(f"{text!r} is no address; write for example 192.0.2.7") from None
