"""Leads a question through what the server would do with such a request: listener, virtualhost, route,
filters, authenticators, nodes; and notes at each step what was found and why.

The order is that of the server, and each decision is made by the server's own code.
"""

from __future__ import annotations

from ipaddress import ip_address

from blastbeat.config.declared import NOTHING, Declared, with_picks
from blastbeat.config.model import Address, Config, RouteConfig, VirtualHostConfig
from blastbeat.config.options import VIRTUALHOST_KEYS
from blastbeat.config.tls_settings import tls_settings
from blastbeat.config.values import did_you_mean
from blastbeat.errors import ClientError
from blastbeat.events import Request, RequestHead
from blastbeat.explaining.explanation import Explanation, Host, Limit, Listener, Place, RouteChoice
from blastbeat.explaining.handshakes import check_handshake, explain_handshake
from blastbeat.explaining.picks import ask_authenticators, ask_filters, shown_to_node
from blastbeat.explaining.question import Question
from blastbeat.facts import ConnectionFacts, HostFacts, TlsFacts, TrustedProxies
from blastbeat.forwarding import build_request
from blastbeat.interfaces import HttpLimits, RequestView
from blastbeat.node_rules import endpoints_of
from blastbeat.paths import format_path, normalise
from blastbeat.registry import Registry
from blastbeat.routes import Candidate, RouteTable
from blastbeat.routing import check_path, guard_path, no_route
from blastbeat.secure_access import access_rule
from blastbeat.vhosts import HostTable
from blastbeat.views import ConnectionView
from blastbeat.wiring import client_addresses

DEFAULT_PORT = 80

_LIMITS = (
    "response-timeout",
    "idle-timeout",
    "body-timeout",
    "write-timeout",
    "keep-alive",
    "max-body",
    "sessions",
    "bandwidth",
    "hold",
    "max-hops",
)
_Match = tuple[VirtualHostConfig, str]  # a virtualhost, and its name or alias that was found


def explain(
    config: Config, registry: Registry, question: Question, declared: Declared = NOTHING
) -> Explanation:
    """What `config` would make of the request, with what plugins `declared`. Raises nothing for what the
    server answers itself."""
    explainer = _Explainer(config, registry, question, declared)
    try:
        explainer.run()
    except ClientError as error:
        explainer.found.status, explainer.found.outcome = error.status, error.reason
    return explainer.found


