"""The workloads by name: what is asked, of whom, and the bars of the project.

Knows no processes and no output.
"""

from __future__ import annotations

from functools import partial

from bench.contenders import LARGE, ONE_NODE, SMALL
from bench.loads import OpenClients, h2load, opened, wrk
from bench.measure import Bar, Figures, Run, Workload, measured
from bench.servers import Needs, Server, ask
from bench.studies import plugin_hooks
from bench.usage import resident_bytes

MIB = 1 << 20
UPLOAD = bytes(range(256)) * 40
IDLE = 2000


def get(server: Server, run: Run, *, connections: int, words: tuple[str, ...], path: str = "/") -> Figures:
    """Keep-alive requests, as fast as they go."""
    return measured(server, lambda: wrk(server, path, connections, run.seconds, run.pins.pin_others, words))


def post(server: Server, run: Run) -> Figures:
    """An upload that comes back."""
    check(server, ask(server, "POST", "/echo", UPLOAD) == UPLOAD)
    words = ("post", str(len(UPLOAD)))
    return measured(server, lambda: wrk(server, "/echo", 64, run.seconds, run.pins.pin_others, words))


def download(server: Server, run: Run) -> Figures:
    """Figures are per MiB, which each answer has one of."""
    check(server, ask(server, "GET", "/big") == b"x" * MIB)
    return measured(server, lambda: wrk(server, "/big", 8, run.seconds, run.pins.pin_others, FEW))


def echo(server: Server, run: Run) -> Figures:
    """Every WebSocket has one message under way."""
    crowd = held(server, run, 50)
    return measured(server, lambda: crowd.ask(run.seconds))


def held(server: Server, run: Run, connections: int, hosts: int = 0) -> OpenClients:
    """The connections to a server, which the first visit opens."""
    if server.name not in run.held:
        clients = opened(server, connections, run.pins.pin_others, hosts)
        run.held[server.name] = run.stack.enter_context(clients)
    return run.held[server.name]


def idle(server: Server, run: Run) -> Figures:
    """What thousands of WebSockets add to the memory of a server that has served a few."""
    with opened(server, 100, run.pins.pin_others) as few:
        few.ask(0.2)
        before = resident_bytes(server.pid)
        with opened(server, IDLE, run.pins.pin_others) as crowd:
            after = resident_bytes(server.pid)
            crowd.check()
    return {"each": (after - before) / IDLE / 1024, "memory": after / 1e6}


def handshakes(server: Server, run: Run) -> Figures:
    """A connection for every request."""
    return measured(server, lambda: wrk(server, "/", 64, run.seconds, run.pins.pin_others, ("close",)))


def many_hosts(server: Server, run: Run) -> Figures:
    """All virtualhosts in turn, over connections that are there before it is measured."""
    hosts, connections = (1, 64) if server.name == SMALL else (10_000, 10_000)
    crowd = held(server, run, connections, hosts)
    return measured(server, lambda: crowd.ask(run.seconds))


def latency(server: Server, run: Run) -> Figures:
    """At half of what the server was able to just before."""
    log, pin = run.folder / "h2load.log", run.pins.pin_others
    most = h2load(server, 64, 1, pin, log)
    half = most.units / most.seconds / 2
    figures = measured(server, lambda: h2load(server, 64, run.seconds, pin, log, half))
    return figures | {"spread": figures["p99"] / figures["p50"]}


def hooks(server: Server, run: Run) -> Figures:
    """Microseconds that three listening plugins add to a request."""
    return {"cpu": plugin_hooks.cost(3, 50_000, 3)}


def check(server: Server, is_right: bool) -> None:
    if not is_right:
        raise SystemExit(f"{server.name}: a wrong answer")


FEW, MANY = ("fields", "2"), ("fields", "12")
PLAIN = partial(get, connections=64, words=FEW)
BESIDE_NGINX = ("blastbeat", "nginx")

