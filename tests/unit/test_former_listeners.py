"""Addresses that are bound no more, while somebody is connected by them."""

from __future__ import annotations

from blastbeat.config.model import Address, Config, ServerConfig, VirtualHostConfig
from blastbeat.former_listeners import FormerListeners

ONE, TWO, THREE = (Address("127.0.0.1", port) for port in (1, 2, 3))
RUNNING = Config(
    ServerConfig(bind=(ONE, TWO)),
    (VirtualHostConfig("own.test", bind=(TWO, THREE)), VirtualHostConfig("app.test")),
)


def test_what_they_led_to_is_kept() -> None:
    former = FormerListeners().after(RUNNING, [ONE, TWO, THREE], [], {ONE, TWO, THREE})
    assert former.shared == {ONE, TWO}
    assert set(former.of("own.test")) == {TWO, THREE}
    assert list(former.of("app.test")) == []


def test_until_nobody_is_connected_by_them_any_more() -> None:
    former = FormerListeners().after(RUNNING, [ONE, TWO, THREE], [], {ONE, THREE})
    assert former.shared == {ONE} and list(former.of("own.test")) == [THREE]
    later = former.after(RUNNING, [], [], {THREE, None})
    assert not later.shared and list(later.of("own.test")) == [THREE]
    assert former.shared == {ONE}  # a reload that fails changes nothing
    assert not later.after(RUNNING, [], [], set()).of("own.test")


def test_or_until_they_are_bound_again() -> None:
    former = FormerListeners().after(RUNNING, [ONE, THREE], [], {ONE, THREE})
    again = former.after(RUNNING, [], [ONE, THREE], {ONE, THREE})
    assert not again.shared and not again.of("own.test")


def test_tls_addresses_likewise() -> None:
    running = Config(ServerConfig(bind_ssl=(ONE,)), (VirtualHostConfig("own.test", bind_ssl=(TWO,)),))
    former = FormerListeners().after(running, [ONE, TWO], [], {ONE, TWO})
    assert former.shared == {ONE} and list(former.of("own.test")) == [TWO]
