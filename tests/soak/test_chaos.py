"""Some minutes of chaos, after which nothing is left over. Opt-in: ``pytest -m soak``; SOAK_SECONDS (120)."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import pytest

from tests.helpers.settings import Table
from tests.helpers.stage import Stage
from tests.soak.chaos import Actor, ChaosClient, ChaosNode

SECONDS = float(os.environ.get("SOAK_SECONDS", "120"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
MIB = 1024 * 1024
SERVER: Table = {"ping-freq": 0.2, "header-timeout": 1, "writequeue-buffer": "1MiB"}
VHOST: Table = {
    "response-timeout": 1,
    "idle-timeout": 1,
    "body-timeout": 1,
    "write-timeout": 1,
    "keep-alive": 1,
    "linger-time": 1,
}


def settled_descriptors() -> int:
    """Open descriptors of this process, once the number stands still: ZeroMQ closes sockets by and by."""
    standing_still, count = 0, -1
    while standing_still < 20:
        threading.Event().wait(0.05)
        before, count = count, len(os.listdir("/proc/self/fd"))
        standing_still = standing_still + 1 if count == before else 0
    return count


def memory() -> int:
    """Resident size of this process, bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def rampage(stage: Stage, seconds: float, seed: int) -> list[Actor]:
    """Everybody at once for `seconds`; returns when all have left."""
    server = stage.server
    nodes: list[Actor] = [ChaosNode(stage.context, server.endpoint, number, seed) for number in range(4)]
    clients: list[Actor] = [ChaosClient(server.port, number, seed) for number in range(12)]
    for actor in (*nodes, *clients):
        actor.start()
    threading.Event().wait(seconds)
    for actors in (clients, nodes):
        for actor in actors:
            actor.stop()
        for actor in actors:
            actor.join()
    return [*clients, *nodes]


@pytest.mark.soak
@pytest.mark.timeout(2 * SECONDS + 120)
def test_chaos(stage: Stage) -> None:
    server = stage.serve(SERVER, VHOST)
    warm_up = rampage(stage, min(10.0, SECONDS), SEED)  # tables and pools have their size after it
    server.wait_idle()
    server.exchanges.clear()
    descriptors_before, memory_before = settled_descriptors(), memory()
    actors = [*warm_up, *rampage(stage, SECONDS, SEED + 1)]
    failures = [failure for actor in actors for failure in actor.failures]
    assert failures == []
    server.wait_idle()
    exchanges = len(server.exchanges)
    server.exchanges.clear()
    counters = server.counters
    assert exchanges > 20 * SECONDS, "hardly anything happened"
    assert counters["sessions.opened"] == counters["sessions.closed"]
    assert counters["connections.accepted"] == counters["connections.closed"]
    assert settled_descriptors() <= descriptors_before
    assert memory() - memory_before < 24 * MIB
    node = stage.node("app")
    stage.exchange(node, stage.client())
