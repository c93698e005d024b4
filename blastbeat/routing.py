"""The step from a virtualhost to the route of it that takes a request: what is set, and what is refused.

Which route that is, `routes.py` knows; what becomes of the request then, `admission.py`. What anybody decides
by the path must hold for the path that a node sees.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from blastbeat.errors import ClientError
from blastbeat.events import Request
from blastbeat.exchange import Exchange
from blastbeat.paths import has_dot_segments, normalise
from blastbeat.virtualhost import VirtualHost


def route_request(exchange: Exchange, virtualhost: VirtualHost) -> VirtualHost:
    """Who serves the request: a route of `virtualhost`, which must have some, or itself. Raises ClientError:
    404 where the virtualhost is nothing but its routes and none takes the request, 400 where the path holds a
    zero byte, at which some nodes end it and others do not."""
    request, routes = exchange.request, virtualhost.routes
    assert request is not None and routes is not None
    check_path(request)
    route = routes.lead(request)
    if route is not None:
        exchange.route = route.config.route
        request.raw_path_info = route.host.raw_path_info
        return route
    if not virtualhost.node_names and not virtualhost.listed_filters:
        raise no_route()
    return virtualhost


def guard_path(request: Request) -> None:
    """For a virtualhost without routes whose filters or authenticators look at the path: the node is shown
    the one they see wherever it climbs. Raises ClientError as `check_path` does."""
    check_path(request)
    path, written = normalise(request.target), request.path
    if path != written and has_dot_segments(unquote_to_bytes(written)):
        request.path_info = path


def check_path(request: Request) -> None:
    """Raises ClientError(400) for a path that some nodes would take for less than it says."""
    if b"%00" in request.path:
        raise ClientError(400, "a zero byte in the path")


def no_route() -> ClientError:
    """What is raised where a virtualhost is nothing but its routes and none takes the request."""
    return ClientError(404, "no route of this virtualhost is for this request")
