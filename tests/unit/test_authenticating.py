"""Requests that wait for authenticators, and who hears when nobody waits any more. What becomes of the
requests is `test_admission`'s."""

from __future__ import annotations

from blastbeat.interfaces import Answer
from tests.helpers.engine import Engine
from tests.helpers.engine_fakes import GatedAuthenticator


class Heard:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def test_nobody_asks() -> None:
    engine, heard = Engine(authenticators=[GatedAuthenticator()]), Heard()
    engine.dispatcher.admission.authenticating.when_unused(engine.virtualhost, heard)  # type: ignore[attr-defined]
    assert heard.times == 1


def test_the_last_request_is_waited_for_whatever_becomes_of_it() -> None:
    first, second = GatedAuthenticator(), GatedAuthenticator(Answer(401))
    engine, heard = Engine(authenticators=[first, second]), Heard()
    engine.request(engine.stream())
    engine.request(engine.stream())
    engine.tasks.run()
    engine.dispatcher.admission.authenticating.when_unused(engine.virtualhost, heard)  # type: ignore[attr-defined]
    first.is_open = True
    engine.tasks.run()
    assert (first.asked, second.asked, heard.times) == (2, 2, 0), "the second is still to be asked"
    second.is_open = True
    engine.tasks.run()
    assert heard.times == 1


def test_a_client_that_leaves_ends_its_waiting() -> None:
    engine, heard = Engine(authenticators=[GatedAuthenticator()]), Heard()
    stream = engine.stream()
    engine.request(stream)
    engine.tasks.run()
    engine.dispatcher.admission.authenticating.when_unused(engine.virtualhost, heard)  # type: ignore[attr-defined]
    assert heard.times == 0
    stream.client_left()
    assert heard.times == 1
    engine.dispatcher.admission.authenticating.when_unused(engine.virtualhost, heard)  # type: ignore[attr-defined]
    assert heard.times == 2
