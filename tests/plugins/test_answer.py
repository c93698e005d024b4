"""The filter `answer`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from blastbeat.errors import ConfigError
from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, ServerView
from blastbeat.plugins.answer import MAX_FILE, AnswerPlugin, type_of
from blastbeat.testing import FilterContract, make_registered, make_request_view

TEXT = (b"Content-Type", b"text/plain; charset=utf-8")


def make(plugin: AnswerPlugin | None = None, **options: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return make_registered(plugin or AnswerPlugin(), "filter", "answer", named)


class TestAnswer(FilterContract):
    plugin = AnswerPlugin
    name = "answer"
    options = {"status": "503", "body": "back soon", "headers": "Retry-After: 60", "method": "GET HEAD"}


def answer(subject: Any, **changes: Any) -> Answer | None:
    verdict: Answer | None = subject.on_request(make_request_view(**changes))
    return verdict


def test_what_it_answers() -> None:
    assert answer(make(body="hello", headers=["X-A: 1", "X-B: 2"])) == Answer(
        200, b"hello", (TEXT, (b"X-A", b"1"), (b"X-B", b"2")), CloseReason.COMPLETE, "answer"
    )
    assert answer(make(status=204)) == Answer(204, b"", (), CloseReason.COMPLETE, "answer")
    assert answer(make(status=410)) == Answer(410, b"", (), CloseReason.REFUSED, "answer")


def test_which_requests_it_answers() -> None:
    subject = make(path="/robots.txt", method="get, head")
    assert answer(subject, target=b"/robots.txt", method=b"get") is not None
    subject = make(path="/robots.txt", method="GET HEAD")
    assert answer(subject, target=b"/robots.txt?x") is not None
    assert answer(subject, target=b"/a/../robots.txt", method=b"HEAD") is not None
    assert answer(subject, target=b"/robots.txt", method=b"POST") is None
    assert answer(subject, target=b"/robots.txt.bak") is None


def test_a_file(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>é")
    subject = make(status="503", file=str(page))
    expected = [(b"Content-Type", b"text/html; charset=utf-8")]
    found = answer(subject)
    assert found is not None and list(found.headers) == expected and found.body == "<p>é".encode()
    found = answer(make(file=str(page), content_type="application/xhtml+xml"))
    assert found is not None and dict(found.headers)[b"Content-Type"] == b"application/xhtml+xml"


def test_a_reload_reads_the_file_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    page, plugin = tmp_path / "page.html", AnswerPlugin()
    page.write_text("old")
    subject = make(plugin, file=str(page))
    page.write_text("new")
    plugin.blastbeat_config_reloaded(ServerView(0.0))
    found = answer(subject)
    assert found is not None and found.body == b"new"
    page.unlink()
    with caplog.at_level(logging.WARNING):
        plugin.blastbeat_config_reloaded(ServerView(0.0))
    found = answer(subject)
    assert found is not None and found.body == b"new"
    assert f"{page} cannot be read" in caplog.text


def test_a_reload_does_nothing_to_those_without_a_file() -> None:
    plugin = AnswerPlugin()
    subject = make(plugin, body="x")
    plugin.blastbeat_config_reloaded(ServerView(0.0))
    found = answer(subject)
    assert found is not None and found.body == b"x"


def test_types_of_files() -> None:
    assert type_of("a.txt") == "text/plain; charset=utf-8"
    assert type_of("a.json") == "application/json"
    assert type_of("a.txt.gz") == type_of("a") == "application/octet-stream"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"status": "199"}, "from 200 to 599"),
        ({"status": "204", "body": "x"}, "status 204 has no body"),
        ({"body": "a", "file": __file__}, "either `body` or `file`"),
        ({"file": "/nowhere/x.html"}, "/nowhere/x.html cannot be read: No such file"),
        ({"headers": "Content-Length: 1"}, "framing"),
        ({"headers": "Content-Type: a/b"}, "an option of its own"),
        ({"content_type": "html"}, "media type"),
        ({"method": "GE(T"}, "no name"),
        ({"path": "x"}, "not a path"),
    ],
)
def test_options_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**options)


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(b"x" * (MAX_FILE + 1))
    with pytest.raises(ConfigError, match="longer than 1MiB"):
        make(file=str(page))
