"""A line of the access log: what it says in both formats, and that nobody can forge one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import CloseReason
from blastbeat.plugins.access_log_format import format_combined, format_json
from blastbeat.testing import make_exchange_view
from tests.helpers.logs_page import documented_fields, examples

QUOTED = r'"(?:[^"\\]|\\.)*"'
# What every tool that reads the combined format expects, and then ours.
COMBINED = (
    r"(?P<client>\S+) - (?P<user>\S+) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\]"
    rf" (?P<request>{QUOTED}) (?P<status>\d{{3}}) (?P<bytes_out>\d+)"
    rf" (?P<referer>{QUOTED}) (?P<user_agent>{QUOTED})"
)
LINE = re.compile(
    COMBINED + r" virtualhost=(?P<virtualhost>\S+) node=(?P<node>\S+)"
    r" duration=\d+\.\d{6} node_duration=\d+\.\d{6} bytes_in=\d+ port=\d+"
    r" close_reason=(?P<close_reason>[a-z-]+) request_id=(?P<request_id>\S+)"
    r"(?: route=(?P<route>\S+))?(?: hops=(?P<hops>\d+))?"
    r"(?: close_code=(?P<close_code>\d{4}) messages_in=(?P<messages_in>\d+)"
    r" messages_out=(?P<messages_out>\d+))?"
    rf"(?: host=(?P<host>{QUOTED}))?(?: detail=(?P<detail>{QUOTED}))?"
)


def read_text(**changes: Any) -> dict[str, str | None]:
    line = format_combined(make_exchange_view(**changes))
    match = LINE.fullmatch(line)
    assert match, line
    return match.groupdict()


def read_json(**changes: Any) -> dict[str, Any]:
    line = format_json(make_exchange_view(**changes))
    assert line.isascii() and line.isprintable()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_plain_request() -> None:
    assert format_combined(make_exchange_view(user_agent=b"curl/8.5.0")) == (
        '192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /path?query=1 HTTP/1.1" 200 13 "-" "curl/8.5.0"'
        " virtualhost=example.org node=node1 duration=0.004000 node_duration=0.003000 bytes_in=0 port=50000"
        " close_reason=complete request_id=r1"
    )
    assert read_json(user_agent=b"curl/8.5.0") == {
        "time": "2023-11-14T22:13:20.250Z",
        "client": "192.0.2.1",
        "port": 50000,
        "method": "GET",
        "target": "/path?query=1",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 13,
        "duration": 0.004,
        "node_duration": 0.003,
        "close_reason": "complete",
        "hops": 0,
        "virtualhost": "example.org",
        "node": "node1",
        "request_id": "r1",
        "host": "example.org",
        "user_agent": "curl/8.5.0",
    }


def test_everything_there_can_be_is_told() -> None:
    told: dict[str, Any] = {"route": "/api", "hops": 2, "detail": "why", "user": b"ann"}
    told["referer"] = b"http://a/"
    line = read_text(**told, host=b"other.example")
    assert (line["route"], line["hops"], line["detail"]) == ("/api", "2", '"why"')
    assert (line["referer"], line["user"], line["host"]) == ('"http://a/"', "ann", '"other.example"')
    found = read_json(**told, host=b"other.example")
    assert (found["route"], found["hops"], found["detail"]) == ("/api", 2, "why")
    assert (found["referer"], found["user"], found["host"]) == ("http://a/", "ann", "other.example")


def test_a_websocket_has_a_close_code_and_messages() -> None:
    told: dict[str, Any] = {"status": 101, "close_code": 1006, "messages_in": 2, "messages_out": 0}
    line, found = read_text(**told), read_json(**told)
    for name in ("close_code", "messages_in", "messages_out"):
        assert line[name] == str(told[name]) and found[name] == told[name]
    assert "messages_in" not in read_json()


def test_the_line_of_a_404_names_the_host_asked_for() -> None:
    changes: dict[str, Any] = {"virtualhost": "", "status": 404, "host": b"Nobody.example:81", "identity": ""}
    line = read_text(**changes, detail="no such host")
    assert (line["virtualhost"], line["node"], line["host"]) == ("-", "-", '"Nobody.example:81"')
    assert (line["status"], line["detail"]) == ("404", '"no such host"')
    found = read_json(**changes)
    assert found["host"] == "Nobody.example:81" and not {"virtualhost", "node"} & set(found)


def test_text_names_a_host_only_where_it_is_spelled_unlike_the_virtualhost() -> None:
    assert read_text(virtualhost="*.example.org", host=b"a.example.org")["host"] == '"a.example.org"'
    assert read_text(virtualhost="example.org", host=b"example.org")["host"] is None


def test_what_never_became_known() -> None:
    nothing: dict[str, Any] = {"status": 0, "method": b"", "target": b"", "identity": "", "request_id": b""}
    nothing |= {"reason": CloseReason.SLOW_REQUEST, "user_agent": b"", "host": b"", "virtualhost": ""}
    line = read_text(**nothing)
    assert (line["request"], line["status"], line["node"], line["request_id"]) == ('"-"', "000", "-", "-")
    assert line["close_reason"] == "slow-request"
    assert set(read_json(**nothing)) == {
        "time", "client", "port", "status", "bytes_in", "bytes_out", "duration", "node_duration",
        "close_reason", "hops",
    }  # fmt: skip


def test_an_ipv6_client_is_written_as_it_is() -> None:
    assert read_text(remote_addr="2001:db8::1")["client"] == "2001:db8::1"


@pytest.mark.parametrize("reason", CloseReason)
def test_every_close_reason_has_a_line(reason: CloseReason) -> None:
    assert read_text(reason=reason)["close_reason"] == reason.value
    assert read_json(reason=reason)["close_reason"] == reason.value


def test_a_forged_line_stays_inside_its_quotes() -> None:
    forged = b'/" 200 13\n1.2.3.4 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.1" 500 '
    changes: dict[str, Any] = {
        "target": forged,
        "host": b'x" close_reason=complete',
        "detail": 'a"\nb',
        "identity": "n 1",
        "virtualhost": "",
        "user_agent": b'" node=x\x1b[2J',
        "user": b'ann "',
    }
    line = read_text(**changes)
    assert line["status"] == "200" and line["node"] == "n\\x201" and line["user"] == 'ann\\x20\\"'
    assert line["detail"] == r'"a\"\x0ab"' and line["host"] == r'"x\" close_reason=complete"'
    assert line["user_agent"] == r'"\" node=x\x1b[2J"'
    found = read_json(**changes)
    assert found["target"] == forged.decode() and found["user_agent"] == '" node=x\x1b[2J'
    assert found["status"] == 200


ANYTHING = st.fixed_dictionaries(
    {
        name: st.binary(max_size=60)
        for name in ("host", "method", "target", "version", "request_id", "referer", "user_agent", "user")
    }
    | {name: st.text(max_size=60) for name in ("virtualhost", "identity", "detail", "route")}
)


@given(ANYTHING)
def test_whatever_comes_makes_one_line_of_printable_ascii(values: dict[str, Any]) -> None:
    line = format_combined(make_exchange_view(**values))
    assert LINE.fullmatch(line), line
    assert line.isascii() and line.isprintable()


@given(ANYTHING)
def test_whatever_comes_makes_one_json_object(values: dict[str, Any]) -> None:
    found = read_json(**values)
    json.dumps(found).encode()
    for name, value in found.items():
        assert type(value) in ((int, float) if name in NUMBERS else (str,)), name
        if isinstance(value, str):
            value.encode("utf-8")  # no lone surrogate


NUMBERS = {"port", "status", "bytes_in", "bytes_out", "duration", "node_duration", "hops"} | {
    "close_code",
    "messages_in",
    "messages_out",
}


# ---------------------------------------------------------------- the reference page

BOUGHT: dict[str, Any] = {
    "remote_port": 50412,
    "target": b"/cart?step=2",
    "referer": b"https://shop.example/",
    "user_agent": b"Mozilla/5.0 (X11; Linux x86_64)",
    "bytes_out": 5120,
    "virtualhost": "shop.example",
    "host": b"shop.example",
    "identity": "app1",
    "duration": 0.042,
    "node_duration": 0.041,
    "request_id": b"6f1c24d0a8b34f5e9d0c7a5b1e2f3a4d",
}
ORDERED: dict[str, Any] = {
    "started_at": 1_700_000_001.0,
    "remote_addr": "192.0.2.7",
    "remote_port": 40022,
    "user": b"ann",
    "method": b"POST",
    "target": b"/api/orders",
    "status": 502,
    "bytes_in": 311,
    "bytes_out": 60,
    "user_agent": b"curl/8.5.0",
    "virtualhost": "shop.example",
    "host": b"shop.example",
    "identity": "app2/x7",
    "duration": 3.1,
    "node_duration": 0.0,
    "reason": CloseReason.NODE_GONE,
    "detail": "node app2/x7 is gone",
    "request_id": b"0b7e6a55c1d2403f8e9fa0b1c2d3e4f5",
    "route": "/api",
    "hops": 1,
}
STRAYED: dict[str, Any] = {
    "started_at": 1_700_000_002.0,
    "remote_addr": "198.51.100.9",
    "remote_port": 1234,
    "target": b"/",
    "status": 404,
    "bytes_out": 40,
    "user_agent": b"",
    "virtualhost": "",
    "host": b"nobody.example",
    "identity": "",
    "duration": 0.0001,
    "node_duration": 0.0,
    "reason": CloseReason.REFUSED,
    "detail": "no virtualhost for nobody.example",
    "request_id": b"",
}


def test_the_examples_of_the_page_are_what_is_written() -> None:
    assert examples("access-log text") == [
        format_combined(make_exchange_view(**changes)) for changes in (BOUGHT, ORDERED, STRAYED)
    ]
    assert examples("access-log json") == [format_json(make_exchange_view(**BOUGHT))]


def test_the_page_tells_every_field_and_its_type() -> None:
    rows = documented_fields("Access log, JSON")
    everything = read_json(**BOUGHT | ORDERED | {"referer": b"http://a/", "close_code": 1000})
    assert set(rows) == set(everything)
    for name, kind in rows.items():
        assert (kind == "number") is (name in NUMBERS), name
