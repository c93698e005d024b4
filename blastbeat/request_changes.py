"""What filters and request authenticators change of a request before it is forwarded.

Pure: a request and a verdict in, another request out. Knows neither who gave the verdict nor what becomes of
the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from blastbeat.events import Headers, Request
from blastbeat.forwarding import is_passed_on
from blastbeat.headers import is_field
from blastbeat.verdicts import Allow, Route


def routed(request: Request, route: Route) -> Request:
    """The request as a filter wants it forwarded."""
    headers = request.headers
    replaced = {name for name, _ in route.set_headers}
    dropped = replaced.union(route.remove_headers)
    if dropped:
        headers = [field for field in headers if field[0] not in dropped]
    if route.set_headers or route.add_headers:
        headers = [*headers, *route.set_headers, *route.add_headers]
    return replace(
        request,
        target=request.target if route.target is None else route.target,
        script_name=request.script_name if route.script_name is None else route.script_name,
        path_info=request.path_info if route.target is None else None,
        headers=headers,
    )


def allowed(request: Request, allow: Allow) -> Request:
    """The request with what an authenticator says of its client. Raises TypeError or ValueError for what
    can't be handed to a node."""
    variables = (*request.variables, *allow.variables)
    if not allow.headers and not allow.remove_headers:
        return replace(request, variables=variables)
    fields = [_checked_field(name.lower(), value) for name, value in allow.headers]
    # All of the client's own, also where the authenticator says nothing of them: a node believes these.
    dropped = {name for name, _ in fields} | _lowered(allow.remove_headers)
    headers: Headers = [field for field in request.headers if field[0] not in dropped]
    return replace(request, variables=variables, headers=headers + fields)


def _checked_field(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if not is_field(name, value):
        raise ValueError(f"{name!r}: {value!r} is no field")
    return _checked_name(name), value


def _checked_name(name: bytes) -> bytes:
    if not is_passed_on(name):
        raise ValueError(f"{name!r} is not for an authenticator to change: nodes are told it by the server")
    return name


def _lowered(names: Iterable[bytes]) -> set[bytes]:
    if isinstance(names, bytes | str):
        raise TypeError(f"remove_headers is the text {names!r}, not a list of names")
    return {_checked_name(name.lower()) for name in names}