class _Explainer:
    def __init__(self, config: Config, registry: Registry, question: Question, declared: Declared) -> None:
        self.config = config
        self.declared = declared
        self.registry = registry
        self.question = question
        self.found = Explanation(
            question.url, question.method, question.target, question.client, notes=list(question.notes)
        )
        self.hosts = _host_table(config)

    def run(self) -> None:
        found, server = self.found, self.config.server
        address = self._listener()
        head = self.question.read_head(HttpLimits(server.max_head, server.max_uri, server.max_headers))
        written = self._virtualhost(address)
        host = with_picks(written, self.declared)
        request = self._request(head, host, address)
        found.path = format_path(normalise(request.target)).decode()
        policy = self._route(request, host, has_none=not written.nodes and not written.filters)
        if self._is_redirected(request, policy, host, address):
            return
        length = head.content_length
        if policy.max_body and length is not None and length > policy.max_body:
            raise ClientError(413, f"the body would be {length} bytes, {policy.max_body} are allowed")
        if head.upgrade:
            check_handshake(policy, request, self.question.authority)
            found.websocket = list(explain_handshake(policy, request))
        view = RequestView(request, ConnectionView(1, self.question.client, 0, str(address), 0.0))
        found.nodes = [node.name for node in policy.nodes]
        if ask_filters(self.registry, policy, view, found):
            return
        if ask_authenticators(self.registry, policy, view, found):
            return
        self._nodes(policy, host, view.request)

    # ------------------------------------------------------------ listener and virtualhost

    def _listener(self) -> Address:
        """Where the URL leads, or something in front of the server does."""
        question, addresses = self.question, client_addresses(self.config)
        is_tls = question.scheme == "https"
        fitting = [
            each
            for each in addresses
            if each.tls is is_tls and each.port == question.port and _is_at(each, question.host)
        ]
        why = f"has port {question.port}"
        if not fitting:
            fitting = addresses
            why = f"nothing listens at {question.host}:{question.port}, so something in front leads here"
        found = min(fitting, key=self._distance)
        self.found.listener = Listener(str(found), why)
        return found

    def _distance(self, address: Address) -> int:
        """How far from naming the host asked for the virtualhost is that is found there."""
        match = self._maybe_find(address)
        if match is None:
            return 3
        return 2 if match[1].partition(":")[0] == "*" else int(match[1].startswith("*"))

    def _maybe_find(self, address: Address) -> _Match | None:
        try:
            return self.hosts.find(self.question.authority.encode("latin-1"), DEFAULT_PORT, address)
        except ClientError:
            return None

    def _virtualhost(self, address: Address) -> VirtualHostConfig:
        """Raises ClientError(404), and 400 for a malformed host."""
        authority = self.question.authority
        match = self.hosts.find(authority.encode("latin-1"), DEFAULT_PORT, address)
        if match is None:
            self._note_where_it_is(address)
            raise ClientError(404, f"no virtualhost for {authority}")
        host, name = match
        self.found.virtualhost = Host(host.name, _why_host(host, name), Place(host.file, host.line))
        return host

    def _note_where_it_is(self, address: Address) -> None:
        for other in client_addresses(self.config):
            match = self._maybe_find(other)
            if match is not None:
                self.found.notes.append(f"{match[0].name} is reachable on {other} only, not on {address}")
                return
        names = [name for host in self.config.virtualhosts for name in (host.name, *host.alias)]
        hint = did_you_mean(self.question.authority, names)
        if hint:
            self.found.notes.append(hint)

    def _request(self, head: RequestHead, host: VirtualHostConfig, address: Address) -> Request:
        facts = self._facts(address)
        if not facts.is_trusted and any(name.startswith(b"x-forwarded-") for name, _ in head.headers):
            self.found.notes.append("X-Forwarded-* is dropped: --client is not in trusted-proxies")
        request = build_request(head, facts, HostFacts.of(host.name), b"")
        self.found.client = request.remote_addr.decode()
        return request

    # ------------------------------------------------------------ TLS

    def _is_redirected(
        self, request: Request, policy: VirtualHostConfig, host: VirtualHostConfig, address: Address
    ) -> bool:
        """Notes what TLS has to do with it. Raises ClientError where only TLS leads there."""
        server, found = self.config.server, self.found
        if address.tls:
            files = tls_settings(host, server)
            found.notes.append(
                f"certificate {files.certificate or 'none'}, client-verify {files.client_verify}"
            )
        rule = access_rule(policy, host, server)
        if rule is None:
            return False
        answer = rule.check_scheme(request, self._facts(address))
        if answer is not None:
            found.status = answer.status
            found.outcome = f"{answer.detail} to {dict(answer.headers)[b'Location'].decode()}"
        return answer is not None

    def _facts(self, address: Address) -> ConnectionFacts:
        """Of a connection whose handshake was all right."""
        proxies = TrustedProxies(self.config.server.trusted_proxies)
        scheme, tls = (b"https", TlsFacts()) if address.tls else (b"http", None)
        return ConnectionFacts(self.question.client, 0, scheme, address.port, proxies, tls=tls)

    # ------------------------------------------------------------ routes

    def _route(self, request: Request, host: VirtualHostConfig, has_none: bool) -> VirtualHostConfig:
        """What serves it: the virtualhost, unless it has nothing that does, or a route's part of it. Raises
        ClientError as the server does."""
        policy = host
        if host.routes:
            check_path(request)
            table = RouteTable([(route, route) for route in host.routes], host.name)
            path = normalise(request.target)
            taken = self._choose(table, path, request)
            self.found.other_routes = len(host.routes) - len(self.found.routes)
            table.show_path(request, path, taken)
            if taken is None and has_none:
                raise no_route()
            if taken is not None:
                policy, self.found.route = taken.config.policy, taken.config.name
        elif host.filters or host.request_authenticators:
            guard_path(request)
        request.raw_path_info = policy.path_info == "raw"
        return policy

    def _choose(
        self, table: RouteTable[RouteConfig], path: bytes, request: Request
    ) -> Candidate[RouteConfig] | None:
        taken = None
        for candidate in table.candidates(path):
            route = candidate.config
            if taken is not None:
                verdict, why = "no", f"{taken.config.name} comes before it"
            else:
                why = candidate.why_not(request)
                verdict = "no" if why else "yes"
                if not why:
                    why, taken = candidate.why(request), candidate
                elif not request.remote_addr and candidate.fits(request):
                    verdict = "perhaps"
                    self.found.notes.append(f"whether {route.name} takes it, --client ADDRESS would tell")
            place = Place(route.policy.file, route.policy.line)
            self.found.routes.append(RouteChoice(route.name, route.path, verdict, why, place))
        return taken

    # ------------------------------------------------------------ nodes

    def _nodes(self, policy: VirtualHostConfig, host: VirtualHostConfig, request: Request) -> None:
        found = self.found
        found.request_encoder = policy.request_encoder.name
        found.shown = shown_to_node(self.registry, policy.request_encoder, request)
        found.selector = _written("selector", policy.selector)
        found.endpoints = list(endpoints_of(host, self.config.server))
        found.node_authenticators = [
            _written("node-authenticators", each) for each in policy.node_authenticators
        ]
        found.limits = [_limit(policy, key) for key in _LIMITS]
        if policy is not host and host.sessions:
            found.limits.append(_limit(host, "sessions", "sessions of the virtualhost"))
        if not found.nodes:
            found.status, found.outcome = 503, "it has no node"
            return
        hold = f"it waits up to {_written('hold', policy.hold)}, then " if policy.hold else ""
        names = " or ".join(found.nodes)
        found.outcome = f"node {names}, as {found.selector} chooses; while none is available {hold}503"


