"""How many files a server may have to open, and what is said when it may not. The limits are a fake's."""

from __future__ import annotations

import pytest

from blastbeat.config.model import Config, NodeRef, Origin, ServerConfig, VirtualHostConfig
from blastbeat.system.descriptors import MARGIN, PER_ROUTER, allow_descriptors, needed_descriptors

ENDLESS = -1


class Limits:
    """`ceiling`: how far this process may raise the hard limit."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = ENDLESS

    def __init__(self, soft: int, hard: int, ceiling: int = 0) -> None:
        self.limits = (soft, hard)
        self.ceiling = max(ceiling, hard)

    def getrlimit(self, resource: int, /) -> tuple[int, int]:
        assert resource == self.RLIMIT_NOFILE
        return self.limits

    def setrlimit(self, resource: int, limits: tuple[int, int], /) -> None:
        assert resource == self.RLIMIT_NOFILE
        soft, hard = limits
        if self.limits[1] != ENDLESS and hard > self.ceiling:
            raise ValueError("not allowed to raise maximum limit")
        assert hard == ENDLESS or soft <= hard
        assert hard == ENDLESS or self.limits[1] == ENDLESS or hard >= self.limits[1], "lowered for ever"
        self.limits = limits


def make_config(connections: int = 5000, *, is_said: bool = True) -> Config:
    origins = {"connections": Origin("x.toml", 3, "blastbeat")} if is_said else {}
    return Config(ServerConfig(connections=connections, sessions=1000, zmq=("tcp://a",), origins=origins))


NEEDED = needed_descriptors(make_config(), 5000)


def test_what_is_needed() -> None:
    own = ("ipc:///b",)
    hosts = (
        VirtualHostConfig("a", nodes=(NodeRef("x"), NodeRef("y"))),
        VirtualHostConfig("b", nodes=(NodeRef("x"),)),  # the same node
        VirtualHostConfig("c", nodes=(NodeRef("x"),), zmq=own),
    )
    config = Config(ServerConfig(zmq=("tcp://a",)), hosts)
    assert needed_descriptors(config, 1000) == 1000 + 2 * 3 + 2 * PER_ROUTER + MARGIN


@pytest.mark.parametrize(
    ("limits", "after"),
    [
        (Limits(1024, 100_000), (NEEDED, 100_000)),
        (Limits(1024, ENDLESS), (NEEDED, ENDLESS)),
        (Limits(NEEDED, NEEDED), (NEEDED, NEEDED)),
        (Limits(50_000, 100_000), (50_000, 100_000)),
        (Limits(ENDLESS, ENDLESS), (ENDLESS, ENDLESS)),
        (Limits(1024, 4096, ceiling=1_000_000), (NEEDED, NEEDED)),  # root
    ],
)
def test_enough(limits: Limits, after: tuple[int, int]) -> None:
    assert allow_descriptors(make_config(), limits) == ""
    assert limits.limits == after


def test_too_few() -> None:
    limits = Limits(1024, 4096)
    warning = allow_descriptors(make_config(), limits)
    assert limits.limits == (4096, 4096)
    assert "only 4096 files" in warning and f"LimitNOFILE={NEEDED}" in warning


def test_connections_that_nobody_asked_for_are_no_reason_to_warn() -> None:
    """`connections` by default is more than `sessions` needs."""
    limits = Limits(1024, 4096)
    assert allow_descriptors(make_config(is_said=False), limits) == ""
    assert limits.limits == (4096, 4096)


@pytest.mark.parametrize("hard", [4096, ENDLESS])
def test_no_limit_means_as_many_as_may_be(hard: int) -> None:
    limits = Limits(64, hard)
    assert allow_descriptors(make_config(0), limits) == ""
    assert limits.limits[0] == (4096 if hard == 4096 else needed_descriptors(make_config(), 1000))
    too_few = Limits(64, 1000)
    assert f"LimitNOFILE={needed_descriptors(make_config(), 1000)}" in allow_descriptors(
        make_config(0), too_few
    )
