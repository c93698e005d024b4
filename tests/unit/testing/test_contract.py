"""Tests of `blastbeat.testing.contract`: what all contracts share."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from typing import Any

import pytest

from blastbeat import hookimpl
from blastbeat.plugins import limits
from blastbeat.testing.contract import Contract


class OfLimits(Contract):
    kind = "filter"
    plugin = limits
    name = "limits"
    options = {"requests": "5/s"}


def test_what_is_named_is_made_anew_each_time() -> None:
    contract = OfLimits()
    one, other = contract.make(), contract.make()
    assert type(one) is type(other) and one is not other


def test_a_subclass_with_another_plugin_has_that() -> None:
    OfLimits().make()
    other = type("Other", (OfLimits,), {"options": {"requests": "6/s"}})
    assert other().make() is not None


def test_without_a_plugin_it_says_what_to_do() -> None:
    with pytest.raises(NotImplementedError, match=r"`plugin` and `name`, or override new_filter\(\)"):
        type("Nothing", (Contract,), {"kind": "filter"})().make()


@pytest.mark.parametrize(
    "block",
    [
        lambda: time.sleep(0),
        lambda: socket.getaddrinfo("localhost", 1),
        lambda: socket.socket().connect(("127.0.0.1", 1)),
        lambda: subprocess.Popen(["true"]),
        lambda: open(__file__),
    ],
    ids=["sleep", "getaddrinfo", "connect", "Popen", "open"],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_blocking_is_refused(block: Any) -> None:
    with OfLimits().watched(), pytest.raises(AssertionError, match="on the event loop"):
        block()


def test_afterwards_and_in_other_threads_all_is_as_it_was() -> None:
    before = time.sleep, open, vars(socket.socket).get("connect")
    done: list[str] = []

    def wait() -> None:
        time.sleep(0)
        done.append("slept")

    with OfLimits().watched():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert done == ["slept"]
    assert (time.sleep, open, vars(socket.socket).get("connect")) == before


class Counting:
    @hookimpl
    def blastbeat_register_counters(self, register: Any) -> None:
        register("tag.words", "words")


def test_counters_are_those_of_the_server_and_the_plugins_own() -> None:
    for values in ({"plugin": Counting}, {"plugin": None, "counters": ["tag.words"]}):
        contract = type("Counting", (OfLimits,), values)()
        contract.count("requests.received")
        contract.count("tag.words")
        with pytest.raises(AssertionError, match="no counter"):
            contract.count("tag.letters")


def test_without_a_plugin_only_the_servers_names_are_known() -> None:
    contract = type("Counting", (OfLimits,), {"plugin": None})()
    contract.count("tag.letters")
    with pytest.raises(AssertionError, match="no counter"):
        contract.count("requests.recieved")


class Table:
    """Keeps so many."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept: dict[str, int] = {}

    def meet(self, number: int) -> None:
        self.kept[f"client {number}"] = number
        if len(self.kept) > self.limit:
            del self.kept[next(iter(self.kept))]


def test_tables_with_an_end_are_fine_and_others_are_found() -> None:
    contract = type("Small", (OfLimits,), {"max_entries": 100})()
    for limit in (0, 1, 50, 100):
        table = Table(limit)
        contract.check_remembering(table, table.meet)
    table = Table(2000)
    with pytest.raises(AssertionError, match="max_entries"):
        contract.check_remembering(table, table.meet)