WORKLOADS: dict[str, Workload] = {
    "get": Workload(
        "Plain GET, 2 request headers, 64 connections",
        BESIDE_NGINX,
        PLAIN,
        (Bar("blastbeat", 1.8, 1.4, "nginx"),),
    ),
    "get-12": Workload(
        "Plain GET, 12 request headers, 64 connections",
        BESIDE_NGINX,
        partial(get, connections=64, words=MANY),
    ),
    "get-varied": Workload(
        "Plain GET, 2 headers, of which one and the target are new in every request",
        BESIDE_NGINX,
        partial(get, connections=64, words=("varied", "2")),
    ),
    "get-12-varied": Workload(
        "Plain GET, 12 headers, of which three and the target are new in every request",
        BESIDE_NGINX,
        partial(get, connections=64, words=("varied", "12")),
    ),
    "get-1": Workload(
        "Plain GET, 2 request headers, 1 connection", BESIDE_NGINX, partial(get, connections=1, words=FEW)
    ),
    "get-12-1": Workload(
        "Plain GET, 12 request headers, 1 connection", BESIDE_NGINX, partial(get, connections=1, words=MANY)
    ),
    "batch": Workload(
        "Plain GET, the node answers in one batch",
        ("blastbeat-batch", "blastbeat", "nginx"),
        PLAIN,
        (Bar("blastbeat-batch", 1.5, 1.2, "nginx"), Bar("blastbeat-batch", 1.0, 1.0, "blastbeat")),
    ),
    "default": Workload(
        "Plain GET, default install",
        ("blastbeat-default", "uvicorn-h11-asyncio", "uvicorn-h11-asyncio-log"),
        PLAIN,
        (Bar("blastbeat-default", 0.5, 0.4, "uvicorn-h11-asyncio"),),
    ),
    "h11": Workload(
        'Plain GET, `driver = "h11"`',
        ("blastbeat-h11", "uvicorn-h11", "uvicorn-h11-log"),
        PLAIN,
        (Bar("blastbeat-h11", 0.9, 0.75, "uvicorn-h11"),),
    ),
    "post": Workload(
        "POST of 10 KiB, echoed, 64 connections", BESIDE_NGINX, post, (Bar("blastbeat", 1.5, 1.0, "nginx"),)
    ),
    "download": Workload(
        "Download of 1 MiB in pieces of 64 KiB, 8 connections",
        BESIDE_NGINX,
        download,
        (Bar("blastbeat", 1.5, 1.0, "nginx"),),
        unit="MiB",
    ),
    "websocket": Workload(
        "WebSocket echo of 64 bytes, 50 connections",
        BESIDE_NGINX,
        echo,
        (Bar("blastbeat", 1.5, 1.0, "nginx"),),
        unit="message",
    ),
    "idle": Workload(
        "2,000 idle WebSockets",
        BESIDE_NGINX,
        idle,
        (Bar("blastbeat", 6.0, 4.0, figure="each"),),
        unit="connection",
        is_fresh=True,
    ),
    "tls": Workload("TLS, plain GET, 64 connections", BESIDE_NGINX, PLAIN, needs=Needs(tls=True)),
    "handshake": Workload(
        "TLS, a handshake for every GET",
        BESIDE_NGINX,
        handshakes,
        needs=Needs(tls=True),
    ),
    "virtualhosts": Workload(
        "Plain GET over 10,000 virtualhosts, 1,000 nodes and 10,000 connections",
        (SMALL, ONE_NODE, LARGE),
        many_hosts,
        (Bar(LARGE, 1.25, 1.0, SMALL),),
    ),
    "latency": Workload(
        "Plain GET at half of the highest rate, 64 connections",
        BESIDE_NGINX,
        latency,
        (Bar("blastbeat", 5.0, 3.0, figure="spread"),),
    ),
    "hooks": Workload(
        "3 plugins listen to `exchange_closed`",
        ("in-process",),
        hooks,
        (Bar("in-process", 3.0, 1.5),),
    ),
    "profiled": Workload(
        "Plain GET, `serve --profile-plugins`",
        ("blastbeat-profiled", "blastbeat"),
        PLAIN,
        is_extra=True,
    ),
    "node": Workload(
        "Plain GET, an ASGI application behind BlastBeat or in uvicorn (the application's process)",
        ("asgi-node", "uvicorn-httptools"),
        PLAIN,
        is_extra=True,
    ),
}
