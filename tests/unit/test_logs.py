"""Log records become lines: one each, whatever is in them."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.counters import Counters
from blastbeat.figures import figures_since, take_figures
from blastbeat.logs import FIELDS, describe_exception, new_formatter, notice_format, set_up_logging, tell
from tests.helpers.logs_page import PAGE, documented_fields, examples


def logged(level: str, write: str, error: Exception | None = None) -> str:
    stream = io.StringIO()
    set_up_logging(level, stream)
    logging.getLogger("blastbeat.test").warning("%s", write, exc_info=error)
    return stream.getvalue()


def failure() -> Exception:
    try:
        raise ValueError("lost\nkey")
    except ValueError as error:
        return error


def test_a_record_is_one_line_with_time_level_and_logger() -> None:
    line = logged("info", "hello")
    time, rest = line.split(" ", 1)
    assert rest == "WARNING blastbeat.test: hello\n"
    assert len(time) == len("2026-01-01T00:00:00.000Z") and time.endswith("Z")


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\x1b[2Jb", "a\x00b", "a\x9bb"])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_nothing_in_a_message_can_forge_a_line_or_steer_a_terminal(text: str, level: str) -> None:
    line = logged(level, text)
    assert line.count("\n") == 1 and line[:-1].isprintable()


def test_an_exception_is_told_on_the_same_line() -> None:
    line = logged("info", "it failed", failure())
    assert line.endswith("it failed: ValueError: lost\\nkey\n") and "Traceback" not in line


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in logged("debug", "it failed", failure())


def test_the_level_is_a_threshold() -> None:
    assert logged("error", "only a warning") == ""


def test_a_traceback_can_steer_no_terminal_either() -> None:
    assert "\x1b" not in logged("debug", "it failed", ValueError("a\x1b[2Jb"))


@pytest.mark.parametrize(
    ("error", "text"), [(None, ""), (ValueError(), "ValueError"), (ValueError("a\nb"), "ValueError: a\\nb")]
)
def test_exceptions_in_words(error: BaseException | None, text: str) -> None:
    assert describe_exception(error) == text


def test_tell_writes_a_line_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    tell("ready")
    assert capsys.readouterr().err == "ready\n"


def test_tell_bears_a_closed_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    tell("nobody hears")


# ---------------------------------------------------------------- formats


def record(message: str = "hello", error: Exception | None = None, **extra: Any) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error is not None else None
    made = logging.LogRecord("blastbeat.test", logging.WARNING, __file__, 1, message, None, exc_info)
    made.created = 1_700_000_000.25
    made.__dict__.update(extra)
    return made


OF_A_REQUEST: dict[str, Any] = {"request_id": "r1", "virtualhost": "shop.example", "node": "app/1"}


def test_a_record_of_a_request_says_which() -> None:
    assert new_formatter("text").format(record(**OF_A_REQUEST)) == (
        "2023-11-14T22:13:20.250Z WARNING blastbeat.test: hello"
        " [virtualhost=shop.example node=app/1 request_id=r1]"
    )


def test_only_what_is_known_is_told() -> None:
    assert new_formatter("text").format(record(virtualhost="a", node="")).endswith(": hello [virtualhost=a]")


def test_an_exception_stands_behind_the_request() -> None:
    line = new_formatter("text").format(record(error=failure(), request_id="r1"))
    assert line.endswith(": hello [request_id=r1]: ValueError: lost\\nkey")


def test_json() -> None:
    assert json.loads(new_formatter("json").format(record(error=failure(), **OF_A_REQUEST))) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "WARNING",
        "logger": "blastbeat.test",
        "message": "hello",
        "virtualhost": "shop.example",
        "node": "app/1",
        "request_id": "r1",
        "exception": "ValueError: lost\\nkey",
    }


def test_json_at_debug_has_the_traceback_as_a_field() -> None:
    line = new_formatter("json", tracebacks=True).format(record(error=failure()))
    assert "\n" not in line and "Traceback" in json.loads(line)["traceback"]


def test_figures_are_numbers() -> None:
    line = new_formatter("json").format(record(figures={"requests": 3, "requests_per_second": 0.1}))
    assert json.loads(line)["figures"] == {"requests": 3, "requests_per_second": 0.1}


@given(st.text(), st.text(), st.text())
def test_whatever_is_logged_is_one_line(message: str, field: str, error: str) -> None:
    made = record(message, ValueError(error), virtualhost=field)
    made.args = ()
    text, as_json = new_formatter("text").format(made), new_formatter("json").format(made)
    assert len(text.encode("utf-8", "backslashreplace").split(b"\n")) == 1
    assert not {code for code in map(ord, text) if code < 32 and code != 9 or 127 <= code < 160}
    assert as_json.isascii() and as_json.isprintable() and json.loads(as_json)["level"] == "WARNING"


def test_what_a_log_says_of_itself() -> None:
    at, text = 1_700_000_000.25, "7 lines lost"
    assert notice_format("text", "x")(at, text) == "2023-11-14T22:13:20.250Z 7 lines lost"
    assert json.loads(notice_format("json", "x")(at, text)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "WARNING",
        "logger": "x",
        "message": "7 lines lost",
    }


def test_a_request_id_may_be_bytes_as_views_have_it() -> None:
    assert new_formatter("text").format(record(request_id=b"r1")).endswith("[request_id=r1]")


# ---------------------------------------------------------------- the reference page


def test_the_examples_of_the_page_are_what_is_written() -> None:
    up = record("node app1 is up: first message", node="app1", levelname="INFO", name="blastbeat.node_log")
    failed = record(
        "filter 'shop' failed",
        KeyError("cart"),
        virtualhost="shop.example",
        request_id="6f1c24d0a8b34f5e9d0c7a5b1e2f3a4d",
        levelname="ERROR",
        name="blastbeat.filtering",
    )
    assert examples("error-log text") == [new_formatter("text").format(each) for each in (up, failed)]
    assert examples("error-log json") == [new_formatter("json").format(failed)]


def test_the_page_tells_every_figure() -> None:
    figures = figures_since(take_figures(0.0, Counters()), take_figures(1.0, Counters()))
    assert list(documented_fields("Figures")) == list(figures)
    [line] = examples("figures text")
    assert re.findall(r" (\w+)=", line) == list(figures)


def test_the_page_names_every_field() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in FIELDS)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_is_long_is_cut(log_format: str) -> None:
    line = new_formatter(log_format).format(record("x" * 100_000, ValueError("y" * 100_000)))
    assert len(line) < 34_000 and line.count("(83616 more characters)") == 2
