"""The filter `redirect`: sends clients to another URL.

What a client sends can neither split the field it ends up in nor make another host of a path.
"""

from __future__ import annotations

import re

from blastbeat import hookimpl, validators
from blastbeat.errors import ConfigError, Problem
from blastbeat.events import CloseReason, Request
from blastbeat.interfaces import Answer, Filter, Options, Register, RequestView
from blastbeat.paths import format_path, is_below
from blastbeat.plugins.templates import Template, one_slash, rest_of, with_query

STATUSES = (301, 302, 303, 307, 308)
PLACEHOLDERS = ("scheme", "host", "path", "rest", "query", "uri")

_BEGIN = re.compile(r"(?:https?|\{scheme\})://")
# A placeholder that begins with a slash, or is empty, ends a host; any other could lengthen it.
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9.:\[\]-]|\{host\})+(?=[/?#]|\{path\}|\{rest\}|\{uri\}|\Z)")
_UNSAFE = re.compile(rb"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]")
_PORT = re.compile(rb":[0-9]*\Z")
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


def parse_target(value: object) -> Template:
    """The validator of `to`."""
    template = Template(validators.text(value), PLACEHOLDERS)
    if template.text.startswith("//") or not template.text:
        raise ValueError("is neither a URL nor a path; write https://shop.example{uri} or /new{rest}")
    if template.is_relative:
        return template
    begin = _BEGIN.match(template.text)
    if begin is None:
        raise ValueError("is neither a URL nor a path; write https://shop.example{uri} or /new{rest}")
    if _AUTHORITY.match(template.text, begin.end()) is None:
        raise ValueError("has no usable host; only {host} may stand in it, and {path} or {uri} behind it")
    return template


class Redirect(Filter):
    """`path`: the prefix it is for. A request that is where it would be sent passes."""

    def __init__(self, to: Template, *, status: int, path: bytes, keeps_query: bool) -> None:
        self._to = to
        self._status = status
        self._path = path
        self._adds_query = keeps_query and not to.takes_query

    def on_request(self, view: RequestView) -> Answer | None:
        if self._path != b"/" and not is_below(view.path, self._path):
            return None
        location = self._locate(view)
        if is_at(view.request, location):
            return None
        headers = [(b"Location", location), (b"Content-Type", b"text/plain; charset=utf-8")]
        body = b"see %b\n" % location
        return Answer(self._status, body, headers, CloseReason.COMPLETE, "redirect")

    def _locate(self, view: RequestView) -> bytes:
        request, prefix = view.request, self._path

        def values(name: str) -> tuple[bytes, bytes]:
            if name == "rest":
                rest = rest_of(view.path, prefix)
                return format_path(rest), rest
            value = _value_of(name, request)
            return value, value

        location = self._to.fill(values)
        if self._adds_query:
            location = with_query(location, request.query)
        if self._to.is_relative:
            location = one_slash(location)
        return _UNSAFE.sub(_quote, location)


def _value_of(name: str, request: Request) -> bytes:
    if name == "scheme":
        return request.scheme
    if name == "host":
        return _PORT.sub(b"", request.header(b"host") or request.server_name)
    if name == "query":
        return request.query
    path = request.path if request.path.startswith(b"/") else b"/"  # of `OPTIONS *`
    return with_query(path, request.query) if name == "uri" else path


def is_at(request: Request, location: bytes) -> bool:
    """Whether `location` is where the request is already: it would be sent there for ever."""
    if location.startswith(b"/"):
        return location == request.target
    host = (request.header(b"host") or b"").lower().removesuffix(_DEFAULT_PORTS[request.scheme])
    scheme, _, there = location.partition(b"://")
    authority, slash, rest = there.partition(b"/")
    authority = authority.lower().removesuffix(_DEFAULT_PORTS.get(scheme, b""))
    return scheme == request.scheme and authority == host and slash + rest == request.target


def _quote(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(match[0])


def _make(options: Options) -> Redirect:
    if "to" not in options:
        raise ConfigError([Problem("it needs `to`: redirect to=https://shop.example{uri}")])
    return Redirect(
        options["to"],
        status=options.get("status", 302),
        path=options.get("path", b"/"),
        keeps_query=options.get("query", "keep") == "keep",
    )


OPTIONS = {
    "to": parse_target,
    "status": validators.status(*STATUSES),
    "path": validators.path_prefix,
    "query": validators.choice("keep", "drop"),
}


@hookimpl
def blastbeat_register_filters(register: Register) -> None:
    register("redirect", _make, options=OPTIONS)
