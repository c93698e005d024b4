"""What check says of the status address."""

from __future__ import annotations

import pytest

from tests.helpers.examine import Examine

SERVER = '[blastbeat]\nbind = "127.0.0.1:8080"\nzmq = "ipc://nodes"\n'
HOST = '[vhost."*"]\nnode = "n"\n[vhost."a.test"]\nnode = "n"\nbind = "127.0.0.1:8081"\n'


def told(examine_text: Examine, address: str) -> list[tuple[str, int, str]]:
    _, problems = examine_text(f'{SERVER}stats-bind = "{address}"\n{HOST}')
    return [(problem.severity, problem.line, problem.message) for problem in problems]


@pytest.mark.parametrize("address", ["127.0.0.1:9180", "127.9.9.9:9180", "[::1]:9180", "localhost:9180"])
def test_loopback_is_fine(examine_text: Examine, address: str) -> None:
    assert told(examine_text, address) == []


@pytest.mark.parametrize("address", ["9180", "0.0.0.0:9180", "10.0.0.1:9180", "[::]:9180", "proxy1:9180"])
def test_an_address_others_reach_is_warned_of(examine_text: Examine, address: str) -> None:
    [(severity, line, message)] = told(examine_text, address)
    assert (severity, line) == ("warning", 4) and "asks for no password" in message


@pytest.mark.parametrize(
    ("address", "owner"), [("127.0.0.1:8080", "[blastbeat]"), ("127.0.0.1:8081", "a.test")]
)
def test_an_address_for_clients_is_taken(examine_text: Examine, address: str, owner: str) -> None:
    assert told(examine_text, address) == [("error", 4, f"is an address for clients, of {owner}")]


def test_where_the_system_chooses_there_is_no_clash(examine_text: Examine) -> None:
    server = SERVER.replace("8080", "0")
    assert examine_text(f'{server}stats-bind = "127.0.0.1:0"\n{HOST}')[1] == []


def test_without_one_there_is_nothing_to_say(examine_text: Examine) -> None:
    assert examine_text(f"{SERVER}{HOST}")[1] == []
