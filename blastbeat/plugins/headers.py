"""The filter `headers`: sets, adds and removes fields of requests and responses.

Everything is worked out when it is made; a request costs it no more than handing over what it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blastbeat import hookimpl, validators
from blastbeat.errors import ConfigError, Problem
from blastbeat.events import Headers, ResponseHead
from blastbeat.interfaces import Filter, Options, Register, RequestView, Route, Validator
from blastbeat.paths import is_below

Fields = Sequence[tuple[bytes, bytes]]

_FRAMING = "the framing is the server's"
_HOP = "it is about one connection, and never passed on"
_OF_MESSAGES = {
    b"content-length": _FRAMING,
    b"transfer-encoding": _FRAMING,
    b"connection": _HOP,
    b"keep-alive": _HOP,
    b"proxy-connection": _HOP,
    b"te": _HOP,
    b"trailer": _HOP,
    b"upgrade": _HOP,
}
_TOLD = "the server says it itself, and nodes believe it"
OF_REQUESTS = _OF_MESSAGES | {
    b"host": "it is what the virtualhost was found by; a node gets it as matched",
    b"expect": "the server answers it",
    b"proxy": "CGI applications would take it for their proxy's address; it is never passed on",
    b"forwarded": "it is never passed on; the server tells X-Forwarded-For, -Proto and -Host",
    b"x-forwarded-for": _TOLD,
    b"x-forwarded-proto": _TOLD,
    b"x-forwarded-host": _TOLD,
    b"x-forwarded-prefix": _TOLD,
    b"x-real-ip": "it is never passed on; the server tells X-Forwarded-For",
    b"x-request-id": _TOLD,
}
"""Fields of a request that are not for this filter to change, and why."""

OF_RESPONSES = _OF_MESSAGES
"""The same of a response."""

ADDED_WHERE_MISSING = frozenset({b"date", b"server"})


class Changes:
    """What happens to a list of fields: `remove`, then `set` (in place of those of its name), then `add`."""

    def __init__(self, remove: Sequence[bytes], set: Fields, add: Fields) -> None:
        self.dropped = frozenset(remove) | {name.lower() for name, _ in set}
        self.behind: Headers = [*set, *add]

    def __bool__(self) -> bool:
        return bool(self.dropped or self.behind)

    def apply(self, headers: Headers) -> Headers:
        """The fields as they are wanted; names in `headers` in any case."""
        dropped = self.dropped
        if not dropped:
            return headers + self.behind
        return [pair for pair in headers if pair[0].lower() not in dropped] + self.behind


class RequestHeaders(Filter):
    """Changes requests only."""

    def __init__(self, route: Route, path: bytes) -> None:
        self._route = route
        self._path = path

    def on_request(self, view: RequestView) -> Route | None:
        if self._path == b"/" or is_below(view.path, self._path):
            return self._route
        return None


class ResponseHeaders(Filter):
    """Changes responses, and requests where there is a `route`."""

    def __init__(self, route: Route | None, changes: Changes, path: bytes) -> None:
        self._route = route
        self._changes = changes
        self._path = path
        self._note = f"headers {id(self):x}"

    def on_request(self, view: RequestView) -> Route | None:
        if self._path != b"/":
            if not is_below(view.path, self._path):
                return None
            view.notes[self._note] = True  # the path may be another one by the time of the response
        return self._route

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        if self._path == b"/" or self._note in view.notes:
            head.headers = self._changes.apply(head.headers)
        return head


def _fields_but(refused: Mapping[bytes, str], *, in_requests: bool) -> Validator:
    def validate(value: object) -> Fields:
        fields: Fields = validators.fields(value)
        for name, _ in fields:
            _check_name(name, refused, in_requests)
        return fields

    return validate


def _names_but(refused: Mapping[bytes, str], *, in_requests: bool) -> Validator:
    def validate(value: object) -> tuple[bytes, ...]:
        names = []
        for name in validators.tokens(value):
            _check_name(name, refused, in_requests)
            if not in_requests and name.lower() in ADDED_WHERE_MISSING:
                why = "the server adds it where it is missing; set it instead"
                raise ValueError(f"has {name.decode()}: {why}")
            names.append(name.lower())
        return tuple(names)

    return validate


def _check_name(name: bytes, refused: Mapping[bytes, str], in_requests: bool) -> None:
    why = refused.get(name.lower())
    if why is None and in_requests and b"_" in name:
        why = "names with an underscore are never passed on: HTTP_A_B could be A-B or A_B"
    if why is not None:
        raise ValueError(f"has {name.decode()}: {why}")


def _lowered(fields: Fields) -> Fields:
    return tuple((name.lower(), value) for name, value in fields)


def _make(options: Options) -> Filter:
    names = ("set", "add", "remove")
    if not any(name in options for each in names for name in (each, f"response-{each}")):
        raise ConfigError([Problem('it changes nothing: headers response-set="X-Frame-Options: DENY"')])
    route = Route(
        set_headers=_lowered(options.get("set", ())),
        add_headers=_lowered(options.get("add", ())),
        remove_headers=options.get("remove", ()),
    )
    changes = Changes(
        options.get("response-remove", ()), options.get("response-set", ()), options.get("response-add", ())
    )
    path = options.get("path", b"/")
    if not changes:
        return RequestHeaders(route, path)
    return ResponseHeaders(route if any(name in options for name in names) else None, changes, path)


OPTIONS = {
    "set": _fields_but(OF_REQUESTS, in_requests=True),
    "add": _fields_but(OF_REQUESTS, in_requests=True),
    "remove": _names_but(OF_REQUESTS, in_requests=True),
    "response-set": _fields_but(OF_RESPONSES, in_requests=False),
    "response-add": _fields_but(OF_RESPONSES, in_requests=False),
    "response-remove": _names_but(OF_RESPONSES, in_requests=False),
    "path": validators.path_prefix,
}


@hookimpl
def blastbeat_register_filters(register: Register) -> None:
    register("headers", _make, options=OPTIONS)
