"""A line for each coming and going of a node: name, endpoint, address, reason, what became of sessions."""

from __future__ import annotations

import logging

import pytest

from blastbeat.instance import Instance
from blastbeat.interfaces import NodeCandidate
from blastbeat.node_log import NodeLog
from tests.helpers.engine import Engine
from tests.helpers.engine_fakes import FakeClient


@pytest.fixture(autouse=True)
def level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "blastbeat")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Level and text of those about nodes, since the last call."""
    found = [
        f"{each.levelname} {each.getMessage()}" for each in caplog.records if each.name.endswith("node_log")
    ]
    caplog.clear()
    return found


def ask(engine: Engine, number: int) -> None:
    for _ in range(number):
        engine.request(engine.stream(FakeClient()))


def test_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    Engine()
    assert lines(caplog) == ["INFO node app is up: heard from (main, from 1.2.3.4)"]


def test_it_is_there_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(here={})
    engine.table.tick(engine.clock.now)
    engine.table.tick(engine.clock.now)
    assert "INFO node app is up: connected (main)" in lines(caplog)


def test_it_falls_silent_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()
    ask(engine, 2)
    lines(caplog)
    engine.clock.now += 4
    engine.table.tick(engine.clock.now)
    engine.node("app")
    assert lines(caplog) == [
        "WARNING node app is silent: not heard from for 4.0 s (main, from 1.2.3.4, 2 sessions go on)",
        "INFO node app is up: heard from (main, from 1.2.3.4)",
    ]


def test_its_connection_is_lost_for_too_long(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()
    ask(engine, 1)
    lines(caplog)
    engine.lose("app")
    assert lines(caplog) == [
        "WARNING node app is gone: no route to it for 2.0 s (main, from 1.2.3.4, 1 session ended)"
    ]


def test_it_drains(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(here={"app/1": ""})
    stream = engine.stream()
    session = engine.request(stream)
    lines(caplog)
    engine.dispatcher.message_received(engine.instance("app/1"), b"", b"drain", b"")
    engine.respond(session)
    assert lines(caplog) == [
        "INFO node app/1 drains: it asked to (main, from 1.2.3.4, 1 session goes on)",
        "INFO node app/1 is drained: its last session is over (main, from 1.2.3.4)",
    ]
    assert engine.recorder.nodes[-1].state == "drained"


def test_it_dies_while_it_drains(caplog: pytest.LogCaptureFixture) -> None:
    """Sessions were lost: that is no drain that came to its end."""
    engine = Engine(here={"app/1": ""})
    ask(engine, 1)
    engine.dispatcher.message_received(engine.instance("app/1"), b"", b"drain", b"")
    lines(caplog)
    engine.lose("app/1")
    (line,) = [each for each in lines(caplog) if each.startswith("WARNING")]
    assert line.startswith("WARNING node app/1 is gone: no route to it")
    assert engine.recorder.nodes[-1].state == "gone"


def test_it_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(here={"app/1": ""})
    lines(caplog)
    engine.clock.now += 11
    engine.table.tick(engine.clock.now)
    assert lines(caplog)[-1] == (
        "WARNING node app/1 is gone: forgotten: not heard from for 11.0 s (main, from 1.2.3.4)"
    )


def test_an_authenticator_refuses_it(caplog: pytest.LogCaptureFixture) -> None:
    class Picky:
        def authenticate(self, candidate: NodeCandidate) -> bool:
            return False

    engine = Engine(node_authenticators=[Picky()])
    found = lines(caplog)
    assert found[0] == "WARNING node app is refused: by Picky of app.test (main, from 1.2.3.4)"
    engine.dispatcher.admit(engine.instance(), "1.2.3.5")
    engine.dispatcher.admit(engine.instance(), "1.2.3.6")
    assert lines(caplog) == [], "a flood is no flood of lines"
    engine.clock.now += 11
    engine.dispatcher.admit(engine.instance(), "1.2.3.7")
    assert lines(caplog)[0].endswith("(main, from 1.2.3.4, 2 more like it)")


def test_the_node_is_a_field_of_each_line(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(here={})
    instance: Instance = engine.instance()
    NodeLog().up(instance, "for the test")
    assert caplog.records[-1].__dict__["node"] == "app"
