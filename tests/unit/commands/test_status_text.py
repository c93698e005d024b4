"""A status in a terminal: what is said of whom, and what gives way when it is narrow."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.commands.status_text import (
    Look,
    format_bytes,
    format_duration,
    format_span,
    format_status,
    format_table,
    of_limit,
    printable,
)
from blastbeat.config.model import NodeRef, RouteConfig, VirtualHostConfig
from blastbeat.routes import RouteTable
from blastbeat.virtualhost import VirtualHost
from tests.helpers.engine import Engine
from tests.helpers.engine_fakes import encode_plainly, take_first
from tests.helpers.settings import HOST
from tests.helpers.status import StatusStage


@pytest.fixture
def stage() -> StatusStage:
    return StatusStage(Engine(policy={"alias": ("www.app.test",)}), connections=10)


def lines(status: dict[str, Any], look: Look = Look(), **keywords: Any) -> list[str]:  # noqa: B008
    return format_status(status, look, **keywords).splitlines()


def row(found: list[str], start: str) -> list[str]:
    """The cells of the line that begins so."""
    line = next(line for line in found if line.startswith(start))
    return line.split()


def test_the_server(stage: StatusStage) -> None:
    first, second, third, *_ = lines(stage.status())
    assert first.startswith("BlastBeat ") and " running for 10 s, process " in first
    assert second.startswith("configuration blastbeat.toml, read ") and second.endswith("(number 1)")
    stage.server.counters.add("config.reloads-refused", 2)
    assert lines(stage.status())[1].endswith("(number 1); 2 refused since the start")
    assert third == "clients on 127.0.0.1:8080; nodes on tcp://127.0.0.1:5000"
    assert any("connections 0 of 10, " in line for line in lines(stage.status()))


def test_a_virtualhost_and_its_node(stage: StatusStage) -> None:
    stage.engine.respond(stage.engine.request(stage.engine.stream()))
    stage.engine.virtualhost.tally.hit("rate", 7)
    found = lines(stage.status())
    assert row(found, HOST)[:6] == [HOST, "(www.app.test)", "up", "1", "1", "1"]
    assert " ".join(row(found, HOST)[-2:]) == "rate 7"
    assert row(found, "app ")[:2] == ["app", "up"]
    assert [line for line in found if line.startswith("!")] == ["! certificate soon.pem expires within a day"]


def test_what_plugins_counted(stage: StatusStage) -> None:
    stage.server.counters.declare({"policy.a": "things", "policy.b": "never seen", "policy.c": "others"})
    assert not any("COUNTER" in line for line in lines(stage.status()))
    stage.server.counters.add("policy.a", 3)
    stage.server.counters.add("policy.c")
    found = lines(stage.status())
    start = next(at for at, line in enumerate(found) if line.startswith("COUNTER"))
    assert [line.split() for line in found[start:]] == [
        ["COUNTER", "TIMES", "COUNTS"],
        ["policy.a", "3", "things"],
        ["policy.c", "1", "others"],
    ]


def test_what_needs_somebody(stage: StatusStage) -> None:
    stage.engine.add_virtualhost("down.test", ["away"])
    found = lines(stage.status())
    assert "! no available node for: down.test" in found
    assert row(found, "away") == ["away", "gone", "never", "0", "0", "B", "main", "not", "connected"]


@pytest.mark.parametrize(
    ("days", "words"),
    [(29, "expires in 29 days"), (1, "expires in 1 day"), (0, "expires within a day"), (-1, "has expired")],
)
def test_certificates_that_want_renewal(stage: StatusStage, days: int, words: str) -> None:
    status = stage.status()
    status["server"]["certificates"] = [
        {"file": "a.pem", "expires_at": 0.0, "days_left": days},
        {"file": "b.pem", "expires_at": 0.0, "days_left": 30},
        {"file": "odd.pem", "expires_at": None, "days_left": None},
    ]
    assert [line for line in lines(status) if "certificate" in line] == [f"! certificate a.pem {words}"]


def test_more_that_need_somebody_than_are_named(stage: StatusStage) -> None:
    status = stage.status()
    status |= {"virtualhosts_without_node": 25, "without_node": ["a.test", "b.test"]}
    assert "! no available node for: a.test, b.test and 23 more" in lines(status)


def test_routes_and_instances_stand_below_whose_they_are(stage: StatusStage) -> None:
    engine = stage.engine
    policy = VirtualHostConfig(HOST, route="/api", nodes=(NodeRef("app"),))
    route = VirtualHost(
        policy,
        engine.table,
        select=take_first,
        request_type=b"uwsgi",
        encode_request=encode_plainly,
        whole=engine.virtualhost,
    )
    engine.virtualhost.routes = RouteTable([(RouteConfig("/api", policy), route)], HOST)
    engine.node("app/1")
    status = stage.status()
    found = lines(status, before={**status, "at": status["at"] - 1})
    assert row(found, "  /api")[0] == "/api"
    assert [line[:7].rstrip() for line in found[-3:]] == ["app", "  app", "  app/1"]


def test_rates_between_two_looks(stage: StatusStage) -> None:
    before = stage.status()
    for _ in range(3):
        stage.engine.respond(stage.engine.request(stage.engine.stream()))
    now = {**stage.status(), "at": before["at"] + 2}
    found = lines(now, before=before)
    assert any(line.startswith("requests 3 (1.5/s)") for line in found)
    assert "/S" in next(line for line in found if line.startswith("VIRTUALHOST"))
    assert "1.5" in row(found, HOST)


def test_no_rate_where_no_time_has_passed_or_a_name_is_new(stage: StatusStage) -> None:
    before = stage.status()
    assert "/s)" not in format_status(before, Look(), before)
    stage.engine.add_virtualhost("new.test", ["app"])
    now = {**stage.status(), "at": before["at"] + 2}
    assert row(lines(now, before=before), "new.test")[4:7] == ["0", "0", "0"]


def test_how_to_see_the_others(stage: StatusStage) -> None:
    for number in range(5):
        stage.engine.add_virtualhost(f"site{number}.test", ["app"])
    assert any(line.startswith("... 4 more; --limit") for line in lines(stage.status(limit=2)))
    assert "none of 6 virtualhosts is called so" in lines(stage.status(search="nobody"))


def test_a_server_without_virtualhosts() -> None:
    stage = StatusStage()
    stage.engine.dispatcher.virtualhosts = ()
    assert "there are no virtualhosts" in lines(stage.status())


def test_who_is_not_admitted(stage: StatusStage) -> None:
    stage.engine.instance().allowed.clear()
    assert any(line.endswith(f"not admitted to {HOST}") for line in lines(stage.status()))


# ---------------------------------------------------------------- the terminal


def test_no_line_is_wider_than_the_terminal(stage: StatusStage) -> None:
    stage.engine.add_virtualhost("a-very-long-name." * 8 + "test", ["away"])
    wide, narrow = lines(stage.status()), lines(stage.status(), Look(width=60))
    tables = narrow[narrow.index("") + 1 :]
    assert all(len(line) <= 60 for line in tables if not line.startswith("!"))
    assert any("…" in line for line in tables) and not any("…" in line for line in wide)


def test_what_gives_way_first() -> None:
    heads, rows = ["NAME", "STATE", "IN", "WHY"], [["a" * 12, "up", "123456", "because"]]

    def at(width: int) -> list[str]:
        look = Look(width=width)
        return format_table(heads, rows, look, shrinking=0, dispensable=("IN",))[1].split()

    assert at(40) == ["a" * 12, "up", "123456", "because"]
    assert at(30) == ["a" * 12, "up", "because"]
    assert at(26) == ["a" * 9 + "…", "up", "because"]
    assert at(20) == ["a" * 7 + "…", "up", "be…"]


def test_states_have_colours_where_wanted(stage: StatusStage) -> None:
    stage.engine.add_virtualhost("down.test", ["away"])
    text = format_status(stage.status(), Look(200, colours=True))
    assert "\x1b[32mup\x1b[0m" in text and "\x1b[31mdown\x1b[0m" in text and "\x1b[31mgone\x1b[0m" in text
    assert "\x1b" not in format_status(stage.status(), Look())


def test_nothing_steers_the_terminal() -> None:
    assert printable("caf\u00e9 \x1b[2J\nx\u202e") == "café ?[2J?x?"
    assert format_table(["A", "B"], [["\x1b[31mred", "x\r"]], Look(), shrinking=0)[1] == "?[31mred  x?"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (20480, "20 KiB"), (5 << 20, "5.0 MiB"),
     (1 << 40, "1.0 TiB")],
)  # fmt: skip
def test_sizes(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.24, "0.2 s"), (59, "59 s"), (61, "1 min 1 s"), (3700, "1 h 1 min"), (90000, "1 d 1 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_limits() -> None:
    assert (of_limit(3, 10), of_limit(3, 0)) == ("3 of 10", "3")


def test_what_plugins_cost_where_that_is_measured(stage: StatusStage) -> None:
    status = stage.status()
    assert status["plugin_profile"] is None and not any("PLUGIN" in line for line in lines(status))
    assert lines({**status, "plugin_profile": []})[-1] == "no plugin was called yet"
    place = {
        "plugin": "mine",
        "place": "filter mark.on_data",
        "calls": 4,
        "errors": 1,
        "seconds": 0.0123,
        "longest_seconds": 0.01,
        "waited_seconds": 0.0,
    }
    asking = {**place, "place": "request-authenticator ask.authenticate", "waited_seconds": 250.0}
    *_, heads, first, second = lines({**status, "plugin_profile": [place, asking]})
    assert heads.split() == ["PLUGIN", "PLACE", "CALLS", "ERRORS", "TIME", "EACH", "LONGEST", "AWAITED"]
    assert " ".join(first.split()) == "mine filter mark.on_data 4 1 12.3 ms 3.08 ms 10.0 ms -"
    assert second.endswith("250 s")
    many = lines({**status, "plugin_profile": [place] * 35})
    assert many[-1] == "and 5 places more, which took less (--json has them)"
    assert sum(line.startswith("mine") for line in many) == 30


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.00 µs"), (3.4e-7, "0.34 µs"), (45.6e-6, "45.6 µs"), (1.234e-3, "1.23 ms"), (12.0, "12.0 s")],
)
def test_short_times(seconds: float, text: str) -> None:
    assert format_span(seconds) == text
