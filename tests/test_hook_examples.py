"""The examples on the page of hooks are plugins that load and whose hooks do what they say."""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path
from typing import Any

import anyio
import pytest

from blastbeat import hookspecs
from blastbeat.config.model import PluginRef
from blastbeat.errors import NodeError
from blastbeat.events import CloseReason, NodeData
from blastbeat.interfaces import Allow, Answer, NodeView, ServerView, SessionView
from blastbeat.lifecycle import NOTICES
from blastbeat.plugin_manager import PluginManager
from blastbeat.registry import Registry
from blastbeat.testing import (
    make_candidate,
    make_connection_view,
    make_exchange_view,
    make_instance,
    make_request,
    make_request_view,
)

FILE = Path(__file__).parents[1] / "docs" / "reference" / "hook_examples.py"
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith(hookspecs.PREFIX))


class Examples:
    """All of them as plugins, of which each has a name and hooks."""

    def __init__(self) -> None:
        self.classes = {
            name: each
            for name, each in runpy.run_path(str(FILE)).items()
            if inspect.isclass(each)
            and any(attribute.startswith(hookspecs.PREFIX) for attribute in dir(each))
        }
        self.plugins: dict[str, Any] = {name: each() for name, each in self.classes.items()}
        for name, each in self.plugins.items():
            words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
            each.__name__ = words.removeprefix("-")
        self.manager = PluginManager(
            discover=list,
            plugins=list(self.plugins.values()),
            options={"register-options": {"text": "hi"}},
        )
        assert self.manager.load() == []

    def make(self, kind: str, name: str) -> Any:
        registry: Registry = self.manager.build_registry()
        assert registry.owner(kind, name) in {each.__name__ for each in self.plugins.values()}
        return registry.make(kind, PluginRef(name))


@pytest.fixture(scope="module")
def examples() -> Examples:
    return Examples()


def test_each_hook_has_one_example(examples: Examples) -> None:
    found = [name for each in examples.classes.values() for name in vars(each) if name in HOOKS]
    assert sorted(found) == HOOKS


def test_options(examples: Examples) -> None:
    assert examples.plugins["RegisterOptions"].text == "hi"


def test_drivers(examples: Examples) -> None:
    assert callable(examples.make("driver", "mine").new_driver)
    assert callable(examples.make("websocket-driver", "mine").negotiate)


def test_an_encoder(examples: Examples) -> None:
    encoder = examples.make("encoder", "shout")
    assert encoder.decode(b"hello") == NodeData(b"HELLO")
    with pytest.raises(NodeError):
        encoder.decode(b"")


def test_a_selector(examples: Examples) -> None:
    instances = [make_instance("one"), make_instance("two")]
    assert examples.make("selector", "last").select(instances, make_request()) is instances[1]


def test_authenticators(examples: Examples) -> None:
    local = examples.make("node-authenticator", "local")
    assert local.authenticate(make_candidate(address="127.0.0.1"))
    assert not local.authenticate(make_candidate(address="192.0.2.1"))
    token = examples.make("request-authenticator", "token")
    good, bad = make_request_view(headers=[(b"x-token", b"secret")]), make_request_view()
    assert isinstance(anyio.run(token.authenticate, good), Allow)
    assert isinstance(anyio.run(token.authenticate, bad), Answer)


def test_a_filter(examples: Examples) -> None:
    teapot = examples.make("filter", "teapot")
    assert teapot.on_request(make_request_view(target=b"/teapot")).status == 418
    assert teapot.on_request(make_request_view(target=b"/")) is None


def test_a_counter_and_a_command(examples: Examples) -> None:
    assert examples.manager.counters["register-counters.pots"] == "requests for a teapot"
    commands, problems = examples.manager.commands()
    assert not problems and commands["greet"].run(["you"]) == 0 and commands["greet"].run([]) == 64


def test_the_examination(examples: Examples) -> None:
    class Nobody:
        virtualhosts = ()

    [problem] = examples.plugins["ExamineConfig"].blastbeat_examine_config(Nobody())
    assert problem.severity == "warning"


@pytest.mark.parametrize("notice", NOTICES)
def test_notices(examples: Examples, notice: str, caplog: pytest.LogCaptureFixture) -> None:
    connection = make_connection_view()
    views = {
        "connection": connection,
        "session": SessionView(b"s" * 16, "host", "app", "app", connection, CloseReason.COMPLETE),
        "exchange": make_exchange_view(),
        "node": NodeView("app", "app", "tcp://127.0.0.1:1", "up", "it is there"),
    }
    view = views.get(notice.partition("_")[0], ServerView(0.0))
    with caplog.at_level("INFO", "example"):
        before = dict(vars(examples.plugins["Notices"]))
        seen = dict(before["seen"])
        getattr(examples.plugins["Notices"], hookspecs.PREFIX + notice)(view)
    after = vars(examples.plugins["Notices"])
    assert caplog.records or dict(after["seen"]) != seen or set(after) != set(before)
