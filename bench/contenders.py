"""The names by which servers are asked for: ours in all the ways that are compared, and the peers."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

from bench.processes import Pins
from bench.servers import APPLICATIONS, Bench, Needs, Server, blastbeat, nginx, uvicorn

Contender = Callable[[Bench, str], AbstractContextManager[Server]]

SMALL, LARGE, ONE_NODE = "one-virtualhost", "10000-virtualhosts", "10000-virtualhosts-one-node"


@contextmanager
def in_process(bench: Bench, name: str) -> Iterator[Server]:
    """What is measured within this process needs no server."""
    yield Server(name, os.getpid(), 0)


@contextmanager
def asgi_node(bench: Bench, name: str, *, loop: str) -> Iterator[Server]:
    """Our node library with the application that uvicorn serves, as what is measured; the server shares the
    load's CPU."""
    swapped = replace(bench, pins=Pins(bench.pins.others, bench.pins.server))
    command = (sys.executable, str(APPLICATIONS / "asgi_node.py"), loop)
    with blastbeat(swapped, name, node_command=command) as server:
        assert server.node_pid is not None
        yield replace(server, pid=server.node_pid, node_pid=server.pid)


CONTENDERS: dict[str, Contender] = {
    "blastbeat": blastbeat,
    "blastbeat-batch": partial(blastbeat, node=("-b",)),
    "blastbeat-default": partial(blastbeat, has_uvloop=False),
    "blastbeat-h11": partial(blastbeat, settings={"driver": "h11"}),
    "blastbeat-profiled": partial(blastbeat, options=("--profile-plugins",)),
    SMALL: partial(blastbeat, needs=Needs(virtualhosts=1, nodes=1)),
    LARGE: partial(blastbeat, needs=Needs(virtualhosts=10_000, nodes=1000)),
    ONE_NODE: partial(blastbeat, needs=Needs(virtualhosts=10_000, nodes=1)),
    "asgi-node": partial(asgi_node, loop="uvloop"),
    "asgi-node-asyncio": partial(asgi_node, loop="asyncio"),
    "nginx": nginx,
    "uvicorn-h11": partial(uvicorn, http="h11", loop="uvloop"),
    "uvicorn-h11-asyncio": partial(uvicorn, http="h11", loop="asyncio"),
    "uvicorn-h11-log": partial(uvicorn, http="h11", loop="uvloop", has_log=True),
    "uvicorn-h11-asyncio-log": partial(uvicorn, http="h11", loop="asyncio", has_log=True),
    "uvicorn-httptools": partial(uvicorn, http="httptools", loop="uvloop"),
    "in-process": in_process,
}

PEERS = tuple(name for name in CONTENDERS if name.startswith(("nginx", "uvicorn")))

ABOUT = {
    "blastbeat": "with `blastbeat[speed]` (uvloop)",
    "blastbeat-batch": "the same, and the node answers with head and body in one message",
    "blastbeat-default": "as installed without extras: asyncio's own loop",
    "blastbeat-h11": '`driver = "h11"`, uvloop',
    "blastbeat-profiled": "with `serve --profile-plugins`",
    SMALL: "one virtualhost, one node, 64 connections",
    LARGE: "10,000 virtualhosts, 1,000 nodes, 10,000 connections",
    ONE_NODE: "the same with one node: what is left is what so many nodes cost",
    "asgi-node": "our node library with an ASGI application, uvloop",
    "asgi-node-asyncio": "the same on asyncio's own loop",
    "nginx": "proxying over kept connections to a backend in C, one worker",
    "uvicorn-h11": "serving directly, h11 and uvloop, no access log",
    "uvicorn-h11-asyncio": "the same on asyncio's own loop",
    "uvicorn-h11-log": "h11 and uvloop, with its access log",
    "uvicorn-h11-asyncio-log": "h11 and asyncio's own loop, with its access log",
    "uvicorn-httptools": "serving directly, httptools and uvloop, no access log",
    "in-process": "called in one process, without sockets",
}


def missing(name: str) -> str:
    """What a contender needs from PyPI that is not installed, empty for nothing."""
    wanted = ["uvicorn", "wsproto"] if name.startswith("uvicorn") else []
    wanted += ["httptools"] if "httptools" in name else []
    wanted += ["uvloop"] if name in ("blastbeat", "uvicorn-h11", "uvicorn-httptools") else []
    return " and ".join(each for each in wanted if importlib.util.find_spec(each) is None)