def _host_table(config: Config) -> HostTable[_Match]:
    """As the server's, but each name leads to itself as well."""
    hosts: HostTable[_Match] = HostTable(shared=(*config.server.bind, *config.server.bind_ssl))
    for host in config.virtualhosts:
        own = (*host.bind, *host.bind_ssl)
        hosts.add(host.name, (host, host.name), listeners=own)
        for alias in host.alias:
            hosts.add_alias(alias, (host, alias), listeners=own)
    return hosts


def _why_host(host: VirtualHostConfig, name: str) -> str:
    kind = "its name" if name == host.name else "its alias"
    if name.startswith("*."):
        return f"{kind} {name} is for all hosts below {name[2:]}"
    if name.startswith("*"):
        return f"{kind} {name} is for all hosts that no other takes"
    return f"by {kind} {name}" if name != host.name else "by its name"


def _is_at(address: Address, host: str) -> bool:
    """False where the URL names an address, and the listener has another."""
    try:
        asked = ip_address(host.strip("[]"))
        mine = ip_address(address.host.partition("%")[0] or "::")
    except ValueError:
        return True
    return mine.is_unspecified or mine == asked


def _written(key: str, value: object) -> str:
    return VIRTUALHOST_KEYS[key].kind.format(value)


def _limit(policy: VirtualHostConfig, key: str, shown: str = "") -> Limit:
    option = VIRTUALHOST_KEYS[key]
    value = getattr(policy, option.field)
    origin = policy.origins.get(key)
    text = option.zero if value == 0 and option.zero else option.kind.format(value)
    place = Place(origin.file, origin.line) if origin is not None else Place()
    return Limit(shown or key, text, place)
