"""Who uses which node, and what their authenticators say of its instances."""

from __future__ import annotations

import pytest

from blastbeat.interfaces import NodeCandidate
from blastbeat.node_users import NodeUsers
from blastbeat.virtualhost import VirtualHost
from tests.helpers.engine import Engine


class Picky:
    """Agrees to these addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    def authenticate(self, candidate: NodeCandidate) -> bool:
        return candidate.address in self.addresses


def another(engine: Engine, *addresses: str, nodes: tuple[str, ...] = ("app",)) -> VirtualHost:
    """A virtualhost of the same name, not in use yet."""
    users = engine.dispatcher.virtualhosts
    made = engine.add_virtualhost(engine.virtualhost.name, nodes, node_authenticators=[Picky(*addresses)])
    engine.dispatcher.virtualhosts = users
    return made


def test_who_names_a_node() -> None:
    engine = Engine(nodes=("app", "two"))
    users = engine.dispatcher.users
    other = engine.add_virtualhost("other.test", ["two"])
    assert list(users.of(engine.table, "two")) == [engine.virtualhost, other]
    assert list(users.of(engine.table, "app")) == [engine.virtualhost]
    assert not users.of(engine.table, "three")
    assert users.virtualhosts == (engine.virtualhost, other)


def test_one_that_is_new_is_asked_about_who_is_there() -> None:
    engine = Engine(here={"app": "", "app/2": ""})
    users = engine.dispatcher.users
    fresh = engine.add_virtualhost("fresh.test", ["app"], node_authenticators=[Picky("1.2.3.4")])
    assert [each.identity for each in users.ask(fresh)] == [b"app", b"app/2"]
    assert list(users.ask(fresh)) == []  # it has them already
    assert len(fresh.candidates(["app"], set())) == 2


@pytest.mark.parametrize("nodes", [("app",), ("two",)])
def test_what_was_said_for_a_name_is_forgotten_with_its_last_user(nodes: tuple[str, ...]) -> None:
    engine = Engine()
    old, fresh = engine.virtualhost, another(engine, "1.2.3.4", nodes=nodes)
    users = engine.dispatcher.users
    users.replace((fresh,))
    list(users.ask(fresh))
    users.forget(old)
    is_still_named = nodes == ("app",)
    assert (old.key in engine.instance().allowed) == is_still_named


def test_a_stricter_authenticator_takes_an_instance_away() -> None:
    engine = Engine()
    fresh = another(engine, "5.6.7.8")
    users = engine.dispatcher.users
    users.replace((fresh,))
    assert not list(users.ask(fresh)) and not engine.instance().allowed


def test_nobody_names_it() -> None:
    engine = Engine()
    users = NodeUsers(lambda *refusal: None)
    assert not users.admit(engine.instance(), engine.table, "1.2.3.4")
