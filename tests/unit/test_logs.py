"""Log records become lines: one each, whatever is in them."""

from __future__ import annotations

import io
import logging

import pytest

from blastbeat.logs import describe_exception, set_up_logging, tell


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
    assert line.endswith(" WARNING blastbeat.test: hello\n") and line[:2].isdigit()


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
