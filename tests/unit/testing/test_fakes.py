"""Tests of `blastbeat.testing.fakes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blastbeat import hookimpl
from blastbeat.errors import ConfigError
from blastbeat.interfaces import Options, Register, RegisterOptions
from blastbeat.plugins.round_robin import RoundRobin
from blastbeat.testing import (
    make_candidate,
    make_connection_view,
    make_exchange_view,
    make_instance,
    make_registered,
    make_request,
    make_request_view,
    sample_requests,
)


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (make_request, {"method": b"POST"}),
        (make_connection_view, {"listener": "[::1]:80"}),
        (make_exchange_view, {"status": 404}),
        (make_instance, {"sessions": 3}),
        (make_candidate, {"address": "192.0.2.9"}),
    ],
)
def test_changes_change_and_the_rest_stays(make: Callable[..., Any], changes: dict[str, Any]) -> None:
    changed, plain = make(**changes), make()
    assert plain == make()
    for name in type(plain).__slots__:
        assert getattr(changed, name) == changes.get(name, getattr(plain, name))


def test_an_instance_belongs_to_the_node_in_its_name() -> None:
    assert make_instance("node7/blue").node == "node7"
    assert make_candidate("node7").expected == {"node7"}


def test_a_view_carries_its_request() -> None:
    assert make_request_view(method=b"PUT").request.method == b"PUT"


def test_the_samples_are_of_every_shape() -> None:
    samples = sample_requests()
    assert {request.chunked for request in samples} == {False, True}
    assert any(request.content_length for request in samples)
    assert any(request.upgrade for request in samples)
    assert any(not request.headers for request in samples)


class Plugin:
    """Registers one selector and keeps its options."""

    def __init__(self) -> None:
        self.table: Options = {}

    @hookimpl
    def blastbeat_register_options(self, register: RegisterOptions) -> None:
        register({"size": int}, self._receive)

    def _receive(self, options: Options) -> None:
        self.table = options

    @hookimpl
    def blastbeat_register_selectors(self, register: Register) -> None:
        register("mine", lambda options: RoundRobin(), options={"key": str})


def test_a_plugin_is_loaded_alone_with_its_table() -> None:
    plugin = Plugin()
    made = make_registered(plugin, "selector", "mine", {"key": "a"}, table={"size": "3"})
    assert isinstance(made, RoundRobin) and plugin.table == {"size": 3}
    with pytest.raises(ConfigError, match="known: mine"):
        make_registered(plugin, "selector", "round-robin")
